//! Scripts: what a schedule did, fault by fault and to the nanosecond, and doing it again.
//!
//! A [`Schedule`](crate::Schedule) draws and a [`Directed`](crate::Directed) time line aims; both decide by what they see
//! on the way. A script has nothing left to decide: whom, when, until when. [`Recording`] writes it down beside any
//! [`Steps`](crate::Steps); [`Script::follow`] repeats it. So a finding is repeated without the luck that found it, and shrunk by
//! leaving faults out: what remains keeps its moments.
//!
//! In the simulator that is exact. Real processes elect whom they like: there a script is followed *re-aimed*
//! ([`Follow::re_aimed`]), what hit the leader then hits the leader now.

mod following;
mod recording;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::capability::Capability;
use crate::fault::Class;
use crate::grudge::Grudge;
use crate::node::NodeId;
use crate::schedule::in_force::Broken;

pub use following::Follow;
pub use recording::Recording;

/// One fault as it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    /// The fault's name.
    pub name: String,
    /// Its class.
    pub class: Class,
    /// When it began, in nanoseconds since the start of the run.
    pub at: Nanos,
    /// When it ended; none: with the final heal, or the run ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Nanos>,
    /// Whether what began at the moment of its end came first: perhaps in its place, so that it ended by that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yields: bool,
    /// What began it.
    pub start: Vec<Action>,
    /// What ended it, or would have.
    pub stop: Vec<Action>,
    /// Whom it hit and why, for people.
    pub story: String,
    /// Who was known to lead when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<NodeId>,
}

/// A whole schedule as it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// When the final heal began; none: the run ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_at: Option<Nanos>,
    /// Whether the final heal mended the links, even if none was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mends: bool,
    /// Whether the final heal restored the members, even if all were there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restores: bool,
    /// In order of beginning.
    #[serde(default)]
    pub faults: Vec<Scripted>,
}

/// A script that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// A fault about a node that is not there.
    #[error("the script's fault {name} at {at} is about {node}, which does not exist")]
    UnknownNode {
        /// The fault.
        name: String,
        /// When it begins.
        at: Nanos,
        /// The node.
        node: NodeId,
    },
    /// Faults that are not in order of beginning, or end before they begin.
    #[error("the script's fault {name} at {at} {problem}")]
    OutOfOrder {
        /// The fault.
        name: String,
        /// When it begins.
        at: Nanos,
        /// What is wrong with that.
        problem: &'static str,
    },
}

impl Script {
    /// Repeats it on these nodes. The final heal is at its own moment, or, where it has none, at `duration`.
    pub fn follow(&self, nodes: BTreeSet<NodeId>, duration: Nanos) -> Result<Follow, ScriptError> {
        let mut before = Nanos(0);
        for fault in &self.faults {
            let (name, at) = (fault.name.clone(), fault.at);
            if let Some(node) = fault.nodes().difference(&nodes).next() {
                return Err(ScriptError::UnknownNode { name, at, node: *node });
            }
            let problem = match (at < before, fault.until.is_some_and(|until| until < at)) {
                (true, _) => "begins before the one listed before it",
                (_, true) => "ends before it begins",
                _ => {
                    before = at;
                    continue;
                }
            };
            return Err(ScriptError::OutOfOrder { name, at, problem });
        }
        let heal_at = self.heal_at.unwrap_or(duration);
        let broken = Broken::by(&self.needs());
        let broken = Broken { links: self.mends || broken.links, members: self.restores || broken.members };
        Ok(Follow::new(nodes, heal_at, self.faults.clone(), broken))
    }

    /// The same without this node, those after it moving up; faults that only it had are left out.
    #[must_use]
    pub fn without_node(&self, gone: NodeId) -> Script {
        let moved = |node: NodeId| if node > gone { NodeId(node.0 - 1) } else { node };
        let rest = |action: &Action| -> Option<Action> {
            let grudge = match action {
                Action::Cut { grudge } => grudge,
                Action::Handle { by } => return Some(Action::Handle { by: by.without(gone, &moved)? }),
                Action::LetGo { of } => return Some(Action::LetGo { of: of.without(gone, &moved)? }),
                Action::Members { of, at } => {
                    let of: BTreeSet<_> =
                        of.iter().copied().filter(|node| *node != gone).map(moved).collect();
                    let at = at.filter(|at| *at != gone).map(moved);
                    return (!of.is_empty()).then_some(Action::Members { of, at });
                }
                Action::Lead { node, at } if *node != gone => {
                    let at = at.filter(|at| *at != gone).map(moved);
                    return Some(Action::Lead { node: moved(*node), at });
                }
                other => return (other.node() != Some(gone)).then(|| other.renamed(&moved)),
            };
            let pairs = grudge.pairs().filter(|(to, from)| *to != gone && *from != gone);
            let grudge: Grudge = pairs.map(|(to, from)| (moved(to), moved(from))).collect();
            (!grudge.is_empty()).then_some(Action::Cut { grudge })
        };
        let kept = |fault: &Scripted| -> Option<Scripted> {
            let start: Vec<Action> = fault.start.iter().filter_map(rest).collect();
            let stop = fault.stop.iter().filter_map(rest).collect();
            let leader = fault.leader.filter(|leader| *leader != gone).map(moved);
            let story = renamed(&fault.story, &moved, gone);
            (!start.is_empty()).then(|| Scripted { start, stop, leader, story, ..fault.clone() })
        };
        Script { faults: self.faults.iter().filter_map(kept).collect(), ..*self }
    }

    /// What an executor must offer to follow it.
    pub fn needs(&self) -> BTreeSet<Capability> {
        let actions = self.faults.iter().flat_map(|fault| fault.start.iter().chain(&fault.stop));
        actions.filter_map(Action::needs).collect()
    }
}

/// The story about other names; the node that is gone is said to be.
fn renamed(story: &str, to: &impl Fn(NodeId) -> NodeId, gone: NodeId) -> String {
    let word = |word: &str| match word.parse::<NodeId>() {
        Ok(node) if node == gone => "a node left out".to_owned(),
        Ok(node) => to(node).to_string(),
        Err(_) => word.to_owned(),
    };
    let mut text = String::new();
    let mut rest = story;
    while let Some(first) = rest.chars().next() {
        let kind = first.is_alphanumeric();
        let end = rest.find(|c: char| c.is_alphanumeric() != kind).unwrap_or(rest.len());
        text.push_str(&word(&rest[..end]));
        rest = &rest[end..];
    }
    text
}

impl Scripted {
    /// The nodes that it touches.
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        let of = |action: &Action| match action {
            Action::Cut { grudge } => grudge.nodes(),
            Action::Handle { by } | Action::LetGo { of: by } => by.from.union(&by.to).copied().collect(),
            Action::Members { of, .. } => of.clone(),
            other => other.node().into_iter().collect(),
        };
        self.start.iter().chain(&self.stop).flat_map(of).collect()
    }

    /// The fault in words: `1.200 s to 3.400 s: kill n3 (the leader n3)`.
    pub fn tell(&self) -> String {
        let until = self.until.map_or_else(|| "the end".to_owned(), |until| until.to_string());
        let actions: Vec<_> = self.start.iter().map(Action::to_string).collect();
        format!("{} to {until}: {} ({})", self.at, actions.join(", "), self.story)
    }
}
