//! What nodes of Multi-Paxos say to each other, and what they write down.

use serde::{Deserialize, Serialize};

use crate::api::NodeId;
use crate::machine::Command;
use crate::paxos::basic::{Accepted, Ballot};
use crate::pending::reads::QuestionId;
use crate::protocol::Snapshot;
use crate::wire::Blob;

/// A position of the log: an instance of Basic Paxos of its own. The first is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u64);

impl Slot {
    /// The next one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The one `count` further on.
    pub fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

/// What a slot may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Nothing: fills a gap, or marks the start of a leader's time.
    Noop,
    /// To be applied to the state machine.
    Command(Command),
}

/// What an acceptor tells of a slot when it promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Which.
    pub slot: Slot,
    /// What it holds; under [`Ballot::TOP`] if it knows that this is chosen.
    pub accepted: Accepted<Value>,
}

/// Where a report goes on that does not fit a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// The first slot of the next part.
    pub from: Slot,
    /// Whether that part is sent unasked; if not, it is to be asked for.
    pub is_coming: bool,
}

/// Where a node stands on its way to being an acceptor (PP10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// Its disk is empty. It takes no part yet: it may have forgotten what it promised.
    Newcomer,
    /// It learnt from all others that none of them has promised anything either: there is nothing to have forgotten.
    Founder,
    /// It has promised something.
    Acceptor,
    /// Its disk is empty, or was, in a cluster at work: it learns, applies and serves clients, but has no say any more.
    Learner,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Where do you stand?
    Hello {
        /// To be repeated in the answer.
        nonce: u64,
    },
    /// Answers `Hello`; or, with nonce 0, unasked.
    Here {
        /// Of the question.
        nonce: u64,
        /// Here.
        standing: Standing,
    },
    /// Would you promise a ballot such as this? Nothing is promised yet, so a node that was cut off disturbs nobody.
    Probe {
        /// Above all that the asker has heard of.
        ballot: Ballot,
    },
    /// It would, if the ballot is above this promise.
    Willing {
        /// Of the question.
        ballot: Ballot,
        /// What has been promised so far.
        promised: Ballot,
    },
    /// Phase 1a, for all slots from one on: promise to take no part in lower ballots.
    Prepare {
        /// The candidate's.
        ballot: Ballot,
        /// The first slot that the candidate does not know to be chosen, or whose report is wanted next.
        from: Slot,
        /// The ballot whose leader has made way for the candidate, if one has.
        released: Option<Ballot>,
    },
    /// Phase 1b: promised; and this is what the slots hold.
    Promise {
        /// The ballot promised.
        ballot: Ballot,
        /// Of the question.
        from: Slot,
        /// Slots up to here are chosen and no longer at hand one by one (PP12).
        compacted: Slot,
        /// In order. What lies between and is not mentioned is empty.
        slots: Vec<Reported>,
        /// Where the report goes on, if this is not all.
        rest: Option<Rest>,
    },
    /// Phase 2a for a run of slots.
    Accept {
        /// The leader's.
        ballot: Ballot,
        /// The first slot.
        first: Slot,
        /// Of this slot and those that follow.
        values: Vec<Value>,
        /// All slots up to here are chosen; of those that the leader proposed, in its ballot.
        chosen: Slot,
    },
    /// Phase 2b for a run of slots: durably accepted.
    Accepted {
        /// The leader's.
        ballot: Ballot,
        /// The first slot.
        first: Slot,
        /// The last one.
        last: Slot,
    },
    /// A higher ballot has been promised. Whoever hears it in office or on the way there is deposed (PP7).
    Refused {
        /// That one.
        promised: Ballot,
    },
    /// The leader lives; asks for an answer that confirms it.
    Heartbeat {
        /// The leader's.
        ballot: Ballot,
        /// Rises with each round of a ballot and is never used again.
        round: u64,
        /// As in `Accept`.
        chosen: Slot,
    },
    /// Answers `Heartbeat`: nothing higher than its ballot has been promised here.
    Confirmed {
        /// The leader's.
        ballot: Ballot,
        /// Of the heartbeat.
        round: u64,
    },
    /// As in `Accept`, when there is nothing to accept. Not answered.
    Chosen {
        /// The leader's.
        ballot: Ballot,
        /// As in `Accept`.
        chosen: Slot,
    },
    /// What is chosen from this slot on?
    Learn {
        /// The first slot that the asker does not know.
        from: Slot,
    },
    /// Answers `Learn`.
    Taught {
        /// The first slot.
        first: Slot,
        /// What is chosen in it and those that follow.
        values: Vec<Value>,
        /// More of it, up to here, is known.
        chosen: Slot,
    },
    /// More of this snapshot, please.
    Fetch {
        /// The last slot that it holds.
        index: Slot,
        /// In bytes.
        offset: u64,
    },
    /// Part of a snapshot: answers `Fetch`, or `Learn` when the slots asked for are compacted.
    Chunk {
        /// The last slot that the snapshot holds.
        index: Slot,
        /// Of the whole, in bytes.
        size: u64,
        /// Of this part, in bytes.
        offset: u64,
        /// This part.
        bytes: Blob,
    },
    /// Commands of clients of another node.
    Propose {
        /// In the order they came in.
        commands: Vec<Command>,
    },
    /// Let this node lead instead.
    MakeWay {
        /// That one.
        heir: NodeId,
    },
    /// Prepare a ballot at once: this leader has made way.
    TakeOver {
        /// The leader's.
        ballot: Ballot,
    },
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
        index: Slot,
    },
}

/// What survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// This node may promise and accept: when it began, there was nothing that it could have forgotten (PP10).
    Founded,
    /// Promised (PP2).
    Promised(Ballot),
    /// Accepted, and thereby promised (PP3).
    Accepted {
        /// Where.
        slot: Slot,
        /// What, and in which ballot.
        accepted: Accepted<Value>,
    },
    /// Told that this is chosen. Follows the slot before.
    Learnt {
        /// Where.
        slot: Slot,
        /// What.
        value: Value,
    },
    /// Everything held up to here is chosen.
    Chosen(Slot),
    /// Stands for all slots up to its index; slots up to `base` are no longer kept one by one.
    Snapshot {
        /// What was applied up to its index.
        snapshot: Snapshot,
        /// At most its index.
        base: Slot,
    },
}
