//! The protocols that can be simulated. Adding one is a file under [`crate::invariants`] and a line here.

use rashomon_node::paxos::Paxos;
use rashomon_node::raft::Raft;
use rashomon_node::zab::Zab;

use crate::invariants::Inspect;
use crate::outcome::Outcome;
use crate::setup::Setup;
use crate::world::World;

/// A protocol's name, and how to run a world of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// What its messages and records are called.
    pub kinds: &'static [&'static str],
    /// Runs a world of it to its end.
    pub run: fn(&Setup) -> Outcome,
}

/// Every protocol; the first one is the default.
pub const REGISTRY: &[Entry] = &[
    Entry { name: "raft", kinds: Raft::KINDS, run: |setup| World::<Raft>::new(setup).run() },
    Entry { name: "paxos", kinds: Paxos::KINDS, run: |setup| World::<Paxos>::new(setup).run() },
    Entry { name: "zab", kinds: Zab::KINDS, run: |setup| World::<Zab>::new(setup).run() },
];

/// A name that no protocol has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no protocol called {name:?} can be simulated; there are {}", REGISTRY.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "))]
pub struct UnknownProtocol {
    /// The name given.
    pub name: String,
}

/// The protocol of this name.
///
/// # Errors
/// [`UnknownProtocol`], with the names there are.
pub fn find(name: &str) -> Result<Entry, UnknownProtocol> {
    let found = REGISTRY.iter().find(|entry| entry.name == name).copied();
    found.ok_or_else(|| UnknownProtocol { name: name.to_owned() })
}
