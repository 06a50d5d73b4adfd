//! The slots of the log: one acceptor's state of Basic Paxos for each, under one promise.
//!
//! From left to right: slots that are compacted, slots known to be chosen (whose ballots no longer matter), and above
//! them what has been accepted, gaps and all. A slot moves left and never back.

use std::collections::{BTreeMap, VecDeque};

use crate::paxos::basic::{Accepted, Ballot, Promised};
use crate::paxos::message::{Reported, Slot, Value};

/// What an acceptor holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    pub(super) promised: Promised,
    /// Compacted up to here.
    base: Slot,
    /// Those after `base`, without gaps.
    chosen: VecDeque<Value>,
    /// Those after the chosen ones.
    accepted: BTreeMap<Slot, Accepted<Value>>,
}

impl Slots {
    /// The ballot promised, for all slots at once.
    pub fn promised(&self) -> Ballot {
        self.promised.ballot()
    }

    /// Slots up to here are chosen and no longer kept one by one.
    pub fn base(&self) -> Slot {
        self.base
    }

    /// Slots up to here are known to be chosen.
    pub fn chosen(&self) -> Slot {
        self.base.plus(self.chosen.len() as u64)
    }

    /// The last slot that holds anything.
    pub fn last(&self) -> Slot {
        self.accepted.last_key_value().map_or(self.chosen(), |(slot, _)| *slot)
    }

    /// What is chosen in a slot, if that is known and not compacted.
    pub fn chosen_value(&self, slot: Slot) -> Option<&Value> {
        let offset = slot.0.checked_sub(self.base.0 + 1)?;
        self.chosen.get(usize::try_from(offset).ok()?)
    }

    /// What has been accepted in a slot that is not known to be chosen.
    pub fn accepted(&self, slot: Slot) -> Option<&Accepted<Value>> {
        self.accepted.get(&slot)
    }

    /// What a leader of `ballot` proposes in a slot: what is chosen, or what its own acceptor has accepted from it.
    pub(super) fn proposed(&self, slot: Slot, ballot: Ballot) -> Option<&Value> {
        let accepted = || self.accepted.get(&slot).filter(|accepted| accepted.ballot == ballot);
        self.chosen_value(slot).or_else(|| accepted().map(|accepted| &accepted.value))
    }

    /// Everything held from `from` on, up to `count_max` slots.
    pub(super) fn report(&self, from: Slot, count_max: usize) -> Vec<Reported> {
        let first = from.0.max(self.base.0 + 1);
        let skipped = usize::try_from(first - self.base.0 - 1).unwrap_or(usize::MAX);
        let chosen = self.chosen.iter().skip(skipped).zip(first..).map(|(value, slot)| Reported {
            slot: Slot(slot),
            accepted: Accepted { ballot: Ballot::TOP, value: value.clone() },
        });
        let accepted = self
            .accepted
            .range(from..)
            .map(|(slot, accepted)| Reported { slot: *slot, accepted: accepted.clone() });
        chosen.chain(accepted).take(count_max).collect()
    }

    /// Raises the promise, if it is lower: what was written down once was allowed.
    pub(super) fn raise(&mut self, ballot: Ballot) {
        if ballot > self.promised() {
            // It cannot be refused.
            let _ = self.promised.raise(ballot);
        }
    }

    /// Accepts; what is chosen stays as it is, as it cannot differ.
    pub(super) fn accept(&mut self, slot: Slot, accepted: Accepted<Value>) {
        if slot > self.chosen() {
            self.accepted.insert(slot, accepted);
        }
    }

    /// The next slot is chosen, with this value.
    pub(super) fn learn(&mut self, value: Value) {
        self.chosen.push_back(value);
        let chosen = self.chosen();
        self.accepted.remove(&chosen);
    }

    /// The next slot is chosen, with the value that is accepted here. Returns whether there is one that `fits`.
    pub(super) fn learn_accepted(&mut self, fits: impl Fn(Ballot) -> bool) -> bool {
        let next = self.chosen().next();
        let Some(accepted) = self.accepted.first_entry().filter(|entry| *entry.key() == next) else {
            return false;
        };
        let does_fit = fits(accepted.get().ballot);
        if does_fit {
            self.chosen.push_back(accepted.remove().value);
        }
        does_fit
    }

    /// Forgets the single slots up to `base`.
    pub(super) fn compact(&mut self, base: Slot) {
        while self.base < base && self.chosen.pop_front().is_some() {
            self.base = self.base.next();
        }
    }

    /// A snapshot stands for all slots up to `index`.
    pub(super) fn install(&mut self, index: Slot) {
        self.compact(index);
        if self.base < index {
            self.base = index;
            self.chosen.clear();
        }
        let chosen = self.chosen();
        self.accepted.retain(|slot, _| *slot > chosen);
    }

    /// What is known to be chosen and not compacted, from the first slot on.
    pub(super) fn chosen_values(&self) -> impl Iterator<Item = (Slot, &Value)> {
        (self.base.0 + 1..).map(Slot).zip(&self.chosen)
    }

    /// What is accepted above.
    pub fn accepted_values(&self) -> impl Iterator<Item = (Slot, &Accepted<Value>)> {
        self.accepted.iter().map(|(slot, accepted)| (*slot, accepted))
    }
}
