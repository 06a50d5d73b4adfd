//! Operations that a client may ask for, and what comes back.
//!
//! Each kind of object the store keeps (registers, sets, counters, lists, queues) brings an enum of its own operations, so
//! that another kind is one variant here and one file under `machine/`. Kinds have name spaces of their own: the set `x`
//! and the list `x` have nothing to do with each other. Nothing here knows how an operation is replicated.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::api::NodeId;

/// Name of an object in the store; at most [`KEY_BYTES_MAX`] bytes.
pub type Key = SmolStr;

/// Longest key that a node accepts, in bytes.
pub const KEY_BYTES_MAX: usize = 256;

/// Most elements that one reply carries: what is longer is refused, so that a reply always fits a frame.
pub const ELEMENTS_MAX: usize = 65_536;

/// A session: within it every state-changing operation has a sequence number and applies at most once.
///
/// Given out by the store itself (it is the log position of the entry that opened the session), hence never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u64);

/// Position of an operation within its session, rising; a retry repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sequence(pub u64);

/// Session and sequence of a state-changing operation: what makes a retry recognisable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sessioned {
    /// The session, as given by [`Reply::Opened`].
    pub session: SessionId,
    /// Higher than that of every earlier operation of the session. One operation of a session is outstanding at a
    /// time: once a higher sequence has been applied, a lower one is refused as [`RefusalCode::Superseded`].
    pub sequence: Sequence,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Required for operations that change state, ignored for reads and for [`Operation::OpenSession`].
    pub sessioned: Option<Sessioned>,
    /// The highest [`Answer::position`] that the client has seen, from any node; 0: none. A node that reads locally and
    /// is behind it refuses, so that no client sees the past after the present.
    pub seen: u64,
    /// What to do.
    pub operation: Operation,
}

/// What comes back for a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The node's state may have held all decided positions up to this one when it answered.
    pub position: u64,
    /// What became of the operation.
    pub outcome: Result<Reply, Refusal>,
}

/// An operation of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Opens a session. Retried, it opens another one, which is harmless: an idle session is evicted in time.
    OpenSession,
    /// Changes the cluster. Needs no session: repeated, it asks for what is already so.
    Admin(Admin),
    /// An operation on the register of that name.
    Register(Key, RegisterOperation),
    /// An operation on the set of that name.
    Set(Key, SetOperation),
    /// An operation on the counter of that name.
    Counter(Key, CounterOperation),
    /// An operation on the list of that name.
    List(Key, ListOperation),
    /// An operation on the queue of that name.
    Queue(Key, QueueOperation),
}

/// A change of the cluster, asked of any node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admin {
    /// These nodes are the members from now on.
    Members(Vec<NodeId>),
    /// This node is to lead.
    Lead(NodeId),
}

/// An operation on a register, which holds one integer or is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegisterOperation {
    /// Answers [`Reply::Value`].
    Read,
    /// Sets the value; answers [`Reply::Written`].
    Write(i64),
    /// Sets `new` if the register holds `old`; answers [`Reply::Swapped`] or [`Reply::Mismatch`].
    Cas {
        /// What the register must hold (an absent register never matches).
        old: i64,
        /// What it holds then.
        new: i64,
    },
    /// Sets the value of a register that is absent: the cas whose old value is nothing. Answers as that one does.
    Create(i64),
}

/// An operation on a set of integers, which starts empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetOperation {
    /// Puts an element in, whether or not it is there; answers [`Reply::Added`].
    Add(i64),
    /// Answers [`Reply::Elements`], in rising order.
    Read,
}

/// An operation on a counter, which starts at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CounterOperation {
    /// Adds an amount, which may be negative; answers [`Reply::Added`].
    Add(i64),
    /// Answers [`Reply::Sum`].
    Read,
}

/// An operation on a list of integers, which starts empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListOperation {
    /// Puts an element at the end; answers [`Reply::Added`].
    Append(i64),
    /// Answers [`Reply::Elements`], the oldest first.
    Read,
}

/// An operation on a first-in-first-out queue of integers, which starts empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueOperation {
    /// Puts an element at the end; answers [`Reply::Added`].
    Enqueue(i64),
    /// Takes the element at the front away; answers [`Reply::Taken`].
    Dequeue,
}

impl Operation {
    /// Reads the register `key`.
    pub fn read(key: impl Into<Key>) -> Self {
        Self::Register(key.into(), RegisterOperation::Read)
    }

    /// Writes `value` into the register `key`.
    pub fn write(key: impl Into<Key>, value: i64) -> Self {
        Self::Register(key.into(), RegisterOperation::Write(value))
    }

