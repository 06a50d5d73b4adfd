//! Who is no member leads nobody: a leader that is not among the new voters steps down when their membership is committed
//! (thesis 4.2.2; rule RM4). Clients would notice only when it goes on beside another one.

use rashomon_node::api::NodeId;

use super::mirror::Mirror;
use super::{Findings, Law, name};

const LAW: Law = ("who is no member leads nobody", "thesis 4.2.2");

/// A node leads by this log, which it holds to be committed up to `commit`.
pub(crate) fn check(findings: &mut Findings, node: usize, id: NodeId, log: &Mirror, commit: u64) {
    let (from, voters) = log.voters_since();
    let is_member = voters.groups.is_empty() || voters.groups.iter().any(|group| group.contains(&id));
    if from <= commit && !is_member {
        findings.broke(LAW, || {
            format!("{} leads, although the members are {:?}, committed at {from}", name(node), voters.groups)
        });
    }
}
