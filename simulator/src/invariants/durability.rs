//! What is committed is durable on a majority, and everywhere the same entry (Raft 5.3; `CommittedIsDurableInv` of the
//! etcd specification). Checked when any node first says that an entry is committed, and of the voters that are then in
//! force in its log: while two groups decide together, a majority of each; learners count in nothing (Raft 6; thesis 4.2.1).
//! A node's step may be two of its core's, a snapshot handed in between: the first ends a change, the second commits by the
//! voters that the change left. So it is those before the step or those after it.

use rashomon_node::api::NodeId;

use super::{Electors, Entry, Findings, Law, Seen, Voters, name};

const DURABLE: Law = ("committed means durable on a majority", "Raft 5.3; thesis 10.2.1");
const SAME: Law = ("committed entries agree", "Raft 5.4, Figure 3");

/// The entries that some node said are committed.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// From position 1 on, each with the term of the node that said so first: it was committed in that term or before.
    /// No entry where that node had it in a snapshot only.
    entries: Vec<(u64, Option<Entry>)>,
}

impl Committed {
    /// The last of those that were surely committed in a term before this one.
    pub(crate) fn last_before(&self, term: u64) -> Option<Entry> {
        self.entries.iter().rev().find(|(said_in, _)| *said_in < term)?.1
    }

    /// A node says, in this term, that everything up to `commit` is committed; `before` decided by its log before this step.
    pub(super) fn learn(
        &mut self,
        findings: &mut Findings,
        node: usize,
        (term, commit): (u64, u64),
        (before, electors): (&Voters, &Electors),
        nodes: &[Seen],
    ) {
        let known = self.entries.len() as u64;
        let log = &nodes[node].memory;
        let after = log.voters();
        for index in known + 1..=commit.min(log.last()) {
            let entry = log.entry(index);
            self.entries.push((term, entry));
            let Some(entry) = entry else { continue };
            let holds = |other: &Seen| other.disk.base() >= index || other.disk.entry(index) == Some(entry);
            let is_held = |other: NodeId| nodes.get((other.0 - 1) as usize).is_some_and(holds);
            if ![before, &*after].iter().any(|voters| voters.decide(electors, is_held)) {
                findings.broke(DURABLE, || {
                    let (holders, count) = (nodes.iter().filter(|other| holds(other)).count(), nodes.len());
                    let by = match before.groups.is_empty() {
                        true => String::new(),
                        false => {
                            format!("; those who decide are {:?}, then {:?}", before.groups, after.groups)
                        }
                    };
                    format!(
                        "{} says that {index} is committed; it is on {holders} of {count} disks{by}",
                        name(node)
                    )
                });
            }
        }
        // What was committed before is compared where this node's word ends: by log matching the rest agrees.
        let Some(place) = commit.min(known).checked_sub(1).and_then(|place| usize::try_from(place).ok())
        else {
            return;
        };
        if let (Some((_, Some(committed))), Some(found)) =
            (self.entries.get(place), log.entry(commit.min(known)))
            && *committed != found
        {
            findings.broke(SAME, || {
                format!("{} says that {found:?} is committed, where {committed:?} was", name(node))
            });
        }
    }
}
