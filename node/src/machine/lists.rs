//! Lists: integers per key, in the order in which they were appended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::operation::ELEMENTS_MAX;
use crate::api::{Key, ListOperation, RefusalCode, Reply};
use crate::machine::digest::{self, Digest, Kind};

/// All lists of the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lists {
    lists: BTreeMap<Key, Vec<i64>>,
    digest: Digest,
}

impl Lists {
    /// Carries out an operation on one list.
    pub fn operate(&mut self, key: &Key, operation: ListOperation) -> Reply {
        match operation {
            ListOperation::Read => self.elements(key),
            ListOperation::Append(element) => {
                let list = self.lists.entry(key.clone()).or_default();
                self.digest.add(digest_of(key, list.len() as u64, element));
                list.push(element);
                Reply::Added
            }
        }
    }

    /// Answers a read without a place in the log; `None` if the operation is not a read.
    pub fn read(&self, key: &Key, operation: ListOperation) -> Option<Reply> {
        match operation {
            ListOperation::Read => Some(self.elements(key)),
            ListOperation::Append(_) => None,
        }
    }

    /// Digest of all lists, each element with its place.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same, from the lists as they are.
    pub fn digest_anew(&self) -> Digest {
        let elements = self
            .lists
            .iter()
            .flat_map(|(key, list)| (0..).zip(list).map(move |(place, element)| (key, place, *element)));
        Digest::of(elements.map(|(key, place, element)| digest_of(key, place, element)))
    }

    fn elements(&self, key: &Key) -> Reply {
        match self.lists.get(key) {
            None => Reply::Elements(Vec::new()),
            Some(list) if list.len() > ELEMENTS_MAX => Reply::NotApplied(RefusalCode::TooLarge),
            Some(list) => Reply::Elements(list.clone()),
        }
    }
}

fn digest_of(key: &Key, place: u64, element: i64) -> u64 {
    digest::record(key.as_bytes(), &[Kind::List as u64, place, element.cast_unsigned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(elements: &[(&str, i64)]) -> Lists {
        let mut lists = Lists::default();
        for (key, element) in elements {
            assert_eq!(lists.operate(&Key::new(key), ListOperation::Append(*element)), Reply::Added);
        }
        lists
    }

    #[test]
    fn elements_stay_in_the_order_in_which_they_came() {
        let mut lists = lists(&[("x", 3), ("y", 9), ("x", 1), ("x", 3)]);
        assert_eq!(lists.operate(&Key::new("x"), ListOperation::Read), Reply::Elements(vec![3, 1, 3]));
        assert_eq!(lists.operate(&Key::new("z"), ListOperation::Read), Reply::Elements(vec![]));
    }

    #[test]
    fn the_digest_knows_the_order_within_a_list_and_none_between_lists() {
        assert_ne!(lists(&[("x", 1), ("x", 2)]).digest(), lists(&[("x", 2), ("x", 1)]).digest());
        assert_eq!(lists(&[("x", 1), ("y", 2)]).digest(), lists(&[("y", 2), ("x", 1)]).digest());
    }

    #[test]
    fn a_list_too_long_for_a_reply_is_refused() {
        let mut lists = Lists::default();
        let key = Key::new("x");
        for _ in 0..ELEMENTS_MAX {
            lists.operate(&key, ListOperation::Append(0));
        }
        assert_eq!(lists.read(&key, ListOperation::Read), Some(Reply::Elements(vec![0; ELEMENTS_MAX])));
        lists.operate(&key, ListOperation::Append(0));
        let refused = Some(Reply::NotApplied(RefusalCode::TooLarge));
        assert_eq!(lists.read(&key, ListOperation::Read), refused);
    }
}
