//! Counters: amounts are added, and the sum is read.
//!
//! Amounts are 1, 1,000 and 1,000,000, so that a person can read off a sum how many of each it holds: 3,002,001 lacks
//! or doubles what the history says it does.

use rashomon_histories::{Invocation, Value};
use smol_str::SmolStr;

use super::register::READ;
use super::set::ADD;
use super::{Objects, Options, Workload};
use crate::client::Outcome;
use crate::generator::{FinalReads, Generator, Mix, OneKey, PerKey, Rng, Temper};

/// What is added. Few, since equal operations under way are one to the judge, and different ones are not.
const AMOUNTS: [i64; 3] = [1, 1_000, 1_000_000];

/// Operations under way or of unknown outcome on a counter at most: whoever re-checks a verdict knows nothing of equal ones.
const WIDTH: u32 = 8;

/// Counters.
#[derive(Clone, Copy, Debug)]
pub struct Counter;

impl Workload for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn doc(&self) -> &'static str {
        "Adds 1, 1000 or 1000000 to counters and reads the sums: whatever was lost or applied twice is in them for good."
    }

    fn model(&self) -> &'static str {
        "counter"
    }

    fn objects(&self) -> Objects {
        Objects::Counters
    }

    fn retries(&self) -> bool {
        true
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        let kinds = AMOUNTS.map(|amount| (1, Some(amount)));
        let mix = Mix::new([(3, None)].into_iter().chain(kinds));
        Box::new(PerKey::<OneCounter>::new(mix, options.keys, options.key_operations, seed).with_width(WIDTH))
    }

    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        Box::new(FinalReads::new(READ, keys))
    }
}

/// What asks one counter: an amount to add, or none to read.
#[derive(Clone, Debug)]
struct OneCounter(Mix<Option<i64>>);

impl OneKey for OneCounter {
    type Settings = Mix<Option<i64>>;

    fn new(mix: &Mix<Option<i64>>, _: u64) -> Self {
        OneCounter(mix.clone())
    }

    fn next(&mut self, rng: &mut Rng, temper: Temper) -> (SmolStr, Value) {
        let amount = match temper {
            Temper::Even => *self.0.pick(rng),
            Temper::Looks => None,
            Temper::Changes => Some(AMOUNTS[0]),
        };
        amount.map_or_else(|| Self::look(rng), |amount| (ADD, Value::Int(amount)))
    }

    fn update(&mut self, _: &Invocation, _: &Outcome) {}

    fn look(_: &mut Rng) -> (SmolStr, Value) {
        (READ, Value::Null)
    }
}
