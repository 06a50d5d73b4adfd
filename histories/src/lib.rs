//! What happened: events, the one recorder, the sealed history and its file format.
//!
//! A **history** is a sequence of [`Event`]s. `invoke` opens an operation of a process; `ok`, `fail` or `info`
//! closes it. This crate knows how events are written down, read back and whether they are well formed; it
//! refuses to know what an operation means, what time it is, and where randomness comes from.
//!
//! Read on in this order: [`event`] (what one line says), [`recorder`] (how lines come to be), [`history`]
//! (what a sealed history guarantees), [`rules`] (which lines may follow which), [`jsonl`] (the file), [`formats`]
//! (other tools' files), [`corpus`] (golden histories).
//!
//! ```
//! use rashomon_histories::{Completion, Header, History, Invocation, Nanos, Process, Recorder, Value};
//!
//! let mut now = 0;
//! let clock = move || { now += 1_000; Nanos(now) };
//! let mut recorder = Recorder::new(Vec::new(), Header::new("doc"), clock);
//! let token = recorder.invoke(Invocation::new(Process::client(0), "write").key("x").value(Value::Int(7)))?;
//! recorder.complete(token, Completion::ok())?;
//! let events = recorder.seal()?;
//! let history = History::from_events(Header::new("doc"), events)?;
//! assert_eq!(history.operations().count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod event;
pub mod value;

pub mod recorder;

pub mod rules;

mod numbers;

pub mod history;

pub mod jsonl;

pub mod corpus;

pub mod formats;

pub use event::{Event, Header, Kind, Nanos, Process};
pub use history::{History, Operation};
pub use jsonl::{FileWriter, ReadError, Reader, Tail, Writer};
pub use recorder::{Completion, Invocation, RecordError, Recorder, Sink, Token};
pub use rules::{Broken, Rule, WellFormed};
pub use value::Value;
