//! The sealed history: validated, immutable, and read as operations.
//!
//! It is either whole or not made: every rule of [`crate::rules`] holds. Judges, explainers and reports start
//! here. The recorded events are never edited; what a judge leaves out is a layer of its own.

use std::io;
use std::path::Path;

use crate::event::{Event, Header, Kind, Process};
use crate::jsonl::{ReadError, Reader, Tail};
use crate::rules::{Broken, WellFormed};

/// A well-formed sequence of events with its header.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    header: Header,
    events: Vec<Event>,
    /// For each event, the index of its counterpart: completion of an invocation and the reverse.
    counterparts: Vec<Option<u64>>,
    tail: Tail,
}

/// An event that breaks a rule, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {position}: {broken}")]
pub struct IllFormed {
    /// Its position among the events given, from 0.
    pub position: usize,
    /// The rule that it breaks.
    pub broken: Broken,
}

/// One operation: its invocation and, unless the history ends before it, its completion.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The event that opened it.
    pub invoke: &'a Event,
    /// The event that closed it.
    pub completion: Option<&'a Event>,
}

impl Operation<'_> {
    /// How it ended. One that is still open may or may not have happened: `info`.
    pub fn outcome(&self) -> Kind {
        self.completion.map_or(Kind::Info, |event| event.kind)
    }
}

impl History {
    /// Validates events and seals them.
    ///
    /// # Errors
    /// The first event that breaks a rule.
    pub fn from_events(header: Header, events: Vec<Event>) -> Result<Self, IllFormed> {
        Self::sealed(header, events, Tail::Whole)
    }

    /// As [`History::from_events`], from a file that ended so.
    pub(crate) fn sealed(header: Header, events: Vec<Event>, tail: Tail) -> Result<Self, IllFormed> {
        let mut rules = WellFormed::new();
        let mut counterparts = vec![None; events.len()];
        for (position, event) in events.iter().enumerate() {
            let closes = rules.admit(event).map_err(|broken| IllFormed { position, broken })?;
            pair(&mut counterparts, event.index, closes);
        }
        Ok(History { header, events, counterparts, tail })
    }

    /// Reads a whole file; zstd when its name ends in `.zst`.
    ///
    /// # Errors
    /// Whatever [`Reader`] refuses, with the file and line.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::collect(Reader::open(path)?)
    }

    /// Reads from any stream of plain JSON lines; `name` stands for the file in messages.
    ///
    /// # Errors
    /// Whatever [`Reader`] refuses, with the line.
    pub fn read_from(name: &str, input: impl io::BufRead + 'static) -> Result<Self, ReadError> {
        Self::collect(Reader::new(name, Box::new(input))?)
    }

    pub(crate) fn collect(mut reader: Reader) -> Result<Self, ReadError> {
        let mut events = Vec::new();
        let mut counterparts = Vec::new();
        while let Some((event, closes)) = reader.next_event()? {
            counterparts.push(None);
            pair(&mut counterparts, event.index, closes);
            events.push(event);
        }
        Ok(History { header: reader.header().clone(), events, counterparts, tail: reader.tail() })
    }

    /// What the first line said.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All events, in order; the index of an event is its position.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether the file ended in a torn line, which was left out.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// The operations of the clients, in the order of their invocations.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.events
            .iter()
            .filter(|event| event.kind == Kind::Invoke && event.process != Process::Nemesis)
            .map(|invoke| Operation { invoke, completion: self.counterpart(invoke.index) })
    }

    /// The events of the nemesis, in order.
    pub fn nemesis(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.process == Process::Nemesis)
    }

    /// The event that closes (or opened) the operation of the event at `index`.
    pub fn counterpart(&self, index: u64) -> Option<&Event> {
        let at = |index: u64| usize::try_from(index).ok();
        let other = (*self.counterparts.get(at(index)?)?)?;
        self.events.get(at(other)?)
    }
}

fn pair(counterparts: &mut [Option<u64>], index: u64, closes: Option<u64>) {
    if let Some(opened) = closes {
        for (one, other) in [(index, opened), (opened, index)] {
            let position = usize::try_from(one).expect("an admitted index is a position in memory");
            counterparts[position] = Some(other);
        }
    }
}
