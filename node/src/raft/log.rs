//! The log: entries without gaps, after a base.
//!
//! All of it is in memory. The base is the position of the last entry left out because a snapshot stands for it (Raft 7);
//! it is 0 as long as there is none. Every access goes through [`Log::get`], [`Log::from`] and [`Log::term_at`], so that
//! the base is this file's affair.

use serde::{Deserialize, Serialize};

use crate::machine::Command;
use crate::raft::membership::Membership;

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
    /// Who takes part, from this entry on (thesis 4.1).
    Membership(Membership),
}

/// A node's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    base: Position,
    entries: Vec<Entry>,
}

impl Log {
    /// The last entry left out; entries start after it.
    pub fn base(&self) -> Position {
        self.base
    }

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
        self.entries.truncate(self.offset(from));
    }

    /// Leaves out everything up to the entry at `to`, which becomes the base. Does nothing without such an entry.
    pub fn compact(&mut self, to: Index) {
        if let Some(entry) = self.get(to) {
            let count = self.offset(to) + 1;
            self.base = Position { term: entry.term, index: to };
            self.entries.drain(..count);
        }
    }

    /// Leaves out everything up to `base`, of whatever term it is, and keeps what follows.
    pub fn rebase(&mut self, base: Position) {
        let count =
            if base.index < self.base.index { self.entries.len() } else { self.offset(base.index.next()) };
        self.entries.drain(..count.min(self.entries.len()));
        self.base = base;
    }

    /// Starts anew after `base`, without entries.
    pub fn reset(&mut self, base: Position) {
        self.base = base;
        self.entries.clear();
    }

    /// The entry at `index`.
    pub fn get(&self, index: Index) -> Option<&Entry> {
        if index <= self.base.index { None } else { self.entries.get(self.offset(index)) }
    }

    /// The term of the entry at `index`, also of the one at the base; that of index 0 is term 0, on every node.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index { Some(self.base.term) } else { self.get(index).map(|entry| entry.term) }
    }

    /// Up to `count_max` entries from `from` on, or from the first one if that is later.
    pub fn from(&self, from: Index, count_max: usize) -> &[Entry] {
        let start = self.offset(from).min(self.entries.len());
        let end = start.saturating_add(count_max).min(self.entries.len());
        &self.entries[start..end]
    }

    /// The last entry's index; that of the base if there is none.
    pub fn last_index(&self) -> Index {
        Index(self.base.index.0 + self.entries.len() as u64)
    }

    /// The last entry's position; the base if there is none.
    pub fn last(&self) -> Position {
        self.entries.last().map_or(self.base, |entry| Position { term: entry.term, index: entry.index })
    }

    /// The first entry here of the term that the entry at `index` has.
    pub fn first_of_term_at(&self, index: Index) -> Option<Index> {
        let term = self.get(index)?.term;
        // Terms never fall along a log, so the entries of one are neighbours.
        let before = self.entries.partition_point(|entry| entry.term < term) as u64;
        Some(Index(self.base.index.0 + before + 1))
    }

    /// The last entry of `term`, if there is one; the base counts.
    pub fn last_of_term(&self, term: Term) -> Option<Index> {
        let end = self.entries.partition_point(|entry| entry.term <= term);
        let last = match end.checked_sub(1).and_then(|last| self.entries.get(last)) {
            Some(entry) => Position { term: entry.term, index: entry.index },
            None => self.base,
        };
        (last.term == term).then_some(last.index)
    }

    /// Where in `entries` the entry at `index` stands, or would.
    fn offset(&self, index: Index) -> usize {
        let offset = index.0.saturating_sub(self.base.index.0 + 1);
        usize::try_from(offset).expect("an index in memory fits usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(base: u64, terms: &[u64]) -> Log {
        let mut log = Log::default();
        log.reset(Position { term: Term(1), index: Index(base) });
        for (index, term) in (base + 1..).zip(terms) {
            log.push(Entry { index: Index(index), term: Term(*term), payload: Payload::Noop });
        }
        log
    }

    /// The twin: the same log with nothing left out answers alike wherever the compacted one still can.
    #[test]
    fn a_compacted_log_answers_like_the_whole_one() {
        let terms = [1, 1, 2, 2, 2, 4, 7, 7];
        let whole = log(0, &terms);
        for base in 0..=8 {
            let mut compacted = whole.clone();
            compacted.compact(Index(base));
            assert_eq!(compacted.last(), whole.last());
            assert_eq!(compacted.last_index(), whole.last_index());
            for index in (base..10).map(Index) {
                assert_eq!(compacted.term_at(index), whole.term_at(index), "{base} {index:?}");
                if index.0 > base {
                    assert_eq!(compacted.get(index), whole.get(index));
                    assert_eq!(compacted.from(index, 2), whole.from(index, 2));
                    let first = whole.first_of_term_at(index).map(|first| first.max(Index(base + 1)));
                    assert_eq!(compacted.first_of_term_at(index), first);
                }
            }
            for term in (0..9).map(Term) {
                let last = whole.last_of_term(term).filter(|last| last.0 >= base);
                assert_eq!(compacted.last_of_term(term), last, "{base} {term:?}");
            }
        }
    }

    #[test]
    fn what_was_left_out_is_not_there() {
        let mut compacted = log(0, &[1, 1, 2]);
        compacted.compact(Index(2));
        assert_eq!(compacted.base(), Position { term: Term(1), index: Index(2) });
        assert_eq!(compacted.get(Index(2)), None);
        assert_eq!(compacted.term_at(Index(1)), None);
        assert_eq!(compacted.from(Index(1), 9).len(), 1);
        compacted.compact(Index(9));
        assert_eq!(compacted.last_index(), Index(3), "there is no such entry to compact to");
    }

    #[test]
    fn a_log_goes_on_after_its_base() {
        let mut fresh = log(5, &[]);
        assert_eq!((fresh.last_index(), fresh.last()), (Index(5), fresh.base()));
        fresh.push(Entry { index: Index(6), term: Term(3), payload: Payload::Noop });
        fresh.truncate(Index(6));
        assert_eq!(fresh.last_index(), Index(5));
    }
}
