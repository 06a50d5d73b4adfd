//! The file: one JSON object per line, a header first, zstd when the name ends in `.zst`.
//!
//! Files are untrusted: a line is bounded in bytes, JSON in depth (serde_json's 128), whole numbers to what
//! [`Value::Int`](crate::Value::Int) can say, and every refusal names file, line, column and what was expected.
//! The one thing that is forgiven is a torn tail, which a killed writer leaves behind: a last line without its
//! end, or compressed data without its end. It is reported by [`Reader::tail`] and left out. A torn *first* line
//! is refused: without its header a file is no history.
//!
//! What is read beyond what is written: fields that are not named in [`crate::Event`] are skipped, since other
//! tools add some; lines may end in CR LF; blank lines do not count as events. What is refused though JSON allows
//! it: a field, or a name inside a value, that stands twice, because readers differ on which one holds.
//!
//! Next: [`Reader`], then [`Writer`].

use std::io;

use crate::event::FORMAT_VERSION;
use crate::rules::Broken;

mod plain;
mod reader;
mod writer;

pub use reader::Reader;
pub(crate) use reader::open_stream;
pub use writer::{FileWriter, Writer, write_file};

/// Longest line that is read or written, in bytes, without its end: a read of a whole set is one line.
pub const LINE_BYTES_MAX: u64 = 1 << 22;

/// How a file ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// With a whole line.
    #[default]
    Whole,
    /// In the middle of this line (counted from 1), which was left out. Compressed data whose end is missing is
    /// torn too, even when what could be decoded ends with a line.
    Torn {
        /// Number of the torn line: the first that is missing.
        line: u64,
    },
}

/// Why a history could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("{name}: {error}")]
    Io {
        /// The file.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// The compressed file is damaged at this line or the next ones.
    #[error(
        "{name}, line {line}: the compressed data is damaged: {error}; expected zstd, as the name ends in .zst"
    )]
    Compressed {
        /// The file.
        name: String,
        /// Line that was being read, from 1.
        line: u64,
        /// What the decoder said.
        error: io::Error,
    },
    /// A line is longer than any event may be.
    #[error("{name}, line {line}: longer than {LINE_BYTES_MAX} bytes; expected an event in one line of JSON")]
    LineTooLong {
        /// The file.
        name: String,
        /// Line number, from 1.
        line: u64,
    },
    /// A line is not UTF-8 or not the JSON object that was expected.
    #[error("{name}, line {line}, column {column}: {problem}; the line must be {expected}")]
    Json {
        /// The file.
        name: String,
        /// Line number, from 1.
        line: u64,
        /// Column, from 1; 0 where it is not known.
        column: usize,
        /// What is wrong.
        problem: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The file is of a version that this program does not know.
    #[error(
        "{name}, line 1: history format version {found}; this program expects one from 1 to {FORMAT_VERSION}"
    )]
    Version {
        /// The file.
        name: String,
        /// The version found.
        found: u32,
    },
    /// The file has no line at all.
    #[error("{name}: empty; expected a header line such as {{\"rashomon_history\":1}}")]
    Empty {
        /// The file.
        name: String,
    },
    /// Another tool's history is not what its format says.
    #[error("{name}, line {line}, column {column}: {problem}; expected {expected}")]
    Foreign {
        /// The file.
        name: String,
        /// Line number, from 1.
        line: u64,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The file is no history that this program knows.
    #[error(
        "{name}, line 1: begins with {start:?}; expected a history: JSON lines with a rashomon_history header, \
         Jepsen's EDN maps, Jepsen's log, or a JSON list of operations"
    )]
    UnknownFormat {
        /// The file.
        name: String,
        /// How it begins.
        start: String,
    },
    /// An event breaks a rule of well-formed histories.
    #[error("{name}, line {line}: {broken}")]
    IllFormed {
        /// The file.
        name: String,
        /// Line number, from 1.
        line: u64,
        /// The rule and how it is broken.
        broken: Broken,
    },
}
