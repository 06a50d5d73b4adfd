//! Names of things that only ever rise: epochs, transactions, places in a history.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A leader's period of office. Each has one leader (Zab, lemma on established epochs), each leader a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Names a transaction: the epoch in which it was proposed, and which of that epoch's proposals it is, from 1.
///
/// Ordered as proposed. The default, before every transaction, is the end of the empty history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Zxid {
    /// Whose leader proposed it.
    pub epoch: Epoch,
    /// How many that leader had proposed then, itself included.
    pub counter: u64,
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch.0, self.counter)
    }
}

/// A transaction's place in a history, from 1, without gaps: what the state machine counts.
///
/// Zxids have gaps where epochs end; places have none. The place of a transaction is written down with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Index(pub u64);

impl Index {
    /// The next place.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A transaction's place and name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Point {
    /// Where it stands.
    pub index: Index,
    /// What it is called.
    pub zxid: Zxid,
}

/// How good a node's history is: the later epoch that it took part in, then the longer history (rule ZB2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Credentials {
    /// The last epoch whose initial history the node took over as a whole (`currentEpoch`).
    pub current: Epoch,
    /// Its last transaction.
    pub last: Zxid,
}

impl Credentials {
    /// Whether these are better. Defect Z05 looks at the counter alone: whoever has proposed more in some epoch.
    pub(super) fn beat(self, other: Self, ignores_epochs: bool) -> bool {
        if ignores_epochs { self.last.counter > other.last.counter } else { self > other }
    }
}
