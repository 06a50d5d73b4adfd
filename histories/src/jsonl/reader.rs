//! Reads a file, one line in memory at a time, and holds each event against the rules.
//!
//! It refuses to know what becomes of the events. Next: `plain`, the short way for most lines, then [`crate::rules`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{LINE_BYTES_MAX, ReadError, Tail, plain};
use crate::event::{Event, FORMAT_VERSION, Header};
use crate::rules::WellFormed;

const EXPECTED_HEADER: &str = "a header object such as {\"rashomon_history\":1,\"about\":\"…\"}";
const EXPECTED_EVENT: &str = "an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value";

/// Reads a file event by event, in memory bounded by its longest line and its open operations.
pub struct Reader {
    name: String,
    input: Box<dyn BufRead>,
    compressed: bool,
    ended: bool,
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
        let (input, compressed) =
            open_stream(path).map_err(|error| ReadError::Io { name: name.clone(), error })?;
        Self::start(name, input, compressed)
    }

    /// Reads plain lines from any stream; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(name: &str, input: Box<dyn BufRead>) -> Result<Self, ReadError> {
        Self::start(name.to_owned(), input, false)
    }

    /// Begins to read; `compressed` tells damaged data from a failing disk.
    pub(crate) fn start(name: String, input: Box<dyn BufRead>, compressed: bool) -> Result<Self, ReadError> {
        let mut reader = Reader {
            name,
            input,
            compressed,
            ended: false,
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
            let event = match plain::event(&self.line) {
                Some(event) => event,
                None => self.parse(EXPECTED_EVENT)?,
            };
            let closes = self.rules.admit(&event).map_err(|broken| ReadError::IllFormed {
                name: self.name.clone(),
                line: self.line_number,
                broken,
            })?;
            return Ok(Some((event, closes)));
        }
    }

    /// Fills `self.line`; false at the end of the file or at its torn tail, and from then on.
    fn next_line(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        if self.ended {
            return Ok(false);
        }
        let read = self.input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut self.line);
        self.line_number += 1;
        match read {
            Ok(_) if self.line.last() == Some(&b'\n') => {
                self.line.pop();
                Ok(true)
            }
            Ok(0) => {
                self.line_number -= 1;
                self.ended = true;
                Ok(false)
            }
            Ok(_) if self.line.len() as u64 > LINE_BYTES_MAX => {
                Err(ReadError::LineTooLong { name: self.name.clone(), line: self.line_number })
            }
            Ok(_) => self.line_without_end(),
            // The last frame has no end: its writer was killed. What was decoded before is good.
            Err(error) if self.compressed && error.kind() == io::ErrorKind::UnexpectedEof => self.torn(),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    /// The last line has no end. It may still be whole (written by hand), or be what a killed writer left.
    fn line_without_end(&mut self) -> Result<bool, ReadError> {
        self.ended = true;
        match serde_json::from_slice::<IgnoredAny>(&self.line) {
            Ok(_) => Ok(true),
            Err(error) if self.line_number == 1 && !error.is_eof() => Ok(true),
            Err(_) => self.torn(),
        }
    }

    fn torn(&mut self) -> Result<bool, ReadError> {
        self.ended = true;
        if self.line_number == 1 {
            let column = self.line.len() + 1;
            return Err(self.json_error(column, "the file is cut off in this line".into(), EXPECTED_HEADER));
        }
        self.tail = Tail::Torn { line: self.line_number };
        Ok(false)
    }

    fn unreadable(&self, error: io::Error) -> ReadError {
        match self.compressed {
            true => ReadError::Compressed { name: self.name.clone(), line: self.line_number, error },
            false => ReadError::Io { name: self.name.clone(), error },
        }
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self, expected: &'static str) -> Result<T, ReadError> {
        let text = std::str::from_utf8(&self.line)
            .map_err(|error| self.json_error(error.valid_up_to() + 1, "not UTF-8".to_owned(), expected))?;
        // serde would take a list as an object without names.
        let start = text.len() - text.trim_ascii_start().len();
        if text.as_bytes().get(start) != Some(&b'{') {
            return Err(self.json_error(start + 1, "not an object".to_owned(), expected));
        }
        serde_json::from_str(text)
            .map_err(|error| self.json_error(error.column(), problem_of(&error), expected))
    }

    fn json_error(&self, column: usize, problem: String, expected: &'static str) -> ReadError {
        ReadError::Json { name: self.name.clone(), line: self.line_number, column, problem, expected }
    }
}

/// serde_json's message without its own line and column, which count inside the one line.
fn problem_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(problem, _)| problem.to_owned())
}

/// A file's bytes, decompressed when its name ends in `.zst` (then `true`).
pub(crate) fn open_stream(path: &Path) -> io::Result<(Box<dyn BufRead>, bool)> {
    const BUFFER_BYTES: usize = 1 << 17;
    let file = File::open(path)?;
    if path.extension().is_some_and(|extension| extension == "zst") {
        let decoder = zstd::Decoder::new(file)?;
        Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)), true))
    } else {
        Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, file)), false))
    }
}
