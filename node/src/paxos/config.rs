//! The bounds that Multi-Paxos keeps, and the spans that follow from a node's settings.

use crate::defect::Defect;
use crate::settings::{LEASE_DRIFT_PERCENT, Settings};

/// Slots that a leader may have proposed and not seen chosen; more commands wait at their nodes.
pub const OPEN_SLOTS_MAX: u64 = 16_384;

/// Election timeouts that the lease of defect P14 lasts; an acceptor that forgets it waits for one.
const P14_LEASE_TIMEOUTS: u64 = 5;

/// How often the election timeout is doubled at most: 1.2 to 2.4 s where it is 150 to 300 ms otherwise.
const DOUBLINGS_MAX: u32 = 3;

impl Settings {
    /// How many times longer a node waits for others that has campaigned so many times in vain. Liveness only (PP7).
    pub(super) fn back_off(&self, vain_count: u32) -> u64 {
        1 << vain_count.min(DOUBLINGS_MAX)
    }

    /// How long a majority's answers keep a leader in office without new ones. Liveness only (PP7).
    pub(super) fn office_ms(&self) -> u64 {
        if self.defects.has(Defect::P14) {
            P14_LEASE_TIMEOUTS * self.election_ms.end
        } else {
            self.election_ms.end
        }
    }

    /// How long a round that a majority answered serves as a lease, from its sending: less than the time for which those
    /// that answered refuse others (PP9).
    pub(super) fn read_lease_ms(&self) -> u64 {
        if self.defects.has(Defect::P14) {
            return P14_LEASE_TIMEOUTS * self.election_ms.end;
        }
        self.election_ms.start * (100 - LEASE_DRIFT_PERCENT) / 100
    }

    /// How long an acceptor that heard a leader refuses to listen to anybody else (PP9).
    pub(super) fn loyalty_ms(&self) -> u64 {
        if self.defects.has(Defect::P14) { 0 } else { self.election_ms.start }
    }

    /// How long to wait for an answer before asking again.
    pub(super) fn patience_ms(&self) -> u64 {
        2 * self.heartbeat_ms
    }

    /// How long to wait before giving the leader a command again. A new leader gets it at once; this is for messages
    /// that were lost, and long, as a leader that is merely slow would have to order everything twice.
    pub(super) fn route_again_ms(&self) -> u64 {
        2 * self.election_ms.end
    }

    /// Nodes that make a majority, and more than half of which have to agree.
    pub(super) fn acceptors_count(&self) -> usize {
        self.members.len()
    }
}
