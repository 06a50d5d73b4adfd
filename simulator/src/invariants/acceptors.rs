//! Acceptors, slot by slot (Lamport, "Paxos Made Simple"; rules PP1 to PP3): a ballot proposes one value in a slot, and what an
//! acceptor has promised and accepted on disk it knows after a restart, in its memory as in its records.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{Findings, Law, Said, name};

const ONE_VALUE: Law = ("a ballot proposes one value in a slot", "Paxos Made Simple 2.2; PP1");
const KEPT: Law = ("an acceptor knows what it has promised and accepted", "Paxos Made Simple 2.5; PP2, PP3");

/// All acceptors of a cluster, as their disks have them.
#[derive(Debug)]
pub(crate) struct Acceptors {
    nodes: Vec<Acceptor>,
    /// By slot: the ballot that was accepted in it first, with its value. Mostly it is the only one.
    first: Vec<Option<(u64, u64)>>,
    /// By slot and ballot: the value that was accepted first in any other ballot.
    others: FxHashMap<(u64, u64), u64>,
}

#[derive(Clone, Debug, Default)]
struct Acceptor {
    promised: u64,
    /// By slot: the ballot accepted in.
    accepted: BTreeMap<u64, u64>,
    /// Up to here slots are known to be chosen, and need no ballot.
    settled: u64,
}

impl Acceptor {
    fn hear(&mut self, said: &Said) {
        match *said {
            Said::Promise { term, .. } => self.promised = self.promised.max(term),
            Said::Accepted { slot, ballot, .. } => {
                self.promised = self.promised.max(ballot);
                self.accepted.insert(slot, ballot);
            }
            Said::Settled { to } => {
                self.settled = self.settled.max(to);
                while self.accepted.first_key_value().is_some_and(|(slot, _)| *slot <= self.settled) {
                    self.accepted.pop_first();
                }
            }
            _ => {}
        }
    }
}

impl Acceptors {
    pub(crate) fn new(nodes: usize) -> Self {
        let (first, others) = (Vec::new(), FxHashMap::default());
        Self { nodes: vec![Acceptor::default(); nodes], first, others }
    }

    /// A record is on a node's disk.
    pub(crate) fn durable(&mut self, findings: &mut Findings, node: usize, said: &Said) {
        if let Said::Accepted { slot, ballot, fingerprint } = *said {
            if self.value(slot, ballot, fingerprint) != fingerprint {
                findings.broke(ONE_VALUE, || {
                    format!("{} accepts another value in slot {slot}, ballot {ballot}", name(node))
                });
            }
        }
        self.nodes[node].hear(said);
    }

    /// What was accepted first in a slot and ballot: this, if nothing was.
    fn value(&mut self, slot: u64, ballot: u64, found: u64) -> u64 {
        let Ok(place) = usize::try_from(slot) else { return found };
        if place >= self.first.len() {
            self.first.resize(place + 1, None);
        }
        match *self.first[place].get_or_insert((ballot, found)) {
            (of, first) if of == ballot => first,
            _ => *self.others.entry((slot, ballot)).or_insert(found),
        }
    }

    /// A node goes by this promise.
    pub(crate) fn goes_by(&self, findings: &mut Findings, node: usize, promised: u64) {
        let durable = self.nodes[node].promised;
        if promised < durable {
            findings.broke(KEPT, || format!("{} has promised {durable} and goes by {promised}", name(node)));
        }
    }

    /// A node has started on these records.
    pub(crate) fn restarted<'a>(
        &mut self,
        findings: &mut Findings,
        node: usize,
        records: impl Iterator<Item = &'a Said>,
    ) {
        let mut found = Acceptor::default();
        records.for_each(|said| found.hear(said));
        let before = &self.nodes[node];
        let is_there = |(slot, ballot): (&u64, &u64)| {
            *slot <= found.settled || found.accepted.get(slot).is_some_and(|found| found >= ballot)
        };
        if found.promised < before.promised || !before.accepted.iter().all(is_there) {
            findings.broke(KEPT, || {
                let (had, has) = (before.accepted.len(), found.accepted.len());
                format!(
                    "{} had promised {} and accepted in {had} open slots on disk; it starts on {} and {has}",
                    name(node),
                    before.promised,
                    found.promised
                )
            });
        }
        self.nodes[node] = found;
    }

    /// A node's disk was taken: it is a new server.
    pub(crate) fn forgotten(&mut self, node: usize) {
        self.nodes[node] = Acceptor::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(slot: u64, ballot: u64, fingerprint: u64) -> Said {
        Said::Accepted { slot, ballot, fingerprint }
    }

    #[test]
    fn a_ballot_has_one_value_in_a_slot() {
        for (slot, ballot, broken) in [(1, 6, 1), (2, 6, 0), (1, 7, 0)] {
            let (mut acceptors, mut findings) = (Acceptors::new(3), Findings::default());
            acceptors.durable(&mut findings, 0, &accepted(1, 6, 1));
            acceptors.durable(&mut findings, 1, &accepted(slot, ballot, 2));
            assert_eq!(findings.broken.len(), broken);
        }
    }

    #[test]
    fn what_is_settled_need_not_be_read_back_and_all_else_must() {
        let restart = |records: &[Said]| {
            let (mut acceptors, mut findings) = (Acceptors::new(1), Findings::default());
            acceptors.durable(&mut findings, 0, &accepted(1, 4, 1));
            acceptors.durable(&mut findings, 0, &accepted(2, 4, 2));
            acceptors.restarted(&mut findings, 0, records.iter());
            findings.broken.len()
        };
        assert_eq!(restart(&[accepted(1, 4, 1), accepted(2, 4, 2)]), 0);
        assert_eq!(restart(&[Said::Settled { to: 1 }, accepted(2, 5, 9)]), 0);
        assert_eq!(restart(&[Said::Promise { term: 4, to: None }, accepted(1, 4, 1)]), 1);
        assert_eq!(restart(&[accepted(1, 4, 1), accepted(2, 3, 2)]), 1);
        assert_eq!(restart(&[Said::Settled { to: 2 }]), 1, "the promise is gone");
    }
}
