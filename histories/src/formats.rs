//! Histories of other tools: read and, for Jepsen, written.
//!
//! [`read`] takes any file that this crate knows and says how it took it: the format, why it is thought to be
//! that one, and everything that had to be decided. Files are as untrusted as our own: bounded in bytes and
//! depth, and a torn tail is reported and left out.
//!
//! | format | what it is | told by |
//! | --- | --- | --- |
//! | [`Format::Rashomon`] | our own JSON lines | a header line |
//! | [`Format::Edn`] | Jepsen's operation maps, alone or in one vector; Porcupine's key-value logs | `{:` `[{:` |
//! | [`Format::JepsenLog`] | lines of Jepsen's log, such as Porcupine's etcd histories | tabs around `:invoke` |
//! | [`Format::Json`] | elle-cli's list of operation objects, or one object after another | `[{"` `{"` |
//!
//! How their conventions become ours:
//! - `[key value]` tuples throughout a file (independent keys) become `key` and `value`; a file in which no read
//!   `[key nil]` and no cas `[key [old new]]` gives them away is taken as plain values.
//! - transactions of one micro-operation each, throughout a file, become `append` and `read` with a key; others
//!   stay `txn` with their list of micro-operations.
//! - `get` and `put` with a `:key` become `read` and `write`. Sets become lists in order, keywords text.
//! - a `:fail` of a cas without an error, or with one that says so, means that the value was another one, as in
//!   Jepsen's etcd test: our `precondition`, which is evidence. Any other error, and every other `:fail`, means
//!   that it surely did not happen. [`FailedCas::Failed`] takes those without an error as no evidence.
//! - what is closed as `fail` or `info` repeats what was asked.
//! - missing indexes are counted; missing times are the event's place in the file, as nanoseconds; times that go
//!   back are raised; a process that goes on after `info` is given a fresh number. Indexes that go back are
//!   refused: the order is lost.
//!
//! Next: `edn` (the notation), `jepsen` and `elle` (the operations), `convert` (the conventions).

use std::fmt;
use std::io::BufRead;
use std::path::Path;

use crate::history::History;
use crate::jsonl::{ReadError, Reader, open_stream};

mod convert;
mod edn;
mod edn_write;
mod elle;
mod jepsen;
mod model;
mod raw;

pub use edn_write::write_edn;

/// A way of writing histories down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Ours: a header and events as JSON lines.
    Rashomon,
    /// Operation maps in EDN.
    Edn,
    /// Lines of Jepsen's log.
    JepsenLog,
    /// Operation objects in JSON.
    Json,
}

impl Format {
    /// All formats, in the order in which they are described.
    pub const ALL: [Format; 4] = [Format::Rashomon, Format::Edn, Format::JepsenLog, Format::Json];

    /// Its name, as the command line takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Rashomon => "rashomon",
            Format::Edn => "edn",
            Format::JepsenLog => "jepsen-log",
            Format::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a file seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The format.
    pub format: Format,
    /// What gave it away, as the end of the sentence "it is …, since …".
    pub because: &'static str,
}

/// What a failed cas without an error says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedCas {
    /// That the value was another one: evidence. What Jepsen's and Porcupine's register tests mean.
    #[default]
    Refused,
    /// Only that it did not happen.
    Failed,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The format, if it is known; otherwise it is guessed.
    pub format: Option<Format>,
    /// What a failed cas without an error says.
    pub failed_cas: FailedCas,
}

/// A history and what had to be decided to read it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The history, by our rules; its header names the model that its operations belong to, if that is plain.
    pub history: History,
    /// A sentence for each decision.
    pub notes: Vec<String>,
}

/// How much of a file is looked at to guess.
const GLANCE_BYTES: usize = 1 << 16;

