//! Which events may follow which: the rules of a well-formed history, each with a name.
//!
//! One pass, one event at a time, memory in proportion to the processes ever seen; the recorder, the reader and
//! the sealed history all ask here, so that a rule has one text. Nemesis events are bound by order only: a fault
//! is begun and ended by events of its own.

use std::collections::BTreeMap;
use std::fmt;

use smol_str::SmolStr;

use crate::event::{Event, Kind, Nanos, Process};

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
        Rule::CompletionHasInvocation,
        Rule::OneOpenOperation,
        Rule::RetiredAfterInfo,
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

#[derive(Debug)]
enum Status {
    Idle,
    Open { index: u64, f: SmolStr, key: Option<SmolStr> },
    Retired { index: u64 },
}

/// What has been admitted so far, and so what may come next.
#[derive(Debug, Default)]
pub struct WellFormed {
    next_index: u64,
    last_time: Nanos,
    processes: BTreeMap<u64, Status>,
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
        self.processes.iter().filter_map(|(number, status)| match status {
            Status::Open { index, .. } => Some((*number, *index)),
            _ => None,
        })
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
        let status = self.processes.entry(number).or_insert(Status::Idle);
        let (next, closes) = match (&*status, event.kind) {
            (Status::Idle, Kind::Invoke) => {
                (Status::Open { index: event.index, f: event.f.clone(), key: event.key.clone() }, None)
            }
            (Status::Open { index, .. }, Kind::Invoke) => {
                return Err(Broken::new(
                    Rule::OneOpenOperation,
                    format!("process {number} invokes {} while its event {index} is open", event.f),
                    "a completion of that event first",
                ));
            }
            (Status::Retired { index }, _) => {
                return Err(Broken::new(
                    Rule::RetiredAfterInfo,
                    format!("process {number} goes on after its info event {index}"),
                    "a fresh process number in its place",
                ));
            }
            (Status::Idle, kind) => {
                return Err(Broken::new(
                    Rule::CompletionHasInvocation,
                    format!("{kind} of process {number}, which has no operation open"),
                    "an invoke event of this process first",
                ));
            }
            (Status::Open { index, f, key }, kind) => {
                if *f != event.f || *key != event.key {
                    return Err(Broken::new(
                        Rule::CompletionMatches,
                        format!("{kind} of {} on key {}", event.f, or_none(event.key.as_deref())),
                        format!("{f} on key {}, as event {index} invoked", or_none(key.as_deref())),
                    ));
                }
                let next = match kind {
                    Kind::Info => Status::Retired { index: event.index },
                    _ => Status::Idle,
                };
                (next, Some(*index))
            }
        };
        *status = next;
        Ok(closes)
    }
}

fn or_none(key: Option<&str>) -> &str {
    key.unwrap_or("(none)")
}
