//! Operations as JSON, the way elle-cli reads them: a list of objects, or one object after another.
//!
//! `[{"index":0,"type":"invoke","f":"txn","value":[["append",1,2]],"process":0}, …]`; the names are Jepsen's,
//! `index`, `time` and, for transactions, `f` may be missing. Source: the README of github.com/ligurio/elle-cli.
//! Next: [`super::convert`].

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use smol_str::SmolStr;

use super::convert::error_text;
use super::jepsen::key_of;
use super::raw::{Position, RawEvent, RawEvents, refuse};
use crate::event::{Kind, Process};
use crate::jsonl::{LINE_BYTES_MAX, ReadError};
use crate::value::Value;

#[derive(Deserialize)]
#[serde(expecting = "an operation as an object")]
struct Operation {
    index: Option<i64>,
    time: Option<i64>,
    process: Process,
    #[serde(rename = "type")]
    kind: Kind,
    f: Option<SmolStr>,
    #[serde(default)]
    key: Value,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    error: Value,
    node: Option<SmolStr>,
}

impl Operation {
    fn at_line(self, line: u64) -> RawEvent {
        RawEvent {
            line,
            index: self.index,
            time: self.time,
            process: self.process,
            kind: self.kind,
            f: self.f,
            key: key_of(&self.key),
            value: self.value,
            node: self.node,
            error: error_text(&self.error),
        }
    }
}

/// Reads operations from a list or from a stream of objects.
pub(super) fn read(name: &str, input: impl Read) -> Result<RawEvents, ReadError> {
    let mut input = io::BufReader::new(input);
    let io = |error| ReadError::Io { name: name.to_owned(), error };
    let watch = Watch::default();
    let start = first_byte(&mut input, &watch).map_err(io)?;
    let watched = Watched { input, watch: watch.clone() };
    let mut events = Vec::new();
    let end = if start == Some(b'[') {
        let mut deserializer = serde_json::Deserializer::from_reader(watched);
        let list = List { events: &mut events, watch: &watch };
        deserializer.deserialize_seq(list).and_then(|()| deserializer.end())
    } else {
        let operations = serde_json::Deserializer::from_reader(watched).into_iter::<Operation>();
        operations.into_iter().try_for_each(|operation| {
            events.push(operation?.at_line(watch.line()));
            watch.next_operation();
            Ok(())
        })
    };
    let torn = match end {
        Ok(()) => None,
        Err(error) if cut_off(&error, &watch) && !events.is_empty() => Some(watch.line()),
        Err(error) if error.is_io() && !cut_off(&error, &watch) => return Err(io(error.into())),
        Err(error) => return Err(refuse(name, watch.position(), problem_of(&error))),
    };
    Ok(RawEvents { events, torn, skipped_count: 0 })
}

/// The end of the input inside JSON, or inside compressed data.
fn cut_off(error: &serde_json::Error, watch: &Watch) -> bool {
    let half = error.is_syntax() && watch.0.get().ended;
    half || error.is_eof() || error.io_error_kind() == Some(io::ErrorKind::UnexpectedEof)
}

fn problem_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(problem, _)| problem.to_owned())
}

struct List<'a> {
    events: &'a mut Vec<RawEvent>,
    watch: &'a Watch,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of operations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(event) = members.next_element_seed(One(self.watch))? {
            self.events.push(event);
            self.watch.next_operation();
        }
        Ok(())
    }
}

/// One operation, with the line on which it ends.
struct One<'a>(&'a Watch);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = RawEvent;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawEvent, D::Error> {
        Ok(Operation::deserialize(deserializer)?.at_line(self.0.line()))
    }
}

/// Where the parser stands, and how much it has taken for the operation under way.
#[derive(Clone, Default)]
struct Watch(Rc<Cell<Stand>>);

#[derive(Clone, Copy, Default)]
struct Stand {
    line_ends: u64,
    column: usize,
    operation_bytes: u64,
    /// Whether the parser has asked for more than there was.
    ended: bool,
}

impl Watch {
    fn line(&self) -> u64 {
        self.position().line
    }

    fn position(&self) -> Position {
        let Stand { line_ends, column, .. } = self.0.get();
        Position { line: line_ends + 1, column: column.max(1) }
    }

    fn next_operation(&self) {
        self.0.set(Stand { operation_bytes: 0, ..self.0.get() });
    }

    fn end(&self) {
        self.0.set(Stand { ended: true, ..self.0.get() });
    }

    fn take(&self, byte: u8) -> io::Result<()> {
        let mut stand = self.0.get();
        if stand.operation_bytes >= LINE_BYTES_MAX {
            return Err(io::Error::other(format!("an operation of more than {LINE_BYTES_MAX} bytes")));
        }
        stand.operation_bytes += 1;
        if byte == b'\n' {
            stand.line_ends += 1;
            stand.column = 0;
        } else {
            stand.column += 1;
        }
        self.0.set(stand);
        Ok(())
    }
}

/// serde_json takes a stream byte by byte; so what has passed here is where it stands.
struct Watched<R> {
    input: R,
    watch: Watch,
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.input.fill_buf()?;
        let (Some(byte), Some(place)) = (available.first().copied(), buffer.first_mut()) else {
            self.watch.end();
            return Ok(0);
        };
        *place = byte;
        self.input.consume(1);
        self.watch.take(byte)?;
        Ok(1)
    }
}

/// The first byte that is not blank; the blank ones before it are taken.
fn first_byte(input: &mut impl BufRead, watch: &Watch) -> io::Result<Option<u8>> {
    loop {
        match input.fill_buf() {
            Ok([byte, ..]) if byte.is_ascii_whitespace() => {
                let byte = *byte;
                input.consume(1);
                watch.take(byte)?;
            }
            Ok(bytes) => return Ok(bytes.first().copied()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
