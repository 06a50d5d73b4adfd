//! The proposer: asks for promises, adopts the highest accepted value that they report, asks for acceptance.

use crate::api::NodeId;
use crate::paxos::basic::{Accepted, Ballot};

/// Distinct nodes that said yes: repeated messages count once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<NodeId>);

impl Tally {
    /// Counts a node.
    pub fn insert(&mut self, node: NodeId) {
        if !self.contains(node) {
            self.0.push(node);
        }
    }

    /// Whether the node has been counted.
    pub fn contains(&self, node: NodeId) -> bool {
        self.0.contains(&node)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether they are a majority of `nodes_count`: two majorities have a node in common, on which all safety rests.
    pub fn is_majority_of(&self, nodes_count: usize) -> bool {
        self.0.len() > nodes_count / 2
    }
}

/// Of all accepted values reported to a proposer, that of the highest ballot: the only one that can have been chosen
/// below its own (PP4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highest<V>(Option<Accepted<V>>);

impl<V> Default for Highest<V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<V> Highest<V> {
    /// Takes note of what an acceptor reports.
    pub fn report(&mut self, accepted: Accepted<V>) {
        if self.0.as_ref().is_none_or(|highest| accepted.ballot > highest.ballot) {
            self.0 = Some(accepted);
        }
    }

    /// The value to propose: the highest, or if nothing was reported, none in particular.
    pub fn value(self) -> Option<V> {
        self.0.map(|accepted| accepted.value)
    }
}

/// The proposer of one decree.
#[derive(Clone, Debug)]
pub struct Proposer<V> {
    nodes_count: usize,
    ballot: Ballot,
    wish: V,
    phase: Phase<V>,
}

#[derive(Clone, Debug)]
enum Phase<V> {
    Preparing {
        promises: Tally,
        highest: Highest<V>,
    },
    /// Its value has left; what becomes of it is the learners' affair.
    Proposed,
}

impl<V: Clone> Proposer<V> {
    /// Starts on `ballot`, which it has never used before; `wish` is proposed if the choice is free.
    pub fn new(nodes_count: usize, ballot: Ballot, wish: V) -> Self {
        let phase = Phase::Preparing { promises: Tally::default(), highest: Highest::default() };
        Self { nodes_count, ballot, wish, phase }
    }

    /// Its ballot.
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// What it would like to have chosen.
    pub fn wish(&self) -> &V {
        &self.wish
    }

    /// Takes a promise of `ballot`; with the majority's last one, returns the value to propose.
    pub fn promise(&mut self, from: NodeId, ballot: Ballot, accepted: Option<Accepted<V>>) -> Option<V> {
        let Phase::Preparing { promises, highest } = &mut self.phase else { return None };
        if ballot != self.ballot {
            return None;
        }
        promises.insert(from);
        accepted.into_iter().for_each(|accepted| highest.report(accepted));
        if !promises.is_majority_of(self.nodes_count) {
            return None;
        }
        let value = std::mem::take(highest).value().unwrap_or_else(|| self.wish.clone());
        self.phase = Phase::Proposed;
        Some(value)
    }
}
