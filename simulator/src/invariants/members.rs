//! Who is no member leads nobody: a leader that is not among the new voters steps down when their membership is committed
//! (thesis 4.2.2; rule RM4). Clients would notice only when it goes on beside another one. And who decides at a position is not
//! changed by putting a snapshot in the place of what goes before.

use rashomon_node::api::NodeId;

use super::mirror::Mirror;
use super::{Findings, Law, Voters, name};

const SNAPSHOT: Law = ("a snapshot holds who decides at its end", "Raft 7; thesis 5.1");
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

/// A node puts a snapshot in the place of its log up to `index`, by which these decide from there on. Where another entry stands
/// there, the log was never committed and says nothing.
pub(crate) fn compacted(
    findings: &mut Findings,
    node: usize,
    log: &Mirror,
    (index, term): (u64, u64),
    voters: &Voters,
) {
    if log.term(index) == Some(term)
        && let Some(known) = log.voters_at(index)
        && **known != *voters
    {
        findings.broke(SNAPSHOT, || {
            let name = name(node);
            format!(
                "by {name}'s log {:?} decide at {index}, by its snapshot {:?}",
                known.groups, voters.groups
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::{Entry, Said};
    use super::*;

    #[test]
    fn a_snapshot_is_held_against_the_log_only_where_that_is_the_same() {
        let of = |nodes: &[u32]| Voters { groups: vec![nodes.iter().copied().map(NodeId).collect()] };
        let mut log = Mirror::default();
        let entry = Entry { index: 1, term: 3, fingerprint: 7 };
        log.hear(&Said::Voters(entry, Rc::new(of(&[1, 2])))).unwrap();
        for (term, voters, broken) in [(3, of(&[1, 2]), 0), (3, of(&[1]), 1), (4, of(&[1]), 0)] {
            let mut findings = Findings::default();
            compacted(&mut findings, 0, &log, (1, term), &voters);
            assert_eq!(findings.broken.len(), broken);
        }
    }
}
