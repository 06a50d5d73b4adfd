//! What a node tells others of itself is on its disk before the message leaves (Raft Figure 2, "updated on stable storage before
//! responding"; Paxos Made Simple 2.5; Zab, phase 1; rules RP1, PP2, ZB3): a vote granted or asked for, a promise, a term
//! spoken in, entries acknowledged. One that is not could be given a second time after a crash; no crash is needed to see it here.

use std::ops::RangeInclusive;

use rashomon_node::api::NodeId;

use super::acceptors::Acceptors;
use super::established::Established;
use super::mirror::Mirror;
use super::promises::{Promise, covers};
use super::{Findings, Law, name};

const LAW: Law =
    ("what a node vouches for is on its disk", "Raft Figure 2; Paxos Made Simple 2.5; Zab, phase 1");

/// What the sender of a message claims to have on its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// Nothing.
    Nothing,
    /// It is in this term, and has promised itself to this node in it if one is named.
    Promise {
        /// The term.
        term: u64,
        /// To whom.
        to: Option<NodeId>,
    },
    /// Its log is in this term the same as another's, up to here.
    Entries {
        /// The term.
        term: u64,
        /// The last position.
        last: u64,
    },
    /// It has accepted in these slots, in a ballot that is not below this one.
    Accepted {
        /// The ballot.
        ballot: u64,
        /// The slots.
        slots: RangeInclusive<u64>,
    },
    /// It has taken over the history before this epoch.
    Entered {
        /// The epoch.
        epoch: u64,
    },
}

/// What a node's disk has.
pub(crate) struct Disk<'a> {
    pub(crate) promise: Promise,
    pub(crate) log: &'a Mirror,
    pub(crate) acceptors: &'a Acceptors,
    pub(crate) established: &'a Established,
}

/// A message that vouches for this leaves a node.
pub(crate) fn check(findings: &mut Findings, node: usize, vouched: &Vouched, disk: &Disk<'_>) {
    let is_there = match vouched {
        Vouched::Nothing => true,
        Vouched::Promise { term, to } => covers(disk.promise, (*term, *to)),
        // In a later term the log may have lost what it had in common with the leader of this one.
        Vouched::Entries { term, last } => disk.promise.0 > *term || disk.log.last() >= *last,
        Vouched::Accepted { ballot, slots } => {
            disk.promise.0 >= *ballot && disk.acceptors.hold(node, slots.clone())
        }
        Vouched::Entered { epoch } => disk.established.epoch(node) >= *epoch,
    };
    if !is_there {
        findings.broke(LAW, || {
            let (promise, last) = (disk.promise, disk.log.last());
            format!(
                "{} says {vouched:?}; on its disk: promised {promise:?}, entries up to {last}",
                name(node)
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Said};
    use super::*;

    #[test]
    fn a_vote_and_an_acknowledgement_are_on_disk_or_overtaken_there() {
        let mut log = Mirror::default();
        log.hear(&Said::Entry(Entry { index: 1, term: 2, fingerprint: 3 })).unwrap();
        let (acceptors, established) = (Acceptors::new(2), Established::new(2));
        let is_there = |promise, vouched| {
            let mut findings = Findings::default();
            let disk = Disk { promise, log: &log, acceptors: &acceptors, established: &established };
            check(&mut findings, 0, &vouched, &disk);
            findings.broken.is_empty()
        };
        let vote = |term, to| Vouched::Promise { term, to: Some(NodeId(to)) };
        assert!(is_there((2, Some(NodeId(1))), vote(2, 1)));
        assert!(!is_there((2, None), vote(2, 1)));
        assert!(!is_there((2, Some(NodeId(1))), vote(2, 2)));
        assert!(is_there((3, None), vote(2, 2)), "it was for a term that is over");
        assert!(!is_there((2, None), Vouched::Promise { term: 3, to: None }));
        assert!(is_there((2, None), Vouched::Entries { term: 2, last: 1 }));
        assert!(!is_there((2, None), Vouched::Entries { term: 2, last: 2 }));
        assert!(is_there((3, None), Vouched::Entries { term: 2, last: 2 }));
        assert!(!is_there((9, None), Vouched::Accepted { ballot: 9, slots: 1..=1 }));
        assert!(!is_there((9, None), Vouched::Entered { epoch: 1 }));
    }
}
