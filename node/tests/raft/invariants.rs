//! The invariants of Raft (Figure 3) and a few more, checked on a whole cluster after every step.

use std::collections::BTreeMap;

use rashomon_node::api::{NodeId, Role};
use rashomon_node::defect::Defects;
use rashomon_node::machine::Command;
use rashomon_node::protocol::Protocol;
use rashomon_node::raft::Raft;
use rashomon_node::raft::log::{Entry, Index, Payload, Term};
use rashomon_node::raft::membership::Membership;
use rashomon_node::raft::message::{Image, Record};

use crate::cluster::{self, Checked};

#[derive(Default)]
pub(crate) struct Invariants {
    leaders: BTreeMap<Term, NodeId>,
    votes: BTreeMap<(NodeId, Term), NodeId>,
    terms: BTreeMap<NodeId, Term>,
    /// Every entry ever seen: its payload and the term of the entry before it.
    entries: BTreeMap<(Index, Term), (Payload, Term)>,
    checked: BTreeMap<NodeId, Index>,
    /// What has been committed anywhere.
    pub(crate) committed: Vec<Entry>,
    commits: BTreeMap<NodeId, Index>,
    /// In force on each node after its last step.
    memberships: BTreeMap<NodeId, Membership>,
    images: BTreeMap<Index, Image>,
    pub(crate) violations: Vec<String>,
}

impl Checked for Raft {
    type Invariants = Invariants;
}

impl cluster::Invariants<Raft> for Invariants {
    fn check(&mut self, node: NodeId, core: &Raft, disks: &[&[Record]]) {
        self.one_leader_per_term(node, core);
        self.logs_match(node, core);
        self.committed_entries_agree(node, core, disks);
        self.snapshots_agree(node, core);
    }

    /// Term and vote on disk, where they outlive restarts (Raft 5.1, 5.2).
    fn check_disk(&mut self, node: NodeId, records: &[Record]) {
        for record in records {
            let Record::HardState(hard) = record else { continue };
            let before = self.terms.insert(node, hard.term).unwrap_or_default();
            if before > hard.term {
                self.violated("terms rise", format!("{node} went from {before:?} to {:?}", hard.term));
            }
            let Some(vote) = hard.vote else { continue };
            let before = *self.votes.entry((node, hard.term)).or_insert(vote);
            if before != vote {
                let detail = format!("{node} voted {before} and {vote} in {:?}", hard.term);
                self.violated("one vote per term", detail);
            }
        }
    }

    fn violations(&self) -> &[String] {
        &self.violations
    }

    fn decided(&self) -> Vec<(u64, Command)> {
        let commands = self.committed.iter().filter_map(|entry| match &entry.payload {
            Payload::Command(command) => Some((entry.index.0, command.clone())),
            Payload::Noop | Payload::Membership(_) => None,
        });
        commands.collect()
    }
}

impl Invariants {
    fn violated(&mut self, invariant: &str, detail: String) {
        self.violations.push(format!("{invariant}: {detail}"));
    }

    /// Election safety; and leader completeness at the moment of election.
    fn one_leader_per_term(&mut self, node: NodeId, core: &Raft) {
        if core.view().role != Role::Leader {
            return;
        }
        let term = core.hard_state().term;
        match self.leaders.get(&term) {
            Some(leader) if *leader == node => {}
            Some(leader) => {
                let detail = format!("{leader} and {node} lead {term:?}");
                self.violated("election safety", detail);
            }
            None => {
                self.leaders.insert(term, node);
                let log = core.log();
                let lacks =
                    |entry: &&Entry| entry.index > log.base().index && log.get(entry.index) != Some(*entry);
                let missing = self.committed.iter().find(lacks);
                if let Some(entry) = missing {
                    let detail = format!("{node} leads {term:?} without entry {:?}", entry.index);
                    self.violated("leader completeness", detail);
                }
            }
        }
    }

