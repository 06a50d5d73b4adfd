//! The protocols that can be simulated. Adding one is a file under [`crate::invariants`] and a line here.

use rashomon_nemesis::{Capabilities, Capability};
use rashomon_node::api::NodeId;
use rashomon_node::paxos::Paxos;
use rashomon_node::raft::Raft;
use rashomon_node::settings::{Settings, SettingsError};
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
    /// What its messages are called.
    pub messages: &'static [&'static str],
    /// What its records are called.
    pub records: &'static [&'static str],
    /// Runs a world of it to its end.
    pub run: fn(&Setup) -> Outcome,
    /// What it does when it is asked to.
    pub asks: &'static [Capability],
    /// Whether nodes may take part without a vote.
    pub observers: bool,
    check: fn(&Settings) -> Result<(), SettingsError>,
}

impl Entry {
    const fn of<P: Inspect>() -> Self {
        Self {
            name: P::NAME,
            messages: P::MESSAGES,
            records: P::RECORDS,
            run: |setup| World::<P>::new(setup).run(),
            asks: P::ASKS,
            observers: P::OBSERVERS,
            check: P::check,
        }
    }

    /// All that a time line may look for.
    pub fn kinds(&self) -> Vec<&'static str> {
        [self.messages, self.records].concat()
    }

    /// Whether its nodes take these settings.
    pub fn accepts(&self, setup: &Setup) -> bool {
        let settings = setup.settings(NodeId(1));
        settings.check().and_then(|()| (self.check)(&settings)).is_ok()
    }

    /// All that may be done to a simulated cluster of it.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::simulator().with(self.asks.iter().copied())
    }
}

/// Every protocol; the first one is the default.
pub const REGISTRY: &[Entry] = &[Entry::of::<Raft>(), Entry::of::<Paxos>(), Entry::of::<Zab>()];

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
