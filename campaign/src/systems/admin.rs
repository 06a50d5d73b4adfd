//! The port through which a run asks the system itself for something: another leader, other members.
//!
//! An answer says that it is so; the run believes it only when the nodes' own status shows it. Those of the reference node are
//! operations of its clients' port ([`super::reference`]); users bring command lines ([`Commands`]).

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use rashomon_nemesis::NodeId;
use rashomon_workloads::client::BoxedFuture;

use super::argument::Argument;
use super::template::Placeholder;
use super::{Cluster, System, locate};

/// How much of what a command wrote is passed on, in bytes.
const WORDS_BYTES_MAX: usize = 300;

/// What a system can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This node is to lead.
    Lead(NodeId),
    /// Exactly these are to take part.
    Members(BTreeSet<NodeId>),
}

/// It has not been done, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDone {
    /// Whether it will surely not come to pass.
    pub definite: bool,
    /// Why, in words.
    pub text: String,
}

impl NotDone {
    /// It was never begun.
    pub fn surely(text: String) -> Self {
        NotDone { definite: true, text }
    }

    /// Nobody knows.
    pub fn perhaps(text: String) -> Self {
        NotDone { definite: false, text }
    }
}

/// Asks the system.
pub trait Admin: Send + Sync {
    /// Asks the node `at`, and waits until it is done, refused, or too late.
    fn ask(&self, at: NodeId, wish: Wish) -> BoxedFuture<'_, Result<(), NotDone>>;
}

/// Asks by running programs.
#[derive(Clone, Debug)]
pub struct Commands {
    pub(super) system: System,
    pub(super) cluster: Cluster,
    pub(super) timeout: Duration,
    pub(super) leadership: Vec<Argument>,
    pub(super) members: Vec<Argument>,
}

impl Commands {
    async fn run(&self, at: NodeId, wish: Wish) -> Result<(), NotDone> {
        let (template, placeholder, value) = match wish {
            Wish::Lead(heir) => (&self.leadership, Placeholder::Heir, heir.to_string()),
            Wish::Members(members) => {
                let names: Vec<String> = members.iter().map(NodeId::to_string).collect();
                (&self.members, Placeholder::Members, names.join(","))
            }
        };
        let index = self.cluster.members.iter().position(|member| member.id == at);
        let index = index.ok_or_else(|| NotDone::surely(format!("there is no node {at}")))?;
        let scope = self
            .system
            .scope(&self.cluster, index)
            .with(Placeholder::TimeoutMs, self.timeout.as_millis())
            .with(placeholder, value);
        let words =
            self.system.expand(template, &scope).map_err(|error| NotDone::surely(error.to_string()))?;
        let (name, arguments) =
            words.split_first().ok_or_else(|| NotDone::surely("there is no command for it".to_owned()))?;
        let program = locate::program(name, &self.system.folder)
            .ok_or_else(|| NotDone::surely(format!("{name} is not installed")))?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn();
        let child = child.map_err(|error| NotDone::surely(format!("{name} cannot be started: {error}")))?;
        let ended = tokio::time::timeout(self.timeout, child.wait_with_output()).await;
        let ended = ended.map_err(|_| NotDone::perhaps(format!("no end within {:?}", self.timeout)))?;
        let output = ended.map_err(|error| NotDone::perhaps(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let words = &output.stderr[output.stderr.len().saturating_sub(WORDS_BYTES_MAX)..];
        let words = String::from_utf8_lossy(words);
        Err(NotDone::perhaps(format!("{name} ended with {}: {}", output.status, words.trim())))
    }
}

impl Admin for Commands {
    fn ask(&self, at: NodeId, wish: Wish) -> BoxedFuture<'_, Result<(), NotDone>> {
        Box::pin(self.run(at, wish))
    }
}
