//! Equal logs make equal states: at the same applied position all state machines have the same digest (Schneider 1990;
//! the replicated state machine's definition).

use rashomon_node::machine::Machine;

use super::{Findings, Law, name};

const LAW: Law = ("equal digests at equal positions", "state machine replication: apply is deterministic");

const WHOLE: Law =
    ("a digest is that of its state", "state machine replication: what is compared is what is served");

/// What a state machine holds is what its digest, kept up to date with every change and taken along in every snapshot, says:
/// else what a snapshot has lost would differ in nothing that is compared.
pub(crate) fn whole(findings: &mut Findings, node: usize, machine: &Machine) {
    let (digest, anew) = (machine.digest(), machine.digest_anew());
    if digest != anew {
        findings.broke(WHOLE, || {
            format!("the state of {} at rest has the digest {anew:016x}, and says {digest:016x}", name(node))
        });
    }
}

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
