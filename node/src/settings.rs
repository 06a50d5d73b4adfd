//! What a node is told at its start, whichever protocol it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::api::NodeId;
use crate::defect::{Defects, ForeignDefect};
use crate::machine::sessions::Limits;
use crate::pending::Patience;
use crate::protocol::Incarnation;

/// How reads are made linearizable, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reads {
    /// A round of messages after the read arrived confirms the leader (thesis 6.4).
    #[default]
    ReadIndex,
    /// The leader trusts its lease (thesis 6.4.1). Assumes that clocks of different nodes run at rates within
    /// [`LEASE_DRIFT_PERCENT`] of each other, and go on while a process is suspended.
    Lease,
    /// Reads go through the log like writes.
    Log,
    /// A node answers from its own state as soon as it serves at all. Not linearizable: sequentially consistent only (ZAB).
    Local,
}

/// Share of the shortest election timeout by which a lease is shortened: the bound on differing clock rates.
pub const LEASE_DRIFT_PERCENT: u64 = 10;

/// Entries after which a node's log is compacted, unless it is told otherwise.
pub const SNAPSHOT_ENTRIES: u64 = 20_000;

/// How much goes into one message, and how many of them go at a time.
///
/// Nothing of this changes what a cluster decides. Small bounds make frequent what happens at their edges: a report in two
/// parts, a window that is full, a snapshot that ends in the middle of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Entries, values, transactions or commands in one message at most.
    pub batch_max: usize,
    /// Messages with entries or values to one node that may be unanswered (Raft, Paxos; the channels of ZAB have a window
    /// of their own).
    pub in_flight_max: usize,
    /// Bytes of a snapshot in one message at most.
    pub part_bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { batch_max: 512, in_flight_max: 16, part_bytes_max: 256 << 10 }
    }
}

/// A node's parameters. All nodes of a cluster must agree on all but `node`, `seed` and `defects`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this is; one of `nodes`.
    pub node: NodeId,
    /// All nodes that can be reached, members or not.
    pub nodes: Vec<NodeId>,
    /// Those of `nodes` that are the first members of the cluster; what the log says later prevails.
    pub members: Vec<NodeId>,
    /// How much the votes of members weigh that weigh not 1 (ZAB).
    pub weights: BTreeMap<NodeId, u64>,
    /// Election timeouts are drawn from here, in milliseconds.
    pub election_ms: Range<u64>,
    /// Interval of heartbeats, well below the shortest election timeout.
    pub heartbeat_ms: u64,
    /// Whether a candidate asks first whether it could win, and voters that hear a leader do not listen (Raft only; thesis
    /// 9.6, 4.2.3).
    pub pre_vote: bool,
    /// How reads are made linearizable.
    pub reads: Reads,
    /// How long an operation that has not been proposed waits for a leader, and a read for its confirmation.
    pub hold_ms: u64,
    /// How long an operation that has been proposed waits for its fate.
    pub operation_ms: u64,
    /// Entries applied after which a snapshot is taken and the log before it dropped; at least 1.
    pub snapshot_entries: u64,
    /// What goes into messages.
    pub bounds: Bounds,
    /// The sessions that the store remembers. Part of the replicated state's definition.
    pub sessions: Limits,
    /// Seed of the election timeouts.
    pub seed: u64,
    /// The incarnation that an empty disk begins with. A node whose disk was lost is a new server under an old name: it must not
    /// give the names again that it has given operations before, or it takes an old operation's outcome for a new one's. So
    /// it is another one whenever the disk may have been lost: drawn at random, or counted by whoever takes the disk.
    pub first_incarnation: Incarnation,
    /// Planted defects.
    pub defects: Defects,
}

