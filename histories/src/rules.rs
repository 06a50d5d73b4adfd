//! Which events may follow which: the rules of a well-formed history, each with a name.
//!
//! One pass, one event at a time, memory in proportion to the operations that are open and to the gaps between
//! retired process numbers, not to the history. The reader and the sealed history ask here, so that a rule has
//! one text; the recorder keeps the same rules by construction (its tests hold it against this file). Nemesis
//! events are bound by order only: a fault is begun and ended by events of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use smol_str::SmolStr;

use crate::event::{Event, Kind, Nanos, Process};
use crate::numbers::Numbers;

/// A rule of well-formedness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Indexes count 0, 1, 2, … without gaps.
    IndexCounts,
    /// Time never goes back.
    TimeRises,
    /// A completion closes an operation that its process has open.
    CompletionHasInvocation,
    /// A process has at most one operation open.
    OneOpenOperation,
    /// A process asks nothing more after an operation of unknown outcome.
    RetiredAfterInfo,
    /// A completion names the operation and key that its invocation named.
    CompletionMatches,
}

impl Rule {
    /// Every rule, in the order in which an event is held against them.
    pub const ALL: [Rule; 6] = [
        Rule::IndexCounts,
        Rule::TimeRises,
        Rule::RetiredAfterInfo,
        Rule::OneOpenOperation,
        Rule::CompletionHasInvocation,
        Rule::CompletionMatches,
    ];

    /// The rule's name, as messages and tests use it.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::IndexCounts => "index-counts",
            Rule::TimeRises => "time-rises",
            Rule::CompletionHasInvocation => "completion-has-invocation",
            Rule::OneOpenOperation => "one-open-operation",
            Rule::RetiredAfterInfo => "retired-after-info",
            Rule::CompletionMatches => "completion-matches",
        }
    }
}

/// An event that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {}: {found}, expected {expected}", rule.name())]
pub struct Broken {
    /// Which rule.
    pub rule: Rule,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
}

impl Broken {
    fn new(rule: Rule, found: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Broken { rule, found: found.to_string(), expected: expected.to_string() }
    }
}

/// An operation that a process has open.
#[derive(Debug)]
struct Open {
    index: u64,
    f: SmolStr,
    key: Option<SmolStr>,
}

/// What has been admitted so far, and so what may come next.
#[derive(Debug, Default)]
pub struct WellFormed {
    next_index: u64,
    last_time: Nanos,
    open: BTreeMap<u64, Open>,
    retired: Numbers,
}

impl WellFormed {
    /// Nothing admitted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Admits the next event; for a completion answers the index of the invocation that it closes.
    ///
    /// # Errors
    /// The first rule that the event breaks; the state is then unchanged.
    pub fn admit(&mut self, event: &Event) -> Result<Option<u64>, Broken> {
        self.admit_order(event)?;
        let closes = match event.process {
            Process::Nemesis => None,
            Process::Client(number) => self.admit_client(number, event)?,
        };
        self.next_index += 1;
        self.last_time = event.time;
        Ok(closes)
    }

    /// Invocations still open, as (process number, index of the invocation), by process.
    pub fn open(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.open.iter().map(|(number, open)| (*number, open.index))
    }

    /// How many events were admitted.
    pub fn count(&self) -> u64 {
        self.next_index
    }

    fn admit_order(&self, event: &Event) -> Result<(), Broken> {
        if event.index != self.next_index {
            return Err(Broken::new(Rule::IndexCounts, format!("index {}", event.index), self.next_index));
        }
        if event.time < self.last_time {
            return Err(Broken::new(
                Rule::TimeRises,
                format!("time {} ns", event.time.0),
                format!("{} ns or later, as the event before", self.last_time.0),
            ));
        }
        Ok(())
    }

    fn admit_client(&mut self, number: u64, event: &Event) -> Result<Option<u64>, Broken> {
        if self.retired.contains(number) {
            return Err(Broken::new(
                Rule::RetiredAfterInfo,
                format!("process {number} goes on after an operation of it ended in info"),
                "a fresh process number in its place",
            ));
        }
        match event.kind {
            Kind::Invoke => self.admit_invocation(number, event).map(|()| None),
            _ => self.admit_completion(number, event).map(Some),
        }
    }

    fn admit_invocation(&mut self, number: u64, event: &Event) -> Result<(), Broken> {
        match self.open.entry(number) {
            Entry::Occupied(open) => Err(Broken::new(
                Rule::OneOpenOperation,
                format!("process {number} invokes {} while its event {} is open", event.f, open.get().index),
                "a completion of that event first",
            )),
            Entry::Vacant(place) => {
                place.insert(Open { index: event.index, f: event.f.clone(), key: event.key.clone() });
                Ok(())
            }
        }
    }

    fn admit_completion(&mut self, number: u64, event: &Event) -> Result<u64, Broken> {
        let Entry::Occupied(open) = self.open.entry(number) else {
            return Err(Broken::new(
                Rule::CompletionHasInvocation,
                format!("{} of process {number}, which has no operation open", event.kind),
                "an invoke event of this process first",
            ));
        };
        let Open { index, f, key } = open.get();
        if *f != event.f || *key != event.key {
            return Err(Broken::new(
                Rule::CompletionMatches,
                format!("{} of {} on key {}", event.kind, event.f, or_none(event.key.as_deref())),
                format!("{f} on key {}, as event {index} invoked", or_none(key.as_deref())),
            ));
        }
        let index = open.remove().index;
        if event.kind == Kind::Info {
            self.retired.insert(number);
        }
        Ok(index)
    }
}

fn or_none(key: Option<&str>) -> &str {
    key.unwrap_or("(none)")
}
