//! The one recorder: every event of a run passes here, and index and time are given here and nowhere else.
//!
//! [`Recorder::invoke`] is called before anything is sent and gives a [`Token`]; [`Recorder::complete`] consumes
//! it after the reply. So a recorded interval can only be wider than the real one: a violation may be missed,
//! never invented. Tokens still open when the recorder is sealed become `info`.
//!
//! The clock is an argument. Where events go is a [`Sink`]: a file, memory, a judge that follows the run, or
//! several of these. Callers that record from several tasks put the recorder behind a lock; the time is read
//! inside it, so order by index is order by time.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::event::{Event, Header, Kind, Nanos, Process};
use crate::numbers::Numbers;
use crate::value::Value;

/// Where events go, in order, as they happen.
pub trait Sink {
    /// Takes the header, once, before any event.
    ///
    /// # Errors
    /// The sink's own trouble, such as a full disk.
    fn header(&mut self, header: &Header) -> io::Result<()>;

    /// Takes the next event.
    ///
    /// # Errors
    /// The sink's own trouble, such as a full disk.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Makes what was taken visible to other processes.
    ///
    /// # Errors
    /// The sink's own trouble, such as a full disk.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Memory: for tests and simulations.
impl Sink for Vec<Event> {
    fn header(&mut self, _header: &Header) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.push(event.clone());
        Ok(())
    }
}

/// Two sinks, the first one first.
impl<A: Sink, B: Sink> Sink for (A, B) {
    fn header(&mut self, header: &Header) -> io::Result<()> {
        self.0.header(header)?;
        self.1.header(header)
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.0.event(event)?;
        self.1.event(event)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Who asks.
    pub process: Process,
    /// The operation's name.
    pub f: SmolStr,
    /// The object it concerns.
    pub key: Option<SmolStr>,
    /// Its argument.
    pub value: Value,
    /// The node that is asked.
    pub node: Option<SmolStr>,
}

impl Invocation {
    /// An operation `f` by `process`, with nothing else said.
    pub fn new(process: Process, f: impl Into<SmolStr>) -> Self {
        Invocation { process, f: f.into(), key: None, value: Value::Null, node: None }
    }

    /// On this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<SmolStr>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With this argument.
    #[must_use]
    pub fn value(mut self, value: impl Into<Value>) -> Self {
        self.value = value.into();
        self
    }

    /// Asked of this node.
    #[must_use]
    pub fn node(mut self, node: impl Into<SmolStr>) -> Self {
        self.node = Some(node.into());
        self
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    kind: Kind,
    value: Option<Value>,
    error: Option<SmolStr>,
}

impl Completion {
    /// It happened; the value is the argument again.
    pub fn ok() -> Self {
        Completion { kind: Kind::Ok, value: None, error: None }
    }

    /// It happened, with this result.
    pub fn ok_with(value: impl Into<Value>) -> Self {
        Completion { kind: Kind::Ok, value: Some(value.into()), error: None }
    }

    /// It surely did not happen.
    pub fn fail(error: impl Into<SmolStr>) -> Self {
        Completion { kind: Kind::Fail, value: None, error: Some(error.into()) }
    }

    /// It may or may not have happened; the process retires.
    pub fn info(error: impl Into<SmolStr>) -> Self {
        Completion { kind: Kind::Info, value: None, error: Some(error.into()) }
    }

    /// Whether it ended `ok`, `fail` or `info`.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// An operation that was invoked and not completed. Consumed by [`Recorder::complete`]; one that is dropped
/// leaves its operation open, which sealing turns into `info`.
#[must_use = "complete the operation with this token"]
#[derive(Debug)]
pub struct Token {
    index: u64,
    recorder: u64,
}

/// Why an event was not recorded. The operation concerned was then not sent ([`Recorder::invoke`]) or its
/// outcome is lost and counts as unknown ([`Recorder::complete`]).
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The sink refused, now or at an earlier event: nothing after that first refusal was written.
    #[error("the history could not be written: {0}")]
    Sink(io::Error),
}

/// Gives every event its index and time and hands it on.
///
/// Memory is in proportion to the operations that are open, and to the gaps between retired process numbers.
#[derive(Debug)]
pub struct Recorder<S, C> {
    sink: S,
    clock: C,
    /// Tells its tokens from those of other recorders.
    id: u64,
    next_index: u64,
    last_time: Nanos,
    /// The invocations of the open operations, by index.
    open: FxHashMap<u64, Event>,
    /// Client processes that have an operation open.
    busy: BTreeSet<u64>,
    retired: Numbers,
    failed: Option<(io::ErrorKind, String)>,
}

/// Numbers the recorders of this program, so that a token can tell whose it is; it shows in no file.
static RECORDER_COUNT: AtomicU64 = AtomicU64::new(0);

impl<S: Sink, C: FnMut() -> Nanos> Recorder<S, C> {
    /// A recorder into `sink`, with the time from `clock`. A header that cannot be written shows at the first
    /// event.
    pub fn new(mut sink: S, header: Header, clock: C) -> Self {
        let failed = sink.header(&header).err().map(|e| (e.kind(), e.to_string()));
        Recorder {
            sink,
            clock,
            id: RECORDER_COUNT.fetch_add(1, Ordering::Relaxed),
            next_index: 0,
            last_time: Nanos(0),
            open: FxHashMap::default(),
            busy: BTreeSet::new(),
            retired: Numbers::default(),
            failed,
        }
    }

