//! Pure generators of operations on a virtual clock.
//!
//! Asking a [`Generator`] with a [`Context`] (the time, who is free, who talks to which node) yields an operation
//! for one of the free processes, "nothing until then", or "nothing more". A generator is a value: its next state
//! is a function of its state, the context and what it was told of outcomes, its randomness included; a clone
//! answers alike. It refuses to know who drives it: a runtime, a simulation, a test.
//!
//! The idea is Jepsen's (`jepsen.generator`); here a generator changes in place instead of being replaced.
//! Read on: [`Layout`], then the parts ([`Mix`], [`PerKey`], [`Rate`], [`Rest`], [`TimeLimit`], [`FinalReads`], [`Drain`]), then [`Phases`],
//! which puts them together, and [`simulate`], which runs all that without a clock.

use std::fmt;

use rashomon_histories::{Invocation, Nanos};
use smol_str::SmolStr;

use crate::client::Outcome;

mod layout;

mod mix;
mod per_key;
mod temper;

mod rate;
mod rest;
mod time_limit;

mod drain;
mod final_reads;
mod scripted;

mod phases;

pub mod simulate;

#[cfg(test)]
mod tests;

pub use drain::{DRAINED_MAX, Drain};
pub use final_reads::{FinalReads, READ_ATTEMPTS_MAX};
pub use layout::{Layout, LayoutError};
pub use mix::Mix;
pub use per_key::{OneKey, PerKey};
pub use phases::Phases;
pub use rate::{BACKLOG_MAX, Rate, Spacing};
pub use rest::{REST_MAX, REST_MIN, Rest};
pub use scripted::{Scripted, ScriptedOperation};
pub use temper::Temper;
pub use time_limit::TimeLimit;

/// The random stream of generators: portable, so that a seed stays stable.
pub type Rng = rand_chacha::ChaCha8Rng;

/// What a generator may look at when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time of asking; never goes back.
    pub now: Nanos,
    /// Processes that have no operation open. A driver in which every process asks for itself passes just that
    /// one; the generator then yields an operation for it or none.
    pub free: &'a [u64],
    /// Who talks to which node.
    pub layout: &'a Layout,
}

/// What asking yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Ask this now. Its process is one of the free ones.
    Operation(Invocation),
    /// Nothing now. Ask again at `until`, or when an operation completes; where there is no `until`, only a
    /// completion helps.
    Pending {
        /// The next moment at which the answer may differ by itself.
        until: Option<Nanos>,
    },
    /// Nothing more, ever.
    Done,
}

/// Yields operations.
pub trait Generator: fmt::Debug + Send {
    /// The next operation for one of the free processes, if there is one. The operation is then taken: the
    /// caller has to ask the system and to report with [`Generator::update`].
    fn ask(&mut self, context: &Context<'_>) -> Answer;

    /// Tells how an operation that this generator yielded has ended.
    fn update(&mut self, now: Nanos, operation: &Invocation, outcome: &Outcome);

    /// Keys in use and lately used, the oldest first: what the final reads should cover. Bounded.
    fn keys_recent(&self) -> Vec<SmolStr>;

    /// A generator that answers as this one does.
    fn clone_boxed(&self) -> Box<dyn Generator>;
}

impl Generator for Box<dyn Generator> {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        (**self).ask(context)
    }

    fn update(&mut self, now: Nanos, operation: &Invocation, outcome: &Outcome) {
        (**self).update(now, operation, outcome);
    }

    fn keys_recent(&self) -> Vec<SmolStr> {
        (**self).keys_recent()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        (**self).clone_boxed()
    }
}

impl Clone for Box<dyn Generator> {
    fn clone(&self) -> Self {
        self.clone_boxed()
    }
}
