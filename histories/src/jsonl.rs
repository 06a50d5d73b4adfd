//! The file: one JSON object per line, a header first, zstd when the name ends in `.zst`.
//!
//! Files are untrusted: a line is bounded in bytes, JSON in depth (serde_json's 128), and every refusal names
//! file, line and what was expected. The one thing that is forgiven is a torn last line, which a killed writer
//! leaves behind: it is reported by [`Reader::tail`] and left out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use crate::event::{Event, FORMAT_VERSION, Header};
use crate::recorder::Sink;
use crate::rules::{Broken, WellFormed};

/// Longest line that is read, in bytes, without its end.
pub const LINE_BYTES_MAX: u64 = 1 << 20;

/// How a file ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// With a whole line.
    #[default]
    Whole,
    /// In the middle of this line (counted from 1), which was left out.
    Torn {
        /// Number of the torn line.
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
    #[error("{name}, line {line}: the compressed data is damaged or not zstd: {error}")]
    Compressed {
        /// The file.
        name: String,
        /// Line that was being read, from 1.
        line: u64,
        /// What the decoder said.
        error: io::Error,
    },
    /// A line is longer than any event may be.
    #[error("{name}, line {line}: longer than {LINE_BYTES_MAX} bytes; an event is one line of JSON")]
    LineTooLong {
        /// The file.
        name: String,
        /// Line number, from 1.
        line: u64,
    },
    /// A line is not UTF-8 or not the JSON object that was expected.
    #[error("{name}, line {line}, column {column}: {problem}; expected {expected}")]
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
        "{name}, line 1: history format version {found}; this program reads versions 1 to {FORMAT_VERSION}"
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

const EXPECTED_HEADER: &str = "a header object such as {\"rashomon_history\":1,\"about\":\"…\"}";
const EXPECTED_EVENT: &str = "an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value";

/// Reads a file event by event, in memory bounded by its longest line and its processes.
pub struct Reader {
    name: String,
    input: Box<dyn BufRead>,
    compressed: bool,
    header: Header,
    rules: WellFormed,
    line: Vec<u8>,
    line_number: u64,
    tail: Tail,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("name", &self.name)
            .field("line", &self.line_number)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be opened, is empty, or begins with something else than a header.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let fail = |error| ReadError::Io { name: name.clone(), error };
        let file = File::open(path).map_err(fail)?;
        if path.extension().is_some_and(|extension| extension == "zst") {
            let decoder = zstd::Decoder::new(file).map_err(fail)?;
            Self::start(name, Box::new(BufReader::with_capacity(1 << 17, decoder)), true)
        } else {
            Self::start(name, Box::new(BufReader::with_capacity(1 << 17, file)), false)
        }
    }

    /// Reads plain lines from any stream; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(name: &str, input: Box<dyn BufRead>) -> Result<Self, ReadError> {
        Self::start(name.to_owned(), input, false)
    }

    fn start(name: String, input: Box<dyn BufRead>, compressed: bool) -> Result<Self, ReadError> {
        let mut reader = Reader {
            name,
            input,
            compressed,
            header: Header::new(""),
            rules: WellFormed::new(),
            line: Vec::with_capacity(256),
            line_number: 0,
            tail: Tail::Whole,
        };
        if !reader.next_line()? {
            return Err(ReadError::Empty { name: reader.name });
        }
        reader.header = reader.parse(EXPECTED_HEADER)?;
        match reader.header.rashomon_history {
            1..=FORMAT_VERSION => Ok(reader),
            found => Err(ReadError::Version { name: reader.name, found }),
        }
    }

    /// What the first line said.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How the file ended; known once [`Reader::next_event`] has answered `None`.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// The number of the line read last, from 1.
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    /// The next event and, for a completion, the index of the invocation that it closes; `None` at the end.
    ///
    /// # Errors
    /// A line that is not an event, or an event that breaks a rule.
    #[allow(clippy::type_complexity, reason = "an event and what it closes")]
    pub fn next_event(&mut self) -> Result<Option<(Event, Option<u64>)>, ReadError> {
        loop {
            if !self.next_line()? {
                return Ok(None);
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let event: Event = self.parse(EXPECTED_EVENT)?;
            let closes = self.rules.admit(&event).map_err(|broken| ReadError::IllFormed {
                name: self.name.clone(),
                line: self.line_number,
                broken,
            })?;
            return Ok(Some((event, closes)));
        }
    }

    /// Fills `self.line`; false at the end of the file or at a torn last line.
    fn next_line(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        let bounded = self.input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut self.line);
        self.line_number += 1;
        let line = self.line_number;
        bounded.map_err(|error| match self.compressed {
            true => ReadError::Compressed { name: self.name.clone(), line, error },
            false => ReadError::Io { name: self.name.clone(), error },
        })?;
        match self.line.last() {
            None => {
                self.line_number -= 1;
                Ok(false)
            }
            Some(b'\n') => {
                self.line.pop();
                Ok(true)
            }
            Some(_) if self.line.len() as u64 > LINE_BYTES_MAX => {
                Err(ReadError::LineTooLong { name: self.name.clone(), line })
            }
            // The last line has no end. It may still be whole (written by hand), or be what a killed writer left.
            Some(_) if serde_json::from_slice::<serde::de::IgnoredAny>(&self.line).is_ok() => Ok(true),
            Some(_) if line == 1 => Ok(true),
            Some(_) => {
                self.tail = Tail::Torn { line };
                Ok(false)
            }
        }
    }

    fn parse<'a, T: serde::Deserialize<'a>>(&'a self, expected: &'static str) -> Result<T, ReadError> {
        let fail = |column, problem: String| ReadError::Json {
            name: self.name.clone(),
            line: self.line_number,
            column,
            problem,
            expected,
        };
        let text = std::str::from_utf8(&self.line)
            .map_err(|error| fail(error.valid_up_to() + 1, "not UTF-8".to_owned()))?;
        serde_json::from_str(text).map_err(|error| fail(error.column(), problem_of(&error)))
    }
}

