//! The log: entries from index 1 on, without gaps.
//!
//! All of it is in memory. Snapshots will give it a base (index and term of the last entry left out); every access goes
//! through [`Log::get`] and [`Log::term_at`], so that base is this file's affair.

use serde::{Deserialize, Serialize};

use crate::machine::Command;

/// A leader's period of office.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Term(pub u64);

/// A position in the log; 0 is before the first entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Index(pub u64);

impl Index {
    /// The next position.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position before; that of 0 is 0.
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// Identifies an entry: two logs that hold an entry of the same position are equal up to it (log matching).
///
/// Ordered by term first: the order of "up to date" (Raft 5.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The entry's term.
    pub term: Term,
    /// The entry's index.
    pub index: Index,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands.
    pub index: Index,
    /// The term of the leader that made it.
    pub term: Term,
    /// What it says.
    pub payload: Payload,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Nothing: a new leader's first entry (Raft 8).
    Noop,
    /// To be applied to the state machine.
    Command(Command),
}

/// A node's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// Appends an entry.
    ///
    /// # Panics
    /// When it does not follow the last one.
    pub fn push(&mut self, entry: Entry) {
        assert_eq!(entry.index, self.last_index().next(), "the log has no gaps");
        self.entries.push(entry);
    }

    /// Drops the entry at `from` and all after it.
    pub fn truncate(&mut self, from: Index) {
        self.entries.truncate(offset(from));
    }

    /// The entry at `index`.
    pub fn get(&self, index: Index) -> Option<&Entry> {
        if index == Index(0) { None } else { self.entries.get(offset(index)) }
    }

    /// The term of the entry at `index`; that of index 0 is term 0, on every node.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == Index(0) { Some(Term(0)) } else { self.get(index).map(|entry| entry.term) }
    }

    /// Up to `count_max` entries from `from` on.
    pub fn from(&self, from: Index, count_max: usize) -> &[Entry] {
        let start = offset(from).min(self.entries.len());
        let end = start.saturating_add(count_max).min(self.entries.len());
        &self.entries[start..end]
    }

    /// The last entry's index; 0 if there is none.
    pub fn last_index(&self) -> Index {
        Index(self.entries.len() as u64)
    }

    /// The last entry's position.
    pub fn last(&self) -> Position {
        self.entries
            .last()
            .map_or(Position::default(), |entry| Position { term: entry.term, index: entry.index })
    }

    /// The first entry of the term that the entry at `index` has.
    pub fn first_of_term_at(&self, index: Index) -> Option<Index> {
        let term = self.get(index)?.term;
        // Terms never fall along a log, so the entries of one are neighbours.
        Some(Index(self.entries.partition_point(|entry| entry.term < term) as u64 + 1))
    }

    /// The last entry of `term`, if there is one.
    pub fn last_of_term(&self, term: Term) -> Option<Index> {
        let end = self.entries.partition_point(|entry| entry.term <= term);
        let entry = self.entries.get(end.checked_sub(1)?)?;
        (entry.term == term).then_some(entry.index)
    }
}

fn offset(index: Index) -> usize {
    usize::try_from(index.0.saturating_sub(1)).expect("an index in memory fits usize")
}
