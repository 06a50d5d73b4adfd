//! The configurations that survive, carried over one event at a time.
//!
//! A configuration is a state and, for each pending operation, whether it still *owes* its effect, has been *used*, or has
//! been *passed*: it could have taken effect earlier unseen, so it owes nothing and may still be used. A passed operation
//! stands for both futures at once, so a passed one is never worse than a used or an owed one.
//!
//! At the return of r each configuration that still owes r is extended by sequences of pending operations that end
//! with r (Lowe 2017). That is enough: of any complete order, the part up to r is such a sequence, and what is not
//! needed before r can wait for a later return. What keeps the sequences few:
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
//!
//! Rules 3 and 4 come into play only for models that name their overwriting operations ([`Effect::Overwrite`]).
//! Next: [`super::strategy`], which decides what to count.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::program::{Item, Program};
use super::rows::{self, Layout, Table, UNSEEN};
use super::space::Space;
use super::trace::{ROOT, Trace};
use crate::model::{Effect, Model, NEVER};

/// What a walk counts and how wide it may become.
#[derive(Clone, Debug)]
pub(crate) struct Mode {
    /// Classes whose unknown operations are counted in the key, so that no configuration is confused with another.
    pub(crate) counted: Vec<bool>,
    /// Whether the others are held to their number too. If not, one invocation makes an endless supply.
    pub(crate) enforced: bool,
    /// The most configurations kept after a return, the cheapest first.
    pub(crate) width: usize,
    /// The longest sequence of effects tried before the one that is due.
    pub(crate) depth: u32,
}

/// Work done and memory in use, with an end to both.
pub(crate) trait Meter {
    /// Called for every configuration made; false ends the walk.
    fn made(&mut self) -> bool;
    /// Called now and then with the bytes in use; false ends the walk.
    fn holds(&mut self, bytes: u64) -> bool;
}

/// The walk was ended by its meter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted;

#[derive(Clone, Copy)]
struct Slot {
    item: u32,
    class: u32,
    returned: u32,
}

/// What supplies an effect of some class.
#[derive(Clone, Copy)]
enum Source {
    Slot(u32),
    Unknown,
}

const NO_COUNTER: u32 = u32::MAX;

pub(crate) struct Frontier<'a, M: Model> {
    program: &'a Program<M::Operation>,
    mode: &'a Mode,
    space: Space<'a, M>,
    layout: Layout,
    front: Table,
    next: Table,
    seen: Table,
    /// Rows of `seen` that are still to be extended.
    todo: VecDeque<(u32, u32)>,
    trace: Trace,
    slots: Vec<Option<Slot>>,
    slot_of: FxHashMap<u32, u32>,
    /// Slots per class, the earliest return first.
    pending: Vec<Vec<u32>>,
    /// Classes that may change the state and have somebody to do it.
    active: Vec<u32>,
    invoked: Vec<u32>,
    counter_of: Vec<u32>,
    pure: Vec<u64>,
    overwriting: Vec<u64>,
    /// Per state, the slots whose operation is legal there and changes nothing.
    idle: FxHashMap<u32, Vec<u64>>,
    /// Whether a configuration was dropped for a cheaper one that used other unknown operations.
    lossy: bool,
    /// Whether configurations were dropped for their number.
    narrowed: bool,
}

