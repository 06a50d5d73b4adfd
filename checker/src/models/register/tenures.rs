//! When each value began to be there: refused cas, and the order that proves a history valid.
//!
//! Clusters come in an order that keeps real time; the k-th one's *tenure* lasts from its start a(k) to the next one's. With
//! real numbers between the events for moments, the order asks for
//!
//! - a(k) before every return in cluster k, after every invocation in cluster k−1 and of its own writer, and a(k) < a(k+1);
//! - for a refused cas of the value of cluster k: it was invoked before a(k), or returned after a(k+1).
//!
//! All starts are taken as late as they can be. A refused cas that was not invoked before the latest possible start of
//! its value needs the next tenure to start before it returned: that is a deadline, which can only move starts
//! forward and so bring more of the like. When nothing moves any more, the starts are the latest of all
//! solutions in this order: if even they lie too early for an invocation, this order has no solution. Another order of the blocks
//! might, or an operation of unknown outcome that nobody saw: then the answer is "open", never a guess.

use std::collections::VecDeque;

use super::RegisterOp;
use super::clusters::{Cluster, Clusters, Contradiction, Halt, NOBODY};
use crate::budget::{Poll, Stopped};
use crate::model::{Call, NEVER};

/// An order of all operations that took effect, those without a tenure left out; or the event before which one has no
/// moment in this order.
pub(super) fn place(
    calls: &[Call<RegisterOp>],
    clusters: &Clusters,
    order: &[u32],
    poll: &mut Poll<'_>,
) -> Result<Vec<u32>, Halt> {
    let mut tenures = Tenures::new(calls, clusters, order, poll)?;
    tenures.settle(poll)?;
    tenures.is_possible(poll)?;
    tenures.order(poll)
}

/// A refused cas of a value that was there all the while: somebody who saw it, or its writer, returned before the cas was
/// invoked, and somebody who saw it or replaced it was invoked after the cas had returned.
pub(super) fn check_sightings(
    calls: &[Call<RegisterOp>],
    clusters: &Clusters,
    poll: &mut Poll<'_>,
) -> Result<(), Halt> {
    for (at, call) in calls.iter().enumerate() {
        poll.go_on()?;
        let cluster = clusters.of[at];
        if !matches!(call.operation, RegisterOp::Refused { .. }) || cluster == NOBODY || call.is_unknown() {
            continue;
        }
        let Cluster { writer, first_reader, last_reader, replaced_by } = clusters.all[cluster as usize];
        let replacer = clusters.all.get(replaced_by as usize).map_or(NOBODY, |next| next.writer);
        let exists = |at: &u32| *at != NOBODY;
        let mut before = [writer, first_reader].into_iter().filter(exists);
        let mut after = [writer, last_reader, replacer].into_iter().filter(exists);
        let was_there = before.find(|&at| calls[at as usize].returned < call.invoked);
        let still_there = after.find(|&at| calls[at as usize].invoked > call.returned);
        if let (true, Some(last)) = (cluster == 0 || was_there.is_some(), still_there) {
            let at = at as u32;
            let mut operations: Vec<u32> = [writer, at, last].into_iter().filter(exists).collect();
            operations.extend(was_there);
            if calls[last as usize].is_unknown() {
                operations.extend(clusters.witness(replaced_by));
            }
            operations.sort_unstable();
            operations.dedup();
            return Err(Contradiction { operations, cycle: Vec::new() }.into());
        }
    }
    Ok(())
}

struct Tenures<'a> {
    calls: &'a [Call<RegisterOp>],
    clusters: &'a Clusters,
    /// Clusters in order.
    order: &'a [u32],
    /// Per cluster, its place in the order.
    rank: Vec<u32>,
    /// Per place: a moment before this event.
    latest: Vec<u32>,
    /// Refused cas, grouped by the place of the value that they did not find, those invoked last first.
    refused: Vec<u32>,
    /// Where each group begins, and how far it has been settled.
    groups: Vec<u32>,
    settled: Vec<u32>,
}

/// How often starts may move per operation before the question is handed on.
const MOVES: usize = 64;

impl<'a> Tenures<'a> {
    fn new(
        calls: &'a [Call<RegisterOp>],
        clusters: &'a Clusters,
        order: &'a [u32],
        poll: &mut Poll<'_>,
    ) -> Result<Self, Stopped> {
        let mut rank = vec![NOBODY; clusters.all.len()];
        for (place, &cluster) in order.iter().enumerate() {
            rank[cluster as usize] = place as u32;
        }
        let mut latest = vec![NEVER; order.len()];
        let mut next = NEVER;
        for (place, &cluster) in order.iter().enumerate().rev() {
            poll.go_on()?;
            let Cluster { writer, first_reader, .. } = clusters.all[cluster as usize];
            for at in [writer, first_reader] {
                if at != NOBODY {
                    next = next.min(calls[at as usize].returned);
                }
            }
            latest[place] = next;
        }
        let mut tenures = Tenures {
            calls,
            clusters,
            order,
            rank,
            latest,
            refused: Vec::new(),
            groups: Vec::new(),
            settled: Vec::new(),
        };
        tenures.group_refused(poll)?;
        Ok(tenures)
    }

