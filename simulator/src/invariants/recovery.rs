//! What a node was told is durable is there after a restart (RP1 of the rules; Raft Figure 2, "persistent state"). A node
//! that starts on less must not start at all.

use super::mirror::Mirror;
use super::promises::{Promise, covers};
use super::{Findings, Law, name};

const LAW: Law = ("what was durable is read back", "Raft Figure 2: persistent state on all servers");

/// What was durable when the node died, or would have been after each batch under way; and what it started on.
pub(crate) fn check(
    findings: &mut Findings,
    node: usize,
    (durable, promised): (&[Mirror], Promise),
    (found, promise): (&Mirror, Promise),
) {
    if !covers(promise, promised) {
        findings.broke(LAW, || format!("{} had promised {promised:?} and starts on {promise:?}", name(node)));
    }
    if !durable.iter().any(|durable| is_there(durable, found)) {
        findings.broke(LAW, || {
            let last = durable.first().map_or(0, Mirror::last);
            format!("{} had entries up to {last} on disk and starts with {}", name(node), found.last())
        });
    }
}

fn is_there(durable: &Mirror, found: &Mirror) -> bool {
    let last = durable.last();
    found.base() >= last || found.term(last).is_some_and(|term| Some(term) == durable.term(last))
}