impl<'a, M: Model> Frontier<'a, M> {
    pub(crate) fn new(model: &'a M, program: &'a Program<M::Operation>, mode: &'a Mode) -> Self {
        let mut counter_of = vec![NO_COUNTER; program.classes.len()];
        let (mut counted, mut carried) = (0, 0);
        for pass_counted in [true, false] {
            for (class, counter) in counter_of.iter_mut().enumerate() {
                if !program.unknown[class].is_empty() && mode.counted[class] == pass_counted {
                    *counter = counted as u32 + carried as u32;
                    *(if pass_counted { &mut counted } else { &mut carried }) += 1;
                }
            }
        }
        let slot_words = program.pending_max.div_ceil(64).max(1);
        let layout = Layout { slot_words, counted, carried };
        let mut front = Table::new(layout);
        let mut row = vec![0; layout.width()];
        rows::set_tail(&mut row, 0, ROOT);
        front.offer(&row);
        Frontier {
            program,
            mode,
            space: Space::new(model, &program.classes),
            layout,
            front,
            next: Table::new(layout),
            seen: Table::new(layout),
            todo: VecDeque::new(),
            trace: Trace::default(),
            slots: Vec::new(),
            slot_of: FxHashMap::default(),
            pending: vec![Vec::new(); program.classes.len()],
            active: Vec::new(),
            invoked: vec![0; program.classes.len()],
            counter_of,
            pure: vec![0; slot_words],
            overwriting: vec![0; slot_words],
            idle: FxHashMap::default(),
            lossy: false,
            narrowed: false,
        }
    }

    /// Whether no configuration left means no order: none was dropped that might have survived the others.
    pub(crate) fn is_exhaustive(&self) -> bool {
        !self.narrowed && (!self.lossy || !self.mode.enforced)
    }

    /// The orders behind the cheapest configurations, as items, with the states that they lead to.
    pub(crate) fn orders(&self, count: usize, most: usize) -> Vec<(Vec<u32>, String)> {
        let mut cheapest: Vec<usize> = (0..self.front.len()).collect();
        cheapest.sort_by_key(|&at| rows::cost(self.front.row(at)));
        let told = cheapest.into_iter().take(count).map(|at| {
            let row = self.front.row(at);
            let order = self.trace.order(rows::path(row), self.program.items.len(), most);
            (order, self.space.describe(row[0] as u32))
        });
        told.collect()
    }

    /// The classes that the cheapest configuration used more often than they were invoked: all in all, or by then. Given the
    /// order behind it.
    pub(crate) fn overdrawn(&self, order: &[u32]) -> Vec<u32> {
        let cheapest = (0..self.front.len()).min_by_key(|&at| rows::cost(self.front.row(at)));
        let Some(row) = cheapest.map(|at| self.front.row(at)) else { return Vec::new() };
        let mut overdrawn = vec![false; self.program.classes.len()];
        for (class, unknown) in self.program.unknown.iter().enumerate() {
            let counter = self.counter_of[class];
            overdrawn[class] =
                counter != NO_COUNTER && self.layout.count(row, counter as usize) as usize > unknown.len();
        }
        // Backwards: who stands before one that had returned before it was even invoked was used too early.
        let mut returned_first = NEVER;
        for &item in order.iter().rev() {
            let Item { class, invoked, returned, .. } = self.program.items[item as usize];
            overdrawn[class as usize] |= invoked > returned_first;
            returned_first = returned_first.min(returned);
        }
        (0..overdrawn.len() as u32).filter(|&class| overdrawn[class as usize]).collect()
    }

    /// An operation is pending from now on.
    pub(crate) fn invoke(&mut self, item: u32) {
        let Item { class, returned, .. } = self.program.items[item as usize];
        let effect = self.space.effect(class);
        if returned == NEVER {
            self.invoked[class as usize] += 1;
            self.activate(class);
            return;
        }
        let free = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let slot = free as u32;
        self.slots[free] = Some(Slot { item, class, returned });
        self.slot_of.insert(item, slot);
        let twins = &mut self.pending[class as usize];
        let at = twins
            .partition_point(|&twin| self.slots[twin as usize].is_some_and(|twin| twin.returned <= returned));
        twins.insert(at, slot);
        let (word, bit) = (free / 64, 1u64 << (free % 64));
        match effect {
            Effect::None => self.pure[word] |= bit,
            Effect::Overwrite => self.overwriting[word] |= bit,
            Effect::Any | Effect::Replace => {}
        }
        if effect != Effect::None {
            self.activate(class);
        }
        for (&state, idle) in &mut self.idle {
            if self.space.step(state, class) == Some(state) {
                idle[word] |= bit;
            }
        }
        for at in 0..self.front.len() {
            let mut row = self.front.row(at).to_vec();
            self.settle(&mut row);
            self.front.row_mut(at).copy_from_slice(&row);
        }
        self.front.reindex();
    }

