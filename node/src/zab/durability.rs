//! Which of a node's records are on disk.
//!
//! Nothing here is sent before its records are durable by leaving it to the driver: a follower acknowledges what *is*
//! durable when it hears so. Acknowledgements are of prefixes, so one covers all that an fsync did.

use crate::defect::Defect;
use crate::pending::disk::DurablePrefix;
use crate::protocol::{Effects, Ticket};
use crate::zab::Zab;
use crate::zab::history::{Checkpoint, Transaction};
use crate::zab::message::{Message, Record};
use crate::zab::zxid::{Epoch, Index};

/// What is known of the disk.
#[derive(Debug)]
pub(super) struct Disk {
    history: DurablePrefix<Index>,
    /// The end of the history as written by the records handed out so far.
    written: Index,
}

impl Disk {
    /// After a restart: what was read back is durable.
    pub(super) fn all_durable(last: Index) -> Self {
        Self { history: DurablePrefix::all(last), written: last }
    }

    /// Everything up to `ticket` is durable.
    pub(super) fn durable(&mut self, ticket: Ticket) {
        self.history.durable(ticket);
    }

    pub(super) fn is_durable(&self, ticket: Ticket) -> bool {
        self.history.tickets().is_durable(ticket)
    }

    /// The ticket of what this step writes.
    pub(super) fn next_ticket(&self) -> Ticket {
        self.history.tickets().next()
    }

    /// The ticket of what was written last, in earlier steps.
    pub(super) fn last_ticket(&self) -> Ticket {
        self.history.tickets().issued()
    }

    /// The history ends at `last` from now on.
    fn cut(&mut self, last: Index) {
        self.written = self.written.min(last);
        self.history.cut(last);
    }

    /// Closes a step's batch of records.
    pub(super) fn hand_out(&mut self, out: &mut Effects<Record, Message>) {
        if !out.persist.is_empty() {
            self.history.issue(self.written);
        }
        out.ticket = self.last_ticket();
    }
}

impl Zab {
    /// Up to here the history is durable, as far as this node tells others. Defect Z01 does not wait for the disk.
    pub(super) fn durable_index(&self) -> Index {
        if self.settings.defects.has(Defect::Z01) {
            self.history.last().index
        } else {
            self.disk.history.end()
        }
    }

    /// Rises the accepted epoch; says when that is durable. Defect Z04 keeps it in memory only.
    pub(super) fn accept_epoch(&mut self, epoch: Epoch) -> Ticket {
        self.accepted = epoch;
        if self.settings.defects.has(Defect::Z04) {
            return Ticket(0);
        }
        self.out.persist.push(Record::AcceptedEpoch(epoch));
        self.disk.next_ticket()
    }

    /// Takes over the initial history of an epoch, which is what the history holds now; says when both are durable: the
    /// record comes after those of the transactions.
    pub(super) fn enter_epoch(&mut self, epoch: Epoch) -> Ticket {
        self.current = epoch;
        self.out.persist.push(Record::CurrentEpoch(epoch));
        self.disk.next_ticket()
    }

    pub(super) fn append(&mut self, transaction: Transaction) -> Index {
        let index = self.history.push(transaction.clone());
        self.write_history(Record::Transaction { index, transaction }, index);
        index
    }

    /// Drops all transactions after `last`, from the disk as well as from memory (rule ZB7).
    pub(super) fn truncate(&mut self, last: Index) {
        self.history.truncate(last);
        self.disk.cut(last);
        self.write_history(Record::Truncated { last }, last);
    }

    /// Defect Z03 keeps back what a synchronisation brings until the epoch is durable.
    fn write_history(&mut self, record: Record, last: Index) {
        if let Some(held) = self.held_back() {
            return held.push(record);
        }
        self.disk.written = last;
        self.out.persist.push(record);
    }

    /// Writes what defect Z03 has kept back.
    pub(super) fn write_held_back(&mut self, records: Vec<Record>) {
        self.out.persist.extend(records);
        self.disk.written = self.history.last().index;
    }

    /// Puts a checkpoint and the transactions after it in the place of all records: one batch, all or nothing.
    pub(super) fn rewrite(&mut self, checkpoint: Checkpoint) {
        let end = checkpoint.point().index;
        let out = &mut self.out;
        out.replaces = true;
        out.persist.clear();
        if !self.settings.defects.has(Defect::Z04) {
            out.persist.push(Record::AcceptedEpoch(self.accepted));
        }
        out.persist.push(Record::Checkpoint(checkpoint));
        let rest = (end.0 + 1..).map(Index).zip(self.history.after(end, usize::MAX));
        let record = |(index, transaction): (Index, &Transaction)| Record::Transaction {
            index,
            transaction: transaction.clone(),
        };
        out.persist.extend(rest.map(record));
        out.persist.push(Record::CurrentEpoch(self.current));
        self.disk.written = self.history.last().index;
    }

    /// A checkpoint of another node takes the place of the whole history.
    pub(super) fn replace_history(&mut self, checkpoint: Checkpoint) {
        let last = checkpoint.point().index;
        self.history.reset(checkpoint.clone());
        self.disk.cut(Index(0));
        self.rewrite(checkpoint.clone());
        self.commit = last;
        self.handed = last;
        self.out.install = Some(checkpoint.snapshot);
        self.out.apply.clear();
    }
}