    /// Opens an operation. Call before sending anything.
    ///
    /// # Errors
    /// [`RecordError::Sink`]; the operation must then not be sent.
    ///
    /// # Panics
    /// When the client process has an operation open already, or has retired: the caller's mistake, which would
    /// make every history that follows ill-formed.
    pub fn invoke(&mut self, invocation: Invocation) -> Result<Token, RecordError> {
        self.ready()?;
        if let Process::Client(number) = invocation.process {
            assert!(
                !self.retired.contains(number),
                "process {number} invokes after its info: it has retired"
            );
            assert!(
                !self.busy.contains(&number),
                "process {number} invokes while an operation of it is open"
            );
        }
        let Invocation { process, f, key, value, node } = invocation;
        let mut event =
            Event { index: 0, time: Nanos(0), process, kind: Kind::Invoke, f, key, value, node, error: None };
        self.append(&mut event)?;
        let index = event.index;
        if let Process::Client(number) = process {
            self.busy.insert(number);
        }
        self.open.insert(index, event);
        Ok(Token { index, recorder: self.id })
    }

    /// Closes an operation. Call after the reply, or after giving up on one.
    ///
    /// # Errors
    /// [`RecordError::Sink`]; the operation's outcome is then not in the history, and so unknown.
    ///
    /// # Panics
    /// When the token is of another recorder.
    pub fn complete(&mut self, token: Token, completion: Completion) -> Result<(), RecordError> {
        assert!(token.recorder == self.id, "a token goes back to the recorder that gave it");
        let event = self.open.remove(&token.index).expect("a token is given once and consumed once");
        self.close(event, completion)
    }

    /// Records what the nemesis did: one `info` event that stands alone.
    ///
    /// # Errors
    /// [`RecordError::Sink`].
    pub fn note(&mut self, f: impl Into<SmolStr>, value: Value) -> Result<(), RecordError> {
        let mut event = Event {
            index: 0,
            time: Nanos(0),
            process: Process::Nemesis,
            kind: Kind::Info,
            f: f.into(),
            key: None,
            value,
            node: None,
            error: None,
        };
        self.append(&mut event)
    }

    /// Makes everything recorded visible to other processes.
    ///
    /// # Errors
    /// [`RecordError::Sink`].
    pub fn flush(&mut self) -> Result<(), RecordError> {
        self.ready()?;
        let flushed = self.sink.flush();
        self.keep_failure(flushed)
    }

    /// How many operations are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Closes every open operation as `info` with the error `open-at-end`, in the order of their invocations,
    /// flushes, and gives back the sink.
    ///
    /// # Errors
    /// [`RecordError::Sink`]; what was written before stays where it is.
    pub fn seal(mut self) -> Result<S, RecordError> {
        let mut open: Vec<Event> = std::mem::take(&mut self.open).into_values().collect();
        open.sort_unstable_by_key(|event| event.index);
        for event in open {
            self.close(event, Completion::info("open-at-end"))?;
        }
        self.flush()?;
        Ok(self.sink)
    }

    /// Turns the event that opened an operation into the one that closes it.
    fn close(&mut self, mut event: Event, completion: Completion) -> Result<(), RecordError> {
        if let Process::Client(number) = event.process {
            self.busy.remove(&number);
            if completion.kind == Kind::Info {
                self.retired.insert(number);
            }
        }
        event.kind = completion.kind;
        event.error = completion.error;
        if let Some(value) = completion.value {
            event.value = value;
        }
        self.append(&mut event)
    }

    /// Gives the event its index and time, and writes it.
    fn append(&mut self, event: &mut Event) -> Result<(), RecordError> {
        self.ready()?;
        event.index = self.next_index;
        event.time = (self.clock)().max(self.last_time);
        let written = self.sink.event(event);
        self.keep_failure(written)?;
        self.next_index += 1;
        self.last_time = event.time;
        Ok(())
    }

    /// A sink that failed once may hold half a line: nothing more is written after it.
    fn ready(&self) -> Result<(), RecordError> {
        match &self.failed {
            None => Ok(()),
            Some((kind, text)) => Err(RecordError::Sink(io::Error::new(*kind, text.clone()))),
        }
    }

    fn keep_failure(&mut self, written: io::Result<()>) -> Result<(), RecordError> {
        written.map_err(|e| {
            self.failed = Some((e.kind(), e.to_string()));
            RecordError::Sink(e)
        })
    }
}
