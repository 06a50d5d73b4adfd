//! Who does not lead takes for committed what it was told is, and of its own log only what the very message vouches for: what follows
//! there may be another leader's (Raft 5.3, Figure 2, the last rule of AppendEntries; RL3 of the rules). Clients see a node that
//! goes further only where its log has such a rest.

use rashomon_node::api::Role;
use rashomon_node::protocol::View;

use super::{Findings, Law, name};

const LAW: Law = ("who follows commits what it is told is committed", "Raft 5.3, Figure 2");

/// A node has made a step, in which a message told it that all up to `told` is committed; 0: there was no such message.
pub(crate) fn check(findings: &mut Findings, node: usize, (before, after): (&View, &View), told: u64) {
    let leads = [before, after].iter().any(|view| view.role == Role::Leader);
    if !leads && after.commit > before.commit.max(told) {
        findings.broke(LAW, || {
            format!(
                "{} went on from {} to {}, and was told of {told} at most",
                name(node),
                before.commit,
                after.commit
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leader_commits_more_than_it_is_told() {
        let view = |role, commit| View { role, term: 3, leader: None, last: 9, commit };
        let cases = [
            (Role::Follower, Role::Follower, 6, 0),
            (Role::Follower, Role::Follower, 7, 1),
            (Role::Candidate, Role::Leader, 7, 0),
            (Role::Leader, Role::Follower, 7, 0),
        ];
        for (before, after, commit, broken) in cases {
            let mut findings = Findings::default();
            check(&mut findings, 0, (&view(before, 4), &view(after, commit)), 6);
            assert_eq!(findings.broken.len(), broken, "{before:?} {after:?} {commit}");
        }
    }
}
