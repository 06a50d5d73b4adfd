//! What can happen next to a configuration, and what need not be tried.
//!
//! 1. *No-ops first.* A pending pure operation that is legal in the state takes effect at once: in any completion it can
//!    be moved here, for it changes nothing. An operation that happens to change nothing here, such as writing
//!    what is there, is passed: it could stand here, and it is not lost for later.
//! 2. *Twins by deadline.* Of equal owed operations the one that returns first is used first: exchange the two in
//!    any completion. Likewise among passed ones, those of unknown outcome last. Owed before passed where the owed one
//!    does not outlive the passed one: what the completion did with the one it can do with the other.
//! 3. *Absorption.* When an overwriting operation w takes effect, every owed overwriting one could have stood just
//!    before it, unseen: all are passed. One other operation that is legal in the state could stand before these: for
//!    each such class there is one successor in which it is passed, and that covers the one in which it is not.
//! 4. *Seen before overwritten.* After an operation was used that had a choice (not owed by its own return), an
//!    overwriting one may follow only when somebody has seen the effect; else that use is the pass that rule 3 gives.
//! 5. *Dominance*, in [`super::rows`].
//! 6. *Demand.* An operation of unknown outcome is used only while its class is wanted ([`super::demand`]). And an effect that
//!    had a choice and that nobody pending could see is not tried yet: by rule 4 nothing could follow it at this return, so it is
//!    as well had when somebody sees it, or at its own return. What it would have hidden, the operation due hides (rule 3),
//!    or is itself.
//!
//! Rules 3 and 4 come into play only for models that name their overwriting operations ([`Effect::Overwrite`]).

use super::frontier::{Frontier, Interrupted, Meter};
use super::rows::{self, UNSEEN};
use crate::model::{Effect, Model};

/// What supplies an effect of some class.
#[derive(Clone, Copy)]
enum Source {
    Slot(u32),
    Unknown,
}