    /// Sets the register `key` to `new` if it holds `old`.
    pub fn cas(key: impl Into<Key>, old: i64, new: i64) -> Self {
        Self::Register(key.into(), RegisterOperation::Cas { old, new })
    }

    /// Whether the operation leaves the state as it is, so that repeating it can never do harm.
    pub fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Register(_, RegisterOperation::Read)
                | Self::Set(_, SetOperation::Read)
                | Self::Counter(_, CounterOperation::Read)
                | Self::List(_, ListOperation::Read)
        )
    }

    /// The object that it is about, if it is about one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::OpenSession | Self::Admin(_) => None,
            Self::Register(key, _)
            | Self::Set(key, _)
            | Self::Counter(key, _)
            | Self::List(key, _)
            | Self::Queue(key, _) => Some(key),
        }
    }

    /// The reply that it gets whatever the state is, if there is one: what a node can say that has not looked.
    pub fn blind_reply(&self) -> Option<Reply> {
        match self {
            Self::Register(_, RegisterOperation::Write(_)) => Some(Reply::Written),
            Self::Set(_, SetOperation::Add(_))
            | Self::Counter(_, CounterOperation::Add(_))
            | Self::List(_, ListOperation::Append(_))
            | Self::Queue(_, QueueOperation::Enqueue(_)) => Some(Reply::Added),
            _ => None,
        }
    }
}

/// The outcome of an operation that took effect (for a cas, or failed to match, at one moment between call and reply).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The session is open.
    Opened(SessionId),
    /// The register's value; `None`: absent.
    Value(Option<i64>),
    /// The write happened.
    Written,
    /// The cas matched and happened.
    Swapped,
    /// The precondition failed: the cas surely changed nothing. It has been decided, so a retry gets the same reply.
    Mismatch {
        /// What the register held instead.
        found: Option<i64>,
    },
    /// The element or amount is in the set, counter, list or queue.
    Added,
    /// What a counter's amounts come to.
    Sum(i64),
    /// Everything in a set or list; at most [`ELEMENTS_MAX`].
    Elements(Vec<i64>),
    /// What a queue's front held; `None`: the queue was empty.
    Taken(Option<i64>),
    /// The change of the cluster is in force.
    Done,
    /// The operation was refused when its turn came at the state machine; see the code for what that means.
    NotApplied(RefusalCode),
}

/// Why a node did not carry out an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefusalCode {
    /// No leader was known for as long as the node holds an operation. It was never proposed: it did not happen.
    NoLeader,
    /// Too many operations wait at this node. It was never proposed: it did not happen.
    Overloaded,
    /// A set or list holds more than [`ELEMENTS_MAX`] elements and is not sent, or a counter would leave the range of 64 bits.
    /// It did not happen.
    TooLarge,
    /// Malformed: no session for a state-changing operation, or a key too long. It did not happen.
    BadRequest,
    /// The protocol cannot do this. It did not happen.
    Unsupported,
    /// Another change of the cluster is under way, or the node asked for cannot take part in it. It did not happen.
    Conflict,
    /// Proposed, but its fate was not known in time. It may have happened, and may yet.
    Timeout,
    /// The session is unknown: never opened, or evicted. This attempt did nothing; an earlier attempt under the same
    /// sequence may have happened before the eviction.
    SessionUnknown,
    /// A higher sequence of this session was applied before. This attempt did nothing; an earlier attempt under the
    /// same sequence may have happened.
    Superseded,
    /// The client has seen more than this node has: another one can go on, or this one later. It did not happen.
    Behind,
    /// The leader was deposed while the operation was under way. Only a node with a planted defect says so.
    Deposed,
    /// The node is shutting down. It may have happened, and may yet.
    Stopping,
}

/// A node's answer when it did not carry out an operation, or cannot tell whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text} ({code:?}, {})", if *.definite { "did not happen" } else { "may have happened" })]
pub struct Refusal {
    /// Why, for programs.
    pub code: RefusalCode,
    /// Whether *this attempt* surely did not and will not take effect. If false, it may have, and may yet.
    /// A client that attempted the same sequence before may call the operation definite only if all attempts were.
    pub definite: bool,
    /// Why, for people.
    pub text: String,
}

impl Refusal {
    /// The attempt surely did not and will not take effect.
    pub fn definite(code: RefusalCode, text: impl Into<String>) -> Self {
        Self { code, definite: true, text: text.into() }
    }

    /// The attempt may have taken effect, and may yet.
    pub fn indefinite(code: RefusalCode, text: impl Into<String>) -> Self {
        Self { code, definite: false, text: text.into() }
    }
}
