//! An order of the blocks that gives refused cas their moments: late starts, and changes on demand.
//!
//! Where there are refused cas the order of [`super::zones`] may be a bad one: it starts blocks early, and a refused cas may
//! need a change later, for which a block that could wait would have done. So time is walked once, and every block starts
//! as late as it can: when one of its operations returns, or when a refused cas is about to return whose value has been
//! there since it was invoked. In the latter case the next cas of the block makes the change; or, where the block is over, a cas
//! of unknown outcome that nobody saw and that can be of no use elsewhere; or, of the blocks
//! that could start and be over at once, the one that will have to start first anyway; and if there is none, the one that has
//! to be next, or a write of unknown outcome that nobody saw. What is not forced stays at hand for a later demand.
//!
//! Where nothing makes the change, some earlier start was a mistake: [`super::windows`] puts the stretch around it in order,
//! and the schedule goes on behind it.
//!
//! This is a guess at an order, never a verdict: [`super::tenures`] proves that it works, or leaves the key open.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::RegisterOp;
use super::clusters::{Clusters, Halt, NOBODY};
use super::windows::{Cut, REACHES, Windows};
use super::zones::Block;
use crate::budget::{Poll, Stopped};
use crate::model::{Call, NEVER};

/// What may have to be done just before an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// This cluster must have started.
    Start(u32),
    /// This refused cas must have had its moment.
    Demand(u32),
    /// All operations of this block have been invoked: it could start and be over at once.
    Ready(u32),
}

struct Schedule<'a> {
    calls: &'a [Call<RegisterOp>],
    clusters: &'a Clusters,
    blocks: &'a [Block],
    /// The block of each cluster.
    block_of: Vec<u32>,
    /// Just before which event each cluster started.
    started: Vec<u32>,
    order: Vec<u32>,
    /// Blocks that could be over at once, by the time they must start.
    ready: BinaryHeap<Reverse<(u32, u32)>>,
    /// Blocks in the order in which they must start, and how many of these have.
    forced: Vec<u32>,
    forced_done: usize,
}

pub(super) const NOT_STARTED: u32 = u32::MAX;

/// Clusters in an order that keeps real time and, if this works out, satisfies the refused cas. Otherwise the event before
/// which one could not be satisfied. `blocks` begins with the initial value's.
pub(super) fn order(
    calls: &[Call<RegisterOp>],
    clusters: &Clusters,
    blocks: &[Block],
    poll: &mut Poll<'_>,
) -> Result<Vec<u32>, Halt> {
    let mut schedule = Schedule::new(calls, clusters, blocks, poll)?;
    let mut windows = None;
    let mut arranged_until = None;
    for (event, due) in schedule.agenda(poll)? {
        poll.go_on()?;
        let is_arranged = arranged_until.is_some_and(|until| event <= until);
        match due {
            Due::Ready(block) => schedule.ready.push(Reverse((schedule.must_start(block), block))),
            _ if is_arranged => {}
            Due::Start(cluster) => schedule.force(cluster, event),
            Due::Demand(refused) => {
                if schedule.is_unsatisfied(refused) && !schedule.change(event) {
                    let windows = match &mut windows {
                        Some(windows) => windows,
                        none => none.insert(Windows::new(calls, clusters, blocks, poll)?),
                    };
                    arranged_until = Some(schedule.rearrange(event, windows, poll)?);
                }
            }
        }
    }
    for block in 0..blocks.len() as u32 {
        if block == 0 || schedule.is_live(block) {
            schedule.run_out(NEVER);
            schedule.begin(block, NEVER);
        }
    }
    schedule.run_out(NEVER);
    Ok(schedule.order)
}

