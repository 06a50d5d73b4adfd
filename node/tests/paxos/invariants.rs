//! The invariants of Paxos, checked on a whole cluster after every step.

use std::collections::BTreeMap;

use rashomon_node::api::NodeId;
use rashomon_node::machine::Command;
use rashomon_node::paxos::Paxos;
use rashomon_node::paxos::basic::Ballot;
use rashomon_node::paxos::message::{Record, Slot, Value};

use crate::cluster::{self, Checked};

#[derive(Default)]
pub(crate) struct Invariants {
    promises: BTreeMap<NodeId, Ballot>,
    leaders: BTreeMap<Ballot, NodeId>,
    /// Every proposal ever accepted anywhere.
    proposals: BTreeMap<(Slot, Ballot), Value>,
    /// What was chosen anywhere, over all nodes and restarts.
    pub(crate) chosen: BTreeMap<Slot, Value>,
    /// The furthest compaction anywhere.
    compacted: Slot,
    /// Up to where each node's chosen slots have been compared.
    compared: BTreeMap<NodeId, Slot>,
    violations: Vec<String>,
}

impl Checked for Paxos {
    type Invariants = Invariants;
}

impl cluster::Invariants<Paxos> for Invariants {
    fn check(&mut self, node: NodeId, core: &Paxos, disks: &[&[Record]]) {
        self.one_leader_per_ballot(node, core);
        self.one_value_per_ballot_and_slot(core);
        self.chosen_agree(node, core, disks);
    }

    /// What is promised on disk outlives restarts, and never falls; only a lost disk forgets it.
    fn check_disk(&mut self, node: NodeId, records: &[Record]) {
        if is_rewritten(records) {
            return; // They repeat what was accepted long ago.
        }
        for record in records {
            let (ballot, what) = match record {
                Record::Promised(ballot) => (*ballot, "promised"),
                Record::Accepted { accepted, .. } => (accepted.ballot, "accepted"),
                _ => continue,
            };
            let promised = self.promises.entry(node).or_default();
            if ballot < *promised {
                let detail = format!("{node} {what} {ballot}, having promised {promised}");
                self.violations.push(format!("promises are kept: {detail}"));
            }
            *promised = (*promised).max(ballot);
        }
    }

    fn forget(&mut self, node: NodeId) {
        self.promises.remove(&node);
    }

    fn violations(&self) -> &[String] {
        &self.violations
    }

    fn decided(&self) -> Vec<(u64, Command)> {
        let commands = self.chosen.iter().filter_map(|(slot, value)| match value {
            Value::Command(command) => Some((slot.0, command.clone())),
            Value::Noop => None,
        });
        commands.collect()
    }
}

/// Whether the records stand for everything written before.
fn is_rewritten(records: &[Record]) -> bool {
    records.iter().any(|record| matches!(record, Record::Snapshot { .. }))
}

impl Invariants {
    fn violated(&mut self, invariant: &str, detail: String) {
        self.violations.push(format!("{invariant}: {detail}"));
    }

    fn one_leader_per_ballot(&mut self, node: NodeId, core: &Paxos) {
        let Some(ballot) = core.leads() else { return };
        let leader = *self.leaders.entry(ballot).or_insert(node);
        if leader != node {
            self.violated("a ballot has one leader", format!("{leader} and {node} lead {ballot}"));
        }
    }

    /// A proposer proposes one value per slot and ballot.
    fn one_value_per_ballot_and_slot(&mut self, core: &Paxos) {
        for (slot, accepted) in core.acceptor().accepted_values() {
            let key = (slot, accepted.ballot);
            let first = self.proposals.entry(key).or_insert_with(|| accepted.value.clone());
            if *first != accepted.value {
                let detail = format!("{slot:?} has two values in {}", accepted.ballot);
                self.violations.push(format!("one value per ballot and slot: {detail}"));
            }
        }
    }

    /// What was chosen and compacted within one step was not seen as chosen: it is what was proposed in the highest ballot.
    fn know_compacted(&mut self, base: Slot) {
        let known = self.compacted;
        for slot in (known.0 + 1..=base.0).map(Slot) {
            let proposed = self.proposals.range((slot, Ballot::NONE)..=(slot, Ballot::TOP)).next_back();
            if let Some((_, value)) = proposed {
                self.chosen.entry(slot).or_insert_with(|| value.clone());
            }
        }
        self.compacted = known.max(base);
    }

    /// Agreement per slot; and what is chosen was durably accepted, or learnt, by a majority.
    fn chosen_agree(&mut self, node: NodeId, core: &Paxos, disks: &[&[Record]]) {
        let acceptor = core.acceptor();
        self.know_compacted(acceptor.base());
        let from = self.compared.get(&node).copied().unwrap_or_default();
        // A restarted node may know less than before.
        let from = Slot(from.0.min(acceptor.chosen().0)).max(acceptor.base());
        for slot in (from.0 + 1..=acceptor.chosen().0).map(Slot) {
            let value = core.chosen(slot).expect("above the compacted ones");
            match self.chosen.get(&slot) {
                Some(chosen) if chosen == value => {}
                Some(chosen) => {
                    let detail = format!("{node} has {value:?} in {slot:?} where {chosen:?} was chosen");
                    self.violated("agreement", detail);
                }
                None => {
                    self.chosen.insert(slot, value.clone());
                    let holders = disks.iter().filter(|disk| holds(disk, slot, value)).count();
                    if holders <= disks.len() / 2 {
                        let detail = format!("{node} takes {slot:?} for chosen, durable on {holders} nodes");
                        self.violated("chosen means durably accepted by a majority", detail);
                    }
                }
            }
        }
        self.compared.insert(node, acceptor.chosen());
    }
}

/// Whether a disk holds this value in this slot, or a snapshot in its place.
fn holds(disk: &[Record], slot: Slot, value: &Value) -> bool {
    disk.iter().rev().any(|record| match record {
        Record::Accepted { slot: at, accepted } => *at == slot && accepted.value == *value,
        Record::Learnt { slot: at, value: learnt } => *at == slot && learnt == value,
        Record::Snapshot { snapshot, .. } => snapshot.index >= slot.0,
        _ => false,
    })
}
