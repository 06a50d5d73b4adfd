//! Basic Paxos: one decree, chosen once and for all (Lamport, "Paxos Made Simple", 2001).
//!
//! Three roles, each a file: [`acceptor`] promises and accepts, [`proposer`] looks for a value that may be proposed,
//! [`learner`] counts. [`Node`] plays all three, as every node of Multi-Paxos does. `docs/paxos.md` tells the story;
//! [`crate::paxos`] runs one instance per slot of its log with the same promise, the same adoption, the same counting.
//!
//! Safe whatever happens to messages and nodes; live only while proposers do not keep outbidding each other, which is why
//! Multi-Paxos distinguishes one of them.

pub mod acceptor;
pub mod ballot;
pub mod learner;
pub mod proposer;

pub use acceptor::{Accepted, Acceptor, Promised, Refused};
pub use ballot::Ballot;
pub use learner::Learner;
pub use proposer::{Highest, Proposer, Tally};

use crate::api::NodeId;

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<V> {
    /// Phase 1a: promise to take no part in lower ballots.
    Prepare {
        /// The proposer's.
        ballot: Ballot,
    },
    /// Phase 1b: promised; and this was accepted before.
    Promise {
        /// The ballot promised.
        ballot: Ballot,
        /// What had been accepted.
        accepted: Option<Accepted<V>>,
    },
    /// Phase 2a: accept this value.
    Accept {
        /// The proposer's.
        ballot: Ballot,
        /// Adopted, or the proposer's own.
        value: V,
    },
    /// Phase 2b, to everybody as a learner: accepted.
    Accepted {
        /// In this ballot.
        ballot: Ballot,
        /// This value.
        value: V,
    },
    /// A higher ballot has been promised.
    Refused {
        /// That one.
        promised: Ballot,
    },
}

/// Messages and whom they are for. None may leave before the node's acceptor is on stable storage as it is now.
pub type Outgoing<V> = Vec<(NodeId, Message<V>)>;

/// A node in all three roles.
#[derive(Clone, Debug)]
pub struct Node<V> {
    id: NodeId,
    nodes: Vec<NodeId>,
    acceptor: Acceptor<V>,
    proposer: Option<Proposer<V>>,
    learner: Learner<V>,
    /// The highest ballot heard of, in whatever role.
    seen: Ballot,
}

impl<V: Clone> Node<V> {
    /// Node `id` of `nodes`, with its acceptor as it was on disk; what it proposed and learnt is gone, which is harmless.
    pub fn restore(id: NodeId, nodes: Vec<NodeId>, acceptor: Acceptor<V>) -> Self {
        let learner = Learner::new(nodes.len());
        // Above the own promise, hence above every ballot this node ever used (PP1).
        let seen = acceptor.promised();
        Self { id, nodes, acceptor, proposer: None, learner, seen }
    }

    /// Proposes `wish`, in a ballot above all that it has heard of.
    pub fn propose(&mut self, wish: V) -> Outgoing<V> {
        let ballot = self.seen.next_of(self.id);
        self.seen = ballot;
        self.proposer = Some(Proposer::new(self.nodes.len(), ballot, wish));
        let mut out = self.to_others(&Message::Prepare { ballot });
        // The own promise, made first: after a crash it is the memory of this ballot.
        if let Ok(accepted) = self.acceptor.prepare(ballot) {
            out.extend(self.on_promise(self.id, ballot, accepted));
        }
        out
    }

    /// Refused: tries again with a higher ballot, if it still has something to propose.
    pub fn retry(&mut self) -> Outgoing<V> {
        match &self.proposer {
            Some(proposer) => {
                let wish = proposer.wish().clone();
                self.propose(wish)
            }
            None => Vec::new(),
        }
    }

    /// Takes a message.
    pub fn receive(&mut self, from: NodeId, message: Message<V>) -> Outgoing<V> {
        match message {
            Message::Prepare { ballot } => {
                self.seen = self.seen.max(ballot);
                let answer = match self.acceptor.prepare(ballot) {
                    Ok(accepted) => Message::Promise { ballot, accepted },
                    Err(Refused { promised }) => Message::Refused { promised },
                };
                vec![(from, answer)]
            }
            Message::Promise { ballot, accepted } => self.on_promise(from, ballot, accepted),
            Message::Accept { ballot, value } => match self.accept(ballot, value) {
                Ok(out) => out,
                Err(Refused { promised }) => vec![(from, Message::Refused { promised })],
            },
            Message::Accepted { ballot, value } => {
                self.learner.accepted(from, ballot, value);
                Vec::new()
            }
            Message::Refused { promised } => {
                self.seen = self.seen.max(promised);
                Vec::new()
            }
        }
    }

    /// The acceptor, which is all that has to be on disk.
    pub fn acceptor(&self) -> &Acceptor<V> {
        &self.acceptor
    }

    /// What has been chosen, as far as this node knows.
    pub fn chosen(&self) -> Option<&V> {
        self.learner.chosen()
    }

    fn on_promise(&mut self, from: NodeId, ballot: Ballot, accepted: Option<Accepted<V>>) -> Outgoing<V> {
        let value = self.proposer.as_mut().and_then(|proposer| proposer.promise(from, ballot, accepted));
        let Some(value) = value else { return Vec::new() };
        let mut out = self.to_others(&Message::Accept { ballot, value: value.clone() });
        out.extend(self.accept(ballot, value).unwrap_or_default());
        out
    }

    fn accept(&mut self, ballot: Ballot, value: V) -> Result<Outgoing<V>, Refused> {
        self.seen = self.seen.max(ballot);
        self.acceptor.accept(ballot, value.clone())?;
        self.learner.accepted(self.id, ballot, value.clone());
        Ok(self.to_others(&Message::Accepted { ballot, value }))
    }

    fn to_others(&self, message: &Message<V>) -> Outgoing<V> {
        let others = self.nodes.iter().filter(|node| **node != self.id);
        others.map(|node| (*node, message.clone())).collect()
    }
}
