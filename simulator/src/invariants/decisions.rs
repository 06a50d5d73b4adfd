//! State machine safety: if a server has applied an entry at a given index, no other server will ever apply a different
//! one for that index (Raft 5.4.3 and Figure 3), over all nodes and restarts.

use rashomon_node::protocol::Decided;

use super::{Findings, Law, fingerprint, name};

const LAW: Law = ("state machine safety", "Raft 5.4.3, Figure 3");

/// What was first applied at each position: its fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// From position 1 on; `None` where nobody has applied one by one yet.
    first: Vec<Option<u64>>,
}

impl Decisions {
    /// A node has applied these; `is_first` is told of each that nobody has applied before, with its fingerprint.
    pub(crate) fn applied(
        &mut self,
        findings: &mut Findings,
        node: usize,
        applied: &[Decided],
        mut is_first: impl FnMut(&mut Findings, u64, u64),
    ) {
        for Decided { index, command, .. } in applied {
            let Ok(place) = usize::try_from(index - 1) else { continue };
            if place >= self.first.len() {
                self.first.resize(place + 1, None);
            }
            let found = fingerprint(command.as_ref());
            let Some(first) = self.first[place] else {
                self.first[place] = Some(found);
                is_first(findings, *index, found);
                continue;
            };
            if first != found {
                findings.broke(LAW, || {
                    format!(
                        "{} applied {command:?} at {index}, where another node applied something else",
                        name(node)
                    )
                });
            }
        }
    }
}
