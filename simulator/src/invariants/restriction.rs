//! The election restriction: a vote goes to a candidate whose log is at least as good as the voter's, by the term of the last
//! entry and then by its position (Raft 5.4.1). That a leader lacks something shows only when enough voters err at once; here
//! each vote is looked at on its own.

use rashomon_node::api::NodeId;

use super::mirror::Mirror;
use super::{Findings, Law, name};

const LAW: Law = ("a vote goes to a log that is at least as good", "Raft 5.4.1");

/// A vote in this term leaves a node for one that is still a candidate in it, and whose log is so as when it asked.
pub(crate) fn check(
    findings: &mut Findings,
    (node, voter): (usize, &Mirror),
    term: u64,
    (asker, candidate): (NodeId, &Mirror),
) {
    let end = |log: &Mirror| (log.term(log.last()).unwrap_or(0), log.last());
    let (own, other) = (end(voter), end(candidate));
    // What has come from a leader of this very term came after the vote was given.
    if own.0 < term && own > other {
        findings.broke(LAW, || {
            format!(
                "{} ends in (term, index) {own:?} and votes for {asker}, who ends in {other:?}",
                name(node)
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Said};
    use super::*;

    fn log(terms: &[u64]) -> Mirror {
        let mut log = Mirror::default();
        for (index, term) in (1..).zip(terms) {
            log.hear(&Said::Entry(Entry { index, term: *term, fingerprint: 0 })).unwrap();
        }
        log
    }

    #[test]
    fn the_last_term_counts_before_the_length() {
        for (voter, candidate, broken) in [
            (&[1, 1][..], &[1, 1][..], 0),
            (&[1, 1], &[1], 1),
            (&[1, 2], &[1, 1, 1], 1),
            (&[1, 1, 1], &[1, 2], 0),
            (&[1, 5], &[1, 1], 0),
        ] {
            let mut findings = Findings::default();
            check(&mut findings, (0, &log(voter)), 5, (NodeId(2), &log(candidate)));
            assert_eq!(findings.broken.len(), broken, "{voter:?} {candidate:?}");
        }
    }
}
