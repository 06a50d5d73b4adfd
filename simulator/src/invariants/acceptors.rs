//! Acceptors, slot by slot (Lamport, "Paxos Made Simple"; rules PP1 to PP5): a ballot proposes one value in a slot, what is
//! carried out was accepted on the disks of a majority in one ballot, and what an acceptor has promised and accepted on disk
//! its records tell after a restart. A leader leaves no slot open below others: nothing after it could be carried out (Paxos Made
//! Simple 3, "no-op"; PP6).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rashomon_node::api::NodeId;
use rustc_hash::FxHashMap;

use super::{Electors, Findings, Law, Said, name};

const ONE_VALUE: Law = ("a ballot proposes one value in a slot", "Paxos Made Simple 2.2; PP1");
const CHOSEN: Law = ("chosen means accepted by a majority in one ballot", "Paxos Made Simple 2.2; PP5");
const KEPT: Law = ("an acceptor knows what it has promised and accepted", "Paxos Made Simple 2.5; PP2, PP3");

const FILLED: Law = ("a new leader fills the gaps below what it proposes", "Paxos Made Simple 3");

/// A node takes office, with this gap in what it proposes.
pub(crate) fn leads(findings: &mut Findings, node: usize, gap: Option<u64>) {
    if let Some(slot) = gap {
        findings.broke(FILLED, || format!("{} leads and proposes nothing for slot {slot}", name(node)));
    }
}

/// All acceptors of a cluster, as their disks have them.
#[derive(Debug)]
pub(crate) struct Acceptors {
    nodes: Vec<Acceptor>,
    /// By slot: the ballot that was accepted in it first. Mostly it is the only one.
    first: Vec<Option<Votes>>,
    /// By slot: all others.
    others: FxHashMap<u64, Vec<Votes>>,
}

/// What was accepted in a slot in one ballot.
#[derive(Clone, Copy, Debug)]
struct Votes {
    ballot: u64,
    /// Of the value that was accepted first.
    fingerprint: u64,
    /// By whom, on disk, a bit for each node: what a disk that was lost had is among it.
    by: u64,
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
        assert!(nodes <= 64, "a bit of 64 stands for each node");
        let (first, others) = (Vec::new(), FxHashMap::default());
        Self { nodes: vec![Acceptor::default(); nodes], first, others }
    }

    /// A record is on a node's disk.
    pub(crate) fn durable(&mut self, findings: &mut Findings, node: usize, said: &Said) {
        if let Said::Accepted { slot, ballot, fingerprint } = *said
            && self.vote(node, slot, ballot, fingerprint).fingerprint != fingerprint
        {
            findings.broke(ONE_VALUE, || {
                format!("{} accepts another value in slot {slot}, ballot {ballot}", name(node))
            });
        }
        self.nodes[node].hear(said);
    }

    /// Counts a vote; the votes of that ballot with it.
    fn vote(&mut self, node: usize, slot: u64, ballot: u64, fingerprint: u64) -> Votes {
        let found = Votes { ballot, fingerprint, by: 0 };
        let place = usize::try_from(slot).expect("slots are counted in memory");
        if place >= self.first.len() {
            self.first.resize(place + 1, None);
        }
        let first = self.first[place].get_or_insert(found);
        let votes = if first.ballot == ballot {
            first
        } else {
            let others = self.others.entry(slot).or_default();
            let position = others.iter().position(|votes| votes.ballot == ballot).unwrap_or(others.len());
            if position == others.len() {
                others.push(found);
            }
            &mut others[position]
        };
        votes.by |= 1 << node;
        *votes
    }

    /// A node is the first to carry out what it takes for chosen in a slot.
    pub(crate) fn chosen(
        &self,
        findings: &mut Findings,
        node: usize,
        (slot, fingerprint): (u64, u64),
        electors: &Electors,
    ) {
        let first = usize::try_from(slot).ok().and_then(|place| self.first.get(place).copied().flatten());
        let votes = first.into_iter().chain(self.others.get(&slot).into_iter().flatten().copied());
        let weight = |votes: Votes| -> u64 {
            let has_voted = |(node, _): &(&NodeId, &u64)| votes.by >> (node.0 - 1) & 1 == 1;
            electors.iter().filter(has_voted).map(|(_, weight)| weight).sum()
        };
        let most = votes.filter(|votes| votes.fingerprint == fingerprint).map(weight).max().unwrap_or(0);
        let total: u64 = electors.values().sum();
        if 2 * most <= total {
            findings.broke(CHOSEN, || {
                format!(
                    "{} carries out slot {slot}, for which {most} of {total} have voted in one ballot",
                    name(node)
                )
            });
        }
    }

    /// What this node has promised on disk.
    pub(crate) fn promised(&self, node: usize) -> u64 {
        self.nodes[node].promised
    }

    /// Whether a node's disk holds something, or knows what is chosen, in each of these slots.
    pub(crate) fn hold(&self, node: usize, slots: RangeInclusive<u64>) -> bool {
        let Acceptor { accepted, settled, .. } = &self.nodes[node];
        slots.into_iter().all(|slot| slot <= *settled || accepted.contains_key(&slot))
    }

    /// A node has started on these records.
    pub(crate) fn restarted<'a>(
        &mut self,
        findings: &mut Findings,
        node: usize,
        records: impl Iterator<Item = &'a Said>,
    ) {
        let mut found = Acceptor::default();
        for said in records {
            found.hear(said);
            if let Said::Accepted { slot, ballot, fingerprint } = *said {
                // What was on its way to the disk may have got there.
                self.vote(node, slot, ballot, fingerprint);
            }
        }
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
    fn what_is_carried_out_has_the_votes_of_a_majority_in_one_ballot() {
        let electors: Electors = [(NodeId(1), 1), (NodeId(2), 1), (NodeId(3), 1)].into();
        for (ballots, broken) in [([6, 6, 7], 0), ([6, 7, 8], 1), ([6, 8, 8], 0)] {
            let (mut acceptors, mut findings) = (Acceptors::new(3), Findings::default());
            for (node, ballot) in ballots.into_iter().enumerate() {
                acceptors.durable(&mut findings, node, &accepted(1, ballot, 5));
            }
            acceptors.chosen(&mut findings, 0, (1, 5), &electors);
            assert_eq!(findings.broken.len(), broken, "{ballots:?}");
            acceptors.chosen(&mut findings, 0, (1, 4), &electors);
            assert_eq!(findings.broken.len(), 1, "nobody has voted for another value");
        }
    }

    #[test]
    fn a_gap_below_what_a_new_leader_proposes_is_told() {
        let mut findings = Findings::default();
        leads(&mut findings, 0, None);
        assert_eq!(findings.broken, []);
        leads(&mut findings, 0, Some(7));
        assert_eq!(findings.broken.len(), 1);
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
