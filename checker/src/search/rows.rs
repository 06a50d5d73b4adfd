//! Configurations as rows of words in one flat table, found again by their key.
//!
//! A row is: the state and a flag; for each slot a bit *taken* and a bit *passed*; counters of the unknown operations used;
//! and, beyond the key, the cost and the path that led here. Knows nothing of what the bits mean but their order: which
//! row is never worse than which. Next: [`super::frontier`].

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::frontier::{Interrupted, Meter};

/// Where things stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Words of one bit per slot.
    pub(crate) slot_words: usize,
    /// Counters that tell configurations apart.
    pub(crate) counted: usize,
    /// Counters that are only carried along.
    pub(crate) carried: usize,
}

/// The state's word also holds whether the last effect still has to be seen by somebody.
pub(crate) const UNSEEN: u64 = 1 << 32;

impl Layout {
    pub(crate) fn key(&self) -> usize {
        1 + 2 * self.slot_words + self.counted.div_ceil(2)
    }

    pub(crate) fn width(&self) -> usize {
        self.key() + self.carried.div_ceil(2) + 1
    }

    /// Where counter `index` stands: its word and shift. Counted ones come first.
    fn counter(&self, index: usize) -> (usize, u32) {
        let (base, index) = if index < self.counted {
            (1 + 2 * self.slot_words, index)
        } else {
            (self.key(), index - self.counted)
        };
        (base + index / 2, 32 * (index as u32 % 2))
    }

    pub(crate) fn count(&self, row: &[u64], index: usize) -> u32 {
        let (word, shift) = self.counter(index);
        (row[word] >> shift) as u32
    }

    pub(crate) fn increment(&self, row: &mut [u64], index: usize) {
        let (word, shift) = self.counter(index);
        row[word] += 1 << shift;
    }

