//! What Raft nodes say to each other, and what they write down.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::{Admin, NodeId, Refusal};
use crate::machine::Command;
use crate::pending::reads::QuestionId;
use crate::protocol::OperationId;
use crate::raft::log::{Entry, Index, Position, Term};
use crate::raft::membership::Membership;
use crate::wire::{Blob, shared_bytes};

/// A message; its term is the sender's current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sender's current term.
    pub term: Term,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Would you vote for me in the term after the message's? (thesis 9.6)
    PreVote {
        /// Last entry of the asker's log.
        last: Position,
    },
    /// Answers `PreVote`.
    PreVoteReply {
        /// Whether it would.
        granted: bool,
    },
    /// Vote for me in the message's term (Raft 5.2).
    Vote {
        /// Last entry of the candidate's log.
        last: Position,
        /// Whether the leader asked for it, so that voters need not be loyal to it (thesis 4.2.3).
        is_handover: bool,
    },
    /// Answers `Vote`.
    VoteReply {
        /// Whether it did.
        granted: bool,
    },
    /// Entries to follow `prev` (Raft 5.3).
    Append {
        /// The entry before the first.
        prev: Position,
        /// In order, without gaps; may be none.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: Index,
    },
    /// The log equals the leader's up to here, durably.
    Appended {
        /// The last entry of the message answered.
        matched: Index,
    },
    /// `prev` is not in the log.
    Rejected {
        /// Of the message answered.
        prev: Index,
        /// Where to look next.
        hint: Hint,
    },
    /// The leader lives; asks for an answer that confirms it.
    Heartbeat {
        /// Rises with each round of heartbeats in a term and is never used again.
        round: u64,
        /// Committed, and known to be in the receiver's log.
        commit: Index,
    },
    /// Answers `Heartbeat`.
    HeartbeatReply {
        /// Of the heartbeat answered.
        round: u64,
    },
    /// Committed, and known to be in the receiver's log. Not answered.
    Commit {
        /// The last such entry.
        index: Index,
    },
    /// A part of a snapshot, as the entries asked for are no longer there (Raft Figure 13). Rare, and larger than all others.
    Install(Box<Part>),
    /// Answers `Install`: this much of the snapshot has arrived.
    InstallReply {
        /// Of the message answered.
        last: Position,
        /// The part to send next starts here.
        offset: u64,
    },
    /// A request came from a lower term than the message's.
    StaleTerm,
    /// Commands of clients of another node.
    Propose {
        /// In the order they came in.
        commands: Vec<Command>,
    },
    /// Change the cluster.
    Admin {
        /// Names it among the asker's.
        id: OperationId,
        /// How.
        admin: Admin,
    },
    /// Answers `Admin`.
    AdminReply {
        /// Of the message answered.
        id: OperationId,
        /// What came of it.
        outcome: Result<(), Refusal>,
    },
    /// Campaign at once (thesis 3.10).
    TimeoutNow,
    /// How far must I have applied to read?
    ReadIndex {
        /// Never used twice by the asker, over all its incarnations.
        id: QuestionId,
    },
    /// Answers `ReadIndex`.
    ReadIndexReply {
        /// Of the question.
        id: QuestionId,
        /// This far.
        index: Index,
    },
}

/// A part of a snapshot on its way to a follower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The last position that the snapshot holds; names it.
    pub last: Position,
    /// In force there.
    pub membership: Membership,
    /// Where in the snapshot the part belongs, in bytes.
    pub offset: u64,
    /// The part.
    pub bytes: Blob,
    /// Whether it is the last one. Then the answer is `Appended`.
    pub is_last: bool,
}

/// Where a follower's log may agree with the leader's (Raft 5.3, last paragraphs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The term of the entry at `prev`, if there is one.
    pub term: Option<Term>,
    /// The first entry of that term, or the end of the log.
    pub first: Index,
}

/// Term and vote: one record, written at once, as a crash between two would allow a second vote in a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardState {
    /// Latest term seen.
    pub term: Term,
    /// Who got this node's vote in that term.
    pub vote: Option<NodeId>,
}

/// A snapshot with what Raft has to know of it (Raft 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The last position that it holds.
    pub last: Position,
    /// In force there.
    pub membership: Membership,
    /// The state machine.
    #[serde(with = "shared_bytes")]
    pub state: Arc<[u8]>,
}

/// What survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Replaces the one before.
    HardState(HardState),
    /// Goes to its position; what stood there and after it is gone.
    Entry(Entry),
    /// Everything up to there; comes first, in a batch that replaces what was before.
    Snapshot(Image),
}