    fn group_refused(&mut self, poll: &mut Poll<'_>) -> Result<(), Stopped> {
        let mut refused: Vec<(u32, u32)> = Vec::new();
        for (at, call) in self.calls.iter().enumerate() {
            poll.go_on()?;
            if matches!(call.operation, RegisterOp::Refused { .. })
                && let Some(place) = self.place_of(at as u32)
            {
                refused.push((place, at as u32));
            }
        }
        let invoked = |at: u32| self.calls[at as usize].invoked;
        poll.sort(&mut refused, |refused| refused.0, |refused| std::cmp::Reverse(invoked(refused.1)))?;
        self.groups = vec![0; self.order.len() + 1];
        for &(place, _) in &refused {
            self.groups[place as usize + 1] += 1;
        }
        for place in 0..self.order.len() {
            self.groups[place + 1] += self.groups[place];
        }
        self.settled = self.groups[..self.order.len()].to_vec();
        self.refused = refused.into_iter().map(|(_, at)| at).collect();
        Ok(())
    }

    /// The place of the cluster that an operation belongs to, if that one lives.
    fn place_of(&self, at: u32) -> Option<u32> {
        let cluster = self.clusters.of[at as usize];
        let place = self.rank.get(cluster as usize).copied()?;
        (place != NOBODY).then_some(place)
    }

    /// Moves starts until every refused cas has its moment; or the return of one that has none in this order, or of the
    /// one where this took too long.
    fn settle(&mut self, poll: &mut Poll<'_>) -> Result<(), Halt> {
        let mut moves = self.calls.len() * MOVES;
        let mut todo: VecDeque<u32> = (0..self.order.len() as u32)
            .filter(|&p| self.groups[p as usize] < self.groups[p as usize + 1])
            .collect();
        while let Some(place) = todo.pop_front() {
            let place = place as usize;
            while self.settled[place] < self.groups[place + 1] {
                poll.go_on()?;
                let call = &self.calls[self.refused[self.settled[place] as usize] as usize];
                // The initial value was there before anything was invoked.
                if place > 0 && call.invoked < self.latest[place] {
                    break;
                }
                self.settled[place] += 1;
                let Some(next) = self.latest.get(place + 1).copied() else {
                    return Err(Halt::Open(call.returned));
                };
                if call.returned >= next {
                    continue;
                }
                let mut at = place + 1;
                while self.latest[at] > call.returned {
                    poll.go_on()?;
                    self.latest[at] = call.returned;
                    if self.settled[at] < self.groups[at + 1] {
                        todo.push_back(at as u32);
                    }
                    let Some(rest) = moves.checked_sub(1) else { return Err(Halt::Open(call.returned)) };
                    moves = rest;
                    if at == 1 {
                        break;
                    }
                    at -= 1;
                }
            }
        }
        Ok(())
    }

    /// Whether every start lies after the invocations that it must follow; or the event before which one would have to lie.
    fn is_possible(&self, poll: &mut Poll<'_>) -> Result<(), Halt> {
        let mut earliest = 0;
        for (place, &cluster) in self.order.iter().enumerate().skip(1) {
            poll.go_on()?;
            let before = self.clusters.all[self.order[place - 1] as usize];
            for at in [before.writer, before.last_reader, self.clusters.all[cluster as usize].writer] {
                if at != NOBODY {
                    earliest = earliest.max(self.calls[at as usize].invoked);
                }
            }
            if earliest >= self.latest[place] {
                return Err(Halt::Open(self.latest[place]));
            }
        }
        Ok(())
    }

    /// Writers in the order of their starts, with everybody else in the tenure where he has his moment.
    fn order(&self, poll: &mut Poll<'_>) -> Result<Vec<u32>, Halt> {
        let mut placed: Vec<(u32, bool, u32, u32)> = Vec::with_capacity(self.calls.len());
        for (at, call) in self.calls.iter().enumerate() {
            poll.go_on()?;
            let at = at as u32;
            let place = match call.operation {
                RegisterOp::Write(_) | RegisterOp::Cas { .. } => self.place_of(at),
                RegisterOp::Read(_) if call.is_unknown() => None,
                RegisterOp::Read(_) => self.place_of(at),
                RegisterOp::Refused { .. } if call.is_unknown() => None,
                RegisterOp::Refused { .. } => Some(self.moment(at).ok_or(Halt::Open(call.returned))?),
            };
            let observes = call.operation.written().is_none();
            placed.extend(place.map(|place| (place, observes, call.invoked, at)));
        }
        poll.sort(&mut placed, |placed| placed.0, |placed| (placed.1, placed.2, placed.3))?;
        Ok(placed.into_iter().map(|(_, _, _, at)| at).collect())
    }

    /// The tenure in which a refused cas saw another value: the one that ran when it was invoked, or the next.
    fn moment(&self, at: u32) -> Option<u32> {
        let call = &self.calls[at as usize];
        let running = self.latest[1..].partition_point(|&latest| latest <= call.invoked) as u32;
        match self.place_of(at) {
            Some(own) if own == running => {
                let next = running + 1;
                self.latest.get(next as usize).is_some_and(|&start| start <= call.returned).then_some(next)
            }
            _ => Some(running),
        }
    }
}
