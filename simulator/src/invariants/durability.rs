//! What is committed is durable on a majority, and everywhere the same entry (Raft 5.3; `CommittedIsDurableInv` of the
//! etcd specification). Checked when any node first says that an entry is committed.

use super::{Entry, Findings, Law, Seen, name};

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

    /// A node says, in this term, that everything up to `commit` is committed.
    pub(super) fn learn(
        &mut self,
        findings: &mut Findings,
        node: usize,
        (term, commit): (u64, u64),
        nodes: &[Seen],
    ) {
        let known = self.entries.len() as u64;
        let log = &nodes[node].memory;
        for index in known + 1..=commit.min(log.last()) {
            let entry = log.entry(index);
            self.entries.push((term, entry));
            let Some(entry) = entry else { continue };
            let holders = nodes
                .iter()
                .filter(|other| other.disk.base() >= index || other.disk.entry(index) == Some(entry))
                .count();
            if holders <= nodes.len() / 2 {
                findings.broke(DURABLE, || {
                    let count = nodes.len();
                    format!(
                        "{} says that {index} is committed; it is on {holders} of {count} disks",
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
