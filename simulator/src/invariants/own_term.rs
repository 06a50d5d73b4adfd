//! What a leader of Raft may do only on the strength of its own term: commit by counting (Raft 5.4.2, Figure 8), and change the
//! members (thesis 4.1, as corrected by its author). Either harms only when the next leaders come from the right nodes in the
//! right order; here it is seen when it is done.

use rashomon_node::api::Role;
use rashomon_node::protocol::View;

use super::mirror::Mirror;
use super::{Findings, Law, name};

const COUNTS: Law = ("a leader commits entries of its own term by counting", "Raft 5.4.2, Figure 8");
const CHANGES: Law = ("members change once an entry of the leader's term is committed", "thesis 4.1");

/// A node has made a step; its log as it is now, and where it has written who decides, if it has.
pub(crate) fn check(
    findings: &mut Findings,
    node: usize,
    (before, after): (&View, &View),
    log: &Mirror,
    voters_at: Option<u64>,
) {
    let is_own = |index: u64| log.term(index) == Some(after.term);
    if after.role != Role::Leader {
        return;
    }
    if before.role == Role::Leader && before.term == after.term && after.commit > before.commit {
        let commit = after.commit;
        if !is_own(commit) {
            findings.broke(COUNTS, || {
                format!(
                    "{} leads in term {} and commits up to {commit}, of term {:?}",
                    name(node),
                    after.term,
                    log.term(commit)
                )
            });
        }
    }
    if let Some(index) = voters_at.filter(|index| is_own(*index))
        && !is_own(after.commit)
    {
        findings.broke(CHANGES, || {
            format!(
                "{} leads in term {} and changes the members at {index}; committed is {}, of term {:?}",
                name(node),
                after.term,
                after.commit,
                log.term(after.commit)
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Said};
    use super::*;

    fn view(term: u64, commit: u64) -> View {
        View { role: Role::Leader, term, leader: None, last: 3, commit }
    }

    #[test]
    fn entries_of_earlier_terms_are_committed_by_one_of_the_own_term_and_members_change_after_it() {
        let mut log = Mirror::default();
        for (index, term) in [(1, 1), (2, 1), (3, 2)] {
            log.hear(&Said::Entry(Entry { index, term, fingerprint: 0 })).unwrap();
        }
        let found = |before, after, voters_at| {
            let mut findings = Findings::default();
            check(&mut findings, 0, (&before, &after), &log, voters_at);
            findings.broken.len()
        };
        assert_eq!(found(view(2, 1), view(2, 3), None), 0);
        assert_eq!(found(view(2, 1), view(2, 2), None), 1);
        assert_eq!(found(View { role: Role::Follower, ..view(2, 1) }, view(2, 2), None), 0);
        assert_eq!(found(view(2, 1), View { role: Role::Follower, ..view(2, 2) }, None), 0);
        assert_eq!(found(view(2, 3), view(2, 3), Some(3)), 0);
        assert_eq!(found(view(2, 1), view(2, 1), Some(3)), 1);
        assert_eq!(found(view(2, 1), view(2, 1), Some(2)), 0, "it is another leader's");
    }
}
