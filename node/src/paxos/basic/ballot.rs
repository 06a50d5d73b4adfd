//! Ballots: numbers of proposals, totally ordered and never used twice (PP1).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api::NodeId;

/// The number of a proposal. Two proposers never share one, as each puts its own number last; a proposer never uses one
/// twice, as its own acceptor durably promises a ballot before anybody else hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// Rises with each attempt.
    pub round: u64,
    /// Whose it is.
    pub node: NodeId,
}

impl Ballot {
    /// Below every ballot that a proposer uses.
    pub const NONE: Self = Self { round: 0, node: NodeId(0) };

    /// Above every ballot that a proposer uses: what is known to be chosen is reported under it, as nothing proposed
    /// anywhere can outrank it.
    pub const TOP: Self = Self { round: u64::MAX, node: NodeId(u32::MAX) };

    /// The lowest ballot of `node` above this one that starts a new round.
    pub fn next_of(self, node: NodeId) -> Self {
        Self { round: self.round.saturating_add(1), node }
    }
}

impl Default for Ballot {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.node.0)
    }
}
