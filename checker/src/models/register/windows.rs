//! Windows around open questions: where the schedule cannot satisfy a refused cas, the search orders a short stretch anew.
//!
//! From the first return in the cluster of a value v (its writer's or a reader's) until the last invocation in it (a
//! reader's, or that of the cas that replaces v) the register holds v in every order. Such a *certain* moment cuts a key though
//! operations cross it: every other cluster lies wholly before or wholly after it. Of a block that somebody saw before the
//! cut the side is known, and so it is of one with an operation invoked after it; a block that is pending over the cut may be
//! on either side. So a window, from one certain moment to a later one, has
//!
//! - the value that the schedule reached at its beginning for initial state, what is already placed being left out;
//! - all blocks, or parts of the two that hold at its ends, that must be over by its end, their returns drawn to the end;
//! - lone writes that may be over by its end, as writes of unknown outcome, and every cas of unknown outcome that nobody saw and
//!   that would replace a value of the window;
//! - refused cas that return in it, unless they have their moment at its beginning already;
//! - at the end a read of the value that holds there.
//!
//! Any order of this continues what was placed before, and the schedule goes on from its end. None may mean that the
//! earlier part was placed badly: a wider window is tried, and after the widest the key is open. So nothing depends on a window
//! being right: an order that results is proven by [`super::tenures`], and "wrong" is never said here.
//!
//! Cost: per window the search of its operations, bounded by a budget; over all windows no more operations looked at than
//! a constant times those of the key.

use rustc_hash::FxHashMap;

use super::clusters::{Cluster, Clusters, NOBODY};
use super::schedule::NOT_STARTED;
use super::zones::Block;
use super::{CasRegister, RegisterOp, Value};
use crate::budget::{Budget, Poll, Stopped};
use crate::model::{Call, Effect, Model, NEVER};
use crate::search::{self, Outcome};

/// A moment just after an event, and the cluster that holds then in every order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) event: u32,
    pub(super) cluster: u32,
}

/// How many certain moments before and after the open question a window reaches, by attempt.
pub(super) const REACHES: [(usize, usize); 4] = [(4, 0), (16, 2), (64, 8), (256, 32)];

/// What the search of one window may cost.
const BUDGET: Budget = Budget { states_max: 100_000, bytes_max: 1 << 26 };

/// How many operations all windows may look at, per operation of the key.
const LOOKS: usize = 64;

/// What is known of a key for all its windows.
pub(super) struct Windows<'a> {
    calls: &'a [Call<RegisterOp>],
    clusters: &'a Clusters,
    blocks: &'a [Block],
    /// Where something is certain, in the order of time.
    certain: Vec<Cut>,
    /// Operations by invocation.
    invoked: Vec<u32>,
    /// The latest return, outcomes unknown apart, among so many of these.
    returned: Vec<u32>,
    looks: usize,
}

impl<'a> Windows<'a> {
    pub(super) fn new(
        calls: &'a [Call<RegisterOp>],
        clusters: &'a Clusters,
        blocks: &'a [Block],
        poll: &mut Poll<'_>,
    ) -> Result<Self, Stopped> {
        let mut certain = Vec::new();
        for cluster in (1..clusters.all.len() as u32).filter(|&cluster| clusters.is_live(cluster)) {
            poll.go_on()?;
            let Cluster { writer, first_reader, last_reader, replaced_by } = clusters.all[cluster as usize];
            let replacer = clusters.all.get(replaced_by as usize).map_or(NOBODY, |next| next.writer);
            let call = |at: &u32| calls.get(*at as usize);
            let seen = [writer, first_reader].iter().filter_map(call).map(|call| call.returned).min();
            let held = [last_reader, replacer].iter().filter_map(call).map(|call| call.invoked).max();
            if let (Some(event), Some(held)) = (seen, held)
                && event < held
            {
                certain.push(Cut { event, cluster });
            }
        }
        poll.sort(&mut certain, |cut| cut.event, |cut| cut.cluster)?;
        let mut invoked: Vec<u32> = (0..calls.len() as u32).collect();
        poll.sort(&mut invoked, |&at| calls[at as usize].invoked, |&at| at)?;
        let mut returned = Vec::with_capacity(calls.len());
        let mut latest = 0;
        for &at in &invoked {
            poll.go_on()?;
            let call = &calls[at as usize];
            latest = if call.is_unknown() { latest } else { latest.max(call.returned) };
            returned.push(latest);
        }
        let looks = calls.len() * LOOKS;
        Ok(Windows { calls, clusters, blocks, certain, invoked, returned, looks })
    }

