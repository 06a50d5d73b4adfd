//! What the control side and the nemesis process say to each other: one JSON object per line, on its stdin and stdout.
//!
//! First `init` hands over the nodes (the only things the nemesis may touch); it is answered by `ready` with what can
//! be done to them. Then each `perform` is answered by `performed`, in order, and `heal` by `healed`. What cannot be
//! read or done is `refused`, and the next line is read. When its input ends the nemesis heals and exits. Both sides
//! of the pipe use these types; neither transport nor waiting is here. Next: [`crate::agent`].

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::capability::Capabilities;
use crate::evidence::{LinkEvidence, ProcessIdentity};
use crate::executor::Report;
use crate::node::NodeId;

/// Both sides must speak the same version: they come in one binary.
pub const VERSION: u32 = 1;

/// The longest line that either side reads, in bytes without the line feed.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// One node as handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name.
    pub node: NodeId,
    /// The address at which the others reach it.
    pub address: IpAddr,
    /// The file of its network namespace (`/run/netns/n1`); `None` when it shares the network of others, as in the
    /// loopback arena, where links cannot be cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<PathBuf>,
}

/// A line to the nemesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the control side; comes back in the reply.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// The nodes. Once, before anything else.
    Init {
        /// [`VERSION`] of the sender.
        version: u32,
        /// Every node of the system.
        nodes: Vec<Site>,
    },
    /// One action.
    Perform {
        /// Which.
        action: Action,
        /// The node's process now, for actions that concern one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<ProcessIdentity>,
    },
    /// Undo all that is not yet undone.
    Heal,
}

/// A line from the nemesis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's id; none when the request could not be read.
    pub id: Option<u64>,
    /// What came of it.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To `init`.
    Ready {
        /// What can be done to these nodes.
        capabilities: Capabilities,
        /// The control measurement: every link probed before any fault. None when links are not offered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        links: Option<LinkEvidence>,
    },
    /// To `perform`.
    Performed {
        /// With evidence.
        report: Report,
    },
    /// To `heal`.
    Healed {
        /// One per action that was undone; links are always mended and measured, where they are offered.
        reports: Vec<Report>,
    },
    /// Not understood, or not possible; nothing was done.
    Refused {
        /// Why.
        error: String,
    },
}

impl Request {
    /// As one line, with its line feed.
    pub fn to_line(&self) -> String {
        line(self)
    }

    /// From one line.
    pub fn from_line(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

impl Reply {
    /// As one line, with its line feed.
    pub fn to_line(&self) -> String {
        line(self)
    }

    /// From one line.
    pub fn from_line(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

fn line<T: Serialize>(message: &T) -> String {
    let mut text = serde_json::to_string(message).expect("plain data with text keys always serialises");
    text.push('\n');
    text
}
