//! What ZAB nodes say to each other, and what they write down.
//!
//! Before there is a leader they exchange [`Notification`]s. A follower then opens a connection to the leader, on which
//! [`Up`] goes to the leader and [`Down`] to the follower, in order and without loss (see [`crate::zab::channel`]).
//! Names in brackets are those of ZooKeeper's packets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::NodeId;
use crate::machine::Command;
use crate::pending::reads::QuestionId;
use crate::zab::history::{Checkpoint, Outline, Transaction};
use crate::zab::zxid::{Credentials, Epoch, Index, Zxid};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// About the election of a leader; to everybody.
    Notification(Notification),
    /// From a follower to its leader.
    Up(Frame<Up>),
    /// From a leader to its follower.
    Down(Frame<Down>),
}

/// Whom a node would follow, or follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Which of its elections: votes count within one round.
    pub round: u64,
    /// What the sender is at.
    pub stance: Stance,
    /// Its vote; `None` while an observer has heard of nobody to follow.
    pub vote: Option<Vote>,
}

/// What a node is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stance {
    /// Looks for a leader.
    Looking,
    /// Follows the one that it votes for.
    Following,
    /// Leads.
    Leading,
}

/// A vote. The order is total: no two nodes are equally good (rule ZB2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// How good the history is of
    pub credentials: Credentials,
    /// this node, which is to lead.
    pub leader: NodeId,
}

/// Names a connection. Neither number is ever used twice, over all incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Given by the follower.
    pub connection: u64,
    /// Given by the leader, anew for each time that it leads; 0 in what a follower sends before it has heard it.
    pub tenure: u64,
}

/// A piece of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame<B> {
    /// The connection.
    pub link: Link,
    /// Counts the sender's frames from 1; 0 for those that may be lost or overtaken.
    pub sequence: u64,
    /// All of the receiver's frames up to this one have arrived.
    pub acked: u64,
    /// What it says.
    pub body: B,
}

/// What followers say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Up {
    /// I would follow you; I have accepted no later epoch than this. (FOLLOWERINFO, CEPOCH)
    Join {
        /// `acceptedEpoch`.
        accepted: Epoch,
    },
    /// I shall follow nobody of an earlier epoch. (ACKEPOCH)
    AckEpoch {
        /// Of the `NewEpoch` answered.
        epoch: Epoch,
        /// Whether it was accepted for the first time. Only then it counts: the epoch may have been accepted from
        /// another node before.
        is_first: bool,
        /// How good the history is.
        credentials: Credentials,
        /// What is in it.
        outline: Box<Outline>,
    },
    /// All that came before `NewLeader` is durable, and so is the epoch.
    AckNewLeader {
        /// The epoch.
        epoch: Epoch,
    },
    /// All transactions up to this one are durable.
    Ack {
        /// The last one.
        zxid: Zxid,
    },
    /// Commands of the follower's clients. (REQUEST)
    Request {
        /// In the order they came in.
        commands: Vec<Command>,
    },
    /// How far must I have applied to read? (SYNC)
    Sync {
        /// Never used twice by the asker.
        id: QuestionId,
    },
    /// Answers `Ping`. Outside the order.
    Pong {
        /// The latest one heard.
        round: u64,
    },
}

/// What leaders say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Down {
    /// I would lead in this epoch. (LEADERINFO, NEWEPOCH)
    NewEpoch {
        /// Later than any that a quorum has accepted.
        epoch: Epoch,
    },
    /// Your history is the beginning of mine; the rest follows.
    Diff,
    /// Drop all transactions after this one, which I have too; the rest of mine follows.
    Trunc {
        /// The last to keep.
        last: Zxid,
    },
    /// A piece of a checkpoint that is to replace your history; the rest of mine follows.
    Snap {
        /// The last transaction that the checkpoint holds.
        zxid: Zxid,
        /// Its place.
        index: Index,
        /// Bytes of the state, following those of the piece before.
        bytes: Vec<u8>,
        /// Whether this is the last piece.
        is_last: bool,
    },
    /// Transactions that follow what was sent before. (PROPOSAL)
    Propose {
        /// In order.
        transactions: Arc<[Transaction]>,
        /// The leader has committed all up to here; it may not have been sent yet.
        commit: Zxid,
    },
    /// What was sent so far is my history at the start of this epoch. (NEWLEADER)
    NewLeader {
        /// The epoch.
        epoch: Epoch,
    },
    /// A quorum has the history: serve clients. (UPTODATE)
    UpToDate {
        /// All up to here is committed.
        commit: Zxid,
    },
    /// All up to here is committed.
    Commit {
        /// The last one.
        zxid: Zxid,
    },
    /// Answers `Sync`.
    SyncReply {
        /// Of the question.
        id: QuestionId,
        /// What is to be applied first. Its place and not its name: it may be on its way yet, where one that is behind
        /// has no room for more.
        index: Index,
    },
    /// The leader lives; wants an answer. Outside the order.
    Ping {
        /// Rises, and is never used again.
        round: u64,
    },
    /// There is no such connection. Outside the order.
    Reset,
}

/// What survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The latest epoch accepted.
    AcceptedEpoch(Epoch),
    /// The latest epoch whose initial history stands before this record.
    CurrentEpoch(Epoch),
    /// The next transaction of the history.
    Transaction {
        /// Its place; what was there and after it is gone.
        index: Index,
        /// It.
        transaction: Transaction,
    },
    /// The history ends here.
    Truncated {
        /// Its last place.
        last: Index,
    },
    /// Stands for the history so far.
    Checkpoint(Checkpoint),
}
