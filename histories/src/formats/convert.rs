//! Makes one of our histories from another tool's events, and says what it had to decide on the way.
//!
//! Two passes: what the whole file looks like (whether its values are `[key value]` tuples, whether each
//! transaction has one micro-operation), then event by event. The events must then pass every rule of
//! [`crate::rules`]; nothing is left out to make them.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::jepsen::key_of;
use super::raw::{Position, RawEvent, RawEvents, refuse};
use super::{FailedCas, Imported};
use crate::event::{Event, Header, Kind, Nanos, Process};
use crate::history::History;
use crate::jsonl::{ReadError, Tail};
use crate::value::Value;

/// What stands for a refused cas in our histories.
const REFUSED: &str = "precondition";

/// Errors that say that a cas found another value, or none. Source: Jepsen's etcd and Maelstrom's registry.
const REFUSALS: [&str; 4] = [REFUSED, "precondition-failed", "not-found", "key-does-not-exist"];

/// The history that these events tell.
pub(super) fn import(name: &str, raw: RawEvents, failed_cas: FailedCas) -> Result<Imported, ReadError> {
    let mut notes = Notes { skipped: raw.skipped_count, torn: raw.torn, ..Notes::default() };
    let mut conversion = Conversion {
        name,
        shape: Shape::of(&raw.events),
        failed_cas,
        open: BTreeMap::new(),
        fresh: Fresh::after(&raw.events),
        last_index: None,
        last_time: Nanos(0),
        timed: raw.events.iter().any(|event| event.time.is_some()),
        notes: &mut notes,
    };
    let mut events = Vec::with_capacity(raw.events.len());
    let mut lines = Vec::with_capacity(raw.events.len());
    for event in raw.events {
        lines.push(event.line);
        let event = conversion.event(event, events.len() as u64, &events)?;
        events.push(event);
    }
    let shape = conversion.shape;
    let mut header = Header::new(format!("imported from {name}"));
    header.model = super::model::guess(&events).map(SmolStr::new);
    let tail = raw.torn.map_or(Tail::Whole, |line| Tail::Torn { line });
    let notes = notes.told(shape, header.model.as_deref());
    let history = History::sealed(header, events, tail).map_err(|ill| ReadError::IllFormed {
        name: name.to_owned(),
        line: lines[ill.position],
        broken: ill.broken,
    })?;
    Ok(Imported { history, notes })
}

/// What the values of the whole file look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The values themselves.
    Plain,
    /// `[key value]`, as Jepsen's independent generators make them.
    Tuples,
    /// Transactions of one micro-operation each: `[[:append key value]]`.
    Single,
}

impl Shape {
    fn of(events: &[RawEvent]) -> Shape {
        let asked =
            || events.iter().filter(|event| event.process != Process::Nemesis && event.kind == Kind::Invoke);
        if asked().next().is_none() {
            return Shape::Plain;
        }
        let is_transaction = |event: &RawEvent| event.f.as_deref().is_none_or(|f| f == "txn");
        if asked().all(|event| is_transaction(event) && single(&event.value).is_some()) {
            return Shape::Single;
        }
        let pair = |event: &RawEvent| matches!(event.value, Value::List(ref parts) if parts.len() == 2);
        // A write of a pair and a write under a key look alike; a read of nothing yet, or a cas, tells them apart.
        let telling = |event: &RawEvent| match (event.f.as_deref(), &event.value) {
            (Some("read"), Value::List(parts)) => parts.get(1).is_some_and(Value::is_null),
            (Some("cas"), Value::List(parts)) => matches!(parts.get(1), Some(Value::List(_))),
            _ => false,
        };
        let keyless = |event: &RawEvent| event.key.is_none() && !is_transaction(event);
        match asked().all(|event| pair(event) && keyless(event)) && asked().any(telling) {
            true => Shape::Tuples,
            false => Shape::Plain,
        }
    }
}

/// The parts of the only micro-operation of a transaction on a list.
fn single(value: &Value) -> Option<(&str, &Value, &Value)> {
    let [Value::List(parts)] = value.as_list()? else { return None };
    match parts.as_slice() {
        [Value::Text(f), key, argument] if f == "append" || f == "r" => Some((f.as_str(), key, argument)),
        _ => None,
    }
}

