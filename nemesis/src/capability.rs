//! What an executor may be able to do, and what a fault needs of it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One kind of thing that an executor may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Signals to the nodes' processes: kill, pause, resume.
    Signals,
    /// Rules on the links between nodes: cut, mend.
    Links,
    /// Disks that lose power, rot, fail and stall.
    Disks,
    /// Clocks of their own for every node.
    Clocks,
    /// Load that slows a process down.
    Load,
    /// Messages that are lost, repeated and reordered one by one.
    Messages,
    /// Nodes whose data can be taken from them.
    Wipes,
    /// A system that hands leadership over when it is asked to.
    Leadership,
    /// A system that changes its members when it is asked to.
    Members,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::Signals => "signals to the nodes' processes",
            Capability::Links => "links of their own for every node (network namespaces)",
            Capability::Disks => "disks that lose power, rot and stall (the simulator: rashomon sim)",
            Capability::Clocks => "a clock of its own for every node (the simulator: rashomon sim)",
            Capability::Load => "load on single processes (the simulator: rashomon sim)",
            Capability::Messages => "hands on single messages (the simulator: rashomon sim)",
            Capability::Wipes => "nodes whose data can be taken from them",
            Capability::Leadership => "a system that hands leadership over when asked to",
            Capability::Members => "a system that changes its members when asked to",
        })
    }
}

/// All that an executor can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(pub BTreeSet<Capability>);

impl Capabilities {
    /// Signals and links: the namespace arena.
    pub fn namespaces() -> Self {
        Capabilities(BTreeSet::from([Capability::Signals, Capability::Links]))
    }

    /// Signals only: nodes that share one network, as in the loopback arena.
    pub fn loopback() -> Self {
        Capabilities(BTreeSet::from([Capability::Signals]))
    }

    /// All that a world can do to a system: the simulated world.
    pub fn simulator() -> Self {
        let beyond = [
            Capability::Disks,
            Capability::Clocks,
            Capability::Load,
            Capability::Messages,
            Capability::Wipes,
        ];
        Self::namespaces().with(beyond)
    }

    /// These, too.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = Capability>) -> Self {
        self.0.extend(more);
        self
    }

    /// The first of `needs` that is not offered.
    pub fn missing(&self, needs: &[Capability]) -> Option<Capability> {
        needs.iter().copied().find(|need| !self.0.contains(need))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let needs = [Capability::Signals, Capability::Links];
        assert_eq!(Capabilities::namespaces().missing(&needs), None);
        assert_eq!(Capabilities::loopback().missing(&needs), Some(Capability::Links));
    }
}
