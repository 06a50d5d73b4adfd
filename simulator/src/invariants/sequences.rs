//! A session's numbers: each names one operation, and what a session was answered last is never an earlier one (thesis
//! 6.3; rule RX1). What a late message carried out after its successor would be unknown to its client, and so hardly ever seen.

use rashomon_node::api::{SessionId, Sessioned};
use rashomon_node::machine::{Author, Machine};
use rashomon_node::protocol::Decided;
use rustc_hash::FxHashMap;

use super::{Findings, Law, fingerprint, name};

const ONE: Law = ("a sequence names one operation", "thesis 6.3");
const RISING: Law = ("a session's sequences are carried out in order", "thesis 6.3");

/// What sessions have done.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    operations: FxHashMap<(SessionId, u64), u64>,
    /// The last position of which this is known; what another node applies there is the same ([`super::decisions`]).
    known_to: u64,
    /// By node, as their state machines have it.
    last: FxHashMap<(usize, SessionId), u64>,
}

impl Sequences {
    /// A node has applied these, and its state machine is as after them.
    pub(crate) fn applied(
        &mut self,
        findings: &mut Findings,
        node: usize,
        applied: &[Decided],
        machine: &Machine,
    ) {
        for Decided { index, command, .. } in applied {
            let Some(command) = command else { continue };
            let Author::Session(Sessioned { session, sequence }) = command.author else { continue };
            if *index > self.known_to {
                self.known_to = *index;
                let found = fingerprint(Some(command));
                if *self.operations.entry((session, sequence.0)).or_insert(found) != found {
                    findings.broke(ONE, || {
                        format!("session {} numbers another operation {}: {command:?}", session.0, sequence.0)
                    });
                }
            }
            // A session that has ended may be asked for still, and does nothing any more.
            let Some(last) = machine.last_of(session) else { continue };
            let before = self.last.insert((node, session), last.0).unwrap_or(0);
            if last.0 < before {
                findings.broke(RISING, || {
                    format!("{} carried out {} of session {} after {before}", name(node), last.0, session.0)
                });
            }
        }
    }

    /// A node has started anew: its state machine goes through the past again.
    pub(crate) fn restarted(&mut self, node: usize) {
        self.last.retain(|(at, _), _| *at != node);
    }
}
