//! Tells a violation in sentences, and keeps the events of its counterexample.
//!
//! It knows the recorded events of the operations that counterexamples name; the words for them are the checker's.

use std::collections::{BTreeMap, BTreeSet};

use rashomon_checker::decode::Decoder;
use rashomon_checker::explain::{Naming, explain};
use rashomon_checker::models::ForModel;
use rashomon_checker::{Counterexample, Decode, Finding, Judgement};
use rashomon_histories::{Event, Header, Nanos, Operation};

use crate::exit::BadInput;
use crate::run::judge::with_model;
use crate::run::report::Violation;
use crate::source::{Record, Recorded, Source};

/// What is told of the keys that no order explains.
#[derive(Debug, Default)]
pub struct Told {
    /// A violation per key, the earliest first.
    pub violations: Vec<Violation>,
    /// Every operation of the counterexamples, as events with their indexes in the whole history.
    pub events: Vec<Event>,
    /// Those of the invocations of which only the effect counts, not the answer.
    trusted: BTreeSet<u64>,
}

/// Tells the violations of a judgement.
///
/// # Errors
/// [`BadInput`] for an unknown model or a history that cannot be read.
pub fn tell(source: &Source, model: &str, judgement: &Judgement) -> Result<Told, BadInput> {
    struct Tell<'a>(&'a Header, &'a Record, &'a Judgement);
    impl ForModel for Tell<'_> {
        type Output = Result<Told, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            tell_with(&Decoder::new(&model, self.0), self.1, self.2)
        }
    }
    let wanted: BTreeSet<u64> = counterexamples(judgement)
        .flat_map(|(_, found)| &found.operations)
        .map(|id| u64::from(*id))
        .collect();
    if wanted.is_empty() {
        return Ok(Told::default());
    }
    let (record, _) = source.record(&wanted, |_| {})?;
    with_model(model, Tell(source.header(), &record, judgement))?
}

fn counterexamples(judgement: &Judgement) -> impl Iterator<Item = (&str, &Counterexample)> {
    judgement.keys.iter().filter_map(|judged| match &judged.finding {
        Finding::Invalid(found) => Some((judged.key.as_str(), found)),
        Finding::Valid { .. } | Finding::Undecided { .. } => None,
    })
}

fn tell_with<M: Decode>(
    decoder: &Decoder<'_, M>,
    record: &Record,
    judgement: &Judgement,
) -> Result<Told, BadInput> {
    let events = |Recorded { invoke, completion }: &Recorded| [Some(invoke.clone()), completion.clone()];
    let times: BTreeMap<u64, Nanos> =
        record.values().flat_map(events).flatten().map(|event| (event.index, event.time)).collect();
    let who = |id: u32, process: u32| match record
        .get(&u64::from(id))
        .and_then(|recorded| recorded.invoke.node.as_ref())
    {
        Some(node) => format!("client {process} at node {node}"),
        None => format!("client {process}"),
    };
    let when =
        |index: u32| times.get(&u64::from(index)).map_or_else(|| format!("event {index}"), Nanos::to_string);
    let naming = Naming { who: &who, when: &when };
    let mut told = Told::default();
    for (key, found) in counterexamples(judgement) {
        let recorded: Vec<&Recorded> =
            found.operations.iter().filter_map(|id| record.get(&u64::from(*id))).collect();
        let mut calls = Vec::with_capacity(recorded.len());
        for Recorded { invoke, completion } in &recorded {
            let operation = Operation { invoke, completion: completion.as_ref() };
            let call = decoder.one(&operation).map_err(|error| BadInput(error.to_string()))?;
            calls.extend(call.map(|(_, call)| call));
        }
        let explanation = explain(decoder.model, key, &calls, found, &naming);
        let events: Vec<&Event> = recorded
            .iter()
            .flat_map(|recorded| [Some(&recorded.invoke), recorded.completion.as_ref()])
            .flatten()
            .collect();
        told.violations.push(Violation {
            key: key.to_owned(),
            sentences: [vec![explanation.headline], explanation.operations, explanation.reasons].concat(),
            at: events.iter().map(|event| event.time).max().unwrap_or_default(),
        });
        told.trusted.extend(found.trusted.iter().map(|id| u64::from(*id)));
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
        let numbered = || self.events.iter().zip(0..);
        header.trusted = numbered()
            .filter(|(event, _)| !event.kind.is_completion() && self.trusted.contains(&event.index))
            .map(|(_, index)| index)
            .collect();
        let events = numbered().map(|(event, index)| Event { index, ..event.clone() });
        (header, events.collect())
    }
}
