//! The configurations that survive, carried over one event at a time.
//!
//! A configuration is a state and, for each pending operation, whether it still *owes* its effect, has been *used*, or has
//! been *passed*: it could have taken effect earlier unseen, so it owes nothing and may still be used. A passed operation
//! stands for both futures at once, so a passed one is never worse than a used or an owed one.
//!
//! At the return of r each configuration that still owes r is extended by sequences of pending operations that end
//! with r (Lowe 2017). That is enough: of any complete order, the part up to r is such a sequence, and what is not
//! needed before r can wait for a later return. Which sequences are left out, and why that loses nothing, stands in
//! [`super::steps`]; which configurations, in [`super::rows`] and, as a guess, in [`super::rank`].
//! Next: [`super::strategy`], which decides what to count, how wide to go and where to go back.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::pending::{Pending, Remembered};
use super::program::{Item, Program};
use super::rows::{self, Layout, Table, UNSEEN};
use super::space::Space;
use super::trace::{ROOT, Trace};
use crate::model::{Model, NEVER};

/// What a walk counts.
#[derive(Clone, Debug)]
pub(crate) struct Mode {
    /// Classes whose unknown operations are counted in the key, so that no configuration is confused with another.
    pub(crate) counted: Vec<bool>,
    /// Whether the others are held to their number too. If not, one invocation makes an endless supply.
    pub(crate) enforced: bool,
}

/// How much of what is possible a walk looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The most configurations kept after a return, the most promising first.
    pub(crate) width: usize,
    /// The longest sequence of effects tried before the one that is due.
    pub(crate) depth: u32,
}

impl Reach {
    /// All of it.
    pub(crate) const ALL: Reach = Reach { width: usize::MAX, depth: u32::MAX };
}

/// Work done and memory in use, with an end to both.
pub(crate) trait Meter {
    /// Called for every configuration made; false ends the walk.
    fn made(&mut self) -> bool;
    /// Called for every configuration looked at in between; false ends the walk.
    fn passes(&mut self) -> bool;
    /// Called now and then with the bytes in use; false ends the walk.
    fn holds(&mut self, bytes: u64) -> bool;
}

/// The walk was ended by its meter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted;

pub(super) const NO_COUNTER: u32 = u32::MAX;

/// Where a walk can go back to.
struct Mark {
    event: usize,
    front: Table,
    pending: Remembered,
    lossy: bool,
    narrowed: bool,
}

/// So many marks are kept.
const MARKS: usize = 64;

pub(crate) struct Frontier<'a, M: Model> {
    pub(super) program: &'a Program<M::Operation>,
    pub(super) mode: &'a Mode,
    pub(super) reach: Reach,
    pub(super) space: Space<'a, M>,
    pub(super) layout: Layout,
    pub(super) front: Table,
    next: Table,
    pub(super) seen: Table,
    /// Rows of `seen` that are still to be extended.
    todo: VecDeque<(u32, u32)>,
    pub(super) trace: Trace,
    pub(super) pending: Pending,
    pub(super) counter_of: Vec<u32>,
    /// Per state, the slots whose operation is legal there and changes nothing.
    pub(super) idle: FxHashMap<u32, Vec<u64>>,
    /// Per state, whether an active class that does not overwrite is legal there.
    pub(super) onward: FxHashMap<u32, bool>,
    /// Whether a configuration was dropped for a cheaper one that used other unknown operations.
    lossy: bool,
    /// Whether configurations were dropped for their number.
    narrowed: bool,
    marks: VecDeque<Mark>,
}

