//! Within one start of a node, its term and its commit index never fall (Raft 5.1, 5.3; RL3 of the rules). Over restarts a
//! term that was made durable may not fall either: [`super::promises`] and [`super::recovery`].

use rashomon_node::protocol::View;

use super::{Findings, Law, name};

const TERM: Law = ("a node's term never falls", "Raft 5.1");
const COMMIT: Law = ("a node's commit index never falls", "Raft 5.3");

/// A node's view before a step, and after it.
pub(crate) fn check(
    findings: &mut Findings,
    node: usize,
    term_rises: bool,
    before: Option<&View>,
    after: &View,
) {
    let Some(before) = before else { return };
    let pairs = [(TERM, term_rises, before.term, after.term), (COMMIT, true, before.commit, after.commit)];
    for (law, holds, before, after) in pairs {
        if holds && after < before {
            findings.broke(law, || format!("{} went from {before} back to {after}", name(node)));
        }
    }
}
