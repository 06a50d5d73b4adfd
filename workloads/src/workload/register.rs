//! Registers: write, read and compare-and-set, each key on its own.
//!
//! By default every written value is distinct over the whole run, cas included: a read then names the very
//! operation that it saw, and the judge is near-linear. The values of key *n* lie in a range of their own, so a
//! value that surfaces on a wrong key shows.
//!
//! A cas only succeeds when it names the present value, so it asks with what was lately read, written or set on
//! the key: mostly the newest, sometimes an older one, to be refused: a refused cas is evidence too. Values of unknown
//! outcome count as known: asking whether they happened is what makes them interesting.

use rand::RngExt as _;
use rashomon_histories::{Invocation, Value};
use smol_str::SmolStr;

use super::{Options, Workload};
use crate::client::Outcome;
use crate::generator::{FinalReads, Generator, Mix, OneKey, PerKey, Rng, Temper};

/// The operation that reads.
pub const READ: SmolStr = SmolStr::new_static("read");
/// The operation that writes.
pub const WRITE: SmolStr = SmolStr::new_static("write");
/// The operation that compares and sets.
pub const CAS: SmolStr = SmolStr::new_static("cas");

/// How many lately known values a key remembers.
const KNOWN_MAX: usize = 4;

/// The default workload.
#[derive(Clone, Copy, Debug)]
pub struct Register;

impl Workload for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn doc(&self) -> &'static str {
        "Reads, writes and compare-and-sets of distinct values on a few keys at a time; half of it reads."
    }

    fn model(&self) -> &'static str {
        "cas-register"
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        registers(options, seed, [50, 25, 25], |lifetime| Values::Distinct { lifetime })
    }

    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        Box::new(FinalReads::new(READ, keys))
    }
}

/// Where written values come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// Each value once in the run; key *n* has those above *n* times `lifetime`.
    Distinct {
        /// The most values that a key needs.
        lifetime: u64,
    },
    /// Numbers below this one, over and over.
    Below(i64),
}

/// A generator over registers; `weights` are those of read, write and cas.
pub(super) fn registers(
    options: &Options,
    seed: u64,
    weights: [u32; 3],
    values: impl FnOnce(u64) -> Values,
) -> Box<dyn Generator> {
    let [read, write, cas] = weights;
    let settings = Settings {
        mix: Mix::new([(read, Kind::Read), (write, Kind::Write), (cas, Kind::Cas)]),
        values: values(options.key_operations),
    };
    Box::new(PerKey::<OneRegister>::new(settings, options.keys, options.key_operations, seed))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Cas,
}

#[derive(Clone, Debug)]
struct Settings {
    mix: Mix<Kind>,
    values: Values,
}

/// The first of the values of the key of this number, of which there are `lifetime`: no other key has any of them.
pub(super) fn first_value(number: u64, lifetime: u64) -> i64 {
    let below = number.checked_mul(lifetime).and_then(|below| i64::try_from(below).ok());
    below.expect("a run of 2^63 operations never gets here") + 1
}

/// What asks one register.
#[derive(Clone, Debug)]
struct OneRegister {
    settings: Settings,
    next_value: i64,
    /// Lately known values, the newest last.
    known: Vec<i64>,
}

impl OneRegister {
    fn fresh_value(&mut self, rng: &mut Rng) -> i64 {
        match self.settings.values {
            Values::Below(end) => rng.random_range(0..end),
            Values::Distinct { .. } => {
                let value = self.next_value;
                self.next_value += 1;
                value
            }
        }
    }

    /// A value that may well be there; none while nothing is known of the key.
    fn likely_value(&self, rng: &mut Rng) -> Option<i64> {
        let newest = *self.known.last()?;
        let position = rng.random_range(0..self.known.len() * 4);
        Some(self.known.get(position).copied().unwrap_or(newest))
    }

    fn learn(&mut self, value: i64) {
        self.known.retain(|known| *known != value);
        if self.known.len() == KNOWN_MAX {
            self.known.remove(0);
        }
        self.known.push(value);
    }
}

impl OneKey for OneRegister {
    type Settings = Settings;

    fn new(settings: &Settings, number: u64) -> Self {
        let next_value = match settings.values {
            Values::Below(_) => 0,
            Values::Distinct { lifetime } => first_value(number, lifetime),
        };
        OneRegister { settings: settings.clone(), next_value, known: Vec::with_capacity(KNOWN_MAX) }
    }

    fn next(&mut self, rng: &mut Rng, temper: Temper) -> (SmolStr, Value) {
        let kind = match temper {
            Temper::Even => *self.settings.mix.pick(rng),
            Temper::Looks => Kind::Read,
            // A cas may be refused by a node that would take any write.
            Temper::Changes => Kind::Write,
        };
        let old = if kind == Kind::Cas { self.likely_value(rng) } else { None };
        match (kind, old) {
            (Kind::Read, _) => (READ, Value::Null),
            (Kind::Cas, Some(old)) => (CAS, Value::pair(old, self.fresh_value(rng))),
            (Kind::Write, _) | (Kind::Cas, None) => (WRITE, Value::Int(self.fresh_value(rng))),
        }
    }

    fn update(&mut self, operation: &Invocation, outcome: &Outcome) {
        let seen = match outcome {
            Err(error) if error.definite => None,
            Ok(reply) if operation.f == READ => reply.value.as_ref().and_then(Value::as_int),
            _ if operation.f == READ => None,
            _ if operation.f == CAS => operation.value.as_list().and_then(|pair| pair.get(1)?.as_int()),
            _ => operation.value.as_int(),
        };
        if let Some(value) = seen {
            self.learn(value);
        }
    }

    fn look(_: &mut Rng) -> (SmolStr, Value) {
        (READ, Value::Null)
    }
}

#[cfg(test)]
mod tests;
