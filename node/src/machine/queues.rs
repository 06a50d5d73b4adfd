//! Queues: integers per key, first in, first out.
//!
//! A queue counts what was ever taken from it, and its digest knows every place by its number from the beginning: two
//! replicas of which one took an element that the other did not never agree again, not even when both are empty.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::api::{Key, QueueOperation, Reply};
use crate::machine::digest::{self, Digest, Kind};

/// All queues of the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Queues {
    queues: BTreeMap<Key, Queue>,
    digest: Digest,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Queue {
    taken_count: u64,
    elements: VecDeque<i64>,
}

impl Queues {
    /// Carries out an operation on one queue. None of them only looks.
    pub fn operate(&mut self, key: &Key, operation: QueueOperation) -> Reply {
        match operation {
            QueueOperation::Enqueue(element) => {
                let queue = self.queues.entry(key.clone()).or_default();
                let place = queue.taken_count + queue.elements.len() as u64;
                self.digest.add(queued(key, place, element));
                queue.elements.push_back(element);
                Reply::Added
            }
            QueueOperation::Dequeue => {
                let Some(queue) = self.queues.get_mut(key) else { return Reply::Taken(None) };
                let front = queue.elements.pop_front();
                if let Some(element) = front {
                    self.digest.remove(queued(key, queue.taken_count, element));
                    self.digest.add(taken(key, queue.taken_count));
                    queue.taken_count += 1;
                }
                Reply::Taken(front)
            }
        }
    }

    /// Digest of all queues: what is in them, and how much was taken.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same, from the queues as they are.
    pub fn digest_anew(&self) -> Digest {
        let records = self.queues.iter().flat_map(|(key, queue)| {
            let places = (queue.taken_count..).zip(&queue.elements);
            let left = places.map(move |(place, element)| queued(key, place, *element));
            (0..queue.taken_count).map(move |place| taken(key, place)).chain(left)
        });
        Digest::of(records)
    }
}

fn queued(key: &Key, place: u64, element: i64) -> u64 {
    digest::record(key.as_bytes(), &[Kind::Queued as u64, place, element.cast_unsigned()])
}

fn taken(key: &Key, place: u64) -> u64 {
    digest::record(key.as_bytes(), &[Kind::Taken as u64, place])
}

#[cfg(test)]
mod tests {
    use super::QueueOperation::{Dequeue, Enqueue};
    use super::*;

    fn queues(operations: &[QueueOperation]) -> (Queues, Vec<Reply>) {
        let mut queues = Queues::default();
        let replies = operations.iter().map(|one| queues.operate(&Key::new("x"), *one)).collect();
        (queues, replies)
    }

    #[test]
    fn what_came_first_leaves_first_and_an_empty_queue_says_so() {
        let (_, replies) = queues(&[Dequeue, Enqueue(7), Enqueue(8), Dequeue, Dequeue, Dequeue]);
        let expected = [
            Reply::Taken(None),
            Reply::Added,
            Reply::Added,
            Reply::Taken(Some(7)),
            Reply::Taken(Some(8)),
            Reply::Taken(None),
        ];
        assert_eq!(replies, expected);
    }

    #[test]
    fn the_digest_is_that_of_what_is_left_and_how_much_was_taken() {
        let digest = |operations: &[QueueOperation]| queues(operations).0.digest();
        assert_eq!(digest(&[Enqueue(1), Dequeue, Enqueue(2)]), digest(&[Enqueue(3), Enqueue(2), Dequeue]));
        assert_ne!(digest(&[Enqueue(2)]), digest(&[Enqueue(1), Enqueue(2), Dequeue]));
        assert_ne!(digest(&[]), digest(&[Enqueue(1), Dequeue]));
        assert_eq!(digest(&[]), digest(&[Dequeue]));
    }
}
