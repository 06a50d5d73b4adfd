//! Has a history judged by the model of a name, its witnesses re-checked, and what was left open gone on with.
//!
//! A history is walked event by event, so that it may be larger than memory; what lies settled behind is forgotten
//! ([`rashomon_checker::online`]). Keys that are violated or open are then fetched whole in a second walk, and judged with all
//! there is. It knows which models there are; how they judge is the checker's. Next: [`super::tell`].

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use rashomon_checker::decode::Decoder;
use rashomon_checker::models::{self, ForModel, REGISTRY};
use rashomon_checker::online::{Followed, Online};
use rashomon_checker::outcome::Unproven;
use rashomon_checker::verify;
use rashomon_checker::{
    Budget, Decode, Engine, Exhausted, Finding, Judgement, KeyHistory, Options, Verdict, judge_again,
    judge_key,
};
use rashomon_histories::{Event, Operation, Process, Tail};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::exit::BadInput;
use crate::run::verdict::Safety;
use crate::source::Source;

/// Does it with the model of this name.
///
/// # Errors
/// [`BadInput`] when there is none.
pub fn with_model<F: ForModel>(name: &str, action: F) -> Result<F::Output, BadInput> {
    models::with_model(name, action).ok_or_else(|| {
        let known: Vec<&str> = REGISTRY.iter().map(|entry| entry.name).collect();
        BadInput(format!("no model is called {name:?}; there are {}", known.join(", ")))
    })
}

/// How the judge is to go about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spending {
    /// Per key.
    pub budget: Budget,
    /// In all, from the first event on; what is open then is undecided.
    pub deadline: Option<Duration>,
    /// The only engine to ask.
    pub engine: Option<Engine>,
}

/// A judged history.
#[derive(Debug)]
pub struct Judged {
    /// Key by key, with witnesses.
    pub judgement: Judgement,
    /// How many operations clients invoked.
    pub operations: u64,
    /// Whether the last line was torn.
    pub tail: Tail,
}

/// What is settled is forgotten once in so many events.
const CONDENSE_EVERY: u64 = 1 << 16;

/// How many operations of keys that are fetched whole are in memory at a time, unless one key has more.
const FETCH_MAX: usize = 1 << 21;

/// Judges a whole history.
///
/// # Errors
/// [`BadInput`] for an unknown model, or a history that cannot be read or is not of this model.
pub fn judge(source: &Source, model: &str, spending: Spending) -> Result<Judged, BadInput> {
    struct Judge<'a>(&'a Source, Spending);
    impl ForModel for Judge<'_> {
        type Output = Result<Judged, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            within(self.1.deadline, |stop| judge_with(&model, self.0, &options(self.1, stop)))
        }
    }
    of_file(source, with_model(model, Judge(source, spending)))?
}

/// An error that does not know which history it is about, told with the file's name.
fn of_file<T>(source: &Source, result: Result<T, impl std::fmt::Display>) -> Result<T, BadInput> {
    result.map_err(|error| BadInput(format!("{}: {error}", source.path().display())))
}

fn options(spending: Spending, stop: &(dyn Fn() -> bool + Sync)) -> Options<'_> {
    Options { budget: spending.budget, engine: spending.engine, stop, ..Options::default() }
}

fn judge_with<M: Decode>(model: &M, source: &Source, options: &Options<'_>) -> Result<Judged, BadInput> {
    let mut online = Online::new(model, source.header());
    let mut operations = 0;
    let mut until_condensed = CONDENSE_EVERY;
    let tail = source.walk(|event, _| {
        operations += u64::from(!event.kind.is_completion() && event.process != Process::Nemesis);
        of_file(source, online.observe(event))?;
        until_condensed -= 1;
        if until_condensed == 0 {
            until_condensed = CONDENSE_EVERY;
            online.condense(options);
        }
        Ok::<(), BadInput>(())
    })?;
    let Followed { mut judgement, shortened } = of_file(source, online.finish(options))?;
    judge_whole(model, source, &mut judgement, shortened, options)?;
    Ok(Judged { judgement, operations, tail })
}

