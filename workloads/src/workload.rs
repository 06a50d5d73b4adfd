//! Workloads: what is asked, how a run ends, which model judges. One file each, and one line in the registry.
//!
//! Next: [`register`], the default; then [`set`] and its like, which show what is lost or done twice.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::client::Connector;
use crate::generator::Generator;

pub mod register;
mod register_read_heavy;
mod register_small;

mod elements;
pub mod list;
pub mod set;

pub mod counter;
pub mod queue;

pub mod mutex;

/// What a plan may say about what is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Keys in use at a time.
    pub keys: u32,
    /// Operations on a key until a fresh one takes its place.
    pub key_operations: u64,
    /// Operations asked per second over all clients; none: as fast as they are answered.
    pub rate: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Options { keys: 10, key_operations: 400, rate: None }
    }
}

/// Most keys that may be in use at a time.
pub const KEYS_MAX: u32 = 10_000;
/// Most operations that a key may live for.
pub const KEY_OPERATIONS_MAX: u64 = 1_000_000_000;
/// Fastest rate that may be asked for, in operations a second.
pub const RATE_MAX: f64 = 1e9;

/// What is wrong with options.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OptionsError {
    /// The number of keys is out of bounds.
    #[error("{0} keys: expected 1 to {KEYS_MAX}")]
    Keys(u32),
    /// The lifetime of a key is out of bounds.
    #[error("{0} operations per key: expected 1 to {KEY_OPERATIONS_MAX}")]
    KeyOperations(u64),
    /// The rate is no rate.
    #[error("a rate of {0} operations a second: expected more than 0 and at most {RATE_MAX}")]
    Rate(f64),
}

impl Options {
    /// Refuses what no generator can be made of.
    ///
    /// # Errors
    /// The first option that is out of bounds.
    pub fn check(&self) -> Result<(), OptionsError> {
        if !(1..=KEYS_MAX).contains(&self.keys) {
            return Err(OptionsError::Keys(self.keys));
        }
        if !(1..=KEY_OPERATIONS_MAX).contains(&self.key_operations) {
            return Err(OptionsError::KeyOperations(self.key_operations));
        }
        match self.rate {
            Some(rate) if !(rate > 0.0 && rate <= RATE_MAX) => Err(OptionsError::Rate(rate)),
            _ => Ok(()),
        }
    }
}

/// What a system has to keep for a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    /// Registers: `read`, `write`, `cas`.
    Registers,
    /// Sets: `add`, and `read` of all elements.
    Sets,
    /// Counters: `add`, and `read` of the sum.
    Counters,
    /// Lists: `append`, and `read` of all elements in order.
    Lists,
    /// Queues: `enqueue`, `dequeue`.
    Queues,
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Objects::Registers => "registers",
            Objects::Sets => "sets",
            Objects::Counters => "counters",
            Objects::Lists => "lists",
            Objects::Queues => "queues",
        })
    }
}

/// From clients of a system's own operations to clients of a workload's.
pub type Adapter = fn(Arc<dyn Connector>) -> Arc<dyn Connector>;

/// A kind of asking and its judge.
pub trait Workload: fmt::Debug + Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it asks and what it is good for, in a sentence or two.
    fn doc(&self) -> &'static str;

    /// Name of the model that judges its histories; it goes into their header.
    fn model(&self) -> &'static str;

    /// What its clients ask for, once its [`Workload::adapter`] has translated it.
    fn objects(&self) -> Objects {
        Objects::Registers
    }

    /// Operations on a key until a fresh one takes its place, where a plan says nothing: few enough for a quick judge.
    fn key_operations(&self) -> u64 {
        200
    }

    /// Whether clients of a system that numbers operations repeat one of unknown outcome under the same number, while they
    /// have time: it must take effect once all the same.
    fn retries(&self) -> bool {
        false
    }

    /// Where a system's clients do not know this workload's operations: what makes them of those they know.
    fn adapter(&self) -> Option<Adapter> {
        None
    }

    /// The operations of the main phase, without pace or end.
    ///
    /// # Panics
    /// When the options were not checked ([`Options::check`]) and are wrong.
    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator>;

    /// The operations that end a run, over these keys.
    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator>;
}

/// Every workload there is; the first one is the default.
pub fn registry() -> &'static [&'static dyn Workload] {
    &[
        &register::Register,
        &register_small::RegisterSmall,
        &register_read_heavy::RegisterReadHeavy,
        &set::Set,
        &list::List,
        &counter::Counter,
        &queue::Queue,
        &mutex::Mutex,
    ]
}

/// A name that is no workload's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no workload is called {name:?}{}; there are {}", self.hint(), self.known.join(", "))]
pub struct UnknownWorkload {
    /// The name given.
    pub name: String,
    /// The known name most like it, when one is at all like it.
    pub nearest: Option<&'static str>,
    /// All known names.
    pub known: Vec<&'static str>,
}

impl UnknownWorkload {
    fn hint(&self) -> String {
        self.nearest.map_or_else(String::new, |nearest| format!(" (did you mean {nearest:?}?)"))
    }
}

/// The workload of this name.
///
/// # Errors
/// [`UnknownWorkload`], with the names there are.
pub fn by_name(name: &str) -> Result<&'static dyn Workload, UnknownWorkload> {
    let known: Vec<&'static str> = registry().iter().map(|workload| workload.name()).collect();
    registry().iter().find(|workload| workload.name() == name).copied().ok_or_else(|| UnknownWorkload {
        name: name.to_owned(),
        nearest: nearest(name, &known),
        known,
    })
}

/// The name most like `name`, unless none is like it.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    const LIKENESS_MIN: f64 = 0.75;
    let likeness = |known: &str| strsim::jaro_winkler(name, known);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= LIKENESS_MIN).then_some(best)
}

#[cfg(test)]
mod tests;
