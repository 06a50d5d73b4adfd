//! A session's numbers: each names one operation, and what a session was answered last is never an earlier one (thesis
//! 6.3; rule RX1). What a late message carried out after its successor would be unknown to its client, and so hardly ever seen.
//! Nor is anything carried out of which a client was told that it surely did not happen: clients see that only where somebody
//! reads the very key before it is written again.

use rashomon_node::api::{SessionId, Sessioned};
use rashomon_node::machine::{Author, Command, Machine};
use rashomon_node::protocol::Decided;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Findings, Law, fingerprint, name};

const ONE: Law = ("a sequence names one operation", "thesis 6.3");
const REFUSED: Law =
    ("what surely did not happen never happens", "thesis 6.3; histories: a failed operation had no effect");
const RISING: Law = ("a session's sequences are carried out in order", "thesis 6.3");

/// Session and sequence.
type Number = (SessionId, u64);

/// What was first decided under a number.
#[derive(Clone, Copy, Debug)]
struct Known {
    fingerprint: u64,
    /// Whether it was seen to have been carried out.
    is_done: bool,
}

/// What sessions have done.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    operations: FxHashMap<Number, Known>,
    /// Of which clients were told that they did not happen.
    refused: FxHashSet<Number>,
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
            let number = (session, sequence.0);
            let last = machine.last_of(session);
            if *index > self.known_to {
                self.known_to = *index;
                self.decided(findings, number, command, last == Some(sequence));
            }
            // A session that has ended may be asked for still, and does nothing any more.
            let Some(last) = last else { continue };
            let before = self.last.insert((node, session), last.0).unwrap_or(0);
            if last.0 < before {
                findings.broke(RISING, || {
                    format!("{} carried out {} of session {} after {before}", name(node), last.0, session.0)
                });
            }
        }
    }

    fn decided(&mut self, findings: &mut Findings, number: Number, command: &Command, is_done: bool) {
        let found = Known { fingerprint: fingerprint(Some(command)), is_done };
        let first = self.operations.entry(number).or_insert(found);
        let (session, sequence) = (number.0.0, number.1);
        if first.fingerprint != found.fingerprint {
            findings.broke(ONE, || {
                format!("session {session} numbers another operation {sequence}: {command:?}")
            });
        }
        first.is_done |= is_done;
        if is_done && self.refused.contains(&number) {
            happened(findings, number);
        }
    }

    /// A client has been told that this did not happen.
    pub(crate) fn refused(&mut self, findings: &mut Findings, Sessioned { session, sequence }: Sessioned) {
        let number = (session, sequence.0);
        if self.operations.get(&number).is_some_and(|known| known.is_done) {
            happened(findings, number);
        }
        self.refused.insert(number);
    }

    /// A node has started anew: its state machine goes through the past again.
    pub(crate) fn restarted(&mut self, node: usize) {
        self.last.retain(|(at, _), _| *at != node);
    }
}

fn happened(findings: &mut Findings, (session, sequence): Number) {
    findings.broke(REFUSED, || {
        format!("a client was told that operation {sequence} of session {} did not happen; it did", session.0)
    });
}
