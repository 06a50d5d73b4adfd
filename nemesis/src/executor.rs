//! The port `Executor`: performs one action on the processes and links handed to it, and measures what came of it.
//!
//! It touches nothing else: signals go to the identified process or to none, rules go into a chain of its own. One
//! implementation for namespaces on this machine ([`namespaces`]), others for hosts over ssh and for the simulator.
//! Knows nothing of schedules. Next: [`namespaces`].

mod deadline;
mod firewall;
pub mod namespaces;
mod netns;
mod probe;
pub mod process;
mod program;
mod signal;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::capability::{Capabilities, Capability};
use crate::evidence::{Evidence, Outcome, ProcessIdentity, judge};
use crate::node::NodeId;

/// What became of one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The action.
    pub action: Action,
    /// Whether it took effect.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was measured; nothing when the action was refused or broke off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// Why an action was not performed to its end. [`ExecutorError::definite`] says whether it surely had no effect.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// This executor has no such means. No effect.
    #[error("this arena offers no {capability}")]
    Unsupported {
        /// What is missing.
        capability: Capability,
    },
    /// Starting nodes is the arena's. No effect.
    #[error("nodes are started by whoever owns them, not by the nemesis")]
    NotMine,
    /// The action concerns a process, and none was named: the node does not run. No effect.
    #[error("{node} has no process")]
    NoProcess {
        /// The node.
        node: NodeId,
    },
    /// A node that was not handed over. No effect.
    #[error("{node} is not among the nodes handed over")]
    UnknownNode {
        /// The node.
        node: NodeId,
    },
    /// It was refused before anything changed. No effect.
    #[error("{what}: {reason}")]
    Refused {
        /// What was attempted.
        what: String,
        /// What the system answered.
        reason: String,
    },
    /// It broke off on the way: it may have taken effect, wholly or in part.
    #[error("{what}: {reason}")]
    BrokeOff {
        /// What was attempted.
        what: String,
        /// What the system answered.
        reason: String,
    },
}

impl ExecutorError {
    /// Whether the action surely had no effect.
    pub fn definite(&self) -> bool {
        !matches!(self, ExecutorError::BrokeOff { .. })
    }
}

/// Performs actions and measures their effect.
pub trait Executor {
    /// What it can do. Faults that need more are refused before a run starts.
    fn capabilities(&self) -> Capabilities;

    /// Performs the action and measures. `process` identifies the node's process now, where the action concerns
    /// one: restarts change it, and only whoever starts nodes knows it. Returns within a bound.
    fn measure(
        &mut self,
        action: &Action,
        process: Option<ProcessIdentity>,
    ) -> Result<Evidence, ExecutorError>;

    /// Undoes all that it did and did not yet undo, with a report for each.
    fn heal(&mut self) -> Vec<Report>;

    /// Performs the action and judges what was measured.
    fn perform(&mut self, action: &Action, process: Option<ProcessIdentity>) -> Report {
        let (outcome, evidence) = match self.measure(action, process) {
            Ok(evidence) => (judge(action, &evidence), Some(evidence)),
            Err(error) if error.definite() => (Outcome::skipped(error.to_string()), None),
            Err(error) => (Outcome::indeterminate(error.to_string()), None),
        };
        Report { action: action.clone(), outcome, evidence }
    }
}
