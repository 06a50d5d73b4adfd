//! The acceptor's side of phase 2, and learning what is chosen from what the leader says.

use crate::api::NodeId;
use crate::defect::Defect;
use crate::paxos::Paxos;
use crate::paxos::basic::{Accepted, Ballot};
use crate::paxos::message::{Message, Record, Slot, Value};

impl Paxos {
    /// Accepts a run of slots, each on its own: earlier ones may be missing (PP3).
    pub(super) fn on_accept(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: Slot,
        values: Vec<Value>,
        chosen: Slot,
    ) {
        if !self.follow(from, ballot) {
            return;
        }
        if self.is_acceptor() && !values.is_empty() {
            let mut promised = self.slots.promised;
            let rises = promised.raise(ballot);
            if rises.is_err() && !self.settings.defects.has(Defect::P06) {
                return;
            }
            // Accepting is promising (PP3): the record of what is accepted says both.
            if !self.settings.defects.has(Defect::P05) {
                self.slots.promised = promised;
            }
            let last = Slot(first.0 + values.len() as u64 - 1);
            self.accept_run(first, ballot, values, rises == Ok(true));
            self.send_durable(from, Message::Accepted { ballot, first, last });
        }
        self.learn_chosen(from, ballot, chosen);
    }

    fn accept_run(&mut self, first: Slot, ballot: Ballot, values: Vec<Value>, rises: bool) {
        let mut is_promised_on_disk = !rises;
        for (slot, value) in (first.0..).map(Slot).zip(values) {
            if slot <= self.slots.chosen() {
                self.settings.must(
                    self.slots.chosen_value(slot).is_none_or(|chosen| *chosen == value),
                    "what is chosen is proposed again in every higher ballot (PP4)",
                );
                continue;
            }
            let accepted = Accepted { ballot, value };
            if self.slots.accepted(slot) == Some(&accepted) {
                continue; // A repetition.
            }
            self.persist(Record::Accepted { slot, accepted: accepted.clone() });
            self.slots.accept(slot, accepted);
            is_promised_on_disk = true;
        }
        if !is_promised_on_disk && !self.settings.defects.has(Defect::P05) {
            self.persist(Record::Promised(ballot));
        }
    }

    pub(super) fn on_heartbeat(&mut self, from: NodeId, ballot: Ballot, round: u64, chosen: Slot) {
        if self.follow(from, ballot) {
            self.learn_chosen(from, ballot, chosen);
            if self.is_acceptor() || !self.settings.members.contains(&self.settings.node) {
                self.send(from, Message::Confirmed { ballot, round });
            }
        }
    }

    pub(super) fn on_chosen(&mut self, from: NodeId, ballot: Ballot, chosen: Slot) {
        if self.follow(from, ballot) {
            self.learn_chosen(from, ballot, chosen);
        }
    }

    /// Everything up to `chosen` is chosen. What this node accepted *in the leader's ballot* is what is chosen, as a ballot
    /// has one value per slot; what it accepted in another may not be, and has to be asked for like what it lacks.
    fn learn_chosen(&mut self, leader: NodeId, ballot: Ballot, chosen: Slot) {
        while self.slots.chosen() < chosen {
            if !self.slots.learn_accepted(|accepted_in| accepted_in == ballot) {
                if self.skips_gap() {
                    self.slots.learn(Value::Noop);
                    continue;
                }
                return self.ask_to_learn(leader);
            }
        }
    }

    /// Defect P09: a slot that is missing before one that is there is taken for empty.
    fn skips_gap(&self) -> bool {
        let next = self.slots.chosen().next();
        let is_missing = self.slots.accepted(next).is_none();
        self.settings.defects.has(Defect::P09) && is_missing && self.slots.last() > next
    }
}
