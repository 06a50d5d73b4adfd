//! The bounds that Raft keeps, and the spans that follow from a node's settings.

use crate::defect::Defect;
use crate::settings::{LEASE_DRIFT_PERCENT, Settings};

/// Entries that a leader may have beyond what is committed; more commands are not taken.
pub const UNCOMMITTED_MAX: u64 = 65_536;

impl Settings {
    /// Entries in one append message at most. Defect R07 sends them one by one, so that an entry of an earlier term can
    /// travel without one of the leader's own.
    pub(super) fn append_entries_max(&self) -> usize {
        if self.defects.has(Defect::R07) { 1 } else { self.bounds.batch_max }
    }

    /// How long a quorum's answers keep a leader in office without new ones.
    pub(super) fn quorum_ms(&self) -> u64 {
        if self.defects.has(Defect::R12) {
            R12_LEASE_TIMEOUTS * self.election_ms.end
        } else {
            self.election_ms.end
        }
    }

    /// How long a round that a quorum answered serves as a lease.
    pub(super) fn lease_ms(&self) -> u64 {
        if self.defects.has(Defect::R12) {
            return R12_LEASE_TIMEOUTS * self.election_ms.end;
        }
        self.election_ms.start * (100 - LEASE_DRIFT_PERCENT) / 100
    }

    /// Entries before a snapshot that stay in memory, for followers that are a little behind.
    pub(super) fn kept_entries(&self) -> u64 {
        self.snapshot_entries / 2
    }

    /// How long to wait before asking the leader again for a read index.
    pub(super) fn ask_again_ms(&self) -> u64 {
        self.election_ms.start
    }

    /// How long to wait before giving the leader a command again. A new leader gets it at once; this is for messages
    /// that were lost, and long, as a leader that is merely slow would have to order everything twice.
    pub(super) fn propose_again_ms(&self) -> u64 {
        2 * self.election_ms.end
    }
}

/// Election timeouts that the lease of defect R12 lasts; a follower waits for one.
const R12_LEASE_TIMEOUTS: u64 = 5;
