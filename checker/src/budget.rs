//! How much a judge may spend on one key, and the caller's right to end it.
//!
//! Budgets count configurations and bytes, never seconds, so that a verdict does not depend on the machine. A caller who
//! has a deadline gives a hook; it can only turn a verdict into *undecided*.

use serde::{Deserialize, Serialize};

use crate::model::NEVER;
use crate::outcome::Exhausted;
use crate::search::Meter;

/// Bounds for the judging of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Configurations made, over all walks.
    pub states_max: u64,
    /// Bytes in use at any time, the history itself not counted.
    pub bytes_max: u64,
}

impl Default for Budget {
    /// Two hundred million configurations (a minute or two), one GiB.
    fn default() -> Self {
        Budget { states_max: 200_000_000, bytes_max: 1 << 30 }
    }
}

/// The caller's deadline: asked often, answers whether to stop.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// A hook that never stops.
pub fn never() -> bool {
    false
}

/// The hook is asked first thing, and then once per so many steps: a few hundred microseconds, or less.
pub const ASK_EVERY: u32 = 1024;

/// The caller's deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Asks the caller's hook often enough, and not too often. Who loops over operations or configurations asks this once per turn.
pub struct Poll<'a> {
    stop: Stop<'a>,
    ask_in: u32,
    stopped: bool,
}

impl<'a> Poll<'a> {
    /// Not asked yet.
    pub fn new(stop: Stop<'a>) -> Self {
        Poll { stop, ask_in: 0, stopped: false }
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// When the hook said stop, now or earlier.
    pub fn go_on(&mut self) -> Result<(), Stopped> {
        match self.ask_in.checked_sub(1) {
            Some(rest) => self.ask_in = rest,
            None => {
                self.ask_in = ASK_EVERY - 1;
                self.stopped |= (self.stop)();
            }
        }
        if self.stopped { Err(Stopped) } else { Ok(()) }
    }

    /// Counts against a budget of its own, with the same deadline.
    pub(crate) fn gauge(&self, budget: Budget) -> Gauge<'a> {
        Gauge::new(budget, self.stop)
    }

    /// Sorts by a position and then by `key`, in pieces small enough that a deadline is not missed for long.
    pub(crate) fn sort<T: Copy, K: Ord>(
        &mut self,
        items: &mut Vec<T>,
        position: impl Fn(&T) -> u32,
        key: impl Fn(&T) -> K,
    ) -> Result<(), Stopped> {
        let pieces = items.len() / PIECE + 1;
        let whole = |item: &T| (position(item), key(item));
        if pieces == 1 {
            items.sort_unstable_by_key(whole);
            return Ok(());
        }
        let known = items.iter().map(&position).filter(|&position| position != NEVER);
        let most = u64::from(known.max().unwrap_or(0)) + 1;
        let piece = |item: &T| match position(item) {
            NEVER => pieces,
            position => (u64::from(position) * pieces as u64 / most) as usize,
        };
        let mut ends = vec![0usize; pieces + 2];
        for item in items.iter() {
            self.go_on()?;
            ends[piece(item) + 1] += 1;
        }
        for at in 0..=pieces {
            ends[at + 1] += ends[at];
        }
        let mut free = ends.clone();
        let mut sorted = items.clone();
        for item in items.iter() {
            self.go_on()?;
            let place = &mut free[piece(item)];
            sorted[*place] = *item;
            *place += 1;
        }
        for at in 0..=pieces {
            if (self.stop)() {
                self.stopped = true;
                return Err(Stopped);
            }
            sorted[ends[at]..ends[at + 1]].sort_unstable_by_key(whole);
        }
        *items = sorted;
        Ok(())
    }
}

/// About so many items are sorted at once: a millisecond or two.
const PIECE: usize = 1 << 15;

/// Counts against a budget.
pub(crate) struct Gauge<'a> {
    budget: Budget,
    poll: Poll<'a>,
    states: u64,
    exhausted: Option<Exhausted>,
}

impl<'a> Gauge<'a> {
    pub(crate) fn new(budget: Budget, stop: Stop<'a>) -> Self {
        Gauge { budget, poll: Poll::new(stop), states: 0, exhausted: None }
    }

    pub(crate) fn poll(&mut self) -> &mut Poll<'a> {
        &mut self.poll
    }

    pub(crate) fn states(&self) -> u64 {
        self.states
    }

    pub(crate) fn exhausted(&self) -> Option<Exhausted> {
        self.exhausted.or_else(|| self.poll.stopped.then_some(Exhausted::Deadline))
    }
}

impl Meter for Gauge<'_> {
    fn made(&mut self) -> bool {
        self.states += 1;
        if self.states > self.budget.states_max {
            self.exhausted = Some(Exhausted::States);
        }
        self.passes()
    }

    fn passes(&mut self) -> bool {
        self.poll.go_on().is_ok() && self.exhausted.is_none()
    }

    fn holds(&mut self, bytes: u64) -> bool {
        if bytes > self.budget.bytes_max {
            self.exhausted = Some(Exhausted::Bytes);
        }
        self.exhausted.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    /// Positions in no order, some twice and some never.
    fn positions() -> Vec<(u32, u32)> {
        let mix = |at: u32| at.wrapping_mul(2_654_435_761) >> 8;
        (0..5 * PIECE as u32)
            .map(|at| (if at % 7 == 0 { NEVER } else { mix(at) % 90_000 }, mix(at + 1)))
            .collect()
    }

    #[test]
    fn sorting_in_pieces_is_sorting() {
        let mut expected = positions();
        expected.sort_unstable();
        let mut sorted = positions();
        Poll::new(&never).sort(&mut sorted, |item| item.0, |item| item.1).expect("never stopped");
        assert_eq!(sorted, expected);
    }

    #[test]
    fn sorting_can_be_stopped_at_every_question() {
        let asked = AtomicU64::new(0);
        let stops = |last: u64| {
            asked.store(0, Relaxed);
            let stop = || asked.fetch_add(1, Relaxed) >= last;
            Poll::new(&stop).sort(&mut positions(), |item| item.0, |item| item.1)
        };
        assert_eq!(stops(u64::MAX), Ok(()));
        let whole = asked.load(Relaxed);
        assert!(whole > 2 * 5 * PIECE as u64 / u64::from(ASK_EVERY), "{whole}");
        for last in 0..whole {
            assert_eq!(stops(last), Err(Stopped));
            assert_eq!(asked.load(Relaxed), last + 1);
        }
    }
}
