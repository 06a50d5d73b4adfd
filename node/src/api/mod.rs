//! What a client sees: operations, replies, refusals, status, the remote service, and a small client for it.
//!
//! The words are those of the store, never of the protocol that runs it: a client cannot tell Raft from Paxos except by
//! asking [`Status::protocol`]. Read [`operation`] first, then [`client`].

pub mod client;
pub mod operation;
pub mod service;
pub mod status;

pub use client::{CallError, Client, Retries};
pub use operation::{
    Key, Operation, Refusal, RefusalCode, RegisterOperation, Reply, Request, Sequence, SessionId, Sessioned,
};
pub use service::{Registers, RegistersClient};
pub use status::{NodeId, Role, Status};
