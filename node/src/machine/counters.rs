//! Counters: a sum per key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{CounterOperation, Key, RefusalCode, Reply};
use crate::machine::digest::{self, Digest, Kind};

/// All counters of the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    sums: BTreeMap<Key, i64>,
    digest: Digest,
}

impl Counters {
    /// Carries out an operation on one counter.
    pub fn operate(&mut self, key: &Key, operation: CounterOperation) -> Reply {
        match operation {
            CounterOperation::Read => self.sum(key),
            CounterOperation::Add(amount) => {
                let before = self.sums.get(key).copied();
                let Some(after) = before.unwrap_or(0).checked_add(amount) else {
                    return Reply::NotApplied(RefusalCode::TooLarge);
                };
                if let Some(before) = before {
                    self.digest.remove(digest_of(key, before));
                }
                self.digest.add(digest_of(key, after));
                self.sums.insert(key.clone(), after);
                Reply::Added
            }
        }
    }

    /// Answers a read without a place in the log; `None` if the operation is not a read.
    pub fn read(&self, key: &Key, operation: CounterOperation) -> Option<Reply> {
        match operation {
            CounterOperation::Read => Some(self.sum(key)),
            CounterOperation::Add(_) => None,
        }
    }

    /// Digest of all counters that were ever added to.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same, from the sums as they are.
    pub fn digest_anew(&self) -> Digest {
        Digest::of(self.sums.iter().map(|(key, sum)| digest_of(key, *sum)))
    }

    fn sum(&self, key: &Key) -> Reply {
        Reply::Sum(self.sums.get(key).copied().unwrap_or(0))
    }
}

fn digest_of(key: &Key, sum: i64) -> u64 {
    digest::record(key.as_bytes(), &[Kind::Counter as u64, sum.cast_unsigned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_add_up_and_an_overflow_changes_nothing() {
        use CounterOperation::{Add, Read};
        let mut counters = Counters::default();
        let key = Key::new("x");
        assert_eq!(counters.operate(&key, Read), Reply::Sum(0));
        assert_eq!(counters.operate(&key, Add(i64::MAX)), Reply::Added);
        assert_eq!(counters.operate(&key, Add(1)), Reply::NotApplied(RefusalCode::TooLarge));
        assert_eq!(counters.operate(&key, Add(-7)), Reply::Added);
        assert_eq!(counters.operate(&key, Read), Reply::Sum(i64::MAX - 7));
    }

    #[test]
    fn the_digest_is_that_of_the_sums() {
        let of = |amounts: &[(&str, i64)]| {
            let mut counters = Counters::default();
            for (key, amount) in amounts {
                counters.operate(&Key::new(key), CounterOperation::Add(*amount));
            }
            counters.digest()
        };
        assert_eq!(of(&[("x", 1), ("y", 5), ("x", 2)]), of(&[("x", 3), ("y", 5)]));
        assert_ne!(of(&[("x", 3), ("y", 5)]), of(&[("x", 5), ("y", 3)]));
    }
}
