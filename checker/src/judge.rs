//! All keys of a history, judged apart and put together again.
//!
//! Locality (Herlihy and Wing 1990): a history is linearizable exactly when each key's is, so keys are judged on all
//! cores and the worst verdict is the history's. Knows which judge to ask, and nothing of how one works.

use rayon::prelude::*;
use smol_str::SmolStr;

use crate::budget::{Budget, Gauge, Stop};
use crate::minimise::{minimise, window};
use crate::model::{Call, Model};
use crate::outcome::{Counterexample, Engine, Finding, Judgement, KeyJudgement, Shortcut};
use crate::search::{self, Outcome};

/// The operations on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHistory<O> {
    /// Its name.
    pub key: SmolStr,
    /// Its operations.
    pub calls: Vec<Call<O>>,
}

/// How to judge.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What may be spent on each key.
    pub budget: Budget,
    /// The judge to ask; none: the model's own first, then the search.
    pub engine: Option<Engine>,
    /// Whether a violation is reduced to its smallest part; if not, its counterexample has no operations.
    pub minimise: bool,
    /// The caller's deadline.
    pub stop: Stop<'a>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { budget: Budget::default(), engine: None, minimise: true, stop: &crate::budget::never }
    }
}

/// Judges every key and combines the verdicts, the worst first.
pub fn judge<M: Model>(model: &M, keys: &[KeyHistory<M::Operation>], options: &Options<'_>) -> Judgement {
    let judged = keys.par_iter().map(|key| judge_key(model, &key.key, &key.calls, options));
    Judgement::of(judged.collect())
}

/// Judges one key.
pub fn judge_key<M: Model>(
    model: &M,
    key: &str,
    calls: &[Call<M::Operation>],
    options: &Options<'_>,
) -> KeyJudgement {
    let mut gauge = Gauge::new(options.budget, options.stop);
    let shortcut = if options.engine == Some(Engine::Search) { None } else { model.shortcut(calls) };
    let (engine, finding) = match shortcut {
        Some(Shortcut::Valid(order)) => (Engine::Shortcut, Finding::Valid { order }),
        Some(Shortcut::Invalid { operations, cycle }) => {
            let counterexample = Counterexample { operations, cycle, ..Counterexample::default() };
            let counterexample = if options.minimise {
                minimise(model, calls, counterexample, None, options)
            } else {
                counterexample
            };
            (Engine::Shortcut, Finding::Invalid(counterexample))
        }
        Some(Shortcut::Open(position)) => match window(model, calls, position, options) {
            Some(counterexample) => (Engine::Search, Finding::Invalid(counterexample)),
            None => (Engine::Search, by_search(model, calls, options, &mut gauge)),
        },
        None => (Engine::Search, by_search(model, calls, options, &mut gauge)),
    };
    KeyJudgement {
        key: key.into(),
        operation_count: calls.len(),
        engine,
        configuration_count: gauge.states(),
        finding,
    }
}

fn by_search<M: Model>(
    model: &M,
    calls: &[Call<M::Operation>],
    options: &Options<'_>,
    gauge: &mut Gauge<'_>,
) -> Finding {
    let mut proof = None;
    let outcome = search::search(model, calls, gauge, &mut |position| {
        proof = window(model, calls, position, options);
        proof.is_some()
    });
    match (outcome, proof) {
        (Outcome::Valid(order), _) => Finding::Valid { order },
        (Outcome::Undecided { exhausted, consistent_until }, _) => {
            Finding::Undecided { exhausted, consistent_until }
        }
        (Outcome::Invalid { .. }, Some(counterexample)) => Finding::Invalid(counterexample),
        (Outcome::Invalid { impossible, position, prefixes }, None) => {
            let counterexample =
                Counterexample { impossible: Some(impossible), prefixes, ..Counterexample::default() };
            Finding::Invalid(if options.minimise {
                minimise(model, calls, counterexample, Some(position), options)
            } else {
                counterexample
            })
        }
    }
}
