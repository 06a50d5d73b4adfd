//! A term in which a node has spoken to others is one that it knows for ever: it is on its disk before the message leaves
//! (Raft Figure 2, "updated on stable storage before responding"; rule RP1). A node that forgot it could vote in it again.
//!
//! Unlike [`super::recovery`] this believes no record: what a node never wrote down cannot be missed there.

use std::collections::VecDeque;

use rashomon_node::protocol::Ticket;

use super::{Findings, Law, name};

const LAW: Law = ("a term once spoken of is known after a restart", "Raft Figure 2; thesis 3.8");

/// What one node has said in which term.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    /// The highest term of a message that has left.
    term: u64,
    durable: Ticket,
    /// Messages that wait for the disk, in order: for which ticket, and of which term.
    waiting: VecDeque<(Ticket, u64)>,
}

impl Spoken {
    /// It has something to say in this term, as soon as this ticket is durable.
    pub(super) fn holds(&mut self, ticket: Ticket, term: u64) {
        self.waiting.push_back((ticket, term));
        self.durable(self.durable);
    }

    /// Its disk has everything up to this ticket.
    pub(super) fn durable(&mut self, ticket: Ticket) {
        self.durable = self.durable.max(ticket);
        while let Some(&(waits_for, term)) = self.waiting.front()
            && waits_for <= self.durable
        {
            self.waiting.pop_front();
            self.term = self.term.max(term);
        }
    }

    /// As its next process finds it: what had not left is gone, and tickets are counted anew.
    pub(super) fn after_restart(&self) -> Self {
        Spoken { term: self.term, ..Spoken::default() }
    }

    /// The first term that it knows after a start.
    pub(super) fn check(&self, findings: &mut Findings, node: usize, term: u64) {
        if term < self.term {
            findings.broke(LAW, || {
                format!("{} has spoken in term {} and knows of {term}", name(node), self.term)
            });
        }
    }
}
