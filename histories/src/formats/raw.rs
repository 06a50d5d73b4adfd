//! An event as another tool wrote it, before it is made one of ours.
//!
//! What every foreign format boils down to: [`super::jepsen`] and [`super::elle`] make these, [`super::convert`]
//! makes a history of them.

use smol_str::SmolStr;

use crate::event::{Kind, Process};
use crate::jsonl::ReadError;
use crate::value::Value;

/// Where something stands in a file: line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) column: usize,
}

#[derive(Clone, Debug)]
pub(super) struct RawEvent {
    pub(super) line: u64,
    pub(super) index: Option<i64>,
    pub(super) time: Option<i64>,
    pub(super) process: Process,
    pub(super) kind: Kind,
    pub(super) f: Option<SmolStr>,
    pub(super) key: Option<SmolStr>,
    pub(super) value: Value,
    pub(super) node: Option<SmolStr>,
    pub(super) error: Option<SmolStr>,
}

/// All events of a file, in its order.
#[derive(Debug, Default)]
pub(super) struct RawEvents {
    pub(super) events: Vec<RawEvent>,
    /// The line in which the file is cut off.
    pub(super) torn: Option<u64>,
    /// Lines of a log that tell of something else.
    pub(super) skipped_count: u64,
}

/// What each foreign format must hold, for its refusals.
pub(super) const EXPECTED_OPERATION: &str =
    "an operation with process, type (invoke, ok, fail or info), f and value";

pub(super) fn refuse(name: &str, at: Position, problem: impl Into<String>) -> ReadError {
    ReadError::Foreign {
        name: name.to_owned(),
        line: at.line,
        column: at.column,
        problem: problem.into(),
        expected: EXPECTED_OPERATION,
    }
}

/// The kind of this name.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    [Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info].into_iter().find(|kind| kind.to_string() == name)
}
