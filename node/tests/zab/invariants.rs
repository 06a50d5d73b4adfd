//! What must hold in a ZAB cluster at every moment (Zab, sections on properties and correctness).

use std::collections::BTreeMap;

use rashomon_node::api::NodeId;
use rashomon_node::machine::Command;
use rashomon_node::protocol::Protocol;
use rashomon_node::zab::Zab;
use rashomon_node::zab::history::Transaction;
use rashomon_node::zab::message::Record;
use rashomon_node::zab::zxid::{Epoch, Index, Zxid};

use crate::cluster::{self, Checked};

#[derive(Default)]
pub(crate) struct Invariants {
    leaders: BTreeMap<Epoch, NodeId>,
    epochs: BTreeMap<NodeId, (Epoch, Epoch)>,
    /// Every transaction ever seen, with its place and what comes before it.
    transactions: BTreeMap<Zxid, (Command, Index, Zxid)>,
    checked: BTreeMap<NodeId, Zxid>,
    /// What has been committed anywhere, by place.
    pub(crate) committed: Vec<Transaction>,
    commits: BTreeMap<NodeId, u64>,
    pub(crate) violations: Vec<String>,
}

impl Checked for Zab {
    type Invariants = Invariants;
}

impl cluster::Invariants<Zab> for Invariants {
    fn check(&mut self, node: NodeId, core: &Zab, disks: &[&[Record]]) {
        self.one_leader_per_epoch(node, core);
        self.histories_agree(node, core);
        self.commits_agree(node, core, disks);
    }

    /// Epochs on disk, where they outlive restarts: they rise, and none is entered that was not accepted.
    fn check_disk(&mut self, node: NodeId, records: &[Record]) {
        for record in records {
            let (accepted, current) = self.epochs.get(&node).copied().unwrap_or_default();
            let (next_accepted, next_current) = match record {
                Record::AcceptedEpoch(epoch) => (*epoch, current),
                Record::CurrentEpoch(epoch) => (accepted, *epoch),
                Record::Transaction { .. } | Record::Truncated { .. } | Record::Checkpoint(_) => continue,
            };
            if next_accepted < accepted || next_current < current || next_current > next_accepted {
                let before = (accepted, current);
                let detail = format!("{node} went from {before:?} to {:?}", (next_accepted, next_current));
                self.violated("epochs rise", detail);
            }
            self.epochs.insert(node, (next_accepted, next_current));
        }
    }

    fn violations(&self) -> &[String] {
        &self.violations
    }

    fn decided(&self) -> Vec<(u64, Command)> {
        (1..).zip(self.committed.iter().map(|transaction| transaction.command.clone())).collect()
    }
}

impl Invariants {
    fn violated(&mut self, invariant: &str, detail: String) {
        self.violations.push(format!("{invariant}: {detail}"));
    }

    /// One leader per epoch; and it has all that was ever committed (primary integrity).
    fn one_leader_per_epoch(&mut self, node: NodeId, core: &Zab) {
        let Some(epoch) = core.leads() else { return };
        match self.leaders.get(&epoch) {
            Some(leader) if *leader == node => {}
            Some(leader) => {
                let detail = format!("{leader} and {node} lead {epoch:?}");
                self.violated("one leader per epoch", detail);
            }
            None => {
                self.leaders.insert(epoch, node);
                let start = core.history().start().index.0;
                let at_hand = (1..).zip(&self.committed).filter(|(index, _)| *index > start);
                let missing =
                    at_hand.into_iter().find(|(index, one)| core.history().get(Index(*index)) != Some(one));
                if let Some((index, transaction)) = missing {
                    let detail = format!("{node} leads {epoch:?} without {} at {index}", transaction.zxid);
                    self.violated("primary integrity", detail);
                }
            }
        }
    }

    /// A zxid names one transaction, in one place, after one other, on every node and over all restarts: by induction,
    /// histories that share one are equal up to it.
    fn histories_agree(&mut self, node: NodeId, core: &Zab) {
        let history = core.history();
        let last = history.last();
        // What was checked and is still there need not be checked again; after a truncation, begin where it is known.
        let mut from = history.up_to(self.checked.get(&node).copied().unwrap_or_default()).index;
        while from > history.start().index
            && history.zxid_at(from).is_some_and(|zxid| !self.transactions.contains_key(&zxid))
        {
            from = Index(from.0 - 1);
        }
        let Some(mut before) = history.zxid_at(from) else { return };
        let added: Vec<Transaction> = history.after(from, usize::MAX).to_vec();
        for (index, transaction) in (from.0 + 1..).zip(added) {
            if transaction.zxid <= before {
                self.violated("zxids rise", format!("{node} has {} after {before}", transaction.zxid));
            }
            let seen = (transaction.command, Index(index), before);
            let first = self.transactions.entry(transaction.zxid).or_insert_with(|| seen.clone());
            if *first != seen {
                self.violated(
                    "a zxid names one transaction",
                    format!("{node} has another {}", transaction.zxid),
                );
            }
            before = transaction.zxid;
        }
        self.checked.insert(node, last.zxid);
    }

    /// Total order: every node commits the same transactions in the same places; and what is committed is durable on a
    /// quorum.
    fn commits_agree(&mut self, node: NodeId, core: &Zab, disks: &[&[Record]]) {
        let history = core.history();
        let commit = core.view().commit.min(core.view().last);
        let from =
            self.commits.get(&node).copied().unwrap_or_default().min(commit).max(history.start().index.0);
        for index in from + 1..=commit {
            let Some(transaction) = history.get(Index(index)) else { continue };
            match self.committed.get(usize::try_from(index).unwrap() - 1) {
                Some(committed) if committed == transaction => {}
                Some(committed) => {
                    let detail =
                        format!("{node} has {} where {} was committed", transaction.zxid, committed.zxid);
                    self.violated("total order", detail);
                }
                None => {
                    self.committed.push(transaction.clone());
                    let holders =
                        (1..).map(NodeId).zip(disks).filter(|(_, disk)| holds(disk, transaction.zxid));
                    if !core.electorate().is_quorum(holders.map(|(holder, _)| holder)) {
                        let detail = format!("{node} committed {}", transaction.zxid);
                        self.violated("committed means durable on a quorum", detail);
                    }
                }
            }
        }
        // A restarted node starts from its checkpoint again and is checked again.
        self.commits.insert(node, commit);
    }
}

/// Whether the history that a disk holds has this transaction.
fn holds(disk: &[Record], zxid: Zxid) -> bool {
    let mut cut = Index(u64::MAX);
    for record in disk.iter().rev() {
        match record {
            Record::Transaction { index, transaction } => {
                if transaction.zxid == zxid {
                    return *index <= cut;
                }
                cut = cut.min(Index(index.0 - 1));
            }
            Record::Truncated { last } => cut = cut.min(*last),
            Record::Checkpoint(checkpoint) if checkpoint.zxid >= zxid => return true,
            Record::Checkpoint(_) | Record::AcceptedEpoch(_) | Record::CurrentEpoch(_) => {}
        }
    }
    false
}