struct Conversion<'a> {
    name: &'a str,
    shape: Shape,
    failed_cas: FailedCas,
    /// The position of the open invocation of each process, by our number.
    open: BTreeMap<u64, usize>,
    fresh: Fresh,
    last_index: Option<i64>,
    last_time: Nanos,
    timed: bool,
    notes: &'a mut Notes,
}

impl Conversion<'_> {
    fn event(&mut self, raw: RawEvent, index: u64, before: &[Event]) -> Result<Event, ReadError> {
        self.check_index(&raw)?;
        let time = self.time(&raw, index);
        let RawEvent { line, process, kind, f, key, value, node, error, .. } = raw;
        if let Process::Nemesis = process {
            let f = f.unwrap_or_else(|| "unnamed".into());
            return Ok(Event { index, time, process, kind, f, key, value, node, error });
        }
        let process = self.fresh.number(process, kind, self.notes);
        let Process::Client(number) = process else { unreachable!("a client's number stays a client's") };
        let invocation = match kind {
            Kind::Invoke => None,
            _ => self.open.remove(&number).and_then(|position| before.get(position)),
        };
        let (f, key, value) = match invocation {
            // What did not happen, or nobody knows of, is told by what was asked.
            Some(asked) if kind != Kind::Ok => {
                let said = f.filter(|_| self.shape != Shape::Single).map(|f| renamed(f, asked.key.as_ref()));
                (said.unwrap_or_else(|| asked.f.clone()), asked.key.clone(), asked.value.clone())
            }
            _ => self.parts(f, key, value, line, invocation)?,
        };
        let error = self.error(kind, &f, error);
        if kind == Kind::Invoke {
            // A second one while the first is open is for the rules to refuse.
            self.open.insert(number, before.len());
        }
        Ok(Event { index, time, process, kind, f, key, value, node, error })
    }

    fn check_index(&mut self, raw: &RawEvent) -> Result<(), ReadError> {
        let Some(index) = raw.index else { return Ok(()) };
        if self.last_index.is_some_and(|last| index <= last) {
            let at = Position { line: raw.line, column: 1 };
            return Err(refuse(
                self.name,
                at,
                format!("the index {index}, which does not rise: the order is lost"),
            ));
        }
        if self.last_index.map_or(0, |last| last.saturating_add(1)) != index {
            self.notes.renumbered = true;
        }
        self.last_index = Some(index);
        Ok(())
    }

    fn time(&mut self, raw: &RawEvent, index: u64) -> Nanos {
        let time = match raw.time {
            Some(time) => Nanos(u64::try_from(time).unwrap_or(0)),
            None if self.timed => self.last_time,
            None => Nanos(index),
        };
        if raw.time.is_some_and(|time| time < 0) || time < self.last_time {
            self.notes.raised_times += 1;
        }
        self.last_time = time.max(self.last_time);
        self.last_time
    }

    /// Operation, key and value, taken out of the tuple or transaction that they stand in.
    fn parts(
        &self,
        f: Option<SmolStr>,
        key: Option<SmolStr>,
        value: Value,
        line: u64,
        invocation: Option<&Event>,
    ) -> Result<(SmolStr, Option<SmolStr>, Value), ReadError> {
        let at = Position { line, column: 1 };
        if self.shape == Shape::Single {
            let Some((f, key, argument)) = single(&value) else {
                return Err(refuse(self.name, at, "a transaction of other micro-operations than were asked"));
            };
            let f = if f == "r" { "read" } else { f };
            return Ok((f.into(), key_of(key), argument.clone()));
        }
        let f = match (f, invocation, &value) {
            (Some(f), _, _) => f,
            (None, Some(asked), _) => asked.f.clone(),
            // elle-cli's transactions need no name.
            (None, None, Value::List(_)) => "txn".into(),
            _ => return Err(refuse(self.name, at, "an operation without f")),
        };
        if self.shape == Shape::Tuples {
            let Value::List(parts) = value else {
                return Err(refuse(self.name, at, "a value without its key"));
            };
            return match <[Value; 2]>::try_from(parts) {
                Ok([key, value]) => Ok((f, key_of(&key), value)),
                Err(_) => Err(refuse(self.name, at, "a value that is no pair of key and value")),
            };
        }
        Ok((renamed(f, key.as_ref()), key, value))
    }

    fn error(&mut self, kind: Kind, f: &str, error: Option<SmolStr>) -> Option<SmolStr> {
        if f != "cas" || kind != Kind::Fail {
            return error;
        }
        let code = error.as_deref().map(|text| text.split(':').next().unwrap_or(text));
        match (code, self.failed_cas) {
            (Some(code), _) if REFUSALS.contains(&code) => Some(REFUSED.into()),
            (None, FailedCas::Refused) => {
                self.notes.refused_cas += 1;
                Some(REFUSED.into())
            }
            _ => error,
        }
    }
}