    fn activate(&mut self, class: u32) {
        if !self.active.contains(&class) {
            self.active.push(class);
        }
    }

    /// An operation returns: what still owes it is extended, what cannot be is gone. No configuration left: there is no
    /// order.
    pub(crate) fn finish(&mut self, item: u32, meter: &mut impl Meter) -> Result<bool, Interrupted> {
        let slot = self.slot_of[&item];
        self.next.clear();
        self.seen.clear();
        self.todo.clear();
        for at in 0..self.front.len() {
            let row = self.front.row(at).to_vec();
            let (taken, passed) = (self.layout.is_taken(&row, slot), self.layout.is_passed(&row, slot));
            if taken {
                self.survive(row.clone(), slot);
            }
            if !taken || passed {
                self.explore(&row, 0);
            }
        }
        while let Some((at, depth)) = self.todo.pop_front() {
            self.extend(at as usize, depth, slot, meter)?;
            // A single return can fill the memory, so it is looked at on the way too.
            if at.is_multiple_of(256) && !meter.holds(self.bytes()) {
                return Err(Interrupted);
            }
        }
        if self.next.len() == 0 {
            return Ok(false);
        }
        std::mem::swap(&mut self.front, &mut self.next);
        self.release(item, slot);
        self.narrow();
        if self.trace.wants_sweep() {
            let mut paths = self.front.paths();
            self.trace.sweep(paths.iter_mut());
            self.front.set_paths(&paths);
        }
        if !meter.holds(self.bytes()) { Err(Interrupted) } else { Ok(true) }
    }

    fn bytes(&self) -> u64 {
        self.front.bytes() + self.next.bytes() + self.seen.bytes() + self.trace.bytes() + self.space.bytes()
    }

    fn release(&mut self, item: u32, slot: u32) {
        let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        let class = self.program.items[item as usize].class;
        self.slots[slot as usize] = None;
        self.slot_of.remove(&item);
        self.pending[class as usize].retain(|&twin| twin != slot);
        if self.pending[class as usize].is_empty() && self.invoked[class as usize] == 0 {
            self.active.retain(|&active| active != class);
        }
        self.pure[word] &= !bit;
        self.overwriting[word] &= !bit;
        // States come and go; those met lately are worth remembering.
        if self.idle.len() > 256 {
            self.idle.clear();
        }
        for idle in self.idle.values_mut() {
            idle[word] &= !bit;
        }
    }

    fn narrow(&mut self) {
        let exact = self.mode.enforced && self.mode.width == usize::MAX;
        self.lossy |= self.front.prune(&self.pure, 64, exact);
        if self.front.len() > self.mode.width {
            let mut cheapest: Vec<u32> = (0..self.front.len() as u32).collect();
            cheapest.sort_by_key(|&at| rows::cost(self.front.row(at as usize)));
            cheapest.truncate(self.mode.width);
            self.front.keep(&cheapest);
            self.narrowed = true;
        }
    }

    /// The configuration outlives the return of the operation in this slot.
    fn survive(&mut self, mut row: Vec<u64>, slot: u32) {
        self.layout.mark(&mut row, slot, false, false);
        row[0] &= !UNSEEN;
        self.lossy |= self.next.offer(&row).lossy;
    }

    /// The configuration is to be extended, unless it was already.
    fn explore(&mut self, row: &[u64], depth: u32) {
        if depth > self.mode.depth {
            self.narrowed = true;
            return;
        }
        if row[0] & UNSEEN != 0 {
            let mut seen = row[..self.layout.key()].to_vec();
            seen[0] &= !UNSEEN;
            if self.mode.width == usize::MAX && self.layout.carried == 0 && self.seen.contains(&seen) {
                return;
            }
        }
        let offer = self.seen.offer(row);
        self.lossy |= offer.lossy;
        // A cheaper way to a row that was extended already may go where the dearer one could not.
        if offer.better {
            self.todo.push_back((offer.at, depth));
        }
    }

