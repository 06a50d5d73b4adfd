//! Phase 1 of a candidate: whose reports are complete, and what they say of each slot.
//!
//! A report that does not fit a message comes in parts. As many are sent unasked as a leader may send values unanswered, so
//! that phase 1 takes no more rounds of messages than phase 2 would for the same slots; the last of them is answered by
//! asking for more. Parts may overtake each other: each names the slot that it starts from and where the next one does,
//! and a report is complete once they hang together from the first slot asked for to the end.

use std::collections::BTreeMap;

use crate::api::NodeId;
use crate::paxos::basic::{Ballot, Highest, Tally};
use crate::paxos::message::{Reported, Rest, Slot, Value};

/// What a candidate has been told so far.
#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) ballot: Ballot,
    /// The first slot that was not known to be chosen when it began.
    pub(super) from: Slot,
    /// Whose reports are complete.
    pub(super) promises: Tally,
    /// What has come of the others' reports.
    reports: BTreeMap<NodeId, Parts>,
    /// The highest accepted value of each slot that is not empty.
    pub(super) slots: BTreeMap<Slot, Highest<Value>>,
    /// The furthest compaction, and whose.
    pub(super) compacted: Option<(Slot, NodeId)>,
}

/// Which parts of a report have come.
#[derive(Debug)]
struct Parts {
    /// Everything before this slot has.
    wanted: Slot,
    /// Of later ones, the first slot, and that of the part which follows.
    early: BTreeMap<Slot, Option<Slot>>,
}

/// A part of a report.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) from: Slot,
    pub(super) compacted: Slot,
    pub(super) slots: Vec<Reported>,
    pub(super) rest: Option<Rest>,
}

impl Campaign {
    pub(super) fn new(ballot: Ballot, from: Slot) -> Self {
        Self {
            ballot,
            from,
            promises: Tally::default(),
            reports: BTreeMap::new(),
            slots: BTreeMap::new(),
            compacted: None,
        }
    }

    /// Takes in a part of a node's report, of which `heeds` says whether its values are taken in as well. Returns whether it is
    /// news; a part that is repeated is not.
    pub(super) fn take(&mut self, node: NodeId, part: Part, heeds: bool) -> bool {
        let parts = self.reports.entry(node).or_insert(Parts { wanted: self.from, early: BTreeMap::new() });
        let is_known = part.from < parts.wanted || parts.early.contains_key(&part.from);
        if is_known || self.promises.contains(node) {
            return false;
        }
        for Reported { slot, accepted } in part.slots.into_iter().filter(|_| heeds) {
            self.slots.entry(slot).or_default().report(accepted);
        }
        if part.compacted >= self.from && self.compacted.is_none_or(|(slot, _)| part.compacted > slot) {
            self.compacted = Some((part.compacted, node));
        }
        parts.early.insert(part.from, part.rest.map(|rest| rest.from));
        while let Some(next) = parts.early.remove(&parts.wanted) {
            match next {
                Some(next) => parts.wanted = next,
                None => self.promises.insert(node),
            }
        }
        true
    }
}
