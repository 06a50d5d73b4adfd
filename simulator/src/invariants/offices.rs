//! Election safety: at most one leader is elected in a given term (Raft 5.2 and Figure 3). A ballot and an epoch have
//! one leader, too.

use rustc_hash::FxHashMap;

use super::{Findings, Law, name};

const LAW: Law = ("election safety", "Raft 5.2, Figure 3");

/// Who leads in which term.
#[derive(Debug, Default)]
pub(crate) struct Offices {
    leaders: FxHashMap<u64, usize>,
}

impl Offices {
    /// A node leads in this term; true when that is new.
    pub(crate) fn takes(&mut self, findings: &mut Findings, node: usize, office: u64) -> bool {
        let mut is_new = false;
        let leader = *self.leaders.entry(office).or_insert_with(|| {
            is_new = true;
            node
        });
        if leader != node {
            findings.broke(LAW, || format!("{} and {} both lead in term {office}", name(leader), name(node)));
        }
        is_new
    }
}