    pub(crate) fn taken<'r>(&self, row: &'r [u64]) -> &'r [u64] {
        &row[1..1 + self.slot_words]
    }

    pub(crate) fn passed<'r>(&self, row: &'r [u64]) -> &'r [u64] {
        &row[1 + self.slot_words..1 + 2 * self.slot_words]
    }

    pub(crate) fn is_taken(&self, row: &[u64], slot: u32) -> bool {
        row[1 + slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    pub(crate) fn is_passed(&self, row: &[u64], slot: u32) -> bool {
        row[1 + self.slot_words + slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    /// Marks the slot's operation as used, passed or owed.
    pub(crate) fn mark(&self, row: &mut [u64], slot: u32, taken: bool, passed: bool) {
        let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        for (at, on) in [(1 + word, taken), (1 + self.slot_words + word, passed)] {
            row[at] = if on { row[at] | bit } else { row[at] & !bit };
        }
    }

    /// Whether `a` can do whatever `b` can: same state; every slot at least as free (passed before anything, a pure
    /// operation better taken than owed); no unknown operation used more often, carried ones not compared.
    fn covers(&self, a: &[u64], b: &[u64], pure: &[u64]) -> bool {
        // A row whose last effect is still unseen relies on the row without that effect: it must not replace it.
        if a[0] & UNSEEN != 0 || a[0] != b[0] & !UNSEEN {
            return false;
        }
        let slots = self.slot_words;
        for word in 0..slots {
            let (a_taken, a_passed) = (a[1 + word], a[1 + slots + word]);
            let differs = (a_taken ^ b[1 + word]) | (a_passed ^ b[1 + slots + word]);
            if differs & !a_passed & !(pure[word] & a_taken) != 0 {
                return false;
            }
        }
        a[1 + 2 * slots..self.key()]
            .iter()
            .zip(&b[1 + 2 * slots..])
            .all(|(a, b)| *a as u32 <= *b as u32 && *a >> 32 <= *b >> 32)
    }

    /// As [`Layout::covers`] for the carried counters.
    fn carries_no_more(&self, a: &[u64], b: &[u64]) -> bool {
        let range = self.key()..self.width() - 1;
        a[range.clone()].iter().zip(&b[range]).all(|(a, b)| *a as u32 <= *b as u32 && *a >> 32 <= *b >> 32)
    }
}

pub(crate) fn cost(row: &[u64]) -> u32 {
    (row[row.len() - 1] >> 32) as u32
}

pub(crate) fn path(row: &[u64]) -> u32 {
    row[row.len() - 1] as u32
}

pub(crate) fn set_tail(row: &mut [u64], cost: u32, path: u32) {
    let last = row.len() - 1;
    row[last] = u64::from(cost) << 32 | u64::from(path);
}

/// What became of a row that was offered to a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// Where the row with its key is.
    pub(crate) at: u32,
    /// Whether it is new there, or cheaper than the one that was.
    pub(crate) better: bool,
    /// Whether of two the one dropped carried something less than the one kept.
    pub(crate) lossy: bool,
}

/// A set of rows.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) layout: Layout,
    rows: Vec<u64>,
    len: usize,
    index: HashTable<u32>,
}

fn hash(key: &[u64]) -> u64 {
    let mut hasher = FxHasher::default();
    for word in key {
        hasher.write_u64(*word);
    }
    hasher.finish()
}

impl Table {
    pub(crate) fn new(layout: Layout) -> Self {
        Table { layout, rows: Vec::new(), len: 0, index: HashTable::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.len = 0;
        self.index.clear();
    }

    pub(crate) fn row(&self, at: usize) -> &[u64] {
        let width = self.layout.width();
        &self.rows[at * width..(at + 1) * width]
    }

    pub(crate) fn row_mut(&mut self, at: usize) -> &mut [u64] {
        let width = self.layout.width();
        &mut self.rows[at * width..(at + 1) * width]
    }

    fn find(&self, key: &[u64]) -> Option<usize> {
        let (width, length) = (self.layout.width(), self.layout.key());
        let found = self.index.find(hash(key), |&at| self.rows[at as usize * width..][..length] == *key);
        found.map(|&at| at as usize)
    }

    /// Whether a row with this key is there.
    pub(crate) fn contains(&self, key: &[u64]) -> bool {
        self.find(key).is_some()
    }

    /// Adds the row unless one with its key is there; of two with one key the cheaper stays.
    pub(crate) fn offer(&mut self, row: &[u64]) -> Offer {
        let layout = self.layout;
        let key = &row[..layout.key()];
        if let Some(at) = self.find(key) {
            let kept = self.row(at);
            let replaces = cost(row) < cost(kept);
            let (winner, loser) = if replaces { (row, kept) } else { (kept, row) };
            let lossy = !layout.carries_no_more(winner, loser);
            if replaces {
                self.row_mut(at).copy_from_slice(row);
            }
            return Offer { at: at as u32, better: replaces, lossy };
        }
        let at = self.len as u32;
        self.rows.extend_from_slice(row);
        self.len += 1;
        let (width, length, rows) = (layout.width(), layout.key(), &self.rows);
        self.index.insert_unique(hash(key), at, |&at| hash(&rows[at as usize * width..][..length]));
        Offer { at, better: true, lossy: false }
    }

    /// Drops rows that another one covers and that cost no less. Looks at no more than `reach` rows per row, so that it
    /// stays linear; a covered row that stays costs time only. Answers whether one was dropped that carried something
    /// less than the one kept, so that dropping it was a guess; with `exact` there is no such guess.
    pub(crate) fn prune(
        &mut self,
        pure: &[u64],
        reach: usize,
        exact: bool,
        meter: &mut impl Meter,
    ) -> Result<bool, Interrupted> {
        if self.len < 2 {
            return Ok(false);
        }
        let layout = self.layout;
        let slots = layout.slot_words;
        let mut order: Vec<(u64, u32, u32, u32)> = (0..self.len)
            .map(|at| {
                let row = self.row(at);
                let freedom: u32 = (0..slots)
                    .map(|word| {
                        2 * row[1 + slots + word].count_ones() + (row[1 + word] & pure[word]).count_ones()
                    })
                    .sum();
                (row[0] & !UNSEEN, cost(row), u32::MAX - freedom, at as u32)
            })
            .collect();
        order.sort_unstable();
        let mut lossy = false;
        let mut kept: Vec<u32> = Vec::with_capacity(self.len);
        let mut group_start = 0;
        let mut group_state = u64::MAX;
        for (state, _, _, at) in order {
            if state != group_state {
                (group_state, group_start) = (state, kept.len());
            }
            if !meter.passes() {
                return Err(Interrupted);
            }
            let row = self.row(at as usize);
            let cover = kept[group_start..].iter().take(reach).find(|&&other| {
                let other = self.row(other as usize);
                layout.covers(other, row, pure) && (!exact || layout.carries_no_more(other, row))
            });
            match cover {
                Some(&other) => lossy |= !exact && !layout.carries_no_more(self.row(other as usize), row),
                None => kept.push(at),
            }
        }
        if kept.len() < self.len {
            self.keep(&kept);
        }
        Ok(lossy)
    }

    /// Keeps just these rows, in this order.
    pub(crate) fn keep(&mut self, kept: &[u32]) {
        let mut rest = Table::new(self.layout);
        for &at in kept {
            let row = self.row(at as usize);
            rest.offer(row);
        }
        *self = rest;
    }

    /// Finds rows again after their keys were changed in place; of rows that became the same one, one stays.
    pub(crate) fn reindex(&mut self) {
        let all: Vec<u32> = (0..self.len as u32).collect();
        self.keep(&all);
    }

    /// The paths of all rows, to be renamed.
    pub(crate) fn paths(&mut self) -> Vec<u32> {
        (0..self.len).map(|at| path(self.row(at))).collect()
    }

    pub(crate) fn set_paths(&mut self, paths: &[u32]) {
        for (at, path) in paths.iter().enumerate() {
            let row = self.row_mut(at);
            set_tail(row, cost(row), *path);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.rows.capacity() * 8 + self.index.capacity() * 5) as u64
    }
}
