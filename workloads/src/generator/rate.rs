//! So many operations a second in all, whoever asks.
//!
//! Moments are drawn ahead, one after the other; an operation is given out when its moment has come. A driver
//! that is late, because its timers are coarse or all processes were busy, catches up, but never by more than
//! [`BACKLOG_MAX`]: a system that stood still for ten seconds is not then flooded with ten seconds of operations.

use rand::{RngExt as _, SeedableRng as _};
use rashomon_histories::{Invocation, Nanos};
use smol_str::SmolStr;

use super::{Answer, Context, Generator, Rng};
use crate::client::Outcome;

/// How far behind its moments a driver may be and still catch up.
pub const BACKLOG_MAX: Nanos = Nanos::from_millis(100);

/// How moments are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// As independent people would ask: gaps are exponential.
    #[default]
    Exponential,
    /// Evenly.
    Even,
}

/// Gives out the operations of `inner` at a rate.
#[derive(Clone, Debug)]
pub struct Rate<G> {
    inner: G,
    gap_mean: Nanos,
    spacing: Spacing,
    rng: Rng,
    /// The moment of the next operation; none before the first asking, which sets it.
    next: Option<Nanos>,
}

impl<G: Generator> Rate<G> {
    /// `per_second` operations of `inner` on average.
    ///
    /// # Panics
    /// When `per_second` is not a positive number.
    pub fn new(inner: G, per_second: f64, spacing: Spacing, seed: u64) -> Self {
        assert!(per_second.is_finite() && per_second > 0.0, "a rate is a positive number, not {per_second}");
        let gap_mean = Nanos(((1e9 / per_second) as u64).max(1));
        Rate { inner, gap_mean, spacing, rng: Rng::seed_from_u64(seed), next: None }
    }

    fn gap(&mut self) -> Nanos {
        match self.spacing {
            Spacing::Even => self.gap_mean,
            Spacing::Exponential => {
                // In (0, 1], so the logarithm is finite.
                let uniform = 1.0 - self.rng.random::<f64>();
                Nanos((-uniform.ln() * self.gap_mean.0 as f64) as u64)
            }
        }
    }
}

impl<G: Generator + Clone + 'static> Generator for Rate<G> {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        let next = *self.next.get_or_insert(context.now);
        if next > context.now {
            return Answer::Pending { until: Some(next) };
        }
        let answer = self.inner.ask(context);
        if matches!(answer, Answer::Operation(_)) {
            let earliest = context.now.since(BACKLOG_MAX);
            self.next = Some(next.max(earliest).plus(self.gap()));
        }
        answer
    }

    fn update(&mut self, now: Nanos, operation: &Invocation, outcome: &Outcome) {
        self.inner.update(now, operation, outcome);
    }

    fn keys_recent(&self) -> Vec<SmolStr> {
        self.inner.keys_recent()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        Box::new(self.clone())
    }
}
