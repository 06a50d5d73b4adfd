//! Simulated clients: the same rules of attempts, sessions and errors as the real client, on simulated time.
//!
//! A client is pinned to a node (but see [`crate::Setup::clients_roam`]) and has one operation open at a time. A connection is bound to one start of the node's
//! process: it breaks when that process dies. Nothing is sent along a broken one: what was under way is unknown.

use std::time::Duration;

use rashomon_histories::{Invocation, Nanos, Token};
use rashomon_node::api::attempts::{Attempts, Call};
use rashomon_node::api::{self, CallError, Reply, Request, Retries};
use rashomon_workloads::Layout;

/// Names an attempt: answers to earlier ones are not listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Position of the client's thread.
    pub(crate) client: u32,
    /// Rises with each attempt of that thread.
    pub(crate) number: u32,
}

/// One thread of asking.
#[derive(Debug)]
pub(crate) struct Client {
    /// The process that it is by now.
    pub(crate) process: u64,
    /// The node that it talks to.
    pub(crate) node: usize,
    pub(crate) attempts: Attempts,
    /// The start of the node's process that it is connected to.
    pub(crate) connection: Option<u32>,
    pub(crate) attempt: u32,
    pub(crate) open: Option<Open>,
}

/// An operation that was asked and not answered.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) invocation: Invocation,
    pub(crate) token: Token,
    pub(crate) call: Call<Duration>,
    pub(crate) end: Nanos,
    /// Whether an attempt of it has been connected to the node.
    pub(crate) connected: bool,
}

/// Something on its way between a client and its node.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// To a node; with the start that the client believes it is connected to.
    Request { attempt: Attempt, node: usize, request: Request, connection: Option<u32> },
    /// From the node.
    Answer { attempt: Attempt, answer: Answer },
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The node's word.
    Said(api::Answer),
    /// Nobody listens there.
    Refused,
    /// The connection broke.
    Lost,
}

impl Client {
    /// The thread that starts as this process.
    pub(crate) fn new(process: u64, layout: &Layout, retries: Retries) -> Self {
        let node = layout.node_index_of(process);
        let attempts = Attempts::new(retries);
        Self { process, node, attempts, connection: None, attempt: 0, open: None }
    }

    /// The same, going on where another process of its thread ended: it has seen as much.
    pub(crate) fn after(mut self, predecessor: &Self) -> Self {
        self.attempt = predecessor.attempt;
        self.attempts.saw(predecessor.attempts.seen());
        self
    }

    /// The same, in the session of the process before it.
    pub(crate) fn in_session_of(mut self, predecessor: &Self) -> Self {
        self.attempts = predecessor.attempts.clone();
        self
    }

    /// From now on it talks to this node.
    pub(crate) fn move_to(&mut self, node: usize) {
        self.node = node;
        self.connection = None;
    }

    /// Numbers the next attempt of the thread at `index`.
    pub(crate) fn next_attempt(&mut self, index: usize) -> Attempt {
        self.attempt += 1;
        self.current_attempt(index)
    }

    /// The attempt that it waits for, if it waits.
    pub(crate) fn current_attempt(&self, index: usize) -> Attempt {
        let client = u32::try_from(index).expect("clients are few");
        Attempt { client, number: self.attempt }
    }

    /// It is connected to this start of its node's process.
    pub(crate) fn connect(&mut self, start: u32) {
        self.connection = Some(start);
        if let Some(open) = &mut self.open {
            open.connected = true;
        }
    }

    /// What an attempt's end means.
    pub(crate) fn hear(&mut self, answer: Answer) -> Result<Reply, CallError> {
        match answer {
            Answer::Said(api::Answer { position, outcome }) => {
                self.attempts.saw(position);
                outcome.map_err(CallError::Refused)
            }
            Answer::Refused => Err(CallError::NeverSent("the connection was refused".into())),
            Answer::Lost => Err(CallError::NoReply("the connection broke".into())),
        }
    }

    /// Whether `attempt` is the one that it waits for.
    pub(crate) fn waits_for(&self, attempt: Attempt) -> bool {
        self.open.is_some() && self.attempt == attempt.number
    }
}

/// A moment as the rules of attempts count it.
pub(crate) fn moment(now: Nanos) -> Duration {
    Duration::from_nanos(now.0)
}