impl<'a, M: Model> Frontier<'a, M> {
    pub(crate) fn new(
        model: &'a M,
        program: &'a Program<M::Operation>,
        mode: &'a Mode,
        reach: Reach,
    ) -> Self {
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
            reach,
            space: Space::new(model, &program.classes),
            layout,
            front,
            next: Table::new(layout),
            seen: Table::new(layout),
            todo: VecDeque::new(),
            trace: Trace::default(),
            pending: Pending::new(program, slot_words),
            counter_of,
            idle: FxHashMap::default(),
            onward: FxHashMap::default(),
            lossy: false,
            narrowed: false,
            marks: VecDeque::new(),
        }
    }

    /// Whether no configuration left means no order: none was dropped that might have survived the others.
    pub(crate) fn is_exhaustive(&self) -> bool {
        !self.narrowed && (!self.lossy || !self.mode.enforced)
    }

    /// Looks at more or less from now on.
    pub(crate) fn set_reach(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Remembers how things stand before `event`.
    pub(crate) fn mark(&mut self, event: usize) {
        if self.marks.back().is_some_and(|mark| mark.event == event) {
            return;
        }
        // The first mark, before everything, stays.
        if self.marks.len() == MARKS {
            self.marks.remove(1);
        }
        let (front, pending) = (self.front.clone(), self.pending.remember());
        let (lossy, narrowed) = (self.lossy, self.narrowed);
        self.marks.push_back(Mark { event, front, pending, lossy, narrowed });
    }

    /// Goes back to the latest mark at or before `event`, or else the first, and answers which event comes next. There is
    /// one when [`Frontier::mark`] was ever called.
    pub(crate) fn back(&mut self, event: usize) -> Option<usize> {
        while self.marks.len() > 1 && self.marks.back().is_some_and(|mark| mark.event > event) {
            self.marks.pop_back();
        }
        let mark = self.marks.back()?;
        self.front = mark.front.clone();
        self.pending.restore(&mark.pending, self.program, mark.event);
        (self.lossy, self.narrowed) = (mark.lossy, mark.narrowed);
        self.idle.clear();
        self.onward.clear();
        Some(mark.event)
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
    pub(crate) fn invoke(&mut self, item: u32, meter: &mut impl Meter) -> Result<(), Interrupted> {
        let invoked = self.program.items[item as usize];
        let Item { class, .. } = invoked;
        let active = self.pending.active().len();
        let slot = self.pending.add(item, invoked, self.space.effect(class));
        if self.pending.active().len() != active {
            self.onward.clear();
        }
        let Some(slot) = slot else { return Ok(()) };
        let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        for (&state, idle) in &mut self.idle {
            if self.space.step(state, class) == Some(state) {
                idle[word] |= bit;
            }
        }
        for at in 0..self.front.len() {
            let mut row = self.front.row(at).to_vec();
            self.settle(&mut row);
            self.front.row_mut(at).copy_from_slice(&row);
            if !meter.passes() {
                return Err(Interrupted);
            }
        }
        self.front.reindex();
        Ok(())
    }
    /// An operation returns: what still owes it is extended, what cannot be is gone. No configuration left: there is no
    /// order.
    pub(crate) fn finish(&mut self, item: u32, meter: &mut impl Meter) -> Result<bool, Interrupted> {
        let slot = self.pending.slot_of(item);
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
            if !meter.passes() {
                return Err(Interrupted);
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
        self.narrow(meter)?;
        self.sweep();
        if !meter.holds(self.bytes()) { Err(Interrupted) } else { Ok(true) }
    }

    fn bytes(&self) -> u64 {
        let marked: u64 = self.marks.iter().map(|mark| mark.front.bytes() + mark.pending.bytes()).sum();
        let tables = self.front.bytes() + self.next.bytes() + self.seen.bytes();
        marked + tables + self.trace.bytes() + self.space.bytes()
    }

    /// Drops the decisions that no configuration stands on any more.
    fn sweep(&mut self) {
        if !self.trace.wants_sweep() {
            return;
        }
        let mut fronts: Vec<&mut Table> = self.marks.iter_mut().map(|mark| &mut mark.front).collect();
        fronts.push(&mut self.front);
        let mut paths: Vec<Vec<u32>> = fronts.iter_mut().map(|front| front.paths()).collect();
        self.trace.sweep(paths.iter_mut().flatten());
        for (front, paths) in fronts.into_iter().zip(&paths) {
            front.set_paths(paths);
        }
    }

    fn release(&mut self, item: u32, slot: u32) {
        let active = self.pending.active().len();
        self.pending.remove(item);
        if self.pending.active().len() != active {
            self.onward.clear();
        }
        // States come and go; those met lately are worth remembering.
        if self.idle.len() > 256 {
            self.idle.clear();
        }
        for idle in self.idle.values_mut() {
            idle[slot as usize / 64] &= !(1u64 << (slot % 64));
        }
    }

    fn narrow(&mut self, meter: &mut impl Meter) -> Result<(), Interrupted> {
        let exact = self.mode.enforced && self.reach.width == usize::MAX;
        self.lossy |= self.front.prune(&self.pending.pure, 64, exact, meter)?;
        if self.front.len() > self.reach.width {
            let kept = self.most_promising(self.reach.width);
            self.front.keep(&kept);
            self.narrowed = true;
        }
        Ok(())
    }

    /// The configuration outlives the return of the operation in this slot.
    pub(super) fn survive(&mut self, mut row: Vec<u64>, slot: u32) {
        self.layout.mark(&mut row, slot, false, false);
        row[0] &= !UNSEEN;
        self.lossy |= self.next.offer(&row).lossy;
    }

    /// The configuration is to be extended, unless it was already.
    pub(super) fn explore(&mut self, row: &[u64], depth: u32) {
        if depth > self.reach.depth {
            self.narrowed = true;
            return;
        }
        if row[0] & UNSEEN != 0 {
            let mut seen = row[..self.layout.key()].to_vec();
            seen[0] &= !UNSEEN;
            if self.reach.width == usize::MAX && self.layout.carried == 0 && self.seen.contains(&seen) {
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
}
