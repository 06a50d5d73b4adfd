//! Has a history judged by the model of this name, and a violation told in sentences.
//!
//! It knows which models there are; how they judge is the checker's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rashomon_checker::explain::{Naming, explain};
use rashomon_checker::models::{CasRegister, Register};
use rashomon_checker::{Budget, Decode, Finding, Judgement, Options, Verdict, decode};
use rashomon_histories::{Event, Header, History};

use crate::exit::BadInput;
use crate::run::report::Violation;
use crate::run::verdict::Safety;

/// A history, judged.
pub struct Judged {
    /// Key by key, with witnesses.
    pub judgement: Judgement,
    /// The keys that no order explains, the earliest first.
    pub violations: Vec<Violation>,
    /// Every operation of the counterexamples, as events with their indexes in the whole history.
    pub counterexample: Vec<Event>,
}

/// What the judge may spend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spending {
    /// Per key.
    pub budget: Budget,
    /// In all; what is open then is undecided.
    pub deadline: Option<Duration>,
}

/// The models there are: name, and what it is.
pub const MODELS: [(&str, &str); 2] = [
    ("register", "A register that is written and read; absent until first written."),
    ("cas-register", "A register that is written, read, and set if it holds a given value."),
];

/// Judges.
///
/// # Errors
/// [`BadInput`] for an unknown model or a history that is not of this model.
pub fn judge(history: &History, model: &str, spending: Spending) -> anyhow::Result<Judged> {
    match model {
        "register" => judge_with(&Register::default(), history, spending),
        "cas-register" => judge_with(&CasRegister::default(), history, spending),
        _ => {
            let known = MODELS.map(|(name, _)| name).join(", ");
            Err(BadInput(format!("no model is called {model:?}; there are {known}")).into())
        }
    }
}

fn judge_with<M: Decode>(model: &M, history: &History, spending: Spending) -> anyhow::Result<Judged> {
    let keys = decode(model, history).map_err(|error| BadInput(error.to_string()))?;
    let passed = AtomicBool::new(false);
    let stop = || passed.load(Ordering::Relaxed);
    let options = Options { budget: spending.budget, stop: &stop, ..Options::default() };
    let (done, alarm) = std::sync::mpsc::channel::<()>();
    let judgement = std::thread::scope(|scope| {
        if let Some(deadline) = spending.deadline {
            let passed = &passed;
            scope.spawn(move || {
                // Ends early when the judge is done: the sender is then dropped.
                if alarm.recv_timeout(deadline) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    passed.store(true, Ordering::Relaxed);
                }
            });
        }
        let judgement = rashomon_checker::judge(model, &keys, &options);
        drop(done);
        judgement
    });
    let event = |index: u32| history.events().get(index as usize);
    let who = |id: u32, process: u32| match event(id).and_then(|event| event.node.as_ref()) {
        Some(node) => format!("client {process} at node {node}"),
        None => format!("client {process}"),
    };
    let when =
        |index: u32| event(index).map_or_else(|| format!("event {index}"), |event| event.time.to_string());
    let naming = Naming { who: &who, when: &when };
    let mut violations = Vec::new();
    let mut counterexample = Vec::new();
    for (judged, key) in judgement.keys.iter().zip(&keys) {
        let Finding::Invalid(found) = &judged.finding else { continue };
        let told = explain(model, &judged.key, &key.calls, found, &naming);
        let sentences = [vec![told.headline], told.operations, told.reasons].concat();
        let events = found.operations.iter().flat_map(|id| {
            let invoke = event(*id);
            [invoke, history.counterpart(u64::from(*id))].into_iter().flatten()
        });
        let events: Vec<&Event> = events.collect();
        let at = events.iter().map(|event| event.time).max().unwrap_or_default();
        counterexample.extend(events.into_iter().cloned());
        violations.push(Violation { key: judged.key.to_string(), sentences, at });
    }
    violations.sort_by_key(|violation| violation.at);
    counterexample.sort_by_key(|event| event.index);
    Ok(Judged { judgement, violations, counterexample })
}

impl Judged {
    /// The verdict as the run's safety axis.
    pub fn safety(&self) -> Safety {
        match self.judgement.verdict {
            Verdict::Valid => Safety::Valid,
            Verdict::Invalid => Safety::Invalid,
            Verdict::Undecided => Safety::Undecided { reason: self.judgement.progress() },
        }
    }

    /// The counterexample as a history of its own: fresh indexes, the recorded times.
    pub fn counterexample_history(&self, of: &Header) -> (Header, Vec<Event>) {
        let mut header = of.clone();
        header.story = Some("A counterexample: the operations for which no order exists.".to_owned());
        let events =
            self.counterexample.iter().zip(0..).map(|(event, index)| Event { index, ..event.clone() });
        (header, events.collect())
    }
}
