//! Catching up: chosen values, or a snapshot when they are compacted (PP12). Pulled by the one who lacks them, one
//! question at a time, repeated while a leader says that there is more.

use crate::api::NodeId;
use crate::machine::Machine;
use crate::paxos::Paxos;
use crate::paxos::Role;
use crate::paxos::message::{Message, Record, Slot, Value};
use crate::protocol::{Millis, Snapshot};
use crate::wire::Blob;

/// What is under way to a node that lags.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    asked_at: Option<Millis>,
    incoming: Option<Incoming>,
}

/// Part of a snapshot, from its beginning.
#[derive(Debug)]
struct Incoming {
    index: Slot,
    size: u64,
    bytes: Vec<u8>,
}

impl Paxos {
    /// Asks for what comes after the last slot known to be chosen, unless that has been asked just now.
    pub(super) fn ask_to_learn(&mut self, teacher: NodeId) {
        let patience_ms = self.settings.patience_ms();
        if self.catch_up.asked_at.is_some_and(|at| self.now.since(at) < patience_ms) {
            return;
        }
        self.catch_up.asked_at = Some(self.now);
        let question = match &self.catch_up.incoming {
            Some(Incoming { index, bytes, .. }) => {
                Message::Fetch { index: *index, offset: bytes.len() as u64 }
            }
            None => Message::Learn { from: self.slots.chosen().next() },
        };
        self.send(teacher, question);
    }

    pub(super) fn on_learn(&mut self, from: NodeId, first: Slot) {
        let chosen = self.slots.chosen();
        if first <= self.slots.base() {
            return self.send_chunk(from, 0);
        }
        let slots = first.0..=chosen.0.min(first.0.saturating_add(self.settings.bounds.batch_max as u64 - 1));
        let values: Vec<Value> =
            slots.filter_map(|slot| self.slots.chosen_value(Slot(slot)).cloned()).collect();
        self.send(from, Message::Taught { first, values, chosen });
    }

    pub(super) fn on_taught(&mut self, from: NodeId, first: Slot, values: Vec<Value>, chosen: Slot) {
        if matches!(self.role, Role::Leading(_)) {
            return; // It counts for itself what is chosen from its first slot on.
        }
        self.catch_up.asked_at = None;
        let before = self.slots.chosen();
        for (slot, value) in (first.0..).map(Slot).zip(values) {
            if slot == self.slots.chosen().next() {
                // A restart takes this in only after the slot before: that it is chosen may not be written down yet.
                self.record_chosen_before(slot);
                self.persist(Record::Learnt { slot, value: value.clone() });
                self.slots.learn(value);
            }
        }
        if self.slots.chosen() > before {
            self.try_take_office();
            if self.slots.chosen() < chosen {
                self.ask_to_learn(from);
            }
        }
    }

    pub(super) fn on_fetch(&mut self, from: NodeId, index: Slot, offset: u64) {
        // Of a newer snapshot, the asker needs the beginning.
        let is_same = self.snapshot.as_ref().is_some_and(|snapshot| snapshot.index == index.0);
        self.send_chunk(from, if is_same { offset } else { 0 });
    }

    fn send_chunk(&mut self, to: NodeId, offset: u64) {
        let Some(snapshot) = &self.snapshot else { return };
        let size = snapshot.state.len();
        let start = usize::try_from(offset).map_or(size, |offset| offset.min(size));
        let end = start.saturating_add(self.settings.bounds.part_bytes_max).min(size);
        let message = Message::Chunk {
            index: Slot(snapshot.index),
            size: size as u64,
            offset: start as u64,
            bytes: Blob(snapshot.state[start..end].to_vec()),
        };
        self.send(to, message);
    }

    pub(super) fn on_chunk(&mut self, from: NodeId, index: Slot, size: u64, offset: u64, bytes: Vec<u8>) {
        if index <= self.slots.chosen() || matches!(self.role, Role::Leading(_)) {
            self.catch_up.incoming = None;
            return;
        }
        if offset == 0 && self.catch_up.incoming.as_ref().is_none_or(|incoming| incoming.index != index) {
            self.catch_up.incoming = Some(Incoming { index, size, bytes: Vec::new() });
        }
        let Some(incoming) = &mut self.catch_up.incoming else { return };
        if (incoming.index, incoming.size, incoming.bytes.len() as u64) != (index, size, offset) {
            return; // Repeated or overtaken.
        }
        incoming.bytes.extend(bytes);
        let is_complete = incoming.bytes.len() as u64 >= size;
        self.catch_up.asked_at = None;
        if matches!(self.role, Role::Preparing(_)) {
            // A candidate that gets on is in no hurry to start over.
            self.reset_election_timer();
        }
        if !is_complete {
            return self.ask_to_learn(from);
        }
        if let Some(Incoming { bytes, .. }) = self.catch_up.incoming.take() {
            self.install(Snapshot { index: index.0, state: bytes.into() });
        }
    }

    /// Replaces everything up to the snapshot's index; never goes back.
    fn install(&mut self, snapshot: Snapshot) {
        let is_intact =
            Machine::decode(&snapshot.state).is_ok_and(|machine| machine.applied() == snapshot.index);
        if !is_intact {
            return; // Asked for again from its beginning.
        }
        let index = Slot(snapshot.index);
        self.slots.install(index);
        self.handed = index;
        self.snapshot = Some(snapshot.clone());
        self.out.install = Some(snapshot);
        self.write_all();
        self.try_take_office();
    }
}
