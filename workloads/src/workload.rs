//! Workloads: what is asked, how a run ends, which model judges. One file each, and one line in the registry.
//!
//! Next: [`register`], the default.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::generator::Generator;

pub mod register;
mod register_read_heavy;
mod register_small;

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

/// A kind of asking and its judge.
pub trait Workload: fmt::Debug + Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it asks and what it is good for, in a sentence or two.
    fn doc(&self) -> &'static str;

    /// Name of the model that judges its histories; it goes into their header.
    fn model(&self) -> &'static str;

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
    &[&register::Register, &register_small::RegisterSmall, &register_read_heavy::RegisterReadHeavy]
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
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn names_are_distinct_and_found() {
        for workload in registry() {
            assert_eq!(by_name(workload.name()).unwrap().name(), workload.name());
            assert!(workload.doc().ends_with('.'), "{}: the doc is a sentence", workload.name());
        }
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        let messages = ["regsiter", "queue"].map(|name| by_name(name).unwrap_err().to_string());
        expect![[r#"
            no workload is called "regsiter" (did you mean "register"?); there are register, register-small, register-read-heavy
            no workload is called "queue"; there are register, register-small, register-read-heavy"#]].assert_eq(&messages.join("\n"));
    }

    #[test]
    fn options_out_of_bounds_are_refused() {
        let wrong = [
            Options { keys: 0, ..Options::default() },
            Options { key_operations: 0, ..Options::default() },
            Options { rate: Some(f64::NAN), ..Options::default() },
            Options { rate: Some(0.0), ..Options::default() },
        ];
        let messages = wrong.map(|options| options.check().unwrap_err().to_string());
        expect![[r#"
            0 keys: expected 1 to 10000
            0 operations per key: expected 1 to 1000000000
            a rate of NaN operations a second: expected more than 0 and at most 1000000000
            a rate of 0 operations a second: expected more than 0 and at most 1000000000"#]]
        .assert_eq(&messages.join("\n"));
        assert_eq!(Options::default().check(), Ok(()));
    }
}
