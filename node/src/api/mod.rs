//! What a client sees: operations, replies, refusals, status, the remote service, and a small client for it.
//!
//! The words are those of the store, never of the protocol that runs it: a client cannot tell Raft from Paxos except by
//! asking [`Status::protocol`]. Read [`operation`] first, then [`client`].
//!
//! ```no_run
//! use std::time::Duration;
//! use rashomon_node::api::{Client, Operation, Reply};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let timeout = Duration::from_secs(1);
//! let mut client = Client::connect("127.0.0.1:7101".parse()?, timeout).await?;
//! match client.operate(Operation::cas("x", 1, 2), timeout).await {
//!     Ok(Reply::Swapped) => println!("it happened"),
//!     Ok(Reply::Mismatch { found }) => println!("it did not happen: x was {found:?}"),
//!     Ok(reply) => println!("{reply:?}"),
//!     Err(error) if error.is_definite() => println!("it did not happen: {error}"),
//!     Err(error) => println!("it may have happened: {error}"),
//! }
//! # Ok(())
//! # }
//! ```

pub mod attempts;
pub mod client;
pub mod operation;
pub mod service;
pub mod status;

pub use attempts::{CallError, Retries};
pub use client::Client;
pub use operation::{
    Admin, Answer, CounterOperation, Key, ListOperation, Operation, QueueOperation, Refusal, RefusalCode,
    RegisterOperation, Reply, Request, Sequence, SessionId, Sessioned, SetOperation,
};
pub use service::{Store, StoreClient};
pub use status::{NodeId, Role, Status};