    /// All successors of one configuration on the way to the return of the operation in `due`.
    fn extend(&mut self, at: usize, depth: u32, due: u32, meter: &mut impl Meter) -> Result<(), Interrupted> {
        let row = self.seen.row(at).to_vec();
        let state = row[0] as u32;
        let owed = !self.layout.is_taken(&row, due);
        for active in 0..self.active.len() {
            let class = self.active[active];
            let Some(after) = self.space.step(state, class) else { continue };
            if after == state && self.space.effect(class) != Effect::Overwrite {
                continue;
            }
            for source in self.sources(&row, class).into_iter().flatten() {
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

    /// Who may supply an effect of this class here: rule 2.
    fn sources(&self, row: &[u64], class: u32) -> [Option<Source>; 2] {
        let twins = &self.pending[class as usize];
        let owed = twins.iter().copied().find(|&slot| !self.layout.is_taken(row, slot));
        let passed = twins.iter().copied().find(|&slot| self.layout.is_passed(row, slot));
        let returned = |slot: u32| self.slots[slot as usize].map(|slot| slot.returned);
        match (owed, passed) {
            (Some(owed), Some(passed)) if returned(passed) < returned(owed) => {
                [Some(Source::Slot(owed)), Some(Source::Slot(passed))]
            }
            (Some(slot), _) | (None, Some(slot)) => [Some(Source::Slot(slot)), None],
            (None, None) => [self.unknown_left(row, class).then_some(Source::Unknown), None],
        }
    }

    fn unknown_left(&self, row: &[u64], class: u32) -> bool {
        let counter = self.counter_of[class as usize];
        let invoked = self.invoked[class as usize];
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
            self.overwriting[word] & !taken[word] & !own != 0
        })
    }

    /// Per class that does not overwrite but is legal here, the owed operation that returns first.
    fn absorbable(&mut self, row: &[u64]) -> Vec<u32> {
        let state = row[0] as u32;
        let mut absorbable = Vec::new();
        for active in 0..self.active.len() {
            let class = self.active[active];
            if self.space.effect(class) == Effect::Overwrite || self.space.step(state, class).is_none() {
                continue;
            }
            let twins = &self.pending[class as usize];
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
                let mut owed = self.overwriting[word] & !self.layout.taken(&row)[word];
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
                self.slots[slot as usize].map(|slot| slot.item).expect("a source is pending")
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
        let item =
            self.slots[slot as usize].map(|slot| slot.item).expect("only pending operations are passed");
        self.trace.pass(path, item)
    }

    /// Rule 1: whatever changes nothing here has its effect now.
    fn settle(&mut self, row: &mut [u64]) {
        let state = row[0] as u32;
        self.know_idle(state);
        let mut path = rows::path(row);
        for word in 0..self.layout.slot_words {
            let mut idle = self.idle[&state][word] & !self.layout.taken(row)[word];
            if idle & !self.overwriting[word] != 0 {
                row[0] &= !UNSEEN;
            }
            while idle != 0 {
                let bit = idle & idle.wrapping_neg();
                let slot = word as u32 * 64 + idle.trailing_zeros();
                idle ^= bit;
                let is_pure = self.pure[word] & bit != 0;
                self.layout.mark(row, slot, true, !is_pure);
                let item = self.slots[slot as usize]
                    .map(|slot| slot.item)
                    .expect("only pending operations are idle");
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
        for (at, slot) in self.slots.iter().enumerate() {
            if let Some(Slot { class, .. }) = *slot
                && self.space.step(state, class) == Some(state)
            {
                idle[at / 64] |= 1 << (at % 64);
            }
        }
        self.idle.insert(state, idle);
    }
}
