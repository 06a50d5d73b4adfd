//! Leader completeness: if an entry is committed in a given term, it is present in the logs of the leaders of all later
//! terms (Raft 5.4 and Figure 3). Checked when a leader takes office, for the last entry committed before its term: by
//! log matching the others are then there, too. Later ones it may lack: votes that reached a sleeper make it, when it
//! wakes, the leader of a term that others have long left behind.

use super::durability::Committed;
use super::mirror::Mirror;
use super::{Findings, Law, name};

const LAW: Law = ("leader completeness", "Raft 5.4, Figure 3");

/// A node has taken office in this term with this log.
pub(crate) fn check(findings: &mut Findings, node: usize, term: u64, log: &Mirror, committed: &Committed) {
    let Some(last) = committed.last_before(term) else { return };
    let stands = log.entry(last.index).map(|entry| entry.term);
    if log.base() < last.index && stands != Some(last.term) {
        findings.broke(LAW, || {
            let found = stands.map_or("nothing".to_owned(), |term| format!("an entry of term {term}"));
            format!(
                "{} leads with {found} where entry {} of term {} was committed",
                name(node),
                last.index,
                last.term
            )
        });
    }
}
