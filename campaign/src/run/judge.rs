//! Has a history judged by the model of this name, and a violation told in sentences.
//!
//! It knows which models there are; how they judge is the checker's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use rashomon_checker::explain::{Naming, explain};
use rashomon_checker::models::{
    CasRegister, Counter, ListAppend, Log, MultiRegister, Mutex, OwnedMutex, Queue, REGISTRY, Register, Set,
    by_name,
};
use rashomon_checker::{Budget, Decode, Finding, Judgement, Options, Verdict, decode};
use rashomon_histories::{Event, Header, History};

use crate::exit::BadInput;
use crate::run::report::Violation;
use crate::run::verdict::Safety;

/// Something to be done with a model that is known by name only.
pub trait ForModel {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output;
}

/// Does it with the model of this name.
///
/// # Errors
/// [`BadInput`] when there is none.
pub fn with_model<F: ForModel>(name: &str, action: F) -> Result<F::Output, BadInput> {
    match name {
        "register" => Ok(action.run(Register)),
        "cas-register" => Ok(action.run(CasRegister)),
        "multi-register" => Ok(action.run(MultiRegister)),
        "set" => Ok(action.run(Set)),
        "counter" => Ok(action.run(Counter)),
        "queue" => Ok(action.run(Queue)),
        "mutex" => Ok(action.run(Mutex)),
        "owned-mutex" => Ok(action.run(OwnedMutex)),
        "log" => Ok(action.run(Log)),
        "list-append" => Ok(action.run(ListAppend)),
        _ => {
            let known: Vec<&str> = REGISTRY.iter().map(|entry| entry.name).collect();
            Err(BadInput(format!("no model is called {name:?}; there are {}", known.join(", "))))
        }
    }
}

/// What the judge may spend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spending {
    /// Per key.
    pub budget: Budget,
    /// In all; what is open then is undecided.
    pub deadline: Option<Duration>,
}

/// Judges a whole history.
///
/// # Errors
/// [`BadInput`] for an unknown model or a history that is not of this model.
pub fn judge(history: &History, model: &str, spending: Spending) -> anyhow::Result<Judgement> {
    struct Judge<'a>(&'a History, Spending);
    impl ForModel for Judge<'_> {
        type Output = Result<Judgement, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            let keys = decode(&model, self.0).map_err(|error| BadInput(error.to_string()))?;
            Ok(within(self.1.deadline, |stop| {
                let options = Options { budget: self.1.budget, stop, ..Options::default() };
                rashomon_checker::judge(&model, &keys, &options)
            }))
        }
    }
    Ok(with_model(model, Judge(history, spending))??)
}

/// Re-checks every witness by the checker's independent verifier.
///
/// # Errors
/// When a witness does not prove its verdict: the harness is then not to be believed.
pub fn verify(history: &History, model: &str, judgement: &Judgement) -> anyhow::Result<()> {
    let entry = by_name(model).ok_or_else(|| BadInput(format!("no model is called {model:?}")))?;
    let checked = (entry.verify)(history, judgement).map_err(|error| BadInput(error.to_string()))?;
    checked.map_err(|refuted| anyhow::anyhow!("a witness does not prove its verdict: {refuted}"))
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

/// What is told of the keys that no order explains.
#[derive(Debug, Default)]
pub struct Told {
    /// A violation per key, the earliest first.
    pub violations: Vec<Violation>,
    /// Every operation of the counterexamples, as events with their indexes in the whole history.
    pub events: Vec<Event>,
}

/// Tells the violations of a judgement.
///
/// # Errors
/// As [`judge`].
pub fn tell(history: &History, model: &str, judgement: &Judgement) -> anyhow::Result<Told> {
    struct Tell<'a>(&'a History, &'a Judgement);
    impl ForModel for Tell<'_> {
        type Output = Result<Told, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            tell_with(&model, self.0, self.1)
        }
    }
    Ok(with_model(model, Tell(history, judgement))??)
}

fn tell_with<M: Decode>(model: &M, history: &History, judgement: &Judgement) -> Result<Told, BadInput> {
    let keys = decode(model, history).map_err(|error| BadInput(error.to_string()))?;
    let event = |index: u32| history.events().get(index as usize);
    let who = |id: u32, process: u32| match event(id).and_then(|event| event.node.as_ref()) {
        Some(node) => format!("client {process} at node {node}"),
        None => format!("client {process}"),
    };
    let when =
        |index: u32| event(index).map_or_else(|| format!("event {index}"), |event| event.time.to_string());
    let naming = Naming { who: &who, when: &when };
    let mut told = Told::default();
    for judged in &judgement.keys {
        let Finding::Invalid(found) = &judged.finding else { continue };
        let Some(key) = keys.iter().find(|key| key.key == judged.key) else { continue };
        let explanation = explain(model, &judged.key, &key.calls, found, &naming);
        let events: Vec<&Event> = found
            .operations
            .iter()
            .flat_map(|id| [event(*id), history.counterpart(u64::from(*id))])
            .flatten()
            .collect();
        told.violations.push(Violation {
            key: judged.key.to_string(),
            sentences: [vec![explanation.headline], explanation.operations, explanation.reasons].concat(),
            at: events.iter().map(|event| event.time).max().unwrap_or_default(),
        });
        told.events.extend(events.into_iter().cloned());
    }
    told.violations.sort_by_key(|violation| violation.at);
    told.events.sort_by_key(|event| event.index);
    Ok(told)
}

impl Told {
    /// The counterexample as a history of its own: fresh indexes, the recorded times.
    pub fn as_history(&self, of: &Header) -> (Header, Vec<Event>) {
        let mut header = of.clone();
        header.story = Some("A counterexample: the operations for which no order exists.".to_owned());
        let events = self.events.iter().zip(0..).map(|(event, index)| Event { index, ..event.clone() });
        (header, events.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_of_the_registry_is_found_by_its_name() {
        struct Nothing;
        impl ForModel for Nothing {
            type Output = ();
            fn run<M: Decode + Send + 'static>(self, _model: M) {}
        }
        for entry in REGISTRY {
            assert!(with_model(entry.name, Nothing).is_ok(), "{}", entry.name);
        }
    }
}
