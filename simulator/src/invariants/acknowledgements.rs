//! What a client was told has happened: decided and applied first (Raft 5.3, "applies the entry to its state machine and
//! returns the result"), in the order of its session (thesis 6.3), and still there when all is at rest.

use rashomon_node::api::{Reply, SessionId};
use rashomon_node::machine::Author;
use rashomon_node::protocol::OperationId;
use rashomon_node::replica::Output;
use rustc_hash::FxHashMap;

use super::{Findings, Inspect, Law, name};

const DECIDED: Law = ("acknowledged means applied", "Raft 5.3");
const ORDER: Law = ("a session's operations apply in order", "thesis 6.3");
const KEPT: Law = ("every acknowledged write is there at rest", "Raft 5.4.3");

/// Acknowledged changes.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    /// The highest position at which something acknowledged was applied.
    last: u64,
    /// Of each session the last sequence that each node has acknowledged: nodes go through the log at their own pace, and a
    /// client that has given up on one asks the next.
    sessions: FxHashMap<(usize, SessionId), u64>,
}

impl Acknowledgements {
    /// A node has given answers.
    pub(crate) fn given<P: Inspect>(&mut self, findings: &mut Findings, node: usize, output: &Output<P>) {
        for (id, answer) in &output.answers {
            let is_of_the_log = matches!(
                answer,
                Ok(Reply::Written | Reply::Swapped | Reply::Mismatch { .. } | Reply::Added | Reply::Taken(_))
            );
            if !is_of_the_log {
                continue;
            }
            let applied = output.applied.iter().find(|decided| decided.waiting.contains(id));
            match applied {
                Some(decided) => {
                    self.last = self.last.max(decided.index);
                    if let Some(Author::Session(sessioned)) =
                        decided.command.as_ref().map(|command| command.author)
                    {
                        let about = (node, sessioned.session);
                        self.acknowledged(findings, about, sessioned.sequence.0);
                    }
                }
                None => findings.broke(DECIDED, || {
                    format!("{} acknowledged {} without having applied it", name(node), told(*id))
                }),
            }
        }
    }

    fn acknowledged(&mut self, findings: &mut Findings, about: (usize, SessionId), sequence: u64) {
        let before = self.sessions.insert(about, sequence).unwrap_or(0);
        if sequence < before {
            let (node, session) = about;
            findings.broke(ORDER, || {
                format!("{} told session {} of {sequence} after {before}", name(node), session.0)
            });
        }
    }

    /// Up to here something acknowledged was applied.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// All nodes have applied up to `applied` and hold equal states.
    pub(crate) fn at_rest(&self, findings: &mut Findings, applied: u64) {
        if applied < self.last {
            findings.broke(KEPT, || {
                format!("all nodes are at rest at {applied}; a write was acknowledged at {}", self.last)
            });
        }
    }
}

fn told(id: OperationId) -> String {
    format!("operation {:x}", id.0)
}
