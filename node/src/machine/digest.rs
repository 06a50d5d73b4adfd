//! A digest of a set of records that follows insertions and removals at a constant cost.
//!
//! The digest of a set is the wrapping sum of a 64-bit mix of each record: independent of order, and a record that
//! changes is subtracted and added again. Sums of well-mixed words are as good as one such word against accidents,
//! which is what diverging replicas are; it is no defence against malice.

use serde::{Deserialize, Serialize};

/// Sum of the mixes of the records present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest(u64);

impl Digest {
    /// That of these records.
    pub fn of(records: impl Iterator<Item = u64>) -> Self {
        Self(records.fold(0, u64::wrapping_add))
    }

    /// Counts a record in.
    pub fn add(&mut self, record: u64) {
        self.0 = self.0.wrapping_add(record);
    }

    /// Counts a record out.
    pub fn remove(&mut self, record: u64) {
        self.0 = self.0.wrapping_sub(record);
    }

    /// The digest of the union of two sets whose records differ.
    pub fn union(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The digest of a pair of sets.
    pub fn combine(self, other: Self) -> Self {
        Self(mix(self.0).wrapping_add(other.0.rotate_left(1)))
    }

    /// As a number.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// Sets the records of different kinds of objects apart, first of their words. Registers came first and carry none.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Kind {
    /// An element of a set.
    Set = 1,
    /// A counter's sum.
    Counter,
    /// An element of a list.
    List,
    /// An element of a queue.
    Queued,
    /// A place in a queue whose element was taken.
    Taken,
}

/// Mixes the bytes and words of one record. The same on every machine and in every version: FNV-1a over the bytes,
/// finished by the mixer of splitmix64.
pub fn record(bytes: &[u8], words: &[u64]) -> u64 {
    with(named(bytes), words)
}

/// The first half of [`record`]: its bytes.
pub const fn named(bytes: &[u8]) -> u64 {
    const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const FNV_PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = FNV_OFFSET;
    let mut rest = bytes;
    while let [byte, others @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(FNV_PRIME);
        rest = others;
    }
    mix(hash)
}

/// The second half: its words. For many records whose bytes are the same.
pub fn with(name: u64, words: &[u64]) -> u64 {
    words.iter().fold(name, |hash, word| mix(hash ^ mix(*word)))
}

const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}
