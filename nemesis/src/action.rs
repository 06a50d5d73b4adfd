//! Actions as data: what is to be done to which node or link, and what can do it.
//!
//! An action is plain data so that a schedule can be printed, stored, shrunk and replayed, and so that the real and
//! the simulated world perform the same one. How it is performed: [`crate::executor`]. What it must show for
//! itself: [`crate::evidence`].

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::capability::Capability;
use crate::grudge::Grudge;
use crate::handling::Handling;
use crate::node::NodeId;
use crate::target::listed;

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
    /// The node's machine loses power: its process ends, and what it wrote and did not sync is gone, wholly or in part.
    PowerLoss {
        /// Whose machine.
        node: NodeId,
    },
    /// The node's process ends and its disk is empty from now on.
    Wipe {
        /// Whose disk.
        node: NodeId,
    },
    /// The node's process ends, and something that it had written is no longer what it was.
    Rot {
        /// Whose disk.
        node: NodeId,
    },
    /// The node's next sync fails; it must stop by itself.
    FailSync {
        /// Whose disk.
        node: NodeId,
    },
    /// Something of the node goes slow or wrong, while it goes on.
    Hamper {
        /// Which node.
        node: NodeId,
        /// What.
        with: Hindrance,
    },
    /// That is over.
    Relieve {
        /// Which node.
        node: NodeId,
        /// What.
        of: Hindrance,
    },
    /// Messages are lost, repeated, delayed and overtake each other, on every link.
    Disturb {
        /// How much.
        by: Disturbance,
    },
    /// Every message arrives once and in order again.
    Calm,
    /// Take messages of a kind into the hands.
    Handle {
        /// Which, and how.
        by: Handling,
    },
    /// Let them go, those that were kept as well.
    LetGo {
        /// Which.
        of: Handling,
    },
    /// Ask the system to have this node lead. It takes its time, and may be refused.
    Lead {
        /// Who is to lead.
        node: NodeId,
        /// Whom to ask; none: whoever leads as far as is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<NodeId>,
    },
    /// Ask the system for exactly these members. It takes its time, and may be refused.
    Members {
        /// Who is to take part.
        of: BTreeSet<NodeId>,
        /// Whom to ask; none: whoever leads as far as is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<NodeId>,
    },
}

/// What can go slow or wrong with a node that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Hindrance {
    /// Its syncs take many times as long.
    Disk,
    /// It handles what comes in only every so many milliseconds.
    Load {
        /// That many.
        busy_ms: u64,
    },
    /// Its clock jumps ahead and goes on at another rate.
    Clock {
        /// So far.
        ahead_ms: u64,
        /// Faster than the true rate by so much, in parts per million.
        rate_ppm: i32,
    },
}

/// What happens to messages on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Disturbance {
    /// Share that never arrives.
    pub lost_percent: u32,
    /// Share that arrives twice.
    pub repeated_percent: u32,
    /// Share that is delayed beyond others sent later.
    pub delayed_percent: u32,
    /// By at most so much.
    pub delay_ms_max: u64,
}

/// Who carries an action out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Performer {
    /// The arena, which owns the nodes.
    Arena,
    /// An [`crate::Executor`]: the nemesis process.
    Nemesis,
    /// The system itself, which is asked to: it does so in its own time, and may refuse.
    System,
}

impl Action {
    /// Who carries it out.
    pub fn performer(&self) -> Performer {
        match self {
            Action::Start { .. } | Action::Wipe { .. } => Performer::Arena,
            Action::Lead { .. } | Action::Members { .. } => Performer::System,
            _ => Performer::Nemesis,
        }
    }

    /// What must be on offer for it; `None` for what every arena does.
    pub fn needs(&self) -> Option<Capability> {
        match self {
            Action::Kill { .. } | Action::Pause { .. } | Action::Resume { .. } => Some(Capability::Signals),
            Action::Cut { .. } | Action::Mend => Some(Capability::Links),
            Action::PowerLoss { .. } | Action::Rot { .. } | Action::FailSync { .. } => {
                Some(Capability::Disks)
            }
            Action::Wipe { .. } => Some(Capability::Wipes),
            Action::Lead { .. } => Some(Capability::Leadership),
            Action::Members { .. } => Some(Capability::Members),
            Action::Hamper { with: hindrance, .. } | Action::Relieve { of: hindrance, .. } => {
                Some(match hindrance {
                    Hindrance::Disk => Capability::Disks,
                    Hindrance::Load { .. } => Capability::Load,
                    Hindrance::Clock { .. } => Capability::Clocks,
                })
            }
            Action::Disturb { .. } | Action::Calm => Some(Capability::Messages),
            Action::Handle { .. } | Action::LetGo { .. } => Some(Capability::Messages),
            Action::Start { .. } => None,
        }
    }