/// Settings that cannot work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The node, or a member, is not one of the nodes.
    #[error("node {0} is not in the list of nodes")]
    Unknown(NodeId),
    /// A node is listed twice.
    #[error("node {0} is listed twice")]
    Twice(NodeId),
    /// Only members vote, and a vote without weight is none.
    #[error("the weight of node {0} must be at least 1, and node {0} a member")]
    Weight(NodeId),
    /// The protocol cannot do what was asked for.
    #[error("{protocol} has no {what}")]
    Unsupported {
        /// Its name.
        protocol: &'static str,
        /// What was asked for.
        what: String,
    },
    /// A planted defect is not one of the protocol.
    #[error(transparent)]
    Defect(#[from] ForeignDefect),
    /// There must be somebody to begin with.
    #[error("a cluster needs at least one member")]
    NoMembers,
    /// The election timeout has no room to be random in.
    #[error("election timeouts need a range with room in it, not {0}..{1} ms")]
    ElectionRange(u64, u64),
    /// A snapshot without an entry since the last one is the same snapshot.
    #[error("a snapshot can be taken after 1 entry at the earliest, not after {0}")]
    SnapshotEntries(u64),
    /// Nothing fits a message, or no session the store.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
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

impl Settings {
    /// The defaults of the Raft paper (Raft 9.3) for node `node` of `nodes`, all of them members.
    pub fn new(node: NodeId, nodes: Vec<NodeId>) -> Self {
        Self {
            node,
            members: nodes.clone(),
            nodes,
            weights: BTreeMap::new(),
            election_ms: 150..300,
            heartbeat_ms: 50,
            pre_vote: true,
            reads: Reads::default(),
            hold_ms: 500,
            operation_ms: 3_000,
            snapshot_entries: SNAPSHOT_ENTRIES,
            bounds: Bounds::default(),
            sessions: Limits::default(),
            seed: 0,
            first_incarnation: Incarnation(1),
            defects: Defects::NONE,
        }
    }

    /// How much this member's vote weighs.
    pub fn weight(&self, member: NodeId) -> u64 {
        self.weights.get(&member).copied().unwrap_or(1)
    }

    /// How long operations may wait.
    pub fn patience(&self) -> Patience {
        Patience { hold_ms: self.hold_ms, operation_ms: self.operation_ms }
    }

    /// Random numbers of this node's start: no two nodes, and no two starts of a node, draw the same.
    pub fn rng(&self, incarnation: Incarnation) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed ^ u64::from(self.node.0) << 48 ^ incarnation.0 << 32)
    }

    /// An invariant of a sound protocol. A node with planted defects goes on: its clients are to notice, not its core.
    ///
    /// # Panics
    /// When it does not hold on a sound node.
    #[track_caller]
    pub fn must(&self, holds: bool, invariant: &str) {
        assert!(holds || !self.defects.is_empty(), "{}: {invariant}", self.node);
    }

    /// Refuses what cannot work under the protocol of this name; what the protocol knows nothing of, it refuses itself.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check_for(&self, protocol: &str) -> Result<(), SettingsError> {
        self.check()?;
        Ok(self.defects.iter().try_for_each(|defect| defect.check_protocol(protocol))?)
    }

    /// Refuses what cannot work under any protocol.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), SettingsError> {
        let unknown = self.members.iter().chain([&self.node]).find(|node| !self.nodes.contains(node));
        if let Some(node) = unknown {
            return Err(SettingsError::Unknown(*node));
        }
        for listed in [&self.nodes, &self.members] {
            for (position, node) in listed.iter().enumerate() {
                if listed[..position].contains(node) {
                    return Err(SettingsError::Twice(*node));
                }
            }
        }
        if self.members.is_empty() {
            return Err(SettingsError::NoMembers);
        }
        let has_no_vote = |(node, weight): &(&NodeId, &u64)| **weight == 0 || !self.members.contains(node);
        if let Some((node, _)) = self.weights.iter().find(has_no_vote) {
            return Err(SettingsError::Weight(*node));
        }
        let Range { start, end } = self.election_ms;
        if start >= end {
            return Err(SettingsError::ElectionRange(start, end));
        }
        if self.heartbeat_ms == 0 || self.heartbeat_ms * 2 > start {
            return Err(SettingsError::Heartbeat { heartbeat_ms: self.heartbeat_ms, election_ms: start });
        }
        if self.snapshot_entries == 0 {
            return Err(SettingsError::SnapshotEntries(self.snapshot_entries));
        }
        let Bounds { batch_max, in_flight_max, part_bytes_max } = self.bounds;
        let counts = [
            (batch_max, "what fits a message"),
            (in_flight_max, "the messages under way"),
            (part_bytes_max, "the bytes of a snapshot in a message"),
            (self.sessions.count_max, "the sessions remembered"),
        ];
        if let Some((_, what)) = counts.into_iter().find(|(count, _)| *count == 0) {
            return Err(SettingsError::Zero(what));
        }
        Ok(())
    }
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadIndex => "read-index",
            Self::Lease => "lease",
            Self::Log => "log",
            Self::Local => "local",
        })
    }
}

/// Not a way to read.
#[derive(Debug, thiserror::Error)]
#[error("no way to read is called {0:?}; there are read-index, lease, log, local")]
pub struct UnknownReads(String);

impl FromStr for Reads {
    type Err = UnknownReads;

    fn from_str(name: &str) -> Result<Self, UnknownReads> {
        let known = [Self::ReadIndex, Self::Lease, Self::Log, Self::Local];
        known.into_iter().find(|reads| reads.to_string() == name).ok_or_else(|| UnknownReads(name.to_owned()))
    }
}