impl<M: Model> Frontier<'_, M> {
    /// All successors of one configuration on the way to the return of the operation in `due`.
    pub(super) fn extend(
        &mut self,
        at: usize,
        depth: u32,
        due: u32,
        meter: &mut impl Meter,
    ) -> Result<(), Interrupted> {
        let row = self.seen.row(at).to_vec();
        let state = row[0] as u32;
        let owed = !self.layout.is_taken(&row, due);
        for active in 0..self.pending.active().len() {
            let class = self.pending.active()[active];
            let Some(after) = self.space.step(state, class) else { continue };
            if after == state && self.space.effect(class) != Effect::Overwrite {
                continue;
            }
            for source in self.sources(&row, class, due).into_iter().flatten() {
                if self.is_in_vain(&row, source, after, due) {
                    continue;
                }
                for (mut successor, ends) in self.successors(&row, class, source, after, due) {
                    if !meter.made() {
                        return Err(Interrupted);
                    }
                    self.settle(&mut successor);
                    // The one due may also have found its place on the way: a read that is satisfied, a write of
                    // what is there. When it was passed so, it may still be used.
                    let placed = owed && self.layout.is_taken(&successor, due);
                    let passed = self.layout.is_passed(&successor, due);
                    if ends || placed {
                        self.survive(successor.clone(), due);
                    }
                    if !ends && (passed || !placed) {
                        self.explore(&successor, depth + 1);
                    }
                }
            }
        }
        Ok(())
    }

    /// Rule 6: whether nobody would see the effect, so that nothing could follow.
    fn is_in_vain(&mut self, row: &[u64], source: Source, after: u32, due: u32) -> bool {
        if matches!(source, Source::Slot(slot) if slot == due) {
            return false;
        }
        if self.goes_on(after) {
            return false;
        }
        self.know_idle(after);
        let (idle, taken) = (&self.idle[&after], self.layout.taken(row));
        (0..self.layout.slot_words)
            .all(|word| idle[word] & !taken[word] & !self.pending.overwriting[word] == 0)
    }

    /// Whether some operation that does not overwrite could follow in this state.
    fn goes_on(&mut self, state: u32) -> bool {
        if let Some(&known) = self.onward.get(&state) {
            return known;
        }
        let (space, active) = (&mut self.space, self.pending.active());
        let goes_on = active
            .iter()
            .any(|&class| space.effect(class) != Effect::Overwrite && space.step(state, class).is_some());
        self.onward.insert(state, goes_on);
        goes_on
    }

    /// Who may supply an effect of this class here: rule 2.
    fn sources(&self, row: &[u64], class: u32, due: u32) -> [Option<Source>; 2] {
        let twins = self.pending.of_class(class);
        let owed = twins.iter().copied().find(|&slot| !self.layout.is_taken(row, slot));
        let passed = twins.iter().copied().find(|&slot| self.layout.is_passed(row, slot));
        let returned = |slot: u32| self.pending.slot(slot).returned;
        match (owed, passed) {
            (Some(owed), Some(passed)) if returned(passed) < returned(owed) => {
                [Some(Source::Slot(owed)), Some(Source::Slot(passed))]
            }
            (Some(slot), _) | (None, Some(slot)) => [Some(Source::Slot(slot)), None],
            (None, None) => {
                let position = returned(due);
                let is_left = self.program.is_wanted(class, position) && self.unknown_left(row, class);
                [is_left.then_some(Source::Unknown), None]
            }
        }
    }

    fn unknown_left(&self, row: &[u64], class: u32) -> bool {
        let counter = self.counter_of[class as usize];
        let invoked = self.pending.unknown_invoked(class);
        let endless = !self.mode.enforced && !self.mode.counted[class as usize];
        invoked > 0 && (endless || self.layout.count(row, counter as usize) < invoked)
    }

    /// The configurations after the effect, and whether it was the one due: rules 3 and 4.
    fn successors(
        &mut self,
        row: &[u64],
        class: u32,
        source: Source,
        after: u32,
        due: u32,
    ) -> Vec<(Vec<u64>, bool)> {
        let mut successors = Vec::new();
        let overwrites = self.space.effect(class) == Effect::Overwrite;
        if overwrites {
            for absorbed in self.absorbable(row) {
                successors.push((self.effect(row, class, source, after, Some(absorbed)), false));
            }
        }
        // To write what is there makes sense only to hide somebody who changed it in between.
        let pointless = overwrites
            && (row[0] & UNSEEN != 0 || u64::from(after) == row[0] & !UNSEEN && !self.hides(row, source));
        if successors.is_empty() && !pointless {
            successors.push((self.effect(row, class, source, after, None), false));
        }
        if let Source::Slot(slot) = source
            && slot == due
        {
            let owed = !self.layout.is_taken(row, due);
            for (successor, ends) in &mut successors {
                *ends = true;
                if owed {
                    successor[0] &= !UNSEEN;
                }
            }
        }
        successors
    }

    /// Whether an overwriting operation from this source would absorb another one.
    fn hides(&self, row: &[u64], source: Source) -> bool {
        let taken = self.layout.taken(row);
        (0..self.layout.slot_words).any(|word| {
            let own = match source {
                Source::Slot(slot) if slot as usize / 64 == word => 1u64 << (slot % 64),
                _ => 0,
            };
            self.pending.overwriting[word] & !taken[word] & !own != 0
        })
    }

    /// Per class that does not overwrite but is legal here, the owed operation that returns first.
    fn absorbable(&mut self, row: &[u64]) -> Vec<u32> {
        let state = row[0] as u32;
        let mut absorbable = Vec::new();
        for active in 0..self.pending.active().len() {
            let class = self.pending.active()[active];
            if self.space.effect(class) == Effect::Overwrite || self.space.step(state, class).is_none() {
                continue;
            }
            let twins = self.pending.of_class(class);
            absorbable.extend(twins.iter().copied().find(|&slot| !self.layout.is_taken(row, slot)));
        }
        absorbable
    }

    /// The row after one operation took effect, before anybody saw it.
    fn effect(
        &mut self,
        row: &[u64],
        class: u32,
        source: Source,
        after: u32,
        absorbed: Option<u32>,
    ) -> Vec<u64> {
        let mut row = row.to_vec();
        let (mut cost, mut path) = (rows::cost(&row), rows::path(&row));
        if let Some(slot) = absorbed {
            path = self.pass(&mut row, slot, path);
        }
        if self.space.effect(class) == Effect::Overwrite {
            for word in 0..self.layout.slot_words {
                let mut owed = self.pending.overwriting[word] & !self.layout.taken(&row)[word];
                while owed != 0 {
                    let slot = word as u32 * 64 + owed.trailing_zeros();
                    owed &= owed - 1;
                    if !matches!(source, Source::Slot(own) if own == slot) {
                        path = self.pass(&mut row, slot, path);
                    }
                }
            }
        }
        let item = match source {
            Source::Slot(slot) => {
                self.layout.mark(&mut row, slot, true, false);
                self.pending.slot(slot).item
            }
            Source::Unknown => {
                let counter = self.counter_of[class as usize] as usize;
                let unknown = &self.program.unknown[class as usize];
                let item = unknown[(self.layout.count(&row, counter) as usize).min(unknown.len() - 1)];
                self.layout.increment(&mut row, counter);
                cost += 1;
                item
            }
        };
        path = self.trace.take(path, item);
        row[0] = u64::from(after) | UNSEEN;
        rows::set_tail(&mut row, cost, path);
        row
    }

    fn pass(&mut self, row: &mut [u64], slot: u32, path: u32) -> u32 {
        self.layout.mark(row, slot, true, true);
        let item = self.pending.slot(slot).item;
        self.trace.pass(path, item)
    }

    /// Rule 1: whatever changes nothing here has its effect now.
    pub(super) fn settle(&mut self, row: &mut [u64]) {
        let state = row[0] as u32;
        self.know_idle(state);
        let mut path = rows::path(row);
        for word in 0..self.layout.slot_words {
            let mut idle = self.idle[&state][word] & !self.layout.taken(row)[word];
            if idle & !self.pending.overwriting[word] != 0 {
                row[0] &= !UNSEEN;
            }
            while idle != 0 {
                let bit = idle & idle.wrapping_neg();
                let slot = word as u32 * 64 + idle.trailing_zeros();
                idle ^= bit;
                let is_pure = self.pending.pure[word] & bit != 0;
                self.layout.mark(row, slot, true, !is_pure);
                let item = self.pending.slot(slot).item;
                path = if is_pure { self.trace.take(path, item) } else { self.trace.pass(path, item) };
            }
        }
        let cost = rows::cost(row);
        rows::set_tail(row, cost, path);
    }

    fn know_idle(&mut self, state: u32) {
        if self.idle.contains_key(&state) {
            return;
        }
        let mut idle = vec![0; self.layout.slot_words];
        for (at, slot) in self.pending.slots() {
            if self.space.step(state, slot.class) == Some(state) {
                idle[at / 64] |= 1 << (at % 64);
            }
        }
        self.idle.insert(state, idle);
    }
}
