//! Which of a node's records are on disk, and which answers wait for that.
//!
//! Rule RP1: term, vote and entries are on stable storage before an answer that depends on them leaves (Raft Figure 2;
//! thesis 3.8). The leader may write in parallel with its followers, but counts itself only once its own write is
//! durable (thesis 10.2.1): it counts `Disk::durable_index`, never the end of its log.

use crate::api::NodeId;
use crate::defect::Defect;
use crate::pending::disk::DurablePrefix;
use crate::protocol::{Effects, Ticket};
use crate::raft::log::{Entry, Index, Payload};
use crate::raft::message::{Body, HardState, Message, Record};
use crate::raft::{Raft, Role};

/// What is known of the disk.
#[derive(Debug)]
pub(super) struct Disk {
    log: DurablePrefix<Index>,
    /// The batch that holds the latest term and vote; `None` while it has not been handed out.
    hard_state: Option<Ticket>,
    /// The latest batch that stands for everything before it.
    checkpoint: Ticket,
}

impl Disk {
    /// After a restart: what was read back is durable.
    pub(super) fn all_durable(last: Index) -> Self {
        Self { log: DurablePrefix::all(last), hard_state: Some(Ticket(0)), checkpoint: Ticket(0) }
    }

    /// Everything up to `ticket` is durable.
    pub(super) fn durable(&mut self, ticket: Ticket) {
        self.log.durable(ticket);
    }

    /// The log is durable up to here.
    pub(super) fn durable_index(&self) -> Index {
        self.log.end()
    }

    pub(super) fn is_hard_state_durable(&self) -> bool {
        self.hard_state.is_some_and(|ticket| self.log.tickets().is_durable(ticket))
    }

    pub(super) fn is_checkpoint_durable(&self) -> bool {
        self.log.tickets().is_durable(self.checkpoint)
    }

    /// The log was cut after `last`.
    pub(super) fn cut(&mut self, last: Index) {
        self.log.cut(last);
    }

    /// Closes a step's batch of records.
    pub(super) fn hand_out(&mut self, out: &mut Effects<Record, Message>, last: Index) {
        if !out.persist.is_empty() {
            let ticket = self.log.issue(last);
            self.hard_state.get_or_insert(ticket);
            if out.replaces {
                self.checkpoint = ticket;
            }
        }
        out.ticket = self.log.tickets().issued();
    }
}

impl Raft {
    pub(super) fn set_hard_state(&mut self, hard: HardState) {
        self.hard = hard;
        if let Some(record) = self.lasting_hard_state() {
            self.disk.hard_state = None;
            self.out.persist.push(record);
        }
    }

    /// What the disk is to know of term and vote: both (RP2). Defect R01 keeps the vote to itself, R02 the term as well.
    pub(super) fn lasting_hard_state(&self) -> Option<Record> {
        let HardState { term, vote } = self.hard;
        if self.config.defects.has(Defect::R02) {
            return None;
        }
        let vote = vote.filter(|_| !self.config.defects.has(Defect::R01));
        Some(Record::HardState(HardState { term, vote }))
    }

    /// How far this node's own disk is, for the leader to count. Defect R04 counts what is on its way there (RP1).
    pub(super) fn own_matched(&self) -> Index {
        if self.config.defects.has(Defect::R04) { self.log.last_index() } else { self.disk.durable_index() }
    }

    pub(super) fn append_entry(&mut self, entry: Entry) {
        self.out.persist.push(Record::Entry(entry.clone()));
        self.track(entry);
    }

    /// Puts an entry that is on disk, or on its way there, at the end of the log. A membership is in force from here on
    /// (RM1).
    pub(super) fn track(&mut self, entry: Entry) {
        if let Payload::Membership(membership) = &entry.payload {
            self.memberships.push(entry.index, membership.clone());
            if let Role::Leader(leadership) = &mut self.role {
                leadership.rounds.recount();
            }
        }
        self.log.push(entry);
    }

    /// Drops the suffix from `from` on. The record that overwrites it says so on disk.
    pub(super) fn truncate(&mut self, from: Index) {
        self.log.truncate(from);
        if !self.config.defects.has(Defect::R29) {
            self.memberships.truncate(from);
        }
        self.disk.cut(from.previous());
    }

    /// Sends an answer that depends on the log up to `index`, and on term and vote.
    pub(super) fn reply_durable(&mut self, to: NodeId, body: Body, index: Index) {
        let message = Message { term: self.hard.term, body };
        let is_durable = self.disk.is_hard_state_durable() && self.disk.durable_index() >= index;
        let queue = if is_durable { &mut self.out.send } else { &mut self.out.send_durable };
        queue.push((to, message));
    }

    /// Sends an answer that depends on term and vote only.
    pub(super) fn reply_durable_term(&mut self, to: NodeId, body: Body) {
        self.reply_durable(to, body, Index(0));
    }
}
