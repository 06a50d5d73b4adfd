//! Actions as data: what is to be done to which node or link, and what can do it.
//!
//! An action is plain data so that a schedule can be printed, stored, shrunk and replayed, and so that the real and
//! the simulated world perform the same one. How it is performed: [`crate::executor`]. What it must show for
//! itself: [`crate::evidence`].

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::grudge::Grudge;
use crate::node::NodeId;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// End the node's process at once (SIGKILL): it gets no chance to say goodbye.
    Kill {
        /// Whose process.
        node: NodeId,
    },
    /// Start the node again. Performed by whoever owns the nodes, never by the nemesis: only that one knows how.
    Start {
        /// Which node.
        node: NodeId,
    },
    /// Stop the node's process (SIGSTOP): it keeps its memory, sockets and beliefs while time passes.
    Pause {
        /// Whose process.
        node: NodeId,
    },
    /// Let a stopped process go on (SIGCONT).
    Resume {
        /// Whose process.
        node: NodeId,
    },
    /// Drop exactly the packets of this grudge, instead of those of the one in force, if any.
    Cut {
        /// Who drops whom.
        grudge: Grudge,
    },
    /// Drop nothing any more.
    Mend,
}

/// Who carries an action out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Performer {
    /// The arena, which owns the nodes.
    Arena,
    /// An [`crate::Executor`]: the nemesis process.
    Nemesis,
}

impl Action {
    /// Who carries it out.
    pub fn performer(&self) -> Performer {
        match self {
            Action::Start { .. } => Performer::Arena,
            _ => Performer::Nemesis,
        }
    }

    /// What an executor must be able to do for it; `None` for what no executor does.
    pub fn needs(&self) -> Option<Capability> {
        match self {
            Action::Kill { .. } | Action::Pause { .. } | Action::Resume { .. } => Some(Capability::Signals),
            Action::Cut { .. } | Action::Mend => Some(Capability::Links),
            Action::Start { .. } => None,
        }
    }

    /// The one node that it concerns; `None` when it concerns links.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Action::Kill { node }
            | Action::Start { node }
            | Action::Pause { node }
            | Action::Resume { node } => Some(*node),
            Action::Cut { .. } | Action::Mend => None,
        }
    }

    /// The action that undoes this one; `None` for what itself undoes.
    pub fn undo(&self) -> Option<Action> {
        match self {
            Action::Kill { node } => Some(Action::Start { node: *node }),
            Action::Pause { node } => Some(Action::Resume { node: *node }),
            Action::Cut { .. } => Some(Action::Mend),
            Action::Start { .. } | Action::Resume { .. } | Action::Mend => None,
        }
    }

    /// The node that it takes out of service until it is undone.
    pub fn takes_out(&self) -> Option<NodeId> {
        match self {
            Action::Kill { node } | Action::Pause { node } => Some(*node),
            _ => None,
        }
    }

    /// The same about other nodes.
    #[must_use]
    pub fn renamed(&self, to: &impl Fn(NodeId) -> NodeId) -> Action {
        match self {
            Action::Kill { node } => Action::Kill { node: to(*node) },
            Action::Start { node } => Action::Start { node: to(*node) },
            Action::Pause { node } => Action::Pause { node: to(*node) },
            Action::Resume { node } => Action::Resume { node: to(*node) },
            Action::Cut { grudge } => {
                Action::Cut { grudge: grudge.pairs().map(|(at, from)| (to(at), to(from))).collect() }
            }
            Action::Mend => Action::Mend,
        }
    }

    /// What must be measured before it counts as done.
    pub fn must_show(&self) -> &'static str {
        match self {
            Action::Kill { .. } => "the process seen alive with its start time, then gone",
            Action::Start { .. } => "a new process of the node, ready",
            Action::Pause { .. } => "every thread of the same process in state T",
            Action::Resume { .. } => "a stopped process with no thread in state T any more",
            Action::Cut { .. } => {
                "on every cut link a probe dropped by its own rule and not arrived, on every other link one arrived"
            }
            Action::Mend => "no rule left and a probe arrived on every link",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Kill { node } => write!(f, "kill {node}"),
            Action::Start { node } => write!(f, "start {node}"),
            Action::Pause { node } => write!(f, "pause {node}"),
            Action::Resume { node } => write!(f, "resume {node}"),
            Action::Cut { grudge } => write!(f, "cut {grudge}"),
            Action::Mend => write!(f, "mend"),
        }
    }
}

/// One kind of thing that an executor may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Signals to the nodes' processes: kill, pause, resume.
    Signals,
    /// Rules on the links between nodes: cut, mend.
    Links,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::Signals => "signals to the nodes' processes",
            Capability::Links => "links of their own for every node (network namespaces)",
        })
    }
}

/// All that an executor can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(pub BTreeSet<Capability>);

impl Capabilities {
    /// Signals and links: the namespace arena.
    pub fn namespaces() -> Self {
        Capabilities(BTreeSet::from([Capability::Signals, Capability::Links]))
    }

    /// Signals only: nodes that share one network, as in the loopback arena.
    pub fn loopback() -> Self {
        Capabilities(BTreeSet::from([Capability::Signals]))
    }

    /// The first of `needs` that is not offered.
    pub fn missing(&self, needs: &[Capability]) -> Option<Capability> {
        needs.iter().copied().find(|need| !self.0.contains(need))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_one_line_of_json() {
        let all = NodeId(1);
        let cut = Action::Cut { grudge: Grudge::from_pairs([(NodeId(2), all)]).unwrap() };
        for (action, text) in [
            (Action::Kill { node: all }, r#"{"do":"kill","node":"n1"}"#),
            (cut, r#"{"do":"cut","grudge":{"n2":["n1"]}}"#),
            (Action::Mend, r#"{"do":"mend"}"#),
        ] {
            assert_eq!(serde_json::to_string(&action).unwrap(), text);
            assert_eq!(serde_json::from_str::<Action>(text).unwrap(), action);
        }
        assert!(serde_json::from_str::<Action>(r#"{"do":"kill","node":"n1","twice":true}"#).is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        let needs = [Capability::Signals, Capability::Links];
        assert_eq!(Capabilities::namespaces().missing(&needs), None);
        assert_eq!(Capabilities::loopback().missing(&needs), Some(Capability::Links));
    }
}
