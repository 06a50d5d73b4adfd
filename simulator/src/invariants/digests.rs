//! Equal logs make equal states: at the same applied position all state machines have the same digest (Schneider 1990;
//! the replicated state machine's definition).

use rashomon_node::machine::Machine;

use super::{Findings, Law, name};

const LAW: Law = ("equal digests at equal positions", "state machine replication: apply is deterministic");

/// The digest first seen at each position.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    first: Vec<Option<u64>>,
}

impl Digests {
    /// A node has applied up to a position.
    pub(crate) fn check(&mut self, findings: &mut Findings, node: usize, machine: &Machine) {
        let (applied, digest) = (machine.applied(), machine.digest());
        let Ok(place) = usize::try_from(applied) else { return };
        if place >= self.first.len() {
            self.first.resize(place + 1, None);
        }
        let first = *self.first[place].get_or_insert(digest);
        if first != digest {
            findings.broke(LAW, || {
                format!("{} holds state {digest:016x} after {applied}, another node {first:016x}", name(node))
            });
        }
    }
}
