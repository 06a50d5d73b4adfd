//! What is known of the nodes at one moment: their roles, as a probe of the system told them.
//!
//! The nemesis aims by role (the leader, its followers), never by protocol: whoever probes maps the system's own
//! words to these few. A view may be late or wrong; nothing here trusts it further than aiming needs.
//! Next: [`crate::target`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::node::{NodeId, nodes};

/// What a node said it is, or what was seen of its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says that it leads (in its term).
    Leader,
    /// Follows a leader.
    Follower,
    /// Seeks to be elected.
    Candidate,
    /// Up as far as is known, but it told no role (a system without roles, a probe that timed out).
    #[default]
    Unknown,
    /// Its process does not run.
    Down,
    /// Its process is stopped (SIGSTOP).
    Paused,
}

impl Role {
    /// Whether a process of this role runs and may take part.
    pub fn is_up(self) -> bool {
        !matches!(self, Role::Down | Role::Paused)
    }
}

/// One node as probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its role.
    pub role: Role,
    /// The term (epoch, ballot) in which it says so; 0 when the system has none. The highest claim to lead wins.
    #[serde(default)]
    pub term: u64,
}

/// All nodes as probed. Every node of the system is listed, whatever its role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct View {
    /// Each node's part.
    pub nodes: BTreeMap<NodeId, NodeView>,
}

impl View {
    /// `n1` to `n{count}`, roles unknown.
    pub fn unknown(count: u32) -> Self {
        nodes(count).map(|node| (node, NodeView::default())).collect()
    }

    /// The node that leads: of those that claim to, the one with the highest term (of equal terms the lowest id,
    /// so that the answer is a function of the view). An isolated old leader loses to its successor.
    pub fn leader(&self) -> Option<NodeId> {
        self.claims().max_by_key(|(node, term)| (*term, std::cmp::Reverse(*node))).map(|(node, _)| node)
    }

    /// Nodes that claim to lead in an older term than the leader's: deposed, and not yet told.
    pub fn deposed(&self) -> BTreeSet<NodeId> {
        let leader = self.leader();
        self.claims().map(|(node, _)| node).filter(|node| Some(*node) != leader).collect()
    }

    /// Every node, in order.
    pub fn all(&self) -> BTreeSet<NodeId> {
        self.nodes.keys().copied().collect()
    }

    /// The nodes whose process runs.
    pub fn up(&self) -> BTreeSet<NodeId> {
        self.nodes.iter().filter(|(_, seen)| seen.role.is_up()).map(|(node, _)| *node).collect()
    }

    fn claims(&self) -> impl Iterator<Item = (NodeId, u64)> + '_ {
        self.nodes.iter().filter(|(_, seen)| seen.role == Role::Leader).map(|(node, seen)| (*node, seen.term))
    }
}

impl FromIterator<(NodeId, NodeView)> for View {
    fn from_iter<I: IntoIterator<Item = (NodeId, NodeView)>>(nodes: I) -> Self {
        View { nodes: nodes.into_iter().collect() }
    }
}

/// How many of `count` nodes are a majority.
pub fn majority(count: usize) -> usize {
    count / 2 + 1
}

/// How many of `count` nodes are the largest minority: what may be lost while a majority remains.
pub fn minority(count: usize) -> usize {
    count.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(roles: &[(Role, u64)]) -> View {
        (1..)
            .map(NodeId)
            .zip(roles.iter().map(|(role, term)| NodeView { role: *role, term: *term }))
            .collect()
    }

    #[test]
    fn the_highest_term_leads_and_the_others_are_deposed() {
        let seen = view(&[(Role::Leader, 3), (Role::Follower, 4), (Role::Leader, 4), (Role::Down, 2)]);
        assert_eq!(seen.leader(), Some(NodeId(3)));
        assert_eq!(seen.deposed(), BTreeSet::from([NodeId(1)]));
        assert_eq!(seen.up().len(), 3);
        assert_eq!(view(&[(Role::Leader, 4), (Role::Leader, 4)]).leader(), Some(NodeId(1)));
        assert_eq!(View::unknown(3).leader(), None);
    }

    #[test]
    fn a_majority_and_the_largest_minority_share_no_node() {
        for count in 1..100 {
            assert!(majority(count) + minority(count) <= count);
            assert!(2 * majority(count) > count && 2 * minority(count) < count);
        }
    }
}
