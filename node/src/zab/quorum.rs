//! Who votes, and how much each vote weighs.
//!
//! A quorum is a set of voters that weigh more than half of all: any two have a voter in common, which is all that the
//! proofs ask of them. Observers follow like everybody else, but their votes and acknowledgements count for nothing, so
//! there may be many of them, far away, without slowing a commit down.

use litemap::LiteMap;

use crate::api::NodeId;
use crate::pending::reached_by;
use crate::settings::Settings;

/// The voters with their weights.
#[derive(Clone, Debug)]
pub struct Electorate {
    weights: LiteMap<NodeId, u64>,
    /// Of all together.
    total: u64,
}

impl Electorate {
    /// As the settings say.
    pub fn new(settings: &Settings) -> Self {
        Self::of(settings.members.iter().map(|node| (*node, settings.weight(*node))).collect())
    }

    fn of(weights: LiteMap<NodeId, u64>) -> Self {
        Self { total: weights.values().sum(), weights }
    }

    /// Whether this node votes.
    pub fn votes(&self, node: NodeId) -> bool {
        self.weights.contains_key(&node)
    }

    /// How many vote.
    pub fn count(&self) -> usize {
        self.weights.len()
    }

    /// Whether these nodes, each named once, are a quorum.
    pub fn is_quorum(&self, nodes: impl IntoIterator<Item = NodeId>) -> bool {
        let weight: u64 = nodes.into_iter().filter_map(|node| self.weights.get(&node)).sum();
        self.is_majority(weight)
    }

    /// The highest value that a quorum has reached, given how far each voter is.
    pub fn reached<T: Ord + Copy + Default>(&self, of: impl Fn(NodeId) -> T) -> T {
        let weighed = self.weights.iter().map(|(node, weight)| (of(*node), *weight));
        reached_by(self.total / 2 + 1, weighed).unwrap_or_default()
    }

    fn is_majority(&self, weight: u64) -> bool {
        2 * weight > self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn electorate(weights: &[u64]) -> Electorate {
        Electorate::of((1..).map(NodeId).zip(weights.iter().copied()).collect())
    }

    /// The dumb twin of `reached`: the highest value such that those at or above it are a quorum.
    #[test]
    fn what_a_quorum_has_reached_is_the_highest_value_that_a_quorum_is_at_or_above() {
        for weights in [&[1, 1, 1][..], &[1, 1, 1, 1], &[3, 1, 1], &[2, 2, 1, 1, 1]] {
            let electorate = electorate(weights);
            for code in 0..3_u32.pow(4) {
                let digit = |position: u32| code / 3_u32.pow(position) % 3;
                let values: Vec<(NodeId, u32)> =
                    (0..weights.len() as u32).map(|one| (NodeId(one + 1), digit(one % 4))).collect();
                let at_least =
                    |bound| values.iter().filter(move |(_, value)| *value >= bound).map(|(node, _)| *node);
                let twin = (0..3).rev().find(|bound| electorate.is_quorum(at_least(*bound))).unwrap_or(0);
                assert_eq!(
                    electorate.reached(|node| values[node.0 as usize - 1].1),
                    twin,
                    "{weights:?} {values:?}"
                );
            }
        }
    }

    #[test]
    fn any_two_quorums_share_a_voter() {
        let electorate = electorate(&[3, 1, 1, 2]);
        let members = |set: u32| (0..4).filter(move |bit| set >> bit & 1 == 1).map(|bit| NodeId(bit + 1));
        let quorums: Vec<u32> = (0..16).filter(|set| electorate.is_quorum(members(*set))).collect();
        assert!(quorums.len() > 1);
        assert!(quorums.iter().all(|one| quorums.iter().all(|two| one & two != 0)));
    }

    #[test]
    fn observers_count_for_nothing() {
        let electorate = electorate(&[1, 1, 1]);
        assert!(!electorate.is_quorum([NodeId(1), NodeId(4), NodeId(5)]));
        assert_eq!(electorate.reached(|node| [0, 7, 3, 0, 9, 9][node.0 as usize]), 3);
    }
}