/// What the file seems to be, from its first 64 KiB.
///
/// # Errors
/// When it cannot be read, is empty, or is nothing that this crate knows.
pub fn guess(path: &Path) -> Result<Guess, ReadError> {
    let name = path.display().to_string();
    let (mut input, _) = open_stream(path).map_err(|error| ReadError::Io { name: name.clone(), error })?;
    let mut start = Vec::new();
    while start.len() < GLANCE_BYTES {
        match input.fill_buf() {
            Ok([]) => break,
            Ok(bytes) => {
                let count = bytes.len().min(GLANCE_BYTES - start.len());
                start.extend_from_slice(&bytes[..count]);
                input.consume(count);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // Cut off or damaged: what there is may tell; if not, reading says what is wrong.
            Err(_) if !start.is_empty() => break,
            Err(error) => return Err(ReadError::Io { name, error }),
        }
    }
    guess_from(&name, &start)
}

fn guess_from(name: &str, start: &[u8]) -> Result<Guess, ReadError> {
    let text = String::from_utf8_lossy(start);
    let because = |format, because| Ok(Guess { format, because });
    let mut rest = without_comments(&text);
    if rest.is_empty() {
        return Err(ReadError::Empty { name: name.to_owned() });
    }
    if rest.starts_with('{') && rest.lines().next().is_some_and(|line| line.contains("\"rashomon_history\""))
    {
        return because(Format::Rashomon, "its first line is a header with rashomon_history");
    }
    if rest.lines().any(jepsen::is_log_line) {
        return because(
            Format::JepsenLog,
            "it has log lines with a process, :invoke and an operation between tabs",
        );
    }
    if let Some(list) = rest.strip_prefix(['[', '(']) {
        rest = without_comments(list);
    }
    match rest.strip_prefix('{').map(without_comments) {
        Some(fields) if fields.starts_with('"') => because(Format::Json, "it begins with an object of JSON"),
        Some(fields) if fields.starts_with(':') => because(Format::Edn, "it begins with a map with keywords"),
        None if rest.starts_with("#jepsen") => because(Format::Edn, "it begins with one of Jepsen's records"),
        None if rest.starts_with(']') => because(Format::Json, "it is an empty list"),
        _ => Err(ReadError::UnknownFormat { name: name.to_owned(), start: rest.chars().take(40).collect() }),
    }
}

/// The text after blanks, commas and EDN's comments.
fn without_comments(text: &str) -> &str {
    let blank = |c: char| c.is_whitespace() || c == ',' || c == '\u{feff}';
    let mut text = text.trim_start_matches(blank);
    while text.starts_with(';') {
        text = text.find('\n').map_or("", |end| &text[end..]).trim_start_matches(blank);
    }
    text
}

/// Reads a history in any format that this crate knows; zstd when its name ends in `.zst`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("history.edn");
/// std::fs::write(&path, "{:process 0, :type :invoke, :f :write, :value 3}")?;
/// let imported = rashomon_histories::formats::read(&path, &Default::default())?;
/// assert_eq!(imported.history.events().len(), 1);
/// assert_eq!(imported.notes[0], "read as edn, since it begins with a map with keywords");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Whatever is wrong with the file, with its name, the line and what was expected.
pub fn read(path: &Path, options: &Options) -> Result<Imported, ReadError> {
    let (format, note) = match options.format {
        Some(format) => (format, format!("read as {format}, as asked")),
        None => {
            let Guess { format, because } = guess(path)?;
            (format, format!("read as {format}, since {because}"))
        }
    };
    let name = path.display().to_string();
    let (input, compressed) =
        open_stream(path).map_err(|error| ReadError::Io { name: name.clone(), error })?;
    let mut imported = take(name, input, compressed, format, options.failed_cas)?;
    imported.notes.insert(0, note);
    Ok(imported)
}

/// Reads from any stream that is not compressed, such as a pipe; `name` stands for the file in messages.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    name: &str,
    input: Box<dyn BufRead>,
    format: Format,
    failed_cas: FailedCas,
) -> Result<Imported, ReadError> {
    take(name.to_owned(), input, false, format, failed_cas)
}

fn take(
    name: String,
    input: Box<dyn BufRead>,
    compressed: bool,
    format: Format,
    failed_cas: FailedCas,
) -> Result<Imported, ReadError> {
    let raw = match format {
        Format::Rashomon => {
            let history = History::collect(Reader::start(name, input, compressed)?)?;
            return Ok(Imported { history, notes: Vec::new() });
        }
        Format::Edn => jepsen::read_maps(&name, input)?,
        Format::JepsenLog => jepsen::read_log(&name, input)?,
        Format::Json => elle::read(&name, input)?,
    };
    convert::import(&name, raw, failed_cas)
}
