//! How much a judge may spend on one key, and the caller's right to end it.
//!
//! Budgets count configurations and bytes, never seconds, so that a verdict does not depend on the machine. A caller who
//! has a deadline gives a hook; it can only turn a verdict into *undecided*.

use serde::{Deserialize, Serialize};

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

/// Counts against a budget.
pub(crate) struct Gauge<'a> {
    budget: Budget,
    stop: Stop<'a>,
    states: u64,
    /// When to ask the hook next.
    ask_in: u32,
    exhausted: Option<Exhausted>,
}

/// The hook is asked first thing, and then once per so many configurations made or looked at: a few hundred microseconds.
pub(crate) const ASK_EVERY: u32 = 1024;

impl<'a> Gauge<'a> {
    pub(crate) fn new(budget: Budget, stop: Stop<'a>) -> Self {
        Gauge { budget, stop, states: 0, ask_in: 0, exhausted: None }
    }

    pub(crate) fn states(&self) -> u64 {
        self.states
    }

    pub(crate) fn exhausted(&self) -> Option<Exhausted> {
        self.exhausted
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
        match self.ask_in.checked_sub(1) {
            Some(rest) => self.ask_in = rest,
            None => {
                self.ask_in = ASK_EVERY - 1;
                if (self.stop)() {
                    self.exhausted = Some(Exhausted::Deadline);
                }
            }
        }
        self.exhausted.is_none()
    }

    fn holds(&mut self, bytes: u64) -> bool {
        if bytes > self.budget.bytes_max {
            self.exhausted = Some(Exhausted::Bytes);
        }
        self.exhausted.is_none()
    }
}
