//! The second world: the same nodes, storage format, workloads, faults and rules of clients on simulated time, network,
//! disks and processes, in one thread, driven by one seed.
//!
//! A [`world::World`] jumps from one due moment to the next and ends with a sealed history, what broke of the
//! invariants, and a hash of everything that happened: the same [`setup::Setup`] gives the same bytes. It never knows
//! sockets, threads or the wall clock, and does not judge what clients saw: a history is a history, in both worlds.
//!
//! Read on in this order: [`setup`] (what a world is a function of), [`swarm`] (how seeds vary it), [`world`] (what
//! happens), [`invariants`] (what must hold after every step), [`outcome`] (what comes out), [`protocols`] (which
//! protocols there are; adding one is one file).

pub mod disk;
mod network;
mod queue;

pub mod vocabulary;

pub mod circumstances;
pub mod setup;
pub mod swarm;

pub mod invariants;
pub mod outcome;
pub mod panics;
pub mod trace;

mod clients;
mod node;
pub mod world;

pub mod protocols;

pub use outcome::Outcome;
pub use setup::Setup;
