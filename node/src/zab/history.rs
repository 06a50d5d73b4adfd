//! A node's history: a checkpoint, and the transactions after it, from oldest to newest.
//!
//! Two histories that hold a transaction of the same zxid are equal up to it: a leader sends its history from a common
//! point on, over a channel that keeps order, so whoever has a transaction of an epoch has what that epoch's leader had
//! before it. Hence the end of what two histories share can be found from the ends of their epochs alone
//! ([`History::shared_with`]): the latest epoch that both have something of, and the shorter one's end in it.

use serde::{Deserialize, Serialize};

use crate::machine::Command;
use crate::protocol::Snapshot;
use crate::zab::zxid::{Epoch, Index, Point, Zxid};

/// A change of state, as its leader proposed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its name.
    pub zxid: Zxid,
    /// What to apply.
    pub command: Command,
}

/// The state machine in the place of all transactions up to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last transaction that it holds.
    pub zxid: Zxid,
    /// Its place and the state after it.
    pub snapshot: Snapshot,
}

impl Checkpoint {
    /// The last transaction that it holds.
    pub fn point(&self) -> Point {
        Point { index: Index(self.snapshot.index), zxid: self.zxid }
    }
}

/// What another node needs to know of a history to find what it shares with its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Where the checkpoint ends: transactions up to here cannot be taken back one by one.
    pub floor: Zxid,
    /// The last transaction of each epoch from that of the floor on, rising; never empty.
    pub ends: Vec<Zxid>,
}

/// A node's transactions.
#[derive(Clone, Debug, Default)]
pub struct History {
    checkpoint: Option<Checkpoint>,
    /// What comes before the first transaction at hand; not after the checkpoint's end.
    start: Point,
    transactions: Vec<Transaction>,
}

impl History {
    /// What comes before the first transaction at hand.
    pub fn start(&self) -> Point {
        self.start
    }

    /// The last transaction.
    pub fn last(&self) -> Point {
        match self.transactions.last() {
            Some(transaction) => Point {
                index: Index(self.start.index.0 + self.transactions.len() as u64),
                zxid: transaction.zxid,
            },
            None => self.start,
        }
    }

    /// What stands for the transactions before those that are kept.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Where the checkpoint ends.
    pub fn floor(&self) -> Point {
        self.checkpoint.as_ref().map_or(Point::default(), Checkpoint::point)
    }

    /// The transaction at `index`, if it is at hand.
    pub fn get(&self, index: Index) -> Option<&Transaction> {
        self.transactions.get(usize::try_from(index.0.checked_sub(self.start.index.0 + 1)?).ok()?)
    }

    /// The zxid at `index`, if it is at hand or where those at hand start.
    pub fn zxid_at(&self, index: Index) -> Option<Zxid> {
        if index == self.start.index {
            Some(self.start.zxid)
        } else {
            self.get(index).map(|transaction| transaction.zxid)
        }
    }

    /// The last transaction at hand that is not after `zxid`; the start if all are.
    pub fn up_to(&self, zxid: Zxid) -> Point {
        if let Some(point) = self.near_end(zxid) {
            return point;
        }
        let count = self.transactions.partition_point(|transaction| transaction.zxid <= zxid);
        match count.checked_sub(1) {
            Some(last) => {
                Point { index: Index(self.start.index.0 + count as u64), zxid: self.transactions[last].zxid }
            }
            None => self.start,
        }
    }

    /// The transaction of this name, where one of the last epoch is asked for: an epoch counts its transactions without
    /// gaps. This saves a search through a history that no cache holds, for every acknowledgement and every commit.
    fn near_end(&self, zxid: Zxid) -> Option<Point> {
        let last = self.last();
        let behind = last.zxid.counter.checked_sub(zxid.counter)?;
        let index = Index(last.index.0.checked_sub(behind)?);
        (self.get(index)?.zxid == zxid).then_some(Point { index, zxid })
    }

    /// Up to `count_max` transactions after `index`, which is at hand or where those at hand start.
    pub fn after(&self, index: Index, count_max: usize) -> &[Transaction] {
        let from = index.0.saturating_sub(self.start.index.0);
        let from =
            usize::try_from(from).map_or(self.transactions.len(), |from| from.min(self.transactions.len()));
        let to = from.saturating_add(count_max).min(self.transactions.len());
        &self.transactions[from..to]
    }

    /// Appends a transaction; says where it stands.
    pub fn push(&mut self, transaction: Transaction) -> Index {
        self.transactions.push(transaction);
        self.last().index
    }

    /// Drops all transactions after `last`; never goes below the start.
    pub fn truncate(&mut self, last: Index) {
        let kept = last.0.saturating_sub(self.start.index.0);
        self.transactions.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Puts a checkpoint in the place of everything.
    pub fn reset(&mut self, checkpoint: Checkpoint) {
        self.start = checkpoint.point();
        self.transactions.clear();
        self.checkpoint = Some(checkpoint);
    }

    /// Puts a checkpoint in the place of the transactions up to its end, of which the last `kept_count` stay at hand for
    /// nodes that lack just them.
    pub fn compact(&mut self, checkpoint: Checkpoint, kept_count: u64) {
        let start = Index(checkpoint.snapshot.index.saturating_sub(kept_count));
        if let Some(zxid) = self.zxid_at(start) {
            let dropped =
                usize::try_from(start.0 - self.start.index.0).expect("what is in memory fits usize");
            self.transactions.drain(..dropped);
            self.start = Point { index: start, zxid };
        }
        self.checkpoint = Some(checkpoint);
    }

    /// What another node needs to know of this history.
    pub fn outline(&self) -> Outline {
        let floor = self.floor().zxid;
        let ends = self.ends();
        Outline { floor, ends: ends.into_iter().filter(|end| *end >= floor).collect() }
    }

    /// The end of what this history shares with the one outlined, if both have that at hand. Cost: epochs of both, times
    /// a binary search.
    pub fn shared_with(&self, other: &Outline) -> Option<Point> {
        let ends = self.ends();
        let shared = other.ends.iter().rev().find_map(|theirs| {
            let ours = ends.iter().find(|ours| ours.epoch == theirs.epoch)?;
            Some(*ours.min(theirs))
        })?;
        (shared >= self.start.zxid && shared >= other.floor).then(|| self.up_to(shared))
    }

    /// The last transaction of each epoch at hand, rising; the start counts as one.
    fn ends(&self) -> Vec<Zxid> {
        let mut ends = Vec::new();
        let mut rest = self.transactions.as_slice();
        while let Some(last) = rest.last() {
            ends.push(last.zxid);
            let Epoch(epoch) = last.zxid.epoch;
            rest = &rest[..rest.partition_point(|transaction| transaction.zxid.epoch.0 < epoch)];
        }
        if ends.last().is_none_or(|first| first.epoch != self.start.zxid.epoch) {
            ends.push(self.start.zxid);
        }
        ends.reverse();
        ends
    }
}