/// serde_json's message without its own line and column, which count inside the one line.
fn problem_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(problem, _)| problem.to_owned())
}

/// Writes a file line by line.
#[derive(Debug)]
pub struct Writer<W: Write> {
    output: BufWriter<W>,
}

impl<W: Write> Writer<W> {
    /// Plain lines into `output`.
    pub fn new(output: W) -> Self {
        Writer { output: BufWriter::with_capacity(1 << 16, output) }
    }

    fn line(&mut self, data: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.output, data).map_err(io::Error::from)?;
        self.output.write_all(b"\n")
    }

    /// Writes out what is buffered and gives back the output.
    ///
    /// # Errors
    /// The output's own trouble.
    pub fn finish(self) -> io::Result<W> {
        self.output.into_inner().map_err(std::io::IntoInnerError::into_error)
    }
}

impl<W: Write> Sink for Writer<W> {
    fn header(&mut self, header: &Header) -> io::Result<()> {
        self.line(header)
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.line(event)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Writes a whole history to a file; zstd at level 1 when its name ends in `.zst`.
///
/// # Errors
/// When the file cannot be made or written.
pub fn write_file<'a>(
    path: &Path,
    header: &Header,
    events: impl IntoIterator<Item = &'a Event>,
) -> io::Result<()> {
    let file = File::create(path)?;
    if path.extension().is_some_and(|extension| extension == "zst") {
        let encoder = zstd::Encoder::new(file, 1)?;
        write_all(Writer::new(encoder), header, events)?.finish()?.sync_all()
    } else {
        write_all(Writer::new(file), header, events)?.sync_all()
    }
}

fn write_all<'a, W: Write>(
    mut writer: Writer<W>,
    header: &Header,
    events: impl IntoIterator<Item = &'a Event>,
) -> io::Result<W> {
    writer.header(header)?;
    for event in events {
        writer.event(event)?;
    }
    writer.finish()
}
