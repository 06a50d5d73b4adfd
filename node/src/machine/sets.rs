//! Sets: integers per key, which only ever come.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::api::operation::ELEMENTS_MAX;
use crate::api::{Key, RefusalCode, Reply, SetOperation};
use crate::machine::digest::{self, Digest, Kind};

/// All sets of the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sets {
    sets: BTreeMap<Key, BTreeSet<i64>>,
    digest: Digest,
}

impl Sets {
    /// Carries out an operation on one set.
    pub fn operate(&mut self, key: &Key, operation: SetOperation) -> Reply {
        match operation {
            SetOperation::Read => self.elements(key),
            SetOperation::Add(element) => {
                if self.sets.entry(key.clone()).or_default().insert(element) {
                    self.digest.add(digest_of(key, element));
                }
                Reply::Added
            }
        }
    }

    /// Answers a read without a place in the log; `None` if the operation is not a read.
    pub fn read(&self, key: &Key, operation: SetOperation) -> Option<Reply> {
        match operation {
            SetOperation::Read => Some(self.elements(key)),
            SetOperation::Add(_) => None,
        }
    }

    /// Digest of all sets and their elements.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same, from the elements as they are.
    pub fn digest_anew(&self) -> Digest {
        let elements = self.sets.iter().flat_map(|(key, set)| set.iter().map(move |element| (key, *element)));
        Digest::of(elements.map(|(key, element)| digest_of(key, element)))
    }

    fn elements(&self, key: &Key) -> Reply {
        match self.sets.get(key) {
            None => Reply::Elements(Vec::new()),
            Some(set) if set.len() > ELEMENTS_MAX => Reply::NotApplied(RefusalCode::TooLarge),
            Some(set) => Reply::Elements(set.iter().copied().collect()),
        }
    }
}

fn digest_of(key: &Key, element: i64) -> u64 {
    digest::record(key.as_bytes(), &[Kind::Set as u64, element.cast_unsigned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_added_twice_is_there_once() {
        let mut sets = Sets::default();
        let key = Key::new("x");
        assert_eq!(sets.operate(&key, SetOperation::Read), Reply::Elements(vec![]));
        for element in [5, -3, 5] {
            assert_eq!(sets.operate(&key, SetOperation::Add(element)), Reply::Added);
        }
        assert_eq!(sets.operate(&key, SetOperation::Read), Reply::Elements(vec![-3, 5]));
        assert_eq!(sets.operate(&Key::new("y"), SetOperation::Read), Reply::Elements(vec![]));
    }

    #[test]
    fn the_digest_is_that_of_the_elements_in_whatever_order_they_came() {
        let of = |elements: &[(&str, i64)]| {
            let mut sets = Sets::default();
            for (key, element) in elements {
                sets.operate(&Key::new(key), SetOperation::Add(*element));
            }
            sets.digest()
        };
        assert_eq!(of(&[("x", 1), ("x", 2), ("x", 1)]), of(&[("x", 2), ("x", 1)]));
        assert_ne!(of(&[("x", 1), ("y", 2)]), of(&[("x", 2), ("y", 1)]));
        assert_ne!(of(&[("x", 1)]), of(&[("x", 1), ("x", 2)]));
    }

    #[test]
    fn a_set_too_large_for_a_reply_is_refused_and_still_grows() {
        let mut sets = Sets::default();
        let key = Key::new("x");
        for element in 0..=ELEMENTS_MAX as i64 {
            assert_eq!(sets.operate(&key, SetOperation::Add(element)), Reply::Added);
        }
        assert_eq!(sets.operate(&key, SetOperation::Read), Reply::NotApplied(RefusalCode::TooLarge));
    }
}
