//! Sets and lists whose elements are each added once, judged in O(n log n).
//!
//! What only grows is known by its size: of two reads the smaller came first, and must be contained in the larger (for a
//! list: be its beginning). So the reads fix an order. An element stands before the smallest read that saw it and
//! after the largest that did not; elements between the same two reads are free in a set, and in a list stand as they
//! were seen; elements that nobody saw come last, and where their outcome is unknown nowhere. Every order that is legal
//! is this one up to the free places, which are filled by invocation. So there is an order that keeps real time exactly
//! when in this one no operation returned before an earlier one was invoked: one scan from the end with the earliest
//! return so far.
//!
//! Cost: sorting n operations, and the length of all reads together. The idea is that of cluster zones (Gibbons and Korach
//! 1997) with sizes in the place of values; the general search is the twin.

use rustc_hash::FxHashMap;

use crate::budget::{Poll, Stopped};
use crate::model::{Call, NEVER};
use crate::outcome::Shortcut;

/// An operation on something that grows, as this judge sees it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grows<'a> {
    /// This element was added.
    Adds(i64),
    /// These were seen, a list's in order, a set's in rising order.
    Sees(&'a [i64]),
}

/// Judges the operations of one set, or of one list (`ordered`). None: an element was added twice.
pub(super) fn judge<O>(
    calls: &[Call<O>],
    grows: &[Grows<'_>],
    ordered: bool,
    poll: &mut Poll<'_>,
) -> Option<Shortcut> {
    let mut added: FxHashMap<i64, usize> = FxHashMap::default();
    for (at, one) in grows.iter().enumerate() {
        if poll.go_on().is_err() {
            return Some(Shortcut::Stopped);
        }
        if let Grows::Adds(element) = one
            && added.insert(*element, at).is_some()
        {
            return None;
        }
    }
    let growth = Growth { grows, added, ordered };
    Some(match growth.order(calls, poll) {
        Ok(order) => Shortcut::Valid(order.into_iter().map(|at| calls[at].id).collect()),
        Err(Halt::Circle(circle)) => growth.contradiction(calls, &circle),
        Err(Halt::Stopped) => Shortcut::Stopped,
    })
}

struct Growth<'a> {
    grows: &'a [Grows<'a>],
    /// Element → place of its addition.
    added: FxHashMap<i64, usize>,
    ordered: bool,
}

/// Why no order comes out.
enum Halt {
    /// Places of operations that must precede each other in a circle; a single one is impossible by itself.
    Circle(Vec<usize>),
    /// The caller's deadline passed.
    Stopped,
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Halt::Stopped
    }
}

/// Where an element stands: behind this many others at least, and who saw it first.
#[derive(Clone, Copy)]
struct Sighting {
    rank: u32,
    smallest_read: usize,
}

impl Growth<'_> {
    fn order<O>(&self, calls: &[Call<O>], poll: &mut Poll<'_>) -> Result<Vec<usize>, Halt> {
        let sightings = self.sightings(calls, poll)?;
        // Rank, additions before the reads that see them, invocation; then the place.
        let mut order: Vec<(u32, bool, u32, usize)> = Vec::with_capacity(calls.len());
        for (at, (call, one)) in calls.iter().zip(self.grows).enumerate() {
            poll.go_on()?;
            match one {
                Grows::Sees(_) if call.is_unknown() => {}
                Grows::Sees(seen) => order.push((rank(seen), true, call.invoked, at)),
                Grows::Adds(element) => match sightings.get(element) {
                    Some(sighting) => order.push((sighting.rank, false, call.invoked, at)),
                    None if call.is_unknown() => {}
                    None => order.push((NEVER, false, call.invoked, at)),
                },
            }
        }
        poll.sort(&mut order, |place| place.0, |place| (place.1, place.2, place.3))?;
        let mut earliest: Option<usize> = None;
        for (.., at) in order.iter().rev() {
            poll.go_on()?;
            if let Some(later) = earliest.filter(|later| calls[*later].precedes(&calls[*at])) {
                let between = match self.grows[*at] {
                    // Two additions: a read tells which was first.
                    Grows::Adds(element) if matches!(self.grows[later], Grows::Adds(_)) => {
                        sightings.get(&element).map(|sighting| sighting.smallest_read)
                    }
                    _ => None,
                };
                return Err(Halt::Circle([Some(*at), between, Some(later)].into_iter().flatten().collect()));
            }
            if earliest.is_none_or(|later| calls[*at].returned < calls[later].returned) {
                earliest = Some(*at);
            }
        }
        Ok(order.into_iter().map(|(.., at)| at).collect())
    }

    /// Where each element stands that anybody saw.
    fn sightings<O>(&self, calls: &[Call<O>], poll: &mut Poll<'_>) -> Result<FxHashMap<i64, Sighting>, Halt> {
        let mut reads: Vec<(&[i64], usize)> = Vec::new();
        for (at, (call, one)) in calls.iter().zip(self.grows).enumerate() {
            poll.go_on()?;
            // A read without an answer proves nothing.
            if let Grows::Sees(seen) = one
                && !call.is_unknown()
            {
                reads.push((seen, at));
            }
        }
        poll.sort(&mut reads, |read| rank(read.0), |read| read.1)?;
        let mut sightings: FxHashMap<i64, Sighting> = FxHashMap::default();
        let mut before: Option<(&[i64], usize)> = None;
        for (seen, at) in reads {
            if let Some((smaller, by)) = before
                && !self.grew(smaller, seen)
            {
                return Err(Halt::Circle(vec![by, at]));
            }
            for (place, element) in seen.iter().enumerate() {
                poll.go_on()?;
                let rank = if self.ordered { rank(&seen[..=place]) } else { rank(seen) };
                let sighting = *sightings.entry(*element).or_insert(Sighting { rank, smallest_read: at });
                let is_twice = self.ordered && sighting.rank != rank;
                if is_twice || !self.added.contains_key(element) {
                    return Err(Halt::Circle(vec![at]));
                }
            }
            before = Some((seen, at));
        }
        Ok(sightings)
    }

    fn grew(&self, smaller: &[i64], larger: &[i64]) -> bool {
        if self.ordered {
            return larger.starts_with(smaller);
        }
        let mut rest = larger.iter();
        smaller.iter().all(|element| rest.any(|other| other == element))
    }

    /// The circle, and all that the answers in it could be owed to.
    fn contradiction<O>(&self, calls: &[Call<O>], circle: &[usize]) -> Shortcut {
        let mut places = circle.to_vec();
        for at in circle {
            if let Grows::Sees(seen) = self.grows[*at] {
                places.extend(seen.iter().filter_map(|element| self.added.get(element)));
            }
        }
        places.sort_unstable();
        places.dedup();
        let name = |places: &[usize]| places.iter().map(|at| calls[*at].id).collect::<Vec<u32>>();
        Shortcut::Invalid { operations: name(&places), cycle: name(circle) }
    }
}

/// What saw so many elements comes so late. Each was added by an operation, and those are counted in 32 bits.
fn rank(seen: &[i64]) -> u32 {
    u32::try_from(seen.len()).unwrap_or(NEVER)
}
