//! What a node says about itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of a node in its cluster, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// What a node believes to be. Beliefs lag: two nodes may call themselves leader, of different terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Orders operations.
    Leader,
    /// Accepts a leader's order.
    Follower,
    /// Looks for votes.
    Candidate,
}

/// A node's view of itself at one moment. Cheap to ask for: it costs no round to other nodes and may be stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Who answers.
    pub node: NodeId,
    /// `raft`, `paxos` or `zab`.
    pub protocol: String,
    /// How reads are made linearizable: `read-index`, `lease` or `log`; or not: `local`.
    pub reads: String,
    /// What the node believes to be.
    pub role: Role,
    /// Its current term (ballot, epoch).
    pub term: u64,
    /// Whom it believes to lead.
    pub leader: Option<NodeId>,
    /// The members of the cluster, as far as the node knows; empty for a protocol that does not say.
    pub members: Vec<NodeId>,
    /// Last position left out of its log because a snapshot stands for it.
    pub base: u64,
    /// Last position of its latest snapshot; 0 if it has none.
    pub snapshot: u64,
    /// Last position of its log.
    pub last: u64,
    /// Highest position that it knows to be committed.
    pub commit: u64,
    /// Highest position applied to the state machine.
    pub applied: u64,
    /// Digest of the state at `applied`: equal on all nodes at equal `applied`.
    pub digest: u64,
    /// Rises with each start of the node on its data, from a number drawn when these were empty.
    pub incarnation: u64,
    /// Ids of the planted defects in force: empty on a sound node.
    pub defects: Vec<String>,
}