    /// The one node that it concerns; `None` when it concerns links.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Action::Kill { node }
            | Action::Start { node }
            | Action::Pause { node }
            | Action::Resume { node }
            | Action::PowerLoss { node }
            | Action::Wipe { node }
            | Action::Rot { node }
            | Action::FailSync { node }
            | Action::Hamper { node, .. }
            | Action::Relieve { node, .. }
            | Action::Lead { node, .. } => Some(*node),
            Action::Cut { .. } | Action::Mend | Action::Disturb { .. } | Action::Calm => None,
            Action::Handle { .. } | Action::LetGo { .. } => None,
            Action::Members { .. } => None,
        }
    }

    /// The action that undoes this one; `None` for what itself undoes, for what breaks nothing, and for other members:
    /// who takes part is restored by whoever knows who did.
    pub fn undo(&self) -> Option<Action> {
        match self {
            Action::Kill { node }
            | Action::PowerLoss { node }
            | Action::Wipe { node }
            | Action::Rot { node }
            | Action::FailSync { node } => Some(Action::Start { node: *node }),
            Action::Hamper { node, with } => Some(Action::Relieve { node: *node, of: *with }),
            Action::Disturb { .. } => Some(Action::Calm),
            Action::Handle { by } => Some(Action::LetGo { of: by.clone() }),
            Action::Pause { node } => Some(Action::Resume { node: *node }),
            Action::Cut { .. } => Some(Action::Mend),
            Action::Start { .. } | Action::Resume { .. } | Action::Mend => None,
            Action::Relieve { .. } | Action::Calm | Action::LetGo { .. } => None,
            Action::Lead { .. } | Action::Members { .. } => None,
        }
    }

    /// The node that it takes out of service until it is undone.
    pub fn takes_out(&self) -> Option<NodeId> {
        match self {
            Action::Kill { node }
            | Action::Pause { node }
            | Action::PowerLoss { node }
            | Action::Wipe { node }
            | Action::Rot { node }
            | Action::FailSync { node } => Some(*node),
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
            Action::PowerLoss { node } => Action::PowerLoss { node: to(*node) },
            Action::Wipe { node } => Action::Wipe { node: to(*node) },
            Action::Rot { node } => Action::Rot { node: to(*node) },
            Action::FailSync { node } => Action::FailSync { node: to(*node) },
            Action::Hamper { node, with } => Action::Hamper { node: to(*node), with: *with },
            Action::Relieve { node, of } => Action::Relieve { node: to(*node), of: *of },
            Action::Disturb { by } => Action::Disturb { by: *by },
            Action::Calm => Action::Calm,
            Action::Handle { by } => Action::Handle { by: by.renamed(to) },
            Action::LetGo { of } => Action::LetGo { of: of.renamed(to) },
            Action::Lead { node, at } => Action::Lead { node: to(*node), at: at.map(to) },
            Action::Members { of, at } => {
                Action::Members { of: of.iter().copied().map(to).collect(), at: at.map(to) }
            }
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
            Action::PowerLoss { .. } | Action::Wipe { .. } | Action::Rot { .. } => {
                "the process seen alive, then gone, and what became of its disk"
            }
            Action::FailSync { .. } => "a sync that will fail",
            Action::Hamper { .. } | Action::Relieve { .. } => "the node's disk, load or clock, changed",
            Action::Disturb { .. } | Action::Calm => "the network's manners, changed",
            Action::Handle { .. } | Action::LetGo { .. } => "the messages that were taken, and let go",
            Action::Lead { .. } => "the node saying of itself that it leads",
            Action::Members { .. } => {
                "the system's word that it is done, and a majority of the new members naming exactly them"
            }
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
            Action::PowerLoss { node } => write!(f, "power loss at {node}"),
            Action::Wipe { node } => write!(f, "wipe {node}"),
            Action::Rot { node } => write!(f, "rot at {node}"),
            Action::FailSync { node } => write!(f, "fail a sync of {node}"),
            Action::Hamper { node, with } => write!(f, "hamper {node}: {with}"),
            Action::Relieve { node, of } => write!(f, "relieve {node} of {of}"),
            Action::Disturb { by } => write!(f, "disturb {by}"),
            Action::Calm => write!(f, "calm"),
            Action::Handle { by } => write!(f, "{by}"),
            Action::LetGo { of } => write!(f, "no more {of}"),
            Action::Lead { node, at } => write!(f, "ask{} that {node} lead", asked(*at)),
            Action::Members { of, at } => {
                write!(f, "ask{} for the members {}", asked(*at), listed(of))
            }
        }
    }
}

fn asked(at: Option<NodeId>) -> String {
    at.map_or_else(String::new, |at| format!(" {at}"))
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::Disk => f.write_str("a slow disk"),
            Hindrance::Load { busy_ms } => write!(f, "a load of {busy_ms} ms"),
            Hindrance::Clock { ahead_ms, rate_ppm } => {
                write!(f, "a clock {ahead_ms} ms ahead at {rate_ppm:+} ppm")
            }
        }
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disturbance { lost_percent, repeated_percent, delayed_percent, delay_ms_max } = self;
        write!(
            f,
            "{lost_percent} % lost, {repeated_percent} % repeated, {delayed_percent} % delayed up to {delay_ms_max} ms"
        )
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
            (
                Action::Hamper { node: all, with: Hindrance::Load { busy_ms: 5 } },
                r#"{"do":"hamper","node":"n1","with":{"load":{"busy_ms":5}}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&action).unwrap(), text);
            assert_eq!(serde_json::from_str::<Action>(text).unwrap(), action);
        }
        assert!(serde_json::from_str::<Action>(r#"{"do":"kill","node":"n1","twice":true}"#).is_err());
    }
}
