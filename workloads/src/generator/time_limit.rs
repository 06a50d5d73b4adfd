//! Nothing more after so long.

use rashomon_histories::{Invocation, Nanos};
use smol_str::SmolStr;

use super::{Answer, Context, Generator};
use crate::client::Outcome;

/// Gives out the operations of `inner` for a while, counted from the first asking.
#[derive(Clone, Debug)]
pub struct TimeLimit<G> {
    inner: G,
    limit: Nanos,
    end: Option<Nanos>,
}

impl<G: Generator> TimeLimit<G> {
    /// `inner` for so long.
    pub fn new(inner: G, limit: Nanos) -> Self {
        TimeLimit { inner, limit, end: None }
    }
}

impl<G: Generator + Clone + 'static> Generator for TimeLimit<G> {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        let end = *self.end.get_or_insert(context.now.plus(self.limit));
        if context.now >= end {
            return Answer::Done;
        }
        match self.inner.ask(context) {
            // At the end the answer becomes Done, so whoever waits has to come back by then.
            Answer::Pending { until } => Answer::Pending { until: Some(until.map_or(end, |t| t.min(end))) },
            answer => answer,
        }
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