    /// Where a window may begin: certain moments before an event, the latest first, so many left out; last of all the
    /// beginning of the history.
    pub(super) fn before(&self, event: u32, left_out: usize) -> impl Iterator<Item = Cut> {
        let until = self.certain.partition_point(|cut| cut.event < event).saturating_sub(left_out);
        self.certain[..until].iter().rev().copied().chain([Cut { event: 0, cluster: 0 }])
    }

    /// Where a window may end: a certain moment after an event, so many left out. None: at the end of the history.
    pub(super) fn after(&self, event: u32, left_out: usize) -> Option<Cut> {
        let from = self.certain.partition_point(|cut| cut.event <= event);
        self.certain.get(from + left_out).copied()
    }

    /// The last event of the history.
    pub(super) fn end(&self) -> u32 {
        let invoked = self.invoked.last().map_or(0, |&at| self.calls[at as usize].invoked);
        invoked.max(self.returned.last().copied().unwrap_or(0))
    }

    /// Clusters that start after one cut and until the other, the last one's included, in an order that satisfies all that
    /// return in between; each with the event just before which it starts at the latest. `block_of` and `started` are
    /// the schedule's at the first cut.
    pub(super) fn order(
        &mut self,
        from: Cut,
        until: Option<Cut>,
        block_of: &[u32],
        started: &[u32],
        poll: &mut Poll<'_>,
    ) -> Result<Option<Vec<(u32, u32)>>, Stopped> {
        let Some(pending) = self.pending(from.event, until, poll)? else { return Ok(None) };
        let end = until.map_or(self.end(), |cut| cut.event);
        let must = self.members(&pending, from, until, block_of, started);
        let mut window = Window { calls: self.calls, from: from.event, end, asked: Vec::new() };
        for (&cluster, &must) in &must {
            let writer = self.clusters.all[cluster as usize].writer;
            window.push(writer, if must { self.calls[writer as usize].returned.min(end) } else { NEVER });
        }
        for at in pending {
            let call = &self.calls[at as usize];
            let value = self.clusters.of[at as usize];
            let may_hold = value == from.cluster || must.contains_key(&value);
            let is_over_at_end = until.is_none() || call.returned <= end;
            let asks = match call.operation {
                _ if call.is_unknown() => false,
                RegisterOp::Read(_) if value == from.cluster => call.invoked > from.event,
                RegisterOp::Read(_) => {
                    let holds_at_end = until.is_some_and(|cut| cut.cluster == value);
                    must.get(&value) == Some(&true) && (is_over_at_end || !holds_at_end)
                }
                RegisterOp::Refused { .. } if call.invoked <= from.event => {
                    value == from.cluster && started[value as usize] <= call.invoked && is_over_at_end
                }
                RegisterOp::Refused { .. } => may_hold && is_over_at_end,
                RegisterOp::Write(_) | RegisterOp::Cas { .. } => false,
            };
            if asks {
                window.push(at, call.returned.min(end));
            }
        }
        // Classes and items are numbered in this order: it must not depend on a hash.
        window.asked.sort_unstable_by_key(|call| (call.invoked, call.id));
        let holds = until.map(|cut| self.value(cut.cluster));
        let Some(order) = window.search(From(self.value(from.cluster)), holds, poll)? else {
            return Ok(None);
        };
        Ok(Some(self.starts(&order, end, &must)))
    }

    fn value(&self, cluster: u32) -> Value {
        let writer = self.calls.get(self.clusters.all[cluster as usize].writer as usize);
        writer.and_then(|call| call.operation.written()).unwrap_or(Value::NULL)
    }

    /// Who is pending at some time from one cut to the other; none when too many were looked at.
    fn pending(
        &mut self,
        from: u32,
        until: Option<Cut>,
        poll: &mut Poll<'_>,
    ) -> Result<Option<Vec<u32>>, Stopped> {
        let calls = self.calls;
        let last = until.map_or(self.invoked.len(), |cut| {
            self.invoked.partition_point(|&at| calls[at as usize].invoked <= cut.event)
        });
        let first = self.returned.partition_point(|&returned| returned <= from);
        let Some(rest) = self.looks.checked_sub(last.saturating_sub(first)) else { return Ok(None) };
        self.looks = rest;
        let mut pending = Vec::new();
        for &at in self.invoked.get(first..last).unwrap_or_default() {
            poll.go_on()?;
            if calls[at as usize].returned > from {
                pending.push(at);
            }
        }
        Ok(Some(pending))
    }

