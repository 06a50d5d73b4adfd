//! The replicated state: objects by name, and the sessions that make a retried operation apply once.
//!
//! Pure and deterministic: equal commands in equal order give equal state, replies and digest on every node. It knows
//! no log, term or leader. Each kind of object lives in a file of its own ([`registers`] first), [`objects`] holds them all;
//! [`sessions`] tells what a session remembers.

pub mod digest;

pub mod registers;

pub mod counters;
pub mod lists;
pub mod queues;
pub mod sets;

pub mod objects;
pub mod sessions;

use serde::{Deserialize, Serialize};

use crate::api::{NodeId, Operation, Reply, Sequence, SessionId, Sessioned};
use crate::protocol::OperationId;
use objects::Objects;
use sessions::{Limits, Sessions};

/// An operation on its way through the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Whose operation it is; recognises repetitions and the clients that wait for it.
    pub author: Author,
    /// What to do.
    pub operation: Operation,
}

/// Whose operation a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Author {
    /// A session's: applied once, however often it is decided.
    Session(Sessioned),
    /// A node's own, on behalf of a client without a session: only for what does no harm when repeated.
    Node(NodeId, OperationId),
}

/// The state of the store after some prefix of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    applied: u64,
    objects: Objects,
    sessions: Sessions,
}

impl Machine {
    /// The empty store. All nodes must agree on how many sessions it remembers, and for how long.
    pub fn new(limits: Limits) -> Self {
        Self { applied: 0, objects: Objects::default(), sessions: Sessions::new(limits) }
    }

    /// Applies the decided position `index`: each once, in order.
    ///
    /// # Panics
    /// When `index` does not follow the last one: the caller has lost track of the log.
    pub fn apply(&mut self, index: u64, command: Option<&Command>) -> Option<Reply> {
        assert_eq!(index, self.applied + 1, "the log is applied in order, each position once");
        self.applied = index;
        self.sessions.expire(index);
        let command = command?;
        Some(match command.author {
            Author::Node(..) if command.operation == Operation::OpenSession => {
                let session = SessionId(index);
                self.sessions.open(session, index);
                Reply::Opened(session)
            }
            Author::Node(..) => self.objects.operate(&command.operation),
            Author::Session(sessioned) => {
                let Self { objects, sessions, .. } = self;
                sessions.once(sessioned, index, || objects.operate(&command.operation))
            }
        })
    }

    /// Answers a read; `None` if the operation is not one.
    pub fn read(&self, operation: &Operation) -> Option<Reply> {
        self.objects.read(operation)
    }

    /// Forgets the session used least recently, here and nowhere else: the planted defect Z15.
    pub fn close_session_unreplicated(&mut self) {
        self.sessions.forget_oldest();
    }

    /// The whole state as bytes, for a snapshot.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a state machine is plain data")
    }

    /// The state from a snapshot's bytes.
    ///
    /// # Errors
    /// When they are not what [`Machine::encode`] gave.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }

    /// Last position applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Digest of objects and sessions, kept up to date with every change.
    pub fn digest(&self) -> u64 {
        self.objects.digest().combine(self.sessions.digest()).value()
    }

    /// The same from scratch, for checks of invariants: a digest that missed a change hides it from every comparison.
    pub fn digest_anew(&self) -> u64 {
        self.objects.digest_anew().combine(self.sessions.digest_anew()).value()
    }

    /// The last sequence of a session that was carried out, for checks of invariants.
    pub fn last_of(&self, session: SessionId) -> Option<Sequence> {
        self.sessions.last_of(session)
    }

    /// What defects do: the session is known, but not what it was answered, so its retries count as new.
    pub(crate) fn forget_reply(&mut self, session: SessionId) {
        self.sessions.forget(session);
    }

    /// What defects do: [`Machine::forget_reply`] for all sessions.
    pub(crate) fn without_replies(mut self) -> Self {
        self.sessions.forget_all();
        self
    }
}

#[cfg(test)]
mod tests;
