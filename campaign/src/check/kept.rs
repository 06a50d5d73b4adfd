//! A judgement that is kept, and the history that it is of: nobody is to go on with another one.
//!
//! The history is recognised by the bytes of its file, by their number and checksum: that finds what was changed by
//! mistake, and costs no more than reading them once.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use rashomon_checker::Judgement;
use serde::{Deserialize, Serialize};

use crate::exit::BadInput;
use crate::explain::load::read_json;

/// A file's content, as far as it must be known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    bytes: u64,
    crc32c: u32,
}

impl Content {
    fn of(path: &Path) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(1 << 17, File::open(path)?);
        let mut content = Content { bytes: 0, crc32c: 0 };
        loop {
            let piece = input.fill_buf()?;
            if piece.is_empty() {
                return Ok(content);
            }
            content.crc32c = crc32c::crc32c_append(content.crc32c, piece);
            let read = piece.len();
            content.bytes += read as u64;
            input.consume(read);
        }
    }
}

/// What stands in the file: the judgement, and beside it what its history holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept<J> {
    history: Content,
    #[serde(flatten)]
    judgement: J,
}

impl<'a> Kept<&'a Judgement> {
    /// The judgement of the history in this file.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn of(judgement: &'a Judgement, history: &Path) -> anyhow::Result<Self> {
        let content = Content::of(history).with_context(|| history.display().to_string())?;
        Ok(Kept { history: content, judgement })
    }
}

/// The judgement that was kept here, if it is one of the history in this file.
///
/// # Errors
/// [`BadInput`] when it is of another history, or one of the files cannot be read.
pub fn read(path: &Path, history: &Path) -> Result<Judgement, BadInput> {
    let kept: Kept<Judgement> = read_json(path).map_err(BadInput)?;
    let content =
        Content::of(history).map_err(|error| BadInput(format!("{}: {error}", history.display())))?;
    if content == kept.history {
        return Ok(kept.judgement);
    }
    let told = |Content { bytes, crc32c }| format!("{bytes} bytes with the checksum {crc32c:08x}");
    Err(BadInput(format!(
        "{}: the judgement is of another history, or of this one before it was changed: it is of {}, and {} has {}",
        path.display(),
        told(kept.history),
        history.display(),
        told(content),
    )))
}
