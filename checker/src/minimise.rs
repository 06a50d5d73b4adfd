//! The smallest sub-history that is still a violation.
//!
//! Not every sub-history will do: without the write of 5, a read of 5 is wrong, and proves nothing about the history that
//! had the write. So a sub-history here is *closed* ([`closure`]): no order for it, no order for the whole.
//!
//! Whether one is a violation the model's own judge says, where it can; else the search, if it is quick.
//!
//! First the end of the history before the violation is tried, longer and longer, until it contains one; then operations
//! are removed in chunks of halving size (Zeller and Hildebrandt 2002): those that only observe before those that
//! change, and of the latter the answer before the effect.

mod closure;
mod sources;

use rustc_hash::FxHashSet;

use crate::budget::{Budget, Gauge, Poll};
use crate::judge::Options;
use crate::model::{Call, Effect, Model};
use crate::outcome::{Counterexample, Engine, Shortcut};
use crate::search::{self, Outcome};
use closure::{Closure, Kept};

/// What one trial may cost; a trial that costs more counts as "not a violation", so that minimising stays short.
const TRIAL: Budget = Budget { states_max: 100_000, bytes_max: 1 << 28 };

/// What may be spent on telling how a violation came about that the model's own judge found.
const TELLING: Budget = Budget { states_max: 10_000, ..TRIAL };

/// Finds a minimal closed sub-history without an order. `found` may name operations to start from; `position` is where the
/// search died.
pub(crate) fn minimise<M: Model>(
    model: &M,
    calls: &[Call<M::Operation>],
    found: Counterexample,
    position: Option<u32>,
    options: &Options<'_>,
) -> Counterexample {
    let closure = Closure::new(model, calls, options.stop);
    let mut minimiser = Minimiser { model, calls, options, closure, last: None };
    let start = if found.operations.is_empty() {
        minimiser.window(position.unwrap_or(u32::MAX))
    } else {
        let ids: FxHashSet<u32> = found.operations.iter().copied().collect();
        let named = (0..calls.len() as u32).filter(|&at| ids.contains(&calls[at as usize].id));
        let named: Vec<Kept> = named.map(Kept::whole).collect();
        [true, false].into_iter().find_map(|on_trust| {
            let closed = minimiser.closure.close(&named, on_trust, usize::MAX)?;
            minimiser.is_violation(&closed).then_some(closed)
        })
    };
    let Some(start) = start else {
        // Too costly to try again, or the caller's deadline passed: the whole is its own counterexample.
        let all: Vec<Kept> = (0..calls.len() as u32).map(Kept::whole).collect();
        return Counterexample { operations: minimiser.ids(&all, |_| true), ..found };
    };
    let kept = minimiser.shrink(start);
    let (impossible, prefixes) =
        match minimiser.last.take().unwrap_or_else(|| minimiser.search(&kept, TELLING)) {
            Outcome::Invalid { impossible, prefixes, .. } => (Some(impossible), prefixes),
            _ => (found.impossible, found.prefixes),
        };
    let operations = minimiser.ids(&kept, |_| true);
    let cycle = if found.cycle.iter().all(|id| operations.contains(id)) { found.cycle } else { Vec::new() };
    let trusted = minimiser.ids(&kept, |kept| kept.trusted);
    Counterexample { operations, trusted, cycle, impossible, prefixes }
}

/// Looks for a violation in the end of the history up to `position`, and minimises it. None proves nothing.
pub(crate) fn window<M: Model>(
    model: &M,
    calls: &[Call<M::Operation>],
    position: u32,
    options: &Options<'_>,
) -> Option<Counterexample> {
    let mut minimiser =
        Minimiser { model, calls, options, closure: Closure::new(model, calls, options.stop), last: None };
    let start = minimiser.window(position)?;
    let operations = minimiser.ids(&start, |_| true);
    let found = Counterexample { operations, ..Counterexample::default() };
    Some(minimise(model, calls, found, Some(position), options))
}

/// As [`window`], where the answer at `position` is wrong even to somebody who tells apart only what it saw and all else:
/// then there are few kinds of operations and few states, and much longer windows are settled.
pub(crate) fn blurred_window<M: Model>(
    model: &M,
    calls: &[Call<M::Operation>],
    position: u32,
    options: &Options<'_>,
) -> Option<Counterexample> {
    let about = &calls.iter().find(|call| call.returned == position)?.operation;
    let blurred: Vec<Call<M::Operation>> = calls
        .iter()
        .filter_map(|call| Some(Call { operation: model.blurred(&call.operation, about)?, ..call.clone() }))
        .collect();
    let Counterexample { operations, .. } = window(model, &blurred, position, options)?;
    let found = Counterexample { operations, ..Counterexample::default() };
    Some(minimise(model, calls, found, Some(position), options))
}

