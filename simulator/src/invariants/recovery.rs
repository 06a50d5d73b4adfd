//! What a node was told is durable is there after a restart (RP1 of the rules; Raft Figure 2, "persistent state"). A node
//! that starts on less must not start at all.

use rashomon_node::api::NodeId;

use super::mirror::Mirror;
use super::{Findings, Law, name};

const LAW: Law = ("what was durable is read back", "Raft Figure 2: persistent state on all servers");

type Promise = Option<(u64, Option<NodeId>)>;

/// What was durable when the node died, and what it started on.
pub(crate) fn check(
    findings: &mut Findings,
    node: usize,
    (durable, promised): (&Mirror, Promise),
    (found, promise): (&Mirror, Promise),
) {
    let lost_promise = match (promised, promise) {
        (Some((term, _)), None) => term > 0,
        (Some((before, to)), Some((after, found))) => {
            after < before || (after == before && to.is_some() && found != to)
        }
        (None, _) => false,
    };
    if lost_promise {
        findings.broke(LAW, || format!("{} had promised {promised:?} and starts on {promise:?}", name(node)));
    }
    let last = durable.last();
    // A batch under way at the crash may have been written as a whole: it may have cut the log or overwritten its end, in
    // a later term.
    let is_there = found.base() >= last
        || found.term(last).is_some_and(|term| Some(term) >= durable.term(last))
        || found.term(found.last()) > durable.term(last);
    if !is_there {
        findings.broke(LAW, || {
            format!("{} had entries up to {last} on disk and starts with {}", name(node), found.last())
        });
    }
}
