//! How a protocol shows itself to those who check: what its records and messages say in words that fit every protocol.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use rashomon_nemesis::Capability;
use rashomon_node::api::{NodeId, Operation, RegisterOperation, Role};
use rashomon_node::machine::Command;
use rashomon_node::protocol::{Millis, Protocol, View};
use rustc_hash::FxHasher;
use serde::Serialize;

use super::counting::Told;
use super::promises::Promise;
use super::rounds::{Reading, Round};
use super::vouching::Vouched;

/// Whose votes weigh what before any log says who decides. Who is not in it has none.
pub(crate) type Electors = BTreeMap<NodeId, u64>;

/// Who decides together: of each group a majority (joint consensus, Raft 6); without a group, of the electors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voters {
    /// The groups.
    pub groups: Vec<Vec<NodeId>>,
}

impl Voters {
    /// Whether those that `have` it are a majority of each group, or by weight of the electors where there is no group.
    pub(crate) fn decide(&self, electors: &Electors, have: impl Fn(NodeId) -> bool) -> bool {
        let is_majority =
            |group: &[NodeId]| group.iter().filter(|node| have(**node)).count() * 2 > group.len();
        match self.groups.is_empty() {
            true => {
                let weight: u64 =
                    electors.iter().filter(|(node, _)| have(**node)).map(|(_, weight)| weight).sum();
                2 * weight > electors.values().sum()
            }
            false => self.groups.iter().all(|group| is_majority(group)),
        }
    }
}

/// What a record says to somebody who checks, in words that fit every protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// From now on it is in this term (ballot, epoch), and has promised itself to nobody, or to this node.
    Promise {
        /// The term.
        term: u64,
        /// To whom.
        to: Option<NodeId>,
    },
    /// This entry stands in the log, and nothing after it.
    Entry(Entry),
    /// So does this one, and from here on these decide.
    Voters(Entry, Rc<Voters>),
    /// The log begins after this position, whose entry had this term.
    Base {
        /// The position.
        index: u64,
        /// The term.
        term: u64,
        /// Who decides from there on; none: who did so at first.
        voters: Option<Rc<Voters>>,
    },
    /// The log ends with this position.
    End {
        /// The position.
        last: u64,
    },
    /// This was accepted in a slot, in this ballot; such are no log: slots come in any order.
    Accepted {
        /// The slot.
        slot: u64,
        /// The ballot.
        ballot: u64,
        /// Of its value; equal values have equal fingerprints.
        fingerprint: u64,
    },
    /// All slots up to this one are known to be chosen.
    Settled {
        /// The last of them.
        to: u64,
    },
    /// The history before this epoch was taken over.
    Entered {
        /// The epoch.
        epoch: u64,
    },
    /// Nothing that is checked.
    Nothing,
}

/// An entry, as far as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub index: u64,
    /// The term that made it.
    pub term: u64,
    /// Of its content; equal content has equal fingerprints.
    pub fingerprint: u64,
}

/// How a protocol shows itself to those who check. One file per protocol.
pub trait Inspect: Protocol {
    /// Whether the term that a node speaks of never falls while it runs.
    const TERM_RISES: bool = true;

    /// What its messages are called in their written form: what directed schedules may look for, and take into their hands.
    const MESSAGES: &'static [&'static str];
    /// What its records are called: what they may wait for.
    const RECORDS: &'static [&'static str];
    /// What it does when it is asked to, beside serving clients.
    const ASKS: &'static [Capability] = &[];

    /// Whether the term of which its view speaks is on disk before anything said in it leaves.
    const TERM_LASTS: bool = false;

    /// Whether a leader decides by entries of its own term only.
    const COUNTS_OWN_TERM: bool = false;

    /// Whether slots are chosen one by one, by votes that records tell of.
    const CHOOSES: bool = false;

    /// Whether its leaders serve only once others have entered their epoch, which records tell of.
    const ENTERS: bool = false;

    /// Whether its messages say how far the log is committed, so that who does not lead knows no more.
    const TELLS_COMMITS: bool = false;

    /// Whether nodes may take part without a vote, for good.
    const OBSERVERS: bool = false;

    /// The promise that it goes by: its latest term, and to whom it has promised itself in it.
    fn promise(&self) -> Promise;

    /// What a record says.
    fn said(record: &Self::Record) -> Said;

    /// What a message from one node to another says of its sender's disk.
    fn vouches(message: &Self::Message, from: NodeId, to: NodeId) -> Vouched;

    /// How far it takes another node to be, if it leads and counts that: its term, and the other's last position.
    fn counts(&self, _node: NodeId) -> Option<Told> {
        None
    }

    /// Up to where a message says, at most, that the receiver's log is committed.
    fn tells_committed(_message: &Self::Message) -> u64 {
        0
    }

    /// Whether a message tells another node to take over.
    fn makes_way(_message: &Self::Message) -> bool {
        false
    }

    /// The first slot for which it proposes nothing though it does for later ones, if it leads where slots are chosen.
    fn gap(&self) -> Option<u64> {
        None
    }

    /// What a message says about reads.
    fn reading(message: &Self::Message) -> Reading;

    /// The latest round of messages by which it confirms reads, if it leads.
    fn round(&self) -> Option<Round>;

    /// Whether it would answer reads now because nobody else can lead yet.
    fn has_lease(&self, _now: Millis) -> bool {
        false
    }

    /// The term (ballot, epoch) in which this node leads, as a number that no two leaders may share.
    fn office(&self) -> Option<u64> {
        let View { role, term, .. } = self.view();
        (role == Role::Leader).then_some(term)
    }
}

/// Of a command; `None` is an entry that only the protocol cares for.
pub fn fingerprint(command: Option<&Command>) -> u64 {
    let mut hasher = FxHasher::default();
    let Some(command) = command else { return 0 };
    command.author.hash(&mut hasher);
    // The common case without a buffer.
    let Operation::Register(key, operation) = &command.operation else {
        of_bytes(&command.operation).hash(&mut hasher);
        return hasher.finish() | 1;
    };
    key.hash(&mut hasher);
    let words = match operation {
        RegisterOperation::Read => [0, 0, 0],
        RegisterOperation::Write(value) => [1, *value, 0],
        RegisterOperation::Cas { old, new } => [2, *old, *new],
        RegisterOperation::Create(value) => [3, *value, 0],
    };
    words.hash(&mut hasher);
    hasher.finish() | 1
}

/// Of anything that nodes write.
pub(super) fn of_bytes(data: &impl Serialize) -> u64 {
    let mut hasher = FxHasher::default();
    postcard::to_stdvec(data).expect("what nodes write is plain data").hash(&mut hasher);
    hasher.finish() | 1
}