    /// Log matching, by induction: equal (index, term) means equal payload and equal entry before.
    fn logs_match(&mut self, node: NodeId, core: &Raft) {
        let log = core.log();
        let checked = self.checked.get(&node).copied().unwrap_or_default();
        // A suffix may have been replaced: go back to where the log is known again.
        let mut from = checked.0.min(log.last_index().0);
        let known = |entries: &BTreeMap<(Index, Term), (Payload, Term)>, index: u64| {
            log.get(Index(index)).is_some_and(|entry| entries.contains_key(&(entry.index, entry.term)))
        };
        while from > log.base().index.0 && !known(&self.entries, from) {
            from -= 1;
        }
        for entry in log.from(Index(from + 1), usize::MAX) {
            let before = log.term_at(entry.index.previous()).expect("a log has no gaps");
            let seen = (entry.payload.clone(), before);
            let first = self.entries.entry((entry.index, entry.term)).or_insert_with(|| seen.clone());
            if *first != seen {
                let detail = format!("{node} has another entry {:?} of {:?}", entry.index, entry.term);
                self.violated("log matching", detail);
            }
        }
        self.checked.insert(node, log.last_index());
    }

    /// State machine safety; and what is committed is durable on a majority.
    fn committed_entries_agree(&mut self, node: NodeId, core: &Raft, disks: &[&[Record]]) {
        let from = self.commits.get(&node).copied().unwrap_or_default();
        let commit = Index(core.view().commit.min(core.view().last));
        let before = self.memberships.insert(node, core.membership().clone());
        let before = before.unwrap_or_else(|| core.membership().clone());
        for entry in self.entries_between(core, from.min(commit), commit) {
            let index = entry.index.0;
            match self.committed.get(index as usize - 1) {
                Some(committed) if *committed == entry => {}
                Some(committed) => {
                    let detail = format!("{node} has {entry:?} where {committed:?} was committed");
                    self.violated("state machine safety", detail);
                }
                None => {
                    self.committed.push(entry.clone());
                    let is_held = |node: NodeId| holds(disks[node.0 as usize - 1], &entry);
                    // A change may have begun right after the commit, in the same step.
                    let memberships = [core.membership(), &before];
                    if !memberships.iter().any(|one| one.reached(Defects::NONE, is_held)) {
                        let detail = format!("{node} committed {index}, which is not durable on a majority");
                        self.violated("committed means durable on a majority", detail);
                    }
                }
            }
        }
        // A restarted node starts from zero again and is checked again.
        self.commits.insert(node, commit);
    }

    /// The entries after `from` up to `to` of a node's log; of those it has left out already, what the entries that
    /// follow say came before (log matching).
    fn entries_between(&self, core: &Raft, from: Index, to: Index) -> Vec<Entry> {
        let base = core.log().base();
        let mut entries: Vec<Entry> = Vec::new();
        let (mut index, mut term) = (base.index, base.term);
        while index > from {
            let Some((payload, before)) = self.entries.get(&(index, term)) else { break };
            entries.push(Entry { index, term, payload: payload.clone() });
            (index, term) = (index.previous(), *before);
        }
        entries.reverse();
        let rest = core.log().from(from.next(), usize::MAX);
        entries.extend(rest.iter().take_while(|entry| entry.index <= to).cloned());
        entries
    }

    /// Equal logs make equal states: so do equal snapshots.
    fn snapshots_agree(&mut self, node: NodeId, core: &Raft) {
        let Some(image) = core.image() else { return };
        match self.images.get(&image.last.index) {
            Some(first) if first == image => {}
            Some(_) => self.violated("equal snapshots", format!("{node} differs at {:?}", image.last)),
            None => {
                self.images.insert(image.last.index, image.clone());
            }
        }
    }
}

/// Whether the log that a disk holds has this entry.
fn holds(disk: &[Record], entry: &Entry) -> bool {
    for record in disk.iter().rev() {
        match record {
            Record::Entry(one) if one == entry => return true,
            Record::Entry(one) if one.index <= entry.index => return false,
            Record::Snapshot(image) => return image.last.index >= entry.index,
            _ => {}
        }
    }
    false
}
