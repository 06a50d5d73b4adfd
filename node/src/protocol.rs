//! The seam between what decides and what waits: a protocol core is a state machine without I/O.
//!
//! A core is handed one [`Input`] at a time together with the time it is, and answers with [`Effects`]: duties for
//! whoever drives it. It knows no socket, file, thread or clock, so the same core runs in a server and in a simulator.
//! Raft is the first; the trait's associated types leave each protocol its own messages and records.
//!
//! Read [`Effects`] first: the doc of each field states a duty, and safety rests on these duties being kept.

use std::fmt::{self, Debug};
use std::ops::Add;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Admin, NodeId, Refusal, Reply, Role};
use crate::machine::Command;
use crate::settings::{Reads, Settings, SettingsError};

/// Milliseconds on a clock of the node's own that never goes back and keeps running while the process is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Add<u64> for Millis {
    type Output = Self;

    fn add(self, span_ms: u64) -> Self {
        Self(self.0.saturating_add(span_ms))
    }
}

impl Millis {
    /// Milliseconds from `earlier` to here; 0 if `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Counts batches of records handed out to be persisted; batches become durable in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);

/// Counts the starts of a node on its data, from 1; durable before the node does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// Names one operation that a client asked of this node. Unique per node over all its incarnations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub struct OperationId(pub u64);

impl Incarnation {
    /// The `count`th id of this incarnation, for operations and whatever else must never be named twice.
    pub fn id(self, count: u64) -> u64 {
        const COUNT_BITS: u32 = 40;
        assert!(count < 1 << COUNT_BITS, "2^40 ids last for years at a million a second");
        self.0 << COUNT_BITS | count
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input<M> {
    /// Time has passed. Wanted at [`Protocol::wake_at`] at the latest; earlier or more often does no harm.
    Tick,
    /// A peer's message arrived. Messages may be lost, delayed, repeated and reordered, but not forged.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: M,
    },
    /// Clients of this node ask for these operations. Many at once cost one round of messages.
    Operations(Vec<Offered>),
    /// Everything handed out in [`Effects::persist`] up to this ticket is on stable storage.
    Durable(Ticket),
    /// The state machine as [`Effects::snapshot`] asked for it.
    Snapshot(Snapshot),
}

/// The state machine after all decided positions up to one: what stands in for the log before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Snapshot {
    /// The last position that it holds.
    pub index: u64,
    /// Objects and sessions, as [`crate::machine::Machine::encode`] gives them.
    #[serde(with = "crate::wire::shared_bytes")]
    pub state: Arc<[u8]>,
}

/// One operation asked of this node.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Names it in [`Effects`].
    pub id: OperationId,
    /// What is asked.
    pub ask: Ask,
}

/// What an operation needs from the protocol.
#[derive(Clone, Debug)]
pub enum Ask {
    /// To be decided, ordered and applied.
    Command(Command),
    /// To be told when the state machine may be read.
    Read,
    /// To change who takes part, or who leads. Answered with [`Reply::Done`] once it is so; refused with
    /// [`crate::api::RefusalCode::Unsupported`] by a protocol that cannot.
    Admin(Admin),
}

/// Duties that follow from one input. They are kept in this order, except where a field says otherwise.
#[derive(Debug)]
pub struct Effects<R, M> {
    /// Write these to stable storage, in order, after all earlier ones, each batch atomically or not at all; then say
    /// [`Input::Durable`]. Several batches may share one fsync.
    pub persist: Vec<R>,
    /// `persist` stands for everything: once it is durable, all earlier records may be forgotten (log compaction).
    /// Written as one batch, so that a crash leaves either what was before or this.
    pub replaces: bool,
    /// The ticket of `persist`, or of the last batch handed out before if `persist` is empty.
    pub ticket: Ticket,
    /// May be sent at once, before `persist` is durable.
    pub send: Vec<(NodeId, M)>,
    /// Must not leave before everything up to `ticket` is durable.
    pub send_durable: Vec<(NodeId, M)>,
    /// Replace the state machine by this one before anything is applied.
    pub install: Option<Snapshot>,
    /// Decided: apply to the state machine in this order, each once.
    pub apply: Vec<Decided>,
    /// Once `apply` has been carried out, hand the state machine in as [`Input::Snapshot`], before any other input.
    pub snapshot: bool,
    /// These operations may read the state machine now, once `apply` has been carried out.
    pub read: Vec<OperationId>,
    /// Give these answers to clients; the operation is not heard of again.
    pub answer: Vec<(OperationId, Result<Reply, Refusal>)>,
    /// What people may want to read in a log. No duty.
    pub notes: Vec<Note>,
}

impl<R, M> Effects<R, M> {
    /// Answers an operation with a refusal.
    pub fn refuse(&mut self, id: OperationId, refusal: Refusal) {
        self.answer.push((id, Err(refusal)));
    }
}