/// Judges again what a run's judge could not settle for having forgotten the beginning.
///
/// # Errors
/// [`BadInput`] for an unknown model or a history that cannot be read.
pub fn settle(source: &Source, model: &str, followed: Followed) -> Result<Judgement, BadInput> {
    struct Settle<'a>(&'a Source, Followed);
    impl ForModel for Settle<'_> {
        type Output = Result<Judgement, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            let Followed { mut judgement, shortened } = self.1;
            judge_whole(&model, self.0, &mut judgement, shortened, &Options::default())?;
            Ok(judgement)
        }
    }
    of_file(source, with_model(model, Settle(source, followed)))?
}

/// Judges these keys again with all their operations: their beginning was forgotten, and is needed.
fn judge_whole<M: Decode>(
    model: &M,
    source: &Source,
    judgement: &mut Judgement,
    keys: Vec<SmolStr>,
    options: &Options<'_>,
) -> Result<(), BadInput> {
    // Where time or memory ran out, there is none for this either.
    let is_open = |key: &SmolStr| {
        let judged = judgement.keys.iter().find(|judged| judged.key == *key);
        !judged.is_some_and(|judged| {
            matches!(
                judged.finding,
                Finding::Undecided { exhausted: Exhausted::Deadline | Exhausted::States, .. }
            )
        })
    };
    let wanted: BTreeSet<SmolStr> = keys.into_iter().filter(is_open).collect();
    for key in fetch(model, source, &wanted)? {
        let again = judge_key(model, &key.key, &key.calls, options);
        if let Some(judged) = judgement.keys.iter_mut().find(|judged| judged.key == key.key) {
            *judged = again;
        }
    }
    *judgement = Judgement::of(std::mem::take(&mut judgement.keys));
    Ok(())
}

/// All operations on these keys, in the order of the keys' names.
fn fetch<M: Decode>(
    model: &M,
    source: &Source,
    wanted: &BTreeSet<SmolStr>,
) -> Result<Vec<KeyHistory<M::Operation>>, BadInput> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys: Vec<KeyHistory<M::Operation>> =
        wanted.iter().map(|key| KeyHistory { key: key.clone(), calls: Vec::new() }).collect();
    let mut open: FxHashMap<Process, (usize, Event)> = FxHashMap::default();
    let decoder = Decoder::new(model, source.header());
    let mut admit = |at: usize, operation: &Operation<'_>| {
        let call = of_file(source, decoder.one(operation))?;
        keys[at].calls.extend(call.map(|(_, call)| call));
        Ok::<(), BadInput>(())
    };
    let names: FxHashMap<&str, usize> = wanted.iter().map(SmolStr::as_str).zip(0..).collect();
    source.walk(|event, closes| {
        let Some(at) = names.get(event.key.as_deref().unwrap_or_default()).copied() else { return Ok(()) };
        if closes.is_none() {
            open.insert(event.process, (at, event));
            return Ok(());
        }
        match open.remove(&event.process) {
            Some((at, invoke)) => admit(at, &Operation { invoke: &invoke, completion: Some(&event) }),
            None => Ok(()),
        }
    })?;
    open.retain(|process, _| *process != Process::Nemesis);
    for (at, invoke) in open.into_values() {
        admit(at, &Operation { invoke: &invoke, completion: None })?;
    }
    keys.iter_mut().for_each(|key| key.calls.sort_unstable_by_key(|call| call.invoked));
    Ok(keys)
}

