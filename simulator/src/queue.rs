//! What happens next: a queue of moments, and the things that wait for theirs.
//!
//! Time jumps from one due moment to the next; what nobody waits for costs nothing. Of equal moments the one that was
//! planned first comes first, so the order is a function of the seed.
//!
//! Deadlines are many and lie far ahead, mostly in the order in which they are planned. They wait in a line of their own
//! ([`Queue::plan_deadline`]). Of the rest, the next few stand in order, and only what is planned beyond them goes to a heap:
//! mostly so little is on its way that finding a place among the few is all that it costs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rashomon_histories::Nanos;

/// Moments in order.
#[derive(Debug)]
pub(crate) struct Queue<D> {
    /// Falling in time; none of the heap comes before any of these.
    next: Vec<Planned<D>>,
    heap: BinaryHeap<Reverse<Planned<D>>>,
    /// Rising in time.
    deadlines: VecDeque<Planned<D>>,
    planned_count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Planned<D> {
    at: Nanos,
    number: u64,
    due: D,
}

/// How many stand in order at most.
const NEXT_MAX: usize = 64;

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
        Self {
            next: Vec::with_capacity(NEXT_MAX),
            heap: BinaryHeap::with_capacity(1024),
            deadlines: VecDeque::new(),
            planned_count: 0,
        }
    }
}

impl<D: Copy> Queue<D> {
    /// Plans it for that moment.
    pub(crate) fn plan(&mut self, at: Nanos, due: D) {
        let planned = self.number(at, due);
        self.put(planned);
    }

    /// Plans it as [`Queue::plan`] does, cheaply where it comes after the deadlines planned before.
    pub(crate) fn plan_deadline(&mut self, at: Nanos, due: D) {
        let planned = self.number(at, due);
        if self.deadlines.back().is_none_or(|last| *last < planned) {
            self.deadlines.push_back(planned);
        } else {
            self.put(planned);
        }
    }

    /// Takes what is due first.
    pub(crate) fn pop(&mut self) -> Option<(Nanos, D)> {
        if self.next.is_empty() {
            let first = std::iter::from_fn(|| self.heap.pop()).map(|Reverse(planned)| planned);
            self.next.extend(first.take(NEXT_MAX / 2));
            self.next.reverse();
        }
        let is_deadline = match (self.next.last(), self.deadlines.front()) {
            (Some(next), Some(deadline)) => deadline < next,
            (None, deadline) => deadline.is_some(),
            (Some(_), None) => false,
        };
        let planned = if is_deadline { self.deadlines.pop_front() } else { self.next.pop() };
        planned.map(|planned| (planned.at, planned.due))
    }

    /// Finds a place for what was planned last, hence comes after all of its moment.
    fn put(&mut self, planned: Planned<D>) {
        let place = self.next.partition_point(|other| other.at > planned.at);
        if place == 0 && !self.heap.is_empty() {
            return self.heap.push(Reverse(planned));
        }
        if self.next.len() == NEXT_MAX {
            self.heap.extend(self.next.drain(..NEXT_MAX / 2).map(Reverse));
            return self.put(planned);
        }
        self.next.insert(place, planned);
    }

    fn number(&mut self, at: Nanos, due: D) -> Planned<D> {
        self.planned_count += 1;
        Planned { at, number: self.planned_count, due }
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
    /// How many things it holds.
    pub(crate) fn count(&self) -> usize {
        self.things.len() - self.free.len()
    }

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
    fn a_slab_counts_what_it_holds_and_not_what_it_once_held() {
        let mut slab = Slab::default();
        let slots = ['a', 'b', 'c'].map(|thing| slab.put(thing));
        assert_eq!((slab.take(slots[1]), slab.count()), ('b', 2));
        slab.put('d');
        assert_eq!(slab.count(), 3);
    }

    /// The dumb twin keeps all in one list and looks through it.
    #[test]
    fn deadlines_come_in_the_same_order_as_anything_else() {
        use rand::RngExt as _;

        let mut rng = rashomon_nemesis::random::stream(1, "queue", 0);
        let (mut queue, mut twin) = (Queue::default(), Vec::new());
        let (mut now, mut last_count) = (0, 0);
        for number in 0..10_000_u64 {
            let (soon, late) = (now + rng.random_range(0..5), now + rng.random_range(20..25));
            match rng.random_range(0..5) {
                0 | 1 => {
                    queue.plan(Nanos(soon), number);
                    twin.push((soon, number));
                }
                2 => {
                    last_count += u64::from(queue.deadlines.back().is_some_and(|last| last.at.0 > late));
                    queue.plan_deadline(Nanos(late), number);
                    twin.push((late, number));
                }
                _ => {
                    let first = twin.iter().copied().min();
                    twin.retain(|planned| Some(*planned) != first);
                    assert_eq!(queue.pop(), first.map(|(at, number)| (Nanos(at), number)));
                    now = first.map_or(now, |(at, _)| at);
                }
            }
        }
        assert!(last_count > 100, "deadlines that come before earlier ones were planned, too");
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
