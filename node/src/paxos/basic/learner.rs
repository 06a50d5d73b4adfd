//! The learner: a value is chosen once a majority has accepted it *in one and the same ballot* (PP5).

use std::collections::BTreeMap;

use crate::api::NodeId;
use crate::paxos::basic::{Ballot, Tally};

/// The learner of one decree.
#[derive(Clone, Debug)]
pub struct Learner<V> {
    nodes_count: usize,
    accepted: BTreeMap<Ballot, Tally>,
    chosen: Option<V>,
}

impl<V> Learner<V> {
    /// Knows nothing yet.
    pub fn new(nodes_count: usize) -> Self {
        Self { nodes_count, accepted: BTreeMap::new(), chosen: None }
    }

    /// An acceptor has durably accepted `value` in `ballot`.
    pub fn accepted(&mut self, from: NodeId, ballot: Ballot, value: V) {
        let tally = self.accepted.entry(ballot).or_default();
        tally.insert(from);
        if tally.is_majority_of(self.nodes_count) && self.chosen.is_none() {
            self.chosen = Some(value);
        }
    }

    /// What has been chosen, as far as it knows.
    pub fn chosen(&self) -> Option<&V> {
        self.chosen.as_ref()
    }
}
