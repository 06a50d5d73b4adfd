//! The reference system: a replicated store of registers, sets, counters, lists and queues.
//!
//! A client's operation travels one way: [`api`] → [`server`] → [`replica`] → protocol core ([`raft`], [`paxos`] or [`zab`]) →
//! [`storage`] and peers → state [`machine`] → reply. Everything that decides is pure (time, randomness and disk results are
//! arguments); everything that waits for sockets and disks lives in the server. What operations wait for, whatever the protocol,
//! is kept by [`pending`]. Read [`protocol`] for the seam between server and cores.
//!
//! This crate does not know that it is being tested, except for [`defect`].

pub mod api;
pub mod defect;
pub mod driver;
pub mod machine;
pub mod paxos;
pub mod pending;
pub mod protocol;
pub mod raft;
pub mod replica;
pub mod server;
pub mod settings;
pub mod storage;
pub mod wire;
pub mod zab;
