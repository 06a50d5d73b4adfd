//! A linearizable read sees what was acknowledged before its node took it in: whoever serves it has applied at least so
//! far (Raft 8; thesis 6.4, steps one to four; rules RR1, PP8, ZB9).
//!
//! Clients notice only when the very key that they read was changed meanwhile: this asks every read about all keys at once.

use rashomon_node::protocol::OperationId;
use rustc_hash::FxHashMap;

use super::{Findings, Law, name};

const LAW: Law = ("a read sees what was acknowledged before it", "Raft 8; thesis 6.4");

/// Reads that are not answered: by node, and the position that each has to see.
#[derive(Debug, Default)]
pub(crate) struct Freshness {
    waiting: FxHashMap<(usize, OperationId), u64>,
}

impl Freshness {
    /// A node takes a read in; what was applied up to this position has been acknowledged.
    pub(crate) fn asked(&mut self, node: usize, id: OperationId, acknowledged: u64) {
        self.waiting.insert((node, id), acknowledged);
    }

    /// A node answers, having applied up to this position by the end of its step.
    pub(crate) fn answered(
        &mut self,
        findings: &mut Findings,
        node: usize,
        (id, is_ok): (OperationId, bool),
        applied: u64,
    ) {
        let Some(acknowledged) = self.waiting.remove(&(node, id)) else { return };
        if is_ok && applied < acknowledged {
            findings.broke(LAW, || {
                format!(
                    "{} serves a read from {applied}; before it came, a change was acknowledged at {acknowledged}",
                    name(node)
                )
            });
        }
    }

    /// A node has started anew: nobody waits there.
    pub(crate) fn restarted(&mut self, node: usize) {
        self.waiting.retain(|(at, _), _| *at != node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_from_before_an_acknowledged_change_is_told() {
        for (applied, is_ok, broken) in [(6, true, 1), (7, true, 0), (6, false, 0)] {
            let (mut freshness, mut findings) = (Freshness::default(), Findings::default());
            freshness.asked(0, OperationId(1), 7);
            freshness.answered(&mut findings, 1, (OperationId(1), true), 0);
            freshness.answered(&mut findings, 0, (OperationId(1), is_ok), applied);
            freshness.answered(&mut findings, 0, (OperationId(1), true), 0);
            assert_eq!(findings.broken.len(), broken);
        }
    }
}