/// The names of Porcupine's key-value logs become ours.
fn renamed(f: SmolStr, key: Option<&SmolStr>) -> SmolStr {
    match (f.as_str(), key) {
        ("get", Some(_)) => "read".into(),
        ("put", Some(_)) => "write".into(),
        _ => f,
    }
}

/// Gives fresh numbers to processes that go on after an info event.
struct Fresh {
    next: u64,
    /// For each process of the file its number now.
    numbers: BTreeMap<u64, u64>,
    retired: crate::numbers::Numbers,
}

impl Fresh {
    fn after(events: &[RawEvent]) -> Self {
        let numbers = events.iter().filter_map(|event| match event.process {
            Process::Client(number) => Some(number),
            Process::Nemesis => None,
        });
        let next = numbers.max().map_or(0, |most| most.saturating_add(1));
        Fresh { next, numbers: BTreeMap::new(), retired: crate::numbers::Numbers::default() }
    }

    fn number(&mut self, process: Process, kind: Kind, notes: &mut Notes) -> Process {
        let Process::Client(theirs) = process else { return process };
        let mut ours = self.numbers.get(&theirs).copied().unwrap_or(theirs);
        if kind == Kind::Invoke && self.retired.contains(ours) {
            ours = self.next;
            self.next = self.next.saturating_add(1);
            self.numbers.insert(theirs, ours);
            notes.fresh_processes += 1;
        }
        if kind == Kind::Info {
            self.retired.insert(ours);
        }
        Process::Client(ours)
    }
}

/// What was decided, counted.
#[derive(Default)]
struct Notes {
    refused_cas: u64,
    renumbered: bool,
    raised_times: u64,
    fresh_processes: u64,
    skipped: u64,
    torn: Option<u64>,
}

impl Notes {
    fn told(self, shape: Shape, model: Option<&str>) -> Vec<String> {
        let counted = |count: u64, text: &str| (count > 0).then(|| format!("{text}: {count}"));
        let mut notes: Vec<String> = [
            counted(
                self.refused_cas,
                "failed cas without an error, read as refused since the value was another one",
            ),
            self.renumbered.then(|| "the indexes had gaps and were counted anew".to_owned()),
            counted(self.raised_times, "times that went back, raised to the one before"),
            counted(self.fresh_processes, "processes that went on after info, given a fresh number"),
            counted(self.skipped, "lines of the log that tell of no operation, passed over"),
            self.torn.map(|line| format!("cut off in line {line}, which was left out")),
        ]
        .into_iter()
        .flatten()
        .collect();
        match shape {
            Shape::Plain => {}
            Shape::Tuples => notes.push("the values are pairs of key and value".to_owned()),
            Shape::Single => {
                notes.push("each transaction has one micro-operation, read as append or read".to_owned())
            }
        }
        if let Some(model) = model {
            notes.push(format!("the operations are those of the model {model}"));
        }
        notes
    }
}

/// What an error field says, as one text: a code, and what follows it.
pub(super) fn error_text(error: &Value) -> Option<SmolStr> {
    match error {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        Value::List(parts) => match parts.as_slice() {
            [] => None,
            [Value::Text(code)] => Some(code.clone()),
            [Value::Text(code), rest @ ..] => {
                let rest: Vec<String> = rest.iter().filter_map(error_text).map(String::from).collect();
                Some(smol_str::format_smolstr!("{code}: {}", rest.join(" ")))
            }
            _ => Some(smol_str::format_smolstr!("{error}")),
        },
        other => Some(smol_str::format_smolstr!("{other}")),
    }
}
