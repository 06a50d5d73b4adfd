//! Why the log cannot be used.

use std::io;

use crate::api::NodeId;
use crate::storage::body::FORMAT_VERSION;

/// Why the log cannot be used. The node must not run on it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk failed.
    #[error("{what}: {source}")]
    Disk {
        /// At what.
        what: String,
        /// How.
        source: io::Error,
    },
    /// Something that had been durable is damaged.
    #[error("{file}: corrupt at offset {offset}: {what}")]
    Corrupt {
        /// The file.
        file: String,
        /// Offset of the frame in it.
        offset: usize,
        /// What is wrong.
        what: String,
    },
    /// A segment is missing.
    #[error("{file} is missing, although later segments exist")]
    Missing {
        /// The file.
        file: String,
    },
    /// The data belongs to another node.
    #[error("{file}: the data belongs to node {found}, not to node {expected}")]
    Foreign {
        /// The file.
        file: String,
        /// Whose data it is.
        found: NodeId,
        /// Who wanted to use it.
        expected: NodeId,
    },
    /// A batch is longer than a frame can be. Nothing of it was written. A snapshot is one batch: the state has grown beyond what
    /// this log keeps.
    #[error(
        "{bytes} bytes are to be written as a whole, more than the {bytes_max} that the log takes: \
         the store has grown too large for a snapshot"
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The longest that can be.
        bytes_max: usize,
    },
    /// The data was written by another version of this program.
    #[error("{file}: format {found} is not format {FORMAT_VERSION}, which this program writes")]
    Version {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
    },
}

/// The disk failed at this.
pub(super) fn failed(what: &str, source: io::Error) -> StorageError {
    StorageError::Disk { what: what.to_owned(), source }
}
