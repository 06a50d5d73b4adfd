//! What happens next: a queue of moments, and the things that wait for theirs.
//!
//! Time jumps from one due moment to the next; what nobody waits for costs nothing. Of equal moments the one that was
//! planned first comes first, so the order is a function of the seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rashomon_histories::Nanos;

/// Moments in order.
#[derive(Debug)]
pub(crate) struct Queue<D> {
    heap: BinaryHeap<Reverse<Planned<D>>>,
    planned_count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Planned<D> {
    at: Nanos,
    number: u64,
    due: D,
}

impl<D> PartialEq for Planned<D> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<D> Eq for Planned<D> {}

impl<D> PartialOrd for Planned<D> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<D> Ord for Planned<D> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<D> Default for Queue<D> {
    fn default() -> Self {
        Self { heap: BinaryHeap::with_capacity(1024), planned_count: 0 }
    }
}

impl<D: Copy> Queue<D> {
    /// Plans it for that moment.
    pub(crate) fn plan(&mut self, at: Nanos, due: D) {
        self.planned_count += 1;
        self.heap.push(Reverse(Planned { at, number: self.planned_count, due }));
    }

    /// Takes what is due first.
    pub(crate) fn pop(&mut self) -> Option<(Nanos, D)> {
        self.heap.pop().map(|Reverse(planned)| (planned.at, planned.due))
    }
}

/// Where something waits in a [`Slab`].
pub(crate) type Slot = u32;

/// Things that wait, so that the queue moves small keys only.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    things: Vec<Option<T>>,
    free: Vec<Slot>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { things: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn put(&mut self, thing: T) -> Slot {
        match self.free.pop() {
            Some(slot) => {
                self.things[slot as usize] = Some(thing);
                slot
            }
            None => {
                self.things.push(Some(thing));
                Slot::try_from(self.things.len() - 1).expect("fewer than 2^32 things wait at a time")
            }
        }
    }

    pub(crate) fn take(&mut self, slot: Slot) -> T {
        self.free.push(slot);
        self.things[slot as usize].take().expect("a slot is taken once")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_moments_the_first_planned_comes_first() {
        let mut queue = Queue::default();
        for (at, due) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd'), (4, 'e')] {
            queue.plan(Nanos(at), due);
        }
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, due)| due).collect();
        assert_eq!(order, "bdeac");
    }

    #[test]
    fn slots_are_used_again() {
        let mut slab = Slab::default();
        let (one, two) = (slab.put('x'), slab.put('y'));
        assert_eq!(slab.take(one), 'x');
        assert_eq!(slab.put('z'), one);
        assert_eq!((slab.take(two), slab.take(one)), ('y', 'z'));
    }
}
