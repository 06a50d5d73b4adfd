//! A process that was turned away rests a little before it is asked again.
//!
//! A node that is dead refuses connections within microseconds. Without rest its clients would fill the history
//! with refusals and use up the keys' lifetimes while nothing happens. A rest starts at [`REST_MIN`], doubles
//! with every definite failure in a row up to [`REST_MAX`], and ends with the first answer. A refused cas is an
//! answer. An operation of unknown outcome needs no rest: it has waited for its deadline, or its process has
//! retired and the next one finds out by itself.

use std::collections::BTreeMap;

use rashomon_histories::{Invocation, Nanos, Process};
use smol_str::SmolStr;

use super::{Answer, Context, Generator};
use crate::client::Outcome;

/// The first rest.
pub const REST_MIN: Nanos = Nanos::from_millis(10);
/// The longest rest.
pub const REST_MAX: Nanos = Nanos::from_millis(160);

/// Gives out the operations of `inner`, but none to a process that rests.
#[derive(Clone, Debug)]
pub struct Rest<G> {
    inner: G,
    resting: BTreeMap<u64, Resting>,
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    until: Nanos,
    length: Nanos,
}

impl<G: Generator> Rest<G> {
    /// `inner`, with rests.
    pub fn new(inner: G) -> Self {
        Rest { inner, resting: BTreeMap::new() }
    }
}

impl<G: Generator + Clone + 'static> Generator for Rest<G> {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        if self.resting.is_empty() {
            return self.inner.ask(context);
        }
        let until = |process: &u64| {
            self.resting.get(process).map(|rest| rest.until).filter(|until| *until > context.now)
        };
        let awake: Vec<u64> =
            context.free.iter().copied().filter(|process| until(process).is_none()).collect();
        let first_awake = context.free.iter().filter_map(until).min();
        if awake.is_empty() && first_awake.is_some() {
            return Answer::Pending { until: first_awake };
        }
        match self.inner.ask(&Context { free: &awake, ..*context }) {
            Answer::Pending { until } => {
                Answer::Pending { until: [until, first_awake].into_iter().flatten().min() }
            }
            answer => answer,
        }
    }

    fn update(&mut self, now: Nanos, operation: &Invocation, outcome: &Outcome) {
        if let Process::Client(process) = operation.process {
            match outcome {
                Err(error) if error.definite && !error.is_refusal() => {
                    let before = self.resting.get(&process).map(|rest| rest.length);
                    let length = before.map_or(REST_MIN, |length| length.plus(length).min(REST_MAX));
                    self.resting.insert(process, Resting { until: now.plus(length), length });
                }
                _ => {
                    self.resting.remove(&process);
                }
            }
        }
        self.inner.update(now, operation, outcome);
    }

    fn keys_recent(&self) -> Vec<SmolStr> {
        self.inner.keys_recent()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        Box::new(self.clone())
    }
}
