//! Who takes part, and what a majority of them is (Raft 6; thesis 4).
//!
//! A membership changes by joint consensus: for a while two sets of voters decide together, and every decision (a vote,
//! a commit, a confirmed read, a lease) needs a majority of *each* (RM3). All of these go through [`Membership::reached`], so
//! that the rule stands in one place.
//!
//! A membership is in force from the moment its entry stands in a node's log, committed or not, and no longer when the
//! entry is dropped again (RM1, thesis 4.1): [`Memberships`] keeps those that a log holds.

use serde::{Deserialize, Serialize};

use crate::api::NodeId;
use crate::defect::{Defect, Defects};
use crate::pending::reached_by;
use crate::raft::log::Index;

/// The voters; two sets of them while a change is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Those who stay or come, ascending.
    voters: Vec<NodeId>,
    /// Those who were before, ascending; empty unless both decide together.
    outgoing: Vec<NodeId>,
}

impl Membership {
    /// These voters, and no change under way.
    pub fn of(voters: &[NodeId]) -> Self {
        Self { voters: ascending(voters), outgoing: Vec::new() }
    }

    /// On the way from these voters to `voters`: both decide together.
    pub fn towards(&self, voters: &[NodeId]) -> Self {
        Self { voters: ascending(voters), outgoing: self.voters.clone() }
    }

    /// The end of a change: the new voters alone.
    pub fn settled(&self) -> Self {
        Self { voters: self.voters.clone(), outgoing: Vec::new() }
    }

    /// The same with `nodes` among the voters: what defect R28 counts.
    pub(super) fn with(&self, nodes: impl Iterator<Item = NodeId>) -> Self {
        let voters: Vec<NodeId> = self.voters.iter().copied().chain(nodes).collect();
        Self { voters: ascending(&voters), outgoing: self.outgoing.clone() }
    }

    /// Whether two sets of voters decide together.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Those who vote, or will once the change is over.
    pub fn voters(&self) -> &[NodeId] {
        &self.voters
    }

    /// Those who vote until the change is over; none if there is no change.
    pub fn outgoing(&self) -> &[NodeId] {
        &self.outgoing
    }

    /// Everybody who has a vote, ascending.
    pub fn nodes(&self) -> Vec<NodeId> {
        ascending(&[self.voters.as_slice(), &self.outgoing].concat())
    }

    /// Whether `node` has a vote.
    pub fn contains(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.outgoing.contains(&node)
    }

    /// The highest value that a majority has reached, given how far each voter is; while two sets decide, the highest
    /// that a majority of each has. For yes and no, this is whether a majority says yes.
    pub fn reached<T: Ord + Copy>(&self, defects: Defects, of: impl Fn(NodeId) -> T) -> T {
        if defects.has(Defect::R27) && self.is_joint() {
            return majority_of(&self.nodes(), defects, of);
        }
        let new = majority_of(&self.voters, defects, &of);
        if self.is_joint() { new.min(majority_of(&self.outgoing, defects, of)) } else { new }
    }
}

fn majority_of<T: Ord + Copy>(voters: &[NodeId], defects: Defects, of: impl Fn(NodeId) -> T) -> T {
    let quorum = if defects.has(Defect::R23) { voters.len().div_ceil(2) } else { voters.len() / 2 + 1 };
    let reached = reached_by(quorum as u64, voters.iter().map(|node| (of(*node), 1)));
    reached.expect("a quorum of the voters is among them")
}

fn ascending(nodes: &[NodeId]) -> Vec<NodeId> {
    let mut nodes = nodes.to_vec();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// The memberships that a log holds, and the one before its first entry.
#[derive(Clone, Debug)]
pub(super) struct Memberships {
    base: Membership,
    /// Ascending.
    later: Vec<(Index, Membership)>,
}

impl Memberships {
    pub(super) fn new(base: Membership) -> Self {
        Self { base, later: Vec::new() }
    }

    /// The one in force.
    pub(super) fn latest(&self) -> &Membership {
        self.later.last().map_or(&self.base, |(_, membership)| membership)
    }

    /// Where its entry stands; 0 if that is not known any more, or never was.
    pub(super) fn latest_index(&self) -> Index {
        self.later.last().map_or(Index(0), |(index, _)| *index)
    }

    /// The one that the log up to `index` puts in force.
    pub(super) fn at(&self, index: Index) -> &Membership {
        let end = self.later.partition_point(|(one, _)| *one <= index);
        if end == 0 { &self.base } else { &self.later[end - 1].1 }
    }

    /// An entry was appended.
    pub(super) fn push(&mut self, index: Index, membership: Membership) {
        self.later.push((index, membership));
    }

    /// Whether the entry at `index` is known to hold one.
    pub(super) fn is_known(&self, index: Index) -> bool {
        self.later.iter().any(|(one, _)| *one == index)
    }

    /// The entries from `from` on were dropped.
    pub(super) fn truncate(&mut self, from: Index) {
        self.later.retain(|(index, _)| *index < from);
    }

    /// The entries up to `to` were left out.
    pub(super) fn compact(&mut self, to: Index) {
        self.base = self.at(to).clone();
        self.later.retain(|(index, _)| *index > to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(numbers: &[u32]) -> Vec<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    /// The twin: a value is reached if more than half of each set have it or more.
    #[test]
    fn a_value_is_reached_if_more_than_half_of_each_set_have_it() {
        let sets: [(&[u32], &[u32]); 5] = [
            (&[1], &[]),
            (&[1, 2, 3, 4], &[]),
            (&[1, 2, 3], &[3, 4, 5]),
            (&[1, 2], &[1, 2, 3]),
            (&[4], &[1, 2, 3, 4, 5]),
        ];
        for (voters, outgoing) in sets {
            let membership = match outgoing {
                [] => Membership::of(&nodes(voters)),
                _ => Membership::of(&nodes(outgoing)).towards(&nodes(voters)),
            };
            for values in 0..3_u32.pow(5) {
                let value = |node: NodeId| values / 3_u32.pow(node.0 - 1) % 3;
                let holds = |set: &[u32], level: u32| {
                    let count = set.iter().filter(|number| value(NodeId(**number)) >= level).count();
                    set.is_empty() || count * 2 > set.len()
                };
                let highest = (0..3).rev().find(|level| holds(voters, *level) && holds(outgoing, *level));
                assert_eq!(
                    Some(membership.reached(Defects::NONE, value)),
                    highest,
                    "{membership:?} {values}"
                );
            }
        }
    }

    #[test]
    fn a_membership_goes_with_its_entry() {
        let one = Membership::of(&nodes(&[1]));
        let joint = one.towards(&nodes(&[1, 2]));
        let mut memberships = Memberships::new(one.clone());
        memberships.push(Index(5), joint.clone());
        memberships.push(Index(8), joint.settled());
        assert_eq!(memberships.latest(), &joint.settled());
        assert_eq!(memberships.at(Index(7)), &joint);
        assert_eq!(memberships.at(Index(4)), &one);
        memberships.truncate(Index(8));
        assert_eq!(memberships.latest(), &joint);
        memberships.compact(Index(6));
        assert_eq!((memberships.latest(), memberships.at(Index(0))), (&joint, &joint));
        memberships.truncate(Index(7));
        assert_eq!(memberships.latest(), &joint, "what was compacted is committed and stays");
    }
}
