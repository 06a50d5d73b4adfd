//! What is on disk, what waits for it, and the log's compaction (PP2, PP3).
//!
//! A promise or an acceptance is on stable storage before anybody hears of it; answers that depend on one go out with
//! `send_durable`. The same holds for a node's answers to itself: it counts its own promise and its own acceptance
//! only once they are durable.

use crate::api::NodeId;
use crate::defect::Defect;
use crate::paxos::Paxos;
use crate::paxos::basic::Ballot;
use crate::paxos::message::{Message, Record, Slot};
use crate::pending::disk::Tickets;
use crate::protocol::{Effects, Snapshot, Ticket};

/// What this node says to itself once it is durable.
#[derive(Debug)]
pub(super) enum Own {
    Promise(Ballot),
    Accepted { ballot: Ballot, first: Slot, last: Slot },
    Founded,
}

/// What is known of the disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// What was said, with the batches that it waits for.
    said: Tickets<Own>,
    /// Said in this step, with the batch that is not handed out yet.
    fresh: Vec<Own>,
    /// The last slot recorded as chosen.
    pub(super) chosen: Slot,
}

impl Disk {
    /// After a restart: what was read back is durable.
    pub(super) fn new(chosen: Slot) -> Self {
        Self { chosen, ..Self::default() }
    }

    /// Closes a step's batch of records.
    pub(super) fn hand_out(&mut self, out: &mut Effects<Record, Message>) {
        if !out.persist.is_empty() {
            self.said.issue();
        }
        out.ticket = self.said.issued();
        self.fresh.drain(..).for_each(|own| self.said.attach(own));
    }

    /// What may be said now that everything up to `ticket` is durable.
    fn durable(&mut self, ticket: Ticket) -> Vec<Own> {
        self.said.durable(ticket).collect()
    }
}

impl Paxos {
    pub(super) fn persist(&mut self, record: Record) {
        self.out.persist.push(record);
    }

    /// Counts what this node has told itself, once that is durable.
    pub(super) fn once_durable(&mut self, own: Own) {
        // Defects P01 and P02 do not wait for the disk.
        let is_careless = match own {
            Own::Promise(_) => self.settings.defects.has(Defect::P01),
            Own::Accepted { .. } => self.settings.defects.has(Defect::P02),
            Own::Founded => false,
        };
        if is_careless {
            self.hear_own(own);
        } else {
            self.disk.fresh.push(own);
        }
    }

    pub(super) fn on_durable(&mut self, ticket: Ticket) {
        for own in self.disk.durable(ticket) {
            self.hear_own(own);
        }
    }

    fn hear_own(&mut self, own: Own) {
        let node = self.settings.node;
        match own {
            Own::Promise(ballot) => self.own_promise(ballot),
            Own::Accepted { ballot, first, last } => self.on_accepted(node, ballot, first, last),
            Own::Founded => self.founded(),
        }
    }

    /// Sends what rests on a promise or an acceptance.
    pub(super) fn send_durable(&mut self, to: NodeId, message: Message) {
        let is_unsafe = match &message {
            Message::Promise { .. } => self.settings.defects.has(Defect::P01),
            Message::Accepted { .. } => self.settings.defects.has(Defect::P02),
            _ => false,
        };
        let queue = if is_unsafe { &mut self.out.send } else { &mut self.out.send_durable };
        queue.push((to, message));
    }

    /// Records how far the log is chosen, when there is something to write anyway: a restart then need not ask again.
    pub(super) fn record_chosen(&mut self) {
        let chosen = self.slots.chosen();
        if !self.out.persist.is_empty() && chosen > self.disk.chosen {
            self.disk.chosen = chosen;
            self.persist(Record::Chosen(chosen));
        }
    }

    /// Records that all slots before this one are chosen, unless that is recorded.
    pub(super) fn record_chosen_before(&mut self, slot: Slot) {
        let before = Slot(slot.0.saturating_sub(1));
        if before > self.disk.chosen {
            self.persist(Record::Chosen(before));
        }
        self.disk.chosen = self.disk.chosen.max(slot);
    }

    /// The state machine as of now: it takes the place of the log before, of which a part stays at hand for nodes that
    /// lag a little.
    pub(super) fn on_snapshot(&mut self, snapshot: Snapshot) {
        let kept = self.settings.snapshot_entries / 4;
        self.slots.compact(Slot(snapshot.index.saturating_sub(kept)));
        self.snapshot = Some(snapshot);
        self.write_all();
    }

    /// Puts one batch in the place of everything written so far.
    pub(super) fn write_all(&mut self) {
        let mut records = Vec::new();
        if self.founding.is_founded() {
            records.push(Record::Founded);
        }
        records.push(Record::Promised(self.slots.promised()));
        if let Some(snapshot) = &self.snapshot {
            records.push(Record::Snapshot { snapshot: snapshot.clone(), base: self.slots.base() });
        }
        records.extend(
            self.slots.chosen_values().map(|(slot, value)| Record::Learnt { slot, value: value.clone() }),
        );
        records.extend(
            self.slots
                .accepted_values()
                .map(|(slot, accepted)| Record::Accepted { slot, accepted: accepted.clone() }),
        );
        self.disk.chosen = self.slots.chosen();
        self.out.persist = records;
        self.out.replaces = true;
    }
}
