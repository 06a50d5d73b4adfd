//! A leader counts for a follower what that one has told it in this very term: answers to an earlier time in office are about
//! another log (Raft 5.1, stale terms; 5.3; Paxos Made Simple 2.2, a ballot's own votes).
//!
//! What is committed shows it only where that other log has lost what the answer was about, and nobody has written it anew.

use super::{Findings, Law, Vouched, name};

const LAW: Law = ("a leader counts what it was told in its term", "Raft 5.1 and 5.3; Paxos Made Simple 2.2");

/// How far a follower is, by what it told a leader: term and last position.
pub type Told = (u64, u64);

/// What everybody has told everybody else.
#[derive(Debug)]
pub(crate) struct Counting {
    nodes: usize,
    /// By who was told and who told it.
    told: Vec<Told>,
}

impl Counting {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { nodes, told: vec![(0, 0); nodes * nodes] }
    }

    /// A message that says this leaves a node for another.
    pub(crate) fn tells(&mut self, (from, to): (usize, usize), vouched: &Vouched) {
        let told = match vouched {
            Vouched::Entries { term, last } => (*term, *last),
            Vouched::Accepted { ballot, slots } => (*ballot, *slots.end()),
            _ => return,
        };
        let last = &mut self.told[to * self.nodes + from];
        *last = told.max(*last);
    }

    /// A leader takes a follower to be so far.
    pub(crate) fn counts(&self, findings: &mut Findings, (leader, follower): (usize, usize), counted: Told) {
        let told = self.told[leader * self.nodes + follower];
        if counted.1 > 0 && counted > told {
            findings.broke(LAW, || {
                let (leader, follower) = (name(leader), name(follower));
                format!(
                    "{leader} counts {follower} up to (term, position) {counted:?}, was told {told:?} at most"
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_in_an_earlier_term_does_not_count() {
        let mut counting = Counting::new(2);
        counting.tells((1, 0), &Vouched::Entries { term: 4, last: 9 });
        counting.tells((1, 0), &Vouched::Entries { term: 5, last: 7 });
        let is_fine = |counted| {
            let mut findings = Findings::default();
            counting.counts(&mut findings, (0, 1), counted);
            findings.broken.is_empty()
        };
        assert!(is_fine((5, 7)) && is_fine((5, 0)) && is_fine((6, 0)));
        assert!(!is_fine((5, 9)) && !is_fine((6, 1)));
    }
}