impl<'a> Schedule<'a> {
    fn new(
        calls: &'a [Call<RegisterOp>],
        clusters: &'a Clusters,
        blocks: &'a [Block],
        poll: &mut Poll<'_>,
    ) -> Result<Self, Stopped> {
        let mut block_of = vec![NOBODY; clusters.all.len()];
        for (number, block) in blocks.iter().enumerate() {
            let mut at = block.root;
            while at != NOBODY {
                poll.go_on()?;
                block_of[at as usize] = number as u32;
                at = clusters.all[at as usize].replaced_by;
            }
        }
        let mut forced: Vec<u32> = (1..blocks.len() as u32).collect();
        poll.sort(&mut forced, |&block| blocks[block as usize].f, |&block| block)?;
        let mut schedule = Schedule {
            calls,
            clusters,
            blocks,
            block_of,
            started: vec![NOT_STARTED; clusters.all.len()],
            order: Vec::with_capacity(clusters.all.len()),
            ready: BinaryHeap::new(),
            forced,
            forced_done: 0,
        };
        schedule.start(0, 0);
        Ok(schedule)
    }

    /// Everything due, in order; at one event, starts come first.
    fn agenda(&self, poll: &mut Poll<'_>) -> Result<Vec<(u32, Due)>, Stopped> {
        let mut agenda = Vec::with_capacity(2 * self.calls.len());
        for (number, block) in self.blocks.iter().enumerate().skip(1) {
            agenda.push((block.s, Due::Ready(number as u32)));
        }
        for (cluster, seen) in self.clusters.all.iter().enumerate().skip(1) {
            poll.go_on()?;
            let returns = [seen.writer, seen.first_reader].into_iter().filter(|&at| at != NOBODY);
            let first = returns.map(|at| self.calls[at as usize].returned).min().unwrap_or(NEVER);
            if first != NEVER && self.block_of[cluster] != NOBODY {
                agenda.push((first, Due::Start(cluster as u32)));
            }
        }
        for (at, call) in self.calls.iter().enumerate() {
            poll.go_on()?;
            let is_refused = matches!(call.operation, RegisterOp::Refused { .. }) && !call.is_unknown();
            if is_refused && self.clusters.of[at] != NOBODY {
                agenda.push((call.returned, Due::Demand(at as u32)));
            }
        }
        poll.sort(&mut agenda, |due| due.0, |due| due.1)?;
        Ok(agenda)
    }

    fn current(&self) -> u32 {
        *self.order.last().expect("the initial value comes first")
    }

    fn next_in_block(&self) -> u32 {
        self.clusters.all[self.current() as usize].replaced_by
    }

    fn must_start(&self, block: u32) -> u32 {
        self.blocks[block as usize].f
    }

    /// Whether the block is one that took effect, not one that merely might have.
    fn is_live(&self, block: u32) -> bool {
        self.clusters.is_live(self.blocks[block as usize].root)
    }

    fn has_begun(&self, block: u32) -> bool {
        self.started[self.blocks[block as usize].root as usize] != NOT_STARTED
    }

    fn start(&mut self, cluster: u32, event: u32) {
        self.started[cluster as usize] = event;
        self.order.push(cluster);
    }

    /// Starts what is left of the current block.
    fn run_out(&mut self, event: u32) {
        while self.next_in_block() != NOBODY {
            self.start(self.next_in_block(), event);
        }
    }

    fn begin(&mut self, block: u32, event: u32) {
        if !self.has_begun(block) {
            self.start(self.blocks[block as usize].root, event);
        }
    }

    fn force(&mut self, cluster: u32, event: u32) {
        if self.started[cluster as usize] != NOT_STARTED {
            return;
        }
        let block = self.block_of[cluster as usize];
        if !self.has_begun(block) {
            // Who must be over before this block's last operation is invoked has no later chance than now.
            self.next_forced();
            let mut at = self.forced_done;
            while let Some(&first) = self.forced.get(at)
                && self.must_start(first) < self.blocks[block as usize].s
            {
                if first != block && !self.has_begun(first) {
                    self.run_out(event);
                    self.begin(first, event);
                }
                at += 1;
            }
            self.run_out(event);
            self.begin(block, event);
        }
        // Where the blocks are in order, an unstarted cluster of a block that has begun is ahead in the current one.
        while self.current() != cluster && self.next_in_block() != NOBODY {
            self.start(self.next_in_block(), event);
        }
    }

    /// The block that must start next.
    fn next_forced(&mut self) -> Option<u32> {
        while self.forced.get(self.forced_done).is_some_and(|&block| self.has_begun(block)) {
            self.forced_done += 1;
        }
        self.forced.get(self.forced_done).copied()
    }

