//! Log matching: if two logs contain an entry with the same index and term, then the logs are identical in all entries up
//! through the given index (Raft 5.3 and Figure 3). By induction: equal index and term means equal content and an
//! entry of equal term before.

use rustc_hash::FxHashMap;

use super::mirror::Mirror;
use super::{Entry, Findings, Law, name};

const LAW: Law = ("log matching", "Raft 5.3, Figure 3");
pub(crate) const GAPLESS: Law = ("a log has no gaps", "Raft 5.3");

const WRITTEN: Law = ("a log is what its records say", "Raft Figure 2: persistent state; RP1, ZB7");

/// A node's log ends here; so has what it writes down to.
pub(crate) fn written_down(findings: &mut Findings, node: usize, last: u64, log: &Mirror) {
    if last != log.last() {
        findings.broke(WRITTEN, || {
            format!("{}'s log ends with {last}, what it has written with {}", name(node), log.last())
        });
    }
}

/// Every entry that was ever written: its content and the term before it.
#[derive(Debug, Default)]
pub(crate) struct Matching {
    entries: FxHashMap<(u64, u64), (u64, Option<u64>)>,
}

impl Matching {
    /// A node has written an entry to its log, which now ends with it.
    pub(crate) fn written(&mut self, findings: &mut Findings, node: usize, entry: Entry, log: &Mirror) {
        let Entry { index, term, fingerprint } = entry;
        let found = (fingerprint, log.term(index - 1));
        let first = *self.entries.entry((index, term)).or_insert(found);
        if first != found {
            findings.broke(LAW, || {
                let what =
                    if first.0 == fingerprint { "follows another term" } else { "says something else" };
                format!("entry {index} of term {term} {what} on {} than where it was first", name(node))
            });
        }
    }
}
