//! All keys of a history, judged apart and put together again.
//!
//! Locality (Herlihy and Wing 1990): a history is linearizable exactly when each key's is, so keys are judged on all
//! cores and the worst verdict is the history's. Knows which judge to ask, and nothing of how one works.
//!
//! What stays undecided can be gone on with ([`judge_again`]): the keys that were settled keep their findings, the others are
//! judged anew with the budget given then. Nothing of a search is stored: its configurations would be most of what a budget
//! bounds, and a larger budget also changes what is tried in which order.

use rayon::prelude::*;
use smol_str::SmolStr;

use crate::budget::{Budget, Gauge, Poll, Stop};
use crate::minimise::{blurred_window, minimise, window};
use crate::model::{Call, Model};
use crate::outcome::{Counterexample, Engine, Exhausted, Finding, Judgement, KeyJudgement, Shortcut};
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
    /// The only judge to ask, see [`refusal`]; none: the model's own first, then the search.
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

/// A judgement of other operations than these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the judgement is of another history: {0}")]
pub struct OtherHistory(pub String);

/// Goes on where a judgement of the same keys left some undecided: those are judged with these options, usually a larger
/// budget; the others keep their findings.
///
/// # Errors
/// When the judgement has other keys, or other numbers of operations.
pub fn judge_again<M: Model>(
    model: &M,
    keys: &[KeyHistory<M::Operation>],
    before: &Judgement,
    options: &Options<'_>,
) -> Result<Judgement, OtherHistory> {
    if keys.len() != before.keys.len() {
        return Err(OtherHistory(format!("{} keys, not {}", before.keys.len(), keys.len())));
    }
    let of_others = keys
        .iter()
        .zip(&before.keys)
        .find(|(key, judged)| key.key != judged.key || key.calls.len() != judged.operation_count);
    if let Some((key, judged)) = of_others {
        return Err(OtherHistory(format!(
            "{} operations on key {:?}, not {} on {:?}",
            judged.operation_count,
            judged.key,
            key.calls.len(),
            key.key
        )));
    }
    let judged = keys.par_iter().zip(&before.keys).map(|(key, judged)| match judged.finding {
        Finding::Undecided { consistent_until: known, .. } => {
            let mut again = judge_key(model, &key.key, &key.calls, options);
            if let Finding::Undecided { consistent_until, .. } = &mut again.finding {
                *consistent_until = known.max(*consistent_until);
            }
            again
        }
        Finding::Valid { .. } | Finding::Invalid(_) => judged.clone(),
    });
    Ok(Judgement::of(judged.collect()))
}

/// An engine that was asked for cannot judge a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine {engine} does not apply to key {key:?}: {}", engine.condition())]
pub struct Refusal {
    /// The engine that was asked for.
    pub engine: Engine,
    /// The first key that it cannot judge.
    pub key: SmolStr,
}

/// Whether every key is one that this engine can judge. A key that it cannot, or that the near-linear judge leaves open, ends
/// undecided ([`Exhausted::Engine`]) when the engine is asked for all the same.
///
/// # Errors
/// The first key that is none. The search applies to all.
pub fn refusal<M: Model>(
    model: &M,
    keys: &[KeyHistory<M::Operation>],
    engine: Engine,
) -> Result<(), Refusal> {
    let unfit = match engine {
        Engine::Search => None,
        Engine::Shortcut => {
            let mut poll = Poll::new(&crate::budget::never);
            keys.iter().find(|key| model.shortcut(&key.calls, &mut poll).is_none())
        }
    };
    unfit.map_or(Ok(()), |key| Err(Refusal { engine, key: key.key.clone() }))
}

/// Judges one key.
pub fn judge_key<M: Model>(
    model: &M,
    key: &str,
    calls: &[Call<M::Operation>],
    options: &Options<'_>,
) -> KeyJudgement {
    let mut gauge = Gauge::new(options.budget, options.stop);
    let shortcut = match options.engine {
        Some(Engine::Search) => None,
        _ => model.shortcut(calls, gauge.poll()),
    };
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
        Some(Shortcut::Stopped) => {
            let finding = Finding::Undecided { exhausted: Exhausted::Deadline, consistent_until: 0 };
            (Engine::Shortcut, finding)
        }
        Some(Shortcut::Open(_)) | None if options.engine == Some(Engine::Shortcut) => {
            let finding = Finding::Undecided { exhausted: Exhausted::Engine, consistent_until: 0 };
            (Engine::Shortcut, finding)
        }
        // Where it is open there is mostly an order, which the search finds sooner than a proof that there is none.
        Some(Shortcut::Open(_)) | None => (Engine::Search, by_search(model, calls, options, &mut gauge)),
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
        proof = window(model, calls, position, options)
            .or_else(|| blurred_window(model, calls, position, options));
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