    fn is_unsatisfied(&self, refused: u32) -> bool {
        let value = self.clusters.of[refused as usize];
        self.current() == value && self.started[value as usize] <= self.calls[refused as usize].invoked
    }

    /// Makes something else be there just before `event`.
    fn change(&mut self, event: u32) -> bool {
        let current = self.current();
        let next = self.next_in_block();
        if next != NOBODY {
            let writer = self.clusters.all[next as usize].writer;
            let seen = self.clusters.all[current as usize].last_reader;
            let invoked = |at: u32| at == NOBODY || self.calls[at as usize].invoked < event;
            if !invoked(writer) || !invoked(seen) {
                return false;
            }
            self.start(next, event);
            return true;
        }
        // A spare end of a block is in none, and nobody saw it.
        let block = self.blocks.get(self.block_of[current as usize] as usize);
        if block.is_some_and(|block| block.s > event) {
            return false;
        }
        let invoked = |&spare: &u32| {
            let writer = self.clusters.all[spare as usize].writer;
            self.calls[writer as usize].invoked < event && self.started[spare as usize] == NOT_STARTED
        };
        if let Some(spare) = self.clusters.spares(current).find(invoked) {
            self.start(spare, event);
            return true;
        }
        while let Some(Reverse((_, block))) = self.ready.pop() {
            if !self.has_begun(block) {
                self.begin(block, event);
                return true;
            }
        }
        self.begin_next_forced(event)
    }

    /// Orders a window around `event` anew; returns where it ends.
    fn rearrange(&mut self, event: u32, windows: &mut Windows<'_>, poll: &mut Poll<'_>) -> Result<u32, Halt> {
        for (before, after) in REACHES {
            let from = windows.before(event, before).find(|cut| self.roll_back(*cut, event));
            let Some(from) = from else { break };
            let until = windows.after(event, after);
            if let Some(starts) = windows.order(from, until, &self.block_of, &self.started, poll)? {
                for (cluster, event) in starts {
                    self.start(cluster, event);
                }
                if until.is_none_or(|cut| cut.cluster == self.current()) {
                    return Ok(until.map_or(windows.end(), |cut| cut.event));
                }
            }
        }
        Err(Halt::Open(event))
    }

    /// Takes back what started after a cut, if its cluster held there. The walk has come to `event`.
    fn roll_back(&mut self, cut: Cut, event: u32) -> bool {
        let started = &self.started;
        let held = self.order.partition_point(|&cluster| started[cluster as usize] <= cut.event);
        if held == 0 || self.order[held - 1] != cut.cluster {
            return false;
        }
        for cluster in self.order.drain(held..) {
            self.started[cluster as usize] = NOT_STARTED;
            let block = self.block_of[cluster as usize];
            if let Some(&Block { root, f, s, .. }) = self.blocks.get(block as usize)
                && root == cluster
                && s < event
            {
                self.ready.push(Reverse((f, block)));
            }
        }
        let (forced, blocks) = (&self.forced, self.blocks);
        let over = forced.partition_point(|&block| blocks[block as usize].f <= cut.event);
        self.forced_done = self.forced_done.min(over);
        true
    }

    /// A block may start now and hold until its last operation is invoked, if nobody else must start before that. Of
    /// the first few that qualify, the one that must start first.
    fn begin_next_forced(&mut self, event: u32) -> bool {
        self.next_forced();
        let waiting = self.forced[self.forced_done..].iter().copied();
        let mut waiting =
            waiting.filter(|&block| !self.has_begun(block) && self.is_live(block)).take(SCANNED).peekable();
        let Some(first) = waiting.peek().copied() else { return false };
        let found = waiting.clone().find(|&block| {
            let mut others = waiting.clone().filter(|&other| other != block);
            let free_until = if block == first { others.next() } else { Some(first) };
            let holds_until = self.blocks[block as usize].s;
            let root = self.clusters.all[self.blocks[block as usize].root as usize];
            free_until.is_none_or(|other| self.must_start(other) >= holds_until)
                && self.calls[root.writer as usize].invoked < event
        });
        if let Some(block) = found {
            self.begin(block, event);
        }
        found.is_some()
    }
}

/// How many waiting blocks are looked at when one is needed.
const SCANNED: usize = 256;
