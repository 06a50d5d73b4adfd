//! Vote once, and terms that rise: on disk, where they outlive restarts (Raft 5.1 and 5.2; RP2 of the rules). And what is on
//! disk binds: a running node never goes by less.

use rashomon_node::api::NodeId;
use rustc_hash::FxHashMap;

use super::{Findings, Law, name};

const ONCE: Law = ("one vote per term", "Raft 5.2");
const BINDING: Law =
    ("a node goes by what it has promised", "Raft Figure 2; Paxos Made Simple 2.2; Zab, phase 1");
const RISING: Law = ("terms on disk rise", "Raft 5.1");

/// A term, and to whom the node has promised itself in it.
pub(crate) type Promise = (u64, Option<NodeId>);

/// Whether a promise binds to as much as another.
pub(crate) fn covers((term, to): Promise, (least, for_whom): Promise) -> bool {
    term > least || (term == least && (for_whom.is_none() || to == for_whom))
}

/// A running node, whose disk has one promise, goes by another.
pub(crate) fn goes_by(findings: &mut Findings, node: usize, disk: Promise, memory: Promise) {
    if !covers(memory, disk) {
        findings.broke(BINDING, || format!("{} has promised {disk:?} and goes by {memory:?}", name(node)));
    }
}

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
