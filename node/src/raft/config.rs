//! What a Raft node is told at its start, and the bounds it keeps.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::api::NodeId;
use crate::defect::{Defect, Defects};

/// Entries in one append message at most.
pub const APPEND_ENTRIES_MAX: usize = 512;
/// Append messages to one follower that may be unanswered.
pub const APPENDS_IN_FLIGHT_MAX: usize = 16;
/// Clients' commands that wait at one node at most; more are refused as overload.
pub const PROPOSALS_MAX: usize = 16_384;
/// Clients' reads that wait at one node at most; more are refused as overload.
pub const READS_MAX: usize = 16_384;
/// How often waiting operations are looked through for those that have waited too long.
pub const SWEEP_MS: u64 = 20;

/// How reads are made linearizable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reads {
    /// A round of heartbeats after the read arrived confirms the leader (thesis 6.4).
    #[default]
    ReadIndex,
    /// The leader trusts its lease (thesis 6.4.1). Assumes that clocks of different nodes run at rates within
    /// [`LEASE_DRIFT_PERCENT`] of each other, and go on while a process is suspended.
    Lease,
    /// Reads go through the log like writes.
    Log,
}

/// Share of the shortest election timeout by which a lease is shortened: the bound on differing clock rates.
pub const LEASE_DRIFT_PERCENT: u64 = 10;

/// A node's parameters. All nodes of a cluster must agree on all but `node`, `seed` and `defects`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who this is; one of `nodes`.
    pub node: NodeId,
    /// All voters.
    pub nodes: Vec<NodeId>,
    /// Election timeouts are drawn from here, in milliseconds.
    pub election_ms: Range<u64>,
    /// Interval of heartbeats, well below the shortest election timeout.
    pub heartbeat_ms: u64,
    /// How reads are made linearizable.
    pub reads: Reads,
    /// How long an operation that has not been proposed waits for a leader, and a read for its confirmation.
    pub hold_ms: u64,
    /// How long an operation that has been proposed waits for its fate.
    pub operation_ms: u64,
    /// Seed of the election timeouts.
    pub seed: u64,
    /// Planted defects.
    pub defects: Defects,
}

/// A configuration that cannot work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The node is not one of the voters.
    #[error("node {0} is not in the list of nodes")]
    NotAMember(NodeId),
    /// A voter is listed twice.
    #[error("node {0} is listed twice")]
    Twice(NodeId),
    /// The election timeout has no room to be random in.
    #[error("election timeouts need a range with room in it, not {0}..{1} ms")]
    ElectionRange(u64, u64),
    /// Followers would give up on a healthy leader.
    #[error(
        "heartbeats every {heartbeat_ms} ms are too rare for election timeouts from {election_ms} ms: at least two must fit"
    )]
    Heartbeat {
        /// The interval asked for.
        heartbeat_ms: u64,
        /// The shortest election timeout.
        election_ms: u64,
    },
}

impl Config {
    /// The defaults of the paper (Raft 9.3) for node `node` of `nodes`.
    pub fn new(node: NodeId, nodes: Vec<NodeId>) -> Self {
        Self {
            node,
            nodes,
            election_ms: 150..300,
            heartbeat_ms: 50,
            reads: Reads::default(),
            hold_ms: 500,
            operation_ms: 3_000,
            seed: 0,
            defects: Defects::NONE,
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.nodes.contains(&self.node) {
            return Err(ConfigError::NotAMember(self.node));
        }
        for (position, node) in self.nodes.iter().enumerate() {
            if self.nodes[..position].contains(node) {
                return Err(ConfigError::Twice(*node));
            }
        }
        let Range { start, end } = self.election_ms;
        if start >= end {
            return Err(ConfigError::ElectionRange(start, end));
        }
        if self.heartbeat_ms == 0 || self.heartbeat_ms * 2 > start {
            return Err(ConfigError::Heartbeat { heartbeat_ms: self.heartbeat_ms, election_ms: start });
        }
        Ok(())
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

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadIndex => "read-index",
            Self::Lease => "lease",
            Self::Log => "log",
        })
    }
}

/// Not a way to read.
#[derive(Debug, thiserror::Error)]
#[error("no way to read is called {0:?}; there are read-index, lease, log")]
pub struct UnknownReads(String);

impl FromStr for Reads {
    type Err = UnknownReads;

    fn from_str(name: &str) -> Result<Self, UnknownReads> {
        let known = [Self::ReadIndex, Self::Lease, Self::Log];
        known.into_iter().find(|reads| reads.to_string() == name).ok_or_else(|| UnknownReads(name.to_owned()))
    }
}
