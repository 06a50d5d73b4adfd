//! A history that can be walked more than once: a file of ours event by event, so that it may be larger than memory;
//! another tool's as a whole.
//!
//! It refuses to know what is looked for. Next: [`crate::run::judge`], which walks once to judge and again for what a
//! counterexample needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rashomon_histories::formats::{self, Format};
use rashomon_histories::{Event, Header, History, Kind, Process, ReadError, Reader, Tail};

use crate::exit::BadInput;

/// An operation's two events.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// It was asked.
    pub invoke: Event,
    /// It ended, if the record says so.
    pub completion: Option<Event>,
}

/// Operations by the index of their invocation.
pub type Record = BTreeMap<u64, Recorded>;

/// A history on disk.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    format: Format,
    header: Header,
    notes: Vec<String>,
    /// One that cannot be read event by event.
    held: Option<History>,
}

/// Whatever is wrong with a file that was named is the user's to mend.
fn refuse(error: ReadError) -> BadInput {
    BadInput(error.to_string())
}

impl Source {
    /// Opens a history in any format that is known.
    ///
    /// # Errors
    /// [`BadInput`] when there is none, or it is none.
    pub fn open(path: &Path) -> Result<Source, BadInput> {
        let format = formats::guess(path).map_err(refuse)?.format;
        if format == Format::Rashomon {
            return Self::recorded(path);
        }
        let imported = formats::read(path, &formats::Options::default()).map_err(refuse)?;
        let header = imported.history.header().clone();
        Ok(Source {
            path: path.to_owned(),
            format,
            header,
            notes: imported.notes,
            held: Some(imported.history),
        })
    }

    /// Opens a history in our own format.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn recorded(path: &Path) -> Result<Source, BadInput> {
        let header = Reader::open(path).map_err(refuse)?.header().clone();
        Ok(Source { path: path.to_owned(), format: Format::Rashomon, header, notes: Vec::new(), held: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it is written down.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What the first line said, or what another tool's file amounts to.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How another tool's file was read, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Hands over every event and, for a completion, the index of the invocation that it closes.
    ///
    /// # Errors
    /// [`BadInput`] for what is wrong with the file, or the first error of `each`.
    pub fn walk<E: From<BadInput>>(
        &self,
        mut each: impl FnMut(Event, Option<u64>) -> Result<(), E>,
    ) -> Result<Tail, E> {
        if let Some(history) = &self.held {
            for event in history.events() {
                let closes = history.counterpart(event.index).filter(|_| event.kind.is_completion());
                each(event.clone(), closes.map(|invoke| invoke.index))?;
            }
            return Ok(history.tail());
        }
        let mut reader = Reader::open(&self.path).map_err(refuse)?;
        while let Some((event, closes)) = reader.next_event().map_err(refuse)? {
            each(event, closes)?;
        }
        Ok(reader.tail())
    }

    /// Walks, and keeps the operations whose invocations have these indexes. `each` sees every event.
    ///
    /// # Errors
    /// As [`Source::walk`].
    pub fn record(
        &self,
        wanted: &BTreeSet<u64>,
        mut each: impl FnMut(&Event),
    ) -> Result<(Record, Tail), BadInput> {
        let mut record = Record::new();
        let tail = self.walk(|event, closes| -> Result<(), BadInput> {
            each(&event);
            match closes {
                _ if event.process == Process::Nemesis => {}
                None if wanted.contains(&event.index) => {
                    record.insert(event.index, Recorded { invoke: event, completion: None });
                }
                None => {}
                Some(invoked) => {
                    if let Some(recorded) = record.get_mut(&invoked) {
                        recorded.completion = Some(event);
                    }
                }
            }
            Ok(())
        })?;
        Ok((record, tail))
    }
}

/// The record of these events of whole operations, in the order of their indexes.
pub fn record_of(events: Vec<Event>) -> Record {
    let mut record = Record::new();
    let mut open: BTreeMap<Process, u64> = BTreeMap::new();
    for event in events {
        if event.kind == Kind::Invoke {
            open.insert(event.process, event.index);
            record.insert(event.index, Recorded { invoke: event, completion: None });
        } else if let Some(recorded) = open.remove(&event.process).and_then(|index| record.get_mut(&index)) {
            recorded.completion = Some(event);
        }
    }
    record
}

/// A torn tail, in words.
pub fn torn(tail: Tail) -> Option<String> {
    match tail {
        Tail::Torn { line } => {
            Some(format!("line {line} of the history is torn, as a killed writer leaves it; it was left out"))
        }
        Tail::Whole => None,
    }
}
