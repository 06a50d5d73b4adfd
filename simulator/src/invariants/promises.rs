//! Vote once, and terms that rise: on disk, where they outlive restarts (Raft 5.1 and 5.2; RP2 of the rules).

use rashomon_node::api::NodeId;
use rustc_hash::FxHashMap;

use super::{Findings, Law, name};

const ONCE: Law = ("one vote per term", "Raft 5.2");
const RISING: Law = ("terms on disk rise", "Raft 5.1");

/// What each node has ever promised durably.
#[derive(Debug)]
pub(crate) struct Promises {
    terms: Vec<u64>,
    votes: FxHashMap<(usize, u64), NodeId>,
}

impl Promises {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { terms: vec![0; nodes], votes: FxHashMap::default() }
    }

    /// A node is a new server from now on.
    pub(crate) fn forgotten(&mut self, node: usize) {
        self.terms[node] = 0;
        self.votes.retain(|(of, _), _| *of != node);
    }

    /// A node has made a promise durable.
    pub(crate) fn made(&mut self, findings: &mut Findings, node: usize, term: u64, to: Option<NodeId>) {
        let before = std::mem::replace(&mut self.terms[node], term);
        if before > term {
            findings.broke(RISING, || format!("{} went from term {before} to {term}", name(node)));
        }
        let Some(to) = to else { return };
        let first = *self.votes.entry((node, term)).or_insert(to);
        if first != to {
            findings.broke(ONCE, || format!("{} voted for {first} and for {to} in term {term}", name(node)));
        }
    }
}