impl<R, M> Default for Effects<R, M> {
    fn default() -> Self {
        Self {
            persist: Vec::new(),
            replaces: false,
            ticket: Ticket::default(),
            send: Vec::new(),
            send_durable: Vec::new(),
            install: None,
            apply: Vec::new(),
            snapshot: false,
            read: Vec::new(),
            answer: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Positions handed out to be applied in one step at most, so that a long replay leaves room for heartbeats.
pub const APPLY_MAX: u64 = 4096;

/// A decided position of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Its position, rising by one.
    pub index: u64,
    /// What to apply; `None` for an entry that only the protocol cares for.
    pub command: Option<Command>,
    /// Operations of this node that wait for the command's reply.
    pub waiting: Vec<OperationId>,
}

/// Something worth a line in the log of a node, or a glyph in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Asks whether it could win an election (no term raised yet).
    ElectionProbed {
        /// The term it would campaign in.
        term: u64,
    },
    /// Campaigns.
    ElectionStarted {
        /// In this term.
        term: u64,
    },
    /// Won the election.
    BecameLeader {
        /// Of this term.
        term: u64,
    },
    /// Leads no more.
    SteppedDown {
        /// The term it had led.
        term: u64,
        /// Why.
        reason: &'static str,
    },
    /// Accepts a leader.
    Follows {
        /// Whom.
        leader: NodeId,
        /// In which term.
        term: u64,
    },
    /// Dropped entries of its log that conflict with the leader's.
    Truncated {
        /// From this position (dropped as well).
        from: u64,
        /// Up to this one.
        to: u64,
    },
    /// Took a snapshot of its state; the log before it goes.
    SnapshotTaken {
        /// The last position that it holds.
        index: u64,
    },
    /// Replaced its state by another node's snapshot.
    SnapshotInstalled {
        /// The last position that it holds.
        index: u64,
    },
    /// Got a snapshot that is none.
    SnapshotRefused {
        /// The last position that it was said to hold.
        index: u64,
    },
}

/// The line of a node's log, and what directed schedules look for in it.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::ElectionProbed { term } => write!(f, "no leader heard: asks for pre-votes for term {term}"),
            Note::ElectionStarted { term } => write!(f, "election started: campaigns in term {term}"),
            Note::BecameLeader { term } => write!(f, "became leader of term {term}"),
            Note::SteppedDown { term, reason } => {
                write!(f, "stepped down as leader of term {term}: {reason}")
            }
            Note::Follows { leader, term } => write!(f, "follows {leader} in term {term}"),
            Note::Truncated { from, to } => {
                write!(f, "dropped entries {from} to {to}, which conflict with the leader's")
            }
            Note::SnapshotTaken { index } => write!(f, "took a snapshot at {index}"),
            Note::SnapshotInstalled { index } => write!(f, "installed a snapshot of {index}"),
            Note::SnapshotRefused { index } => {
                write!(f, "refused a snapshot said to be of {index}: it does not decode")
            }
        }
    }
}

/// A core's view of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// What it believes to be.
    pub role: Role,
    /// Its current term (ballot, epoch).
    pub term: u64,
    /// Whom it believes to lead.
    pub leader: Option<NodeId>,
    /// Last position of its log.
    pub last: u64,
    /// Highest position it knows to be decided.
    pub commit: u64,
}

/// Who takes part, and how much of the log there is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Extent {
    /// The members, as far as this node knows: those that vote.
    pub members: Vec<NodeId>,
    /// Last position left out of the log because a snapshot stands for it; 0 if all of it is there.
    pub base: u64,
    /// Last position of the latest snapshot; 0 if there is none.
    pub snapshot: u64,
}

/// A replication protocol as a pure state machine: equal inputs at equal times give equal effects.
pub trait Protocol: Sized + 'static {
    /// What must survive a crash. Replayed in order, records rebuild the core.
    type Record: Serialize + DeserializeOwned + Clone + Debug + Send + 'static;
    /// What nodes say to each other.
    type Message: Serialize + DeserializeOwned + Clone + Debug + Send + 'static;

    /// The protocol's name on the command line.
    const NAME: &'static str;

    /// Refuses settings that this protocol knows nothing of; those that cannot work at all are refused before.
    ///
    /// # Errors
    /// The first one found.
    fn check(settings: &Settings) -> Result<(), SettingsError> {
        let unsupported = |what: &str| SettingsError::Unsupported { protocol: Self::NAME, what: what.into() };
        if !settings.weights.is_empty() {
            return Err(unsupported("weighted votes"));
        }
        if settings.reads == Reads::Local {
            return Err(unsupported("local reads"));
        }
        Ok(())
    }

    /// Rebuilds a node's core from the records it wrote (all durable by now, in order), at time `now`. A snapshot among
    /// them is handed back by the first step's [`Effects::install`].
    ///
    /// `incarnation` has never been used before on this data.
    fn restore(settings: Settings, incarnation: Incarnation, records: Vec<Self::Record>, now: Millis)
    -> Self;

    /// Takes one input at time `now`; a `now` before an earlier one counts as that earlier one. What follows from it is to
    /// be taken out, so that the lists' memory serves the next step: what is left in them counts as following from that.
    fn step(&mut self, now: Millis, input: Input<Self::Message>)
    -> &mut Effects<Self::Record, Self::Message>;

    /// When the core next wants a [`Input::Tick`] if nothing else happens.
    fn wake_at(&self) -> Millis;

    /// What the core believes.
    fn view(&self) -> View;

    /// Who takes part, and how much of the log there is.
    fn extent(&self) -> Extent {
        Extent::default()
    }
}
