//! The bounds that ZAB keeps, and the spans that follow from a node's settings.

use crate::defect::Defect;
use crate::settings::Settings;

/// Frames of one connection and direction that may be unacknowledged before transactions and commands wait.
pub const FRAMES_IN_FLIGHT_MAX: usize = 16;
/// Bytes of a checkpoint in one frame at most, whatever the settings allow.
pub const SNAP_BYTES_MAX: usize = 64 << 10;
/// Transactions before a checkpoint that stay in memory, for followers that join and lack just them.
pub const KEPT_COUNT: u64 = 500;
/// Transactions before a checkpoint that stay in memory at most, for followers that are being sent them.
pub const KEPT_MAX: u64 = 10_000;
/// Limits that a leader with defect Z10 is patient for: one that was deposed is to be there to be asked.
const Z10_LIMITS: u64 = 5;

impl Settings {
    /// How long a leader stays in office without a word from a quorum (`syncLimit`).
    pub(super) fn sync_limit_ms(&self) -> u64 {
        if self.defects.has(Defect::Z10) { Z10_LIMITS * self.election_ms.end } else { self.election_ms.end }
    }

    /// How long a leader may take to get its epoch accepted by a quorum (`initLimit`): two rounds and two writes.
    pub(super) fn discovery_ms(&self) -> u64 {
        2 * self.election_ms.end
    }

    /// How long a node waits for a better vote once a quorum agrees.
    pub(super) fn better_vote_ms(&self) -> u64 {
        self.heartbeat_ms
    }

    /// Bytes of a checkpoint in one frame at most.
    pub(super) fn snap_bytes_max(&self) -> usize {
        self.bounds.part_bytes_max.min(SNAP_BYTES_MAX)
    }

    /// How long a frame may be unacknowledged before it is sent again.
    pub(super) fn resend_ms(&self) -> u64 {
        2 * self.heartbeat_ms
    }

    /// Transactions before a checkpoint that stay in memory whoever needs them.
    pub(super) fn kept_count(&self) -> u64 {
        self.snapshot_entries.min(KEPT_COUNT)
    }
}
