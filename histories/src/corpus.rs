//! Folders of golden histories, sorted by the verdict that a judge must give.
//!
//! `accepted/`, `rejected/` and `undecided/` hold one history per file, with a header that names the model and
//! tells its story. This module lists them; it refuses to know how they are judged. The ones beside this crate
//! are in `histories/corpus/`; a history that once fooled a judge is added there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What a judge must say about a golden history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expected {
    /// One order explains it.
    Accepted,
    /// No order does.
    Rejected,
    /// A judge with a budget of a handful of configurations gives up, and says so.
    Undecided,
}

impl Expected {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Expected; 3] = [Expected::Accepted, Expected::Rejected, Expected::Undecided];

    /// The name of the folder.
    pub const fn folder(self) -> &'static str {
        match self {
            Expected::Accepted => "accepted",
            Expected::Rejected => "rejected",
            Expected::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}

/// A golden history: where it is and what must be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    /// The file; read it with [`crate::History::read`].
    pub path: PathBuf,
    /// The verdict, by its folder.
    pub expected: Expected,
}

/// The golden histories under `corpus`: `.jsonl` and `.jsonl.zst` in each of the three folders, by name.
///
/// # Errors
/// When a folder is missing or cannot be listed, and when it holds anything else: a golden history that is
/// passed over in silence guards nothing.
pub fn list(corpus: &Path) -> io::Result<Vec<Golden>> {
    let mut goldens = Vec::new();
    for expected in Expected::ALL {
        let folder = corpus.join(expected.folder());
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        let mut paths = Vec::new();
        for entry in folder.read_dir().map_err(named)? {
            paths.push(entry.map_err(named)?.path());
        }
        paths.sort();
        for path in paths {
            let name = path.to_string_lossy();
            if !(name.ends_with(".jsonl") || name.ends_with(".jsonl.zst")) {
                let text = format!("{name}: expected only .jsonl and .jsonl.zst files here");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            goldens.push(Golden { path, expected });
        }
    }
    Ok(goldens)
}