    /// The clusters that belong to the window, and whether they must be there and over by its end.
    fn members(
        &self,
        pending: &[u32],
        from: Cut,
        until: Option<Cut>,
        block_of: &[u32],
        started: &[u32],
    ) -> FxHashMap<u32, bool> {
        let end = until.map_or(self.end(), |cut| cut.event);
        let last = until.map_or(NOBODY, |cut| cut.cluster);
        let mut members = FxHashMap::default();
        let mut add_block = |root: u32, must: bool| {
            let mut at = root;
            while at != NOBODY && members.insert(at, must).is_none() {
                at = if at == last { NOBODY } else { self.clusters.all[at as usize].replaced_by };
            }
        };
        // What is left of the block that holds at the beginning.
        let holds_on = until.is_none_or(|cut| cut.cluster != from.cluster);
        if holds_on {
            add_block(self.clusters.all[from.cluster as usize].replaced_by, true);
        }
        for &at in pending {
            let cluster = self.clusters.of[at as usize];
            let is_part = !matches!(self.calls[at as usize].operation, RegisterOp::Refused { .. });
            let Some(block) = block_of.get(cluster as usize).filter(|_| is_part).copied() else { continue };
            let Some(&Block { root, f, s, .. }) = self.blocks.get(block as usize) else { continue };
            if started[root as usize] != NOT_STARTED {
                continue;
            }
            if block_of.get(last as usize) == Some(&block) || s <= end && f <= end {
                add_block(root, true);
            } else if s <= end && self.clusters.all[root as usize].replaced_by == NOBODY {
                add_block(root, false);
            }
        }
        let mut replaceable: Vec<u32> = members.keys().copied().chain([from.cluster]).collect();
        while let Some(cluster) = replaceable.pop() {
            for spare in self.clusters.spares(cluster) {
                let writer = self.clusters.all[spare as usize].writer;
                if self.calls[writer as usize].invoked <= end && members.insert(spare, false).is_none() {
                    replaceable.push(spare);
                }
            }
        }
        members
    }

    /// The clusters in an order of operations, each with the earliest return from its writer on.
    fn starts(&self, order: &[u32], end: u32, members: &FxHashMap<u32, bool>) -> Vec<(u32, u32)> {
        let mut starts = Vec::new();
        let mut latest = end;
        for &at in order.iter().rev() {
            let call = &self.calls[at as usize];
            let cluster = self.clusters.of[at as usize];
            latest = latest.min(call.returned);
            if call.operation.written().is_some() && members.contains_key(&cluster) {
                starts.push((cluster, latest));
            }
        }
        starts.reverse();
        starts
    }
}

/// The operations of a window, by place in the key's, with positions from its beginning.
struct Window<'a> {
    calls: &'a [Call<RegisterOp>],
    from: u32,
    end: u32,
    asked: Vec<Call<RegisterOp>>,
}

impl Window<'_> {
    /// Positions begin with the cut, before which everybody counts as invoked who was.
    fn position(&self, event: u32) -> u32 {
        if event == NEVER { NEVER } else { event.max(self.from) - self.from }
    }

    fn push(&mut self, at: u32, returned: u32) {
        let call = &self.calls[at as usize];
        let (invoked, returned) = (self.position(call.invoked), self.position(returned));
        self.asked.push(Call { id: at, invoked, returned, ..*call });
    }

    /// An order, up to the end.
    fn search(
        mut self,
        model: From,
        holds: Option<Value>,
        poll: &mut Poll<'_>,
    ) -> Result<Option<Vec<u32>>, Stopped> {
        if let Some(value) = holds {
            let at = self.position(self.end);
            let operation = RegisterOp::Read(value);
            self.asked.push(Call {
                id: NOBODY,
                process: 0,
                invoked: at.saturating_add(1),
                returned: at.saturating_add(2),
                operation,
            });
        }
        let mut gauge = poll.gauge(BUDGET);
        let outcome = search::search(&model, &self.asked, &mut gauge, &mut |_| false);
        poll.go_on()?;
        let Outcome::Valid(mut order) = outcome else { return Ok(None) };
        if holds.is_some() {
            order.truncate(order.iter().position(|&id| id == NOBODY).unwrap_or(order.len()));
        }
        Ok(Some(order))
    }
}

/// A register that begins with this value.
struct From(Value);

impl Model for From {
    type State = Value;
    type Operation = RegisterOp;

    fn init(&self) -> Value {
        self.0
    }

    fn step(&self, state: &Value, operation: &RegisterOp) -> Option<Value> {
        CasRegister.step(state, operation)
    }

    fn describe(&self, operation: &RegisterOp) -> String {
        CasRegister.describe(operation)
    }

    fn effect(&self, operation: &RegisterOp) -> Effect {
        CasRegister.effect(operation)
    }

    fn needs(&self, operation: &RegisterOp, earlier: &RegisterOp) -> bool {
        CasRegister.needs(operation, earlier)
    }
}