/// Goes on with the keys that a judgement of the same history left undecided.
///
/// # Errors
/// [`BadInput`] as [`judge`], or when the judgement is of another history.
pub fn resume(
    source: &Source,
    model: &str,
    mut before: Judgement,
    spending: Spending,
) -> Result<Judgement, BadInput> {
    struct Resume<'a>(&'a Source, Judgement, BTreeSet<SmolStr>, Spending);
    impl ForModel for Resume<'_> {
        type Output = Result<Judgement, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            let Resume(source, before, open, spending) = self;
            let keys = fetch(&model, source, &open)?;
            within(spending.deadline, |stop| {
                of_file(source, judge_again(&model, &keys, &before, &options(spending, stop)))
            })
        }
    }
    let is_open = |judged: &rashomon_checker::KeyJudgement| judged.finding.verdict() == Verdict::Undecided;
    let (mut open, mut settled): (Vec<_>, Vec<_>) = before.keys.drain(..).partition(is_open);
    open.sort_by(|a, b| a.key.cmp(&b.key));
    let names = open.iter().map(|judged| judged.key.clone()).collect();
    let again = of_file(source, with_model(model, Resume(source, Judgement::of(open), names, spending)))??;
    settled.extend(again.keys);
    settled.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Judgement::of(settled))
}

/// Re-checks every witness by the checker's independent verifier. Answers how many are too large for that; the first that
/// proves nothing is an error. Operations are fetched a few million at a time.
///
/// # Errors
/// [`BadInput`] for an unknown model or a history that cannot be read.
pub fn verify(
    source: &Source,
    model: &str,
    judgement: &Judgement,
) -> Result<Result<usize, Unproven>, BadInput> {
    struct Verify<'a>(&'a Source, &'a Judgement);
    impl ForModel for Verify<'_> {
        type Output = Result<Result<usize, Unproven>, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            let (mut judged, mut too_large) = (self.1.keys.as_slice(), 0);
            while !judged.is_empty() {
                let mut operations = 0;
                let fits = judged.iter().take_while(|key| {
                    operations += key.operation_count;
                    operations <= FETCH_MAX
                });
                let (batch, rest) = judged.split_at(fits.count().max(1));
                judged = rest;
                let wanted: BTreeSet<SmolStr> = batch.iter().map(|key| key.key.clone()).collect();
                let keys = fetch(&model, self.0, &wanted)?;
                let checked = batch.par_iter().map(|judged| {
                    let key = keys
                        .iter()
                        .find(|key| key.key == judged.key)
                        .filter(|key| key.calls.len() == judged.operation_count);
                    let key = key.ok_or_else(|| {
                        let (key, count) = (&judged.key, judged.operation_count);
                        Unproven::Refuted(format!("key {key:?} has not {count} operations"))
                    })?;
                    match verify::verify(&model, &key.calls, &judged.finding) {
                        Err(Unproven::TooLarge) => Ok(1),
                        checked => checked.map(|()| 0),
                    }
                });
                match checked.try_reduce(|| 0, |one, other| Ok(one + other)) {
                    Ok(count) => too_large += count,
                    Err(unproven) => return Ok(Err(unproven)),
                }
            }
            Ok(Ok(too_large))
        }
    }
    of_file(source, with_model(model, Verify(source, judgement)))?
}

/// Hands `work` a hook that turns true when the deadline has passed.
fn within<T>(deadline: Option<Duration>, work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> T) -> T {
    let passed = AtomicBool::new(false);
    let (done, alarm) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        if let Some(deadline) = deadline {
            let passed = &passed;
            // Ends early when the work is done: the sender is then dropped.
            scope.spawn(move || {
                let waited = alarm.recv_timeout(deadline);
                passed.store(waited == Err(RecvTimeoutError::Timeout), Ordering::Relaxed);
            });
        }
        let result = work(&|| passed.load(Ordering::Relaxed));
        drop(done);
        result
    })
}

/// The verdict as the run's safety axis.
pub fn safety(judgement: &Judgement) -> Safety {
    match judgement.verdict {
        Verdict::Valid => Safety::Valid,
        Verdict::Invalid => Safety::Invalid,
        Verdict::Undecided => Safety::Undecided { reason: judgement.progress() },
    }
}