struct Minimiser<'a, 'o, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Operation>],
    options: &'a Options<'o>,
    closure: Closure<'a, M>,
    /// The latest violation, if the search found it.
    last: Option<Outcome>,
}

impl<M: Model> Minimiser<'_, '_, M> {
    fn ids(&self, kept: &[Kept], which: impl Fn(&Kept) -> bool) -> Vec<u32> {
        let mut ids: Vec<u32> =
            kept.iter().filter(|kept| which(kept)).map(|kept| self.calls[kept.at as usize].id).collect();
        ids.sort_unstable();
        ids
    }

    fn is_violation(&mut self, kept: &[Kept]) -> bool {
        let shortcut = match self.options.engine {
            Some(Engine::Search) => None,
            _ => self.model.shortcut(&self.calls_of(kept), &mut Poll::new(self.options.stop)),
        };
        let (violated, last) = match shortcut {
            Some(Shortcut::Invalid { .. }) => (true, None),
            Some(Shortcut::Valid(_) | Shortcut::Stopped) => (false, None),
            Some(Shortcut::Open(_)) | None => {
                let outcome = self.search(kept, TRIAL);
                (matches!(outcome, Outcome::Invalid { .. }), Some(outcome))
            }
        };
        if violated {
            self.last = last;
        }
        violated
    }

    fn search(&self, kept: &[Kept], budget: Budget) -> Outcome {
        let mut gauge = Gauge::new(budget, self.options.stop);
        search::search(self.model, &self.calls_of(kept), &mut gauge, &mut |_| false)
    }

    fn calls_of(&self, kept: &[Kept]) -> Vec<Call<M::Operation>> {
        kept.iter().map(|&kept| self.closure.call(kept)).collect()
    }

    /// The shortest end of the history up to `position`, of doubling lengths, that contains a violation.
    fn window(&mut self, position: u32) -> Option<Vec<Kept>> {
        let mut ended: Vec<u32> =
            (0..self.calls.len() as u32).filter(|&at| self.calls[at as usize].returned <= position).collect();
        ended.sort_unstable_by_key(|&at| std::cmp::Reverse(self.calls[at as usize].returned));
        let mut length = 4;
        loop {
            let seeds: Vec<Kept> = ended.iter().take(length).map(|&at| Kept::whole(at)).collect();
            let is_last = length >= ended.len();
            // Answers of what is only there for others are taken on trust first: fewer operations, and often enough.
            for on_trust in [true, false] {
                let most = if is_last { usize::MAX } else { 64 * length };
                if let Some(window) = self.closure.close(&seeds, on_trust, most)
                    && self.is_violation(&window)
                {
                    return Some(window);
                }
            }
            if is_last || (self.options.stop)() {
                return None;
            }
            length *= 4;
        }
    }

    /// Removes what can be removed.
    fn shrink(&mut self, mut kept: Vec<Kept>) -> Vec<Kept> {
        let mut chunk = kept.len().div_ceil(2);
        loop {
            let before = kept.clone();
            kept = self.leave_out(kept, chunk, true);
            kept = self.trust(kept, chunk);
            kept = self.leave_out(kept, chunk, false);
            if chunk == 1 && kept == before || (self.options.stop)() {
                return kept;
            }
            chunk = (chunk / 2).max(1);
        }
    }

    fn observes(&self, kept: Kept) -> bool {
        self.model.effect(&self.calls[kept.at as usize].operation) == Effect::None
    }

    /// Tries to leave out each chunk of the operations that only observe, or of the others, once, the latest first.
    fn leave_out(&mut self, mut kept: Vec<Kept>, chunk: usize, observers: bool) -> Vec<Kept> {
        let candidates: Vec<Kept> =
            kept.iter().copied().filter(|&kept| self.observes(kept) == observers).rev().collect();
        for leave in candidates.chunks(chunk) {
            if (self.options.stop)() {
                break;
            }
            let rest: Vec<Kept> = kept.iter().copied().filter(|kept| !leave.contains(kept)).collect();
            if self.closure.is_closed(&rest) && self.is_violation(&rest) {
                kept = rest;
            }
        }
        kept
    }

    /// Tries to take the answers of each chunk of operations on trust.
    fn trust(&mut self, mut kept: Vec<Kept>, chunk: usize) -> Vec<Kept> {
        let candidates: Vec<Kept> =
            kept.iter().copied().filter(|&kept| self.closure.can_trust(kept)).collect();
        for trust in candidates.chunks(chunk) {
            if (self.options.stop)() {
                break;
            }
            let weaker: Vec<Kept> = kept
                .iter()
                .map(|&kept| Kept { trusted: kept.trusted || trust.contains(&kept), ..kept })
                .collect();
            if self.is_violation(&weaker) {
                kept = weaker;
            }
        }
        kept
    }
}
