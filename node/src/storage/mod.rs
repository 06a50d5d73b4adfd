//! Stable storage: an append-only log of records in pre-allocated segments.
//!
//! It keeps opaque records in order and gives them back after a crash: all that had been reported durable, possibly
//! followed by some that had not, never anything else. It knows no term or entry: what a record means is the protocol's
//! affair. The format ([`frame`], [`segment`]) is pure; [`disk::Disk`] is all that it asks of a disk, so a simulator can
//! bring its own; [`wal`] puts both together.
//!
//! A log that has been compacted starts with a checkpoint: a segment whose first batch stands for everything before it. Older
//! segments are removed once that batch is durable; whatever of them a crash brings back is ignored and removed again.
//!
//! # What is assumed of the disk
//! 1. After a successful `fdatasync`, what was written to the file before survives a crash; after one of a directory,
//!    its entries do. A file renamed after its `fsync` is after a crash under the old name or the new one, with its
//!    content.
//! 2. A failed `fdatasync` may have dropped what it was to write, and saying it again may succeed without having written
//!    anything (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020). So the node stops at the
//!    first failure.
//! 3. A write that no `fdatasync` has covered may be on the disk in any subset of its 512-byte sectors, each old or new
//!    as a whole; or, when only the process died, as any prefix of its bytes.
//! 4. Sectors that no write touches do not change, except by corruption, and corruption is detected by CRC-32C; it is
//!    not malicious.
//! 5. Overwriting zeros that have been synced needs no change of metadata, so `fdatasync` suffices (and is quicker).
//!
//! # What a restart may count on
//! What is read back need not be on the disk: the process before may have died between a write and its `fdatasync`, or of
//! an `fdatasync` that failed and left the page in the cache, marked clean. A node that acts on such a frame breaks its
//! word when the power fails. Only the last frame can be in doubt, so that one is written again and synced before
//! anything follows it, and so are the names in the directory.
//!
//! # Torn, or corrupt?
//! Every batch of records is one frame with a sequence number and two checksums, and a frame is written only when the one
//! before is durable. So a damaged frame that a later intact one follows *had been* durable: that is corruption, and the
//! node refuses to start, naming file and offset, rather than forget what it promised. The same holds for a damaged last
//! frame whose damage assumption 3 does not explain: every byte of the frame's end mark is non-zero and the space was
//! zeros before, so a torn frame lacks its end mark or a whole sector of zeros stands in it. Only what this explains is
//! cut, and overwritten with zeros before anything else happens.

mod body;
pub mod disk;
pub mod error;
pub mod frame;
pub mod recovery;
pub mod segment;
pub mod wal;

pub use disk::{Disk, FileDisk};
pub use error::StorageError;
pub use recovery::Recovered;
pub use wal::Wal;
