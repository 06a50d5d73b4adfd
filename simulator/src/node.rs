//! One simulated node: a replica over the real log on a simulated disk, its process, its clock.
//!
//! What the server's task, its writer thread and the kernel do for a real node is done here by whoever holds the world:
//! this file holds the state, [`crate::world`] the order of events.

use std::collections::VecDeque;

use rand::RngExt as _;
use rashomon_histories::Nanos;
use rashomon_nemesis::random::Stream;
use rashomon_node::api::Request;
use rashomon_node::driver::{Batch, Outbox};
use rashomon_node::protocol::{Millis, OperationId, Protocol, Ticket};
use rashomon_node::replica::Replica;
use rashomon_node::settings::Settings;
use rashomon_node::storage::{Recovered, Wal};
use rustc_hash::FxHashMap;

use crate::clients::Attempt;
use crate::disk::SimDisk;
use crate::setup::DiskSetup;

/// A node, up or down.
pub(crate) struct Node<P: Protocol> {
    pub(crate) settings: Settings,
    pub(crate) clock: NodeClock,
    pub(crate) disk: SimDisk,
    pub(crate) process: Process<P>,
    /// Counts starts of the process, so that what an earlier one was to do is not done by a later one.
    pub(crate) start: u32,
    /// When it became the server that it is: its disk was taken then, or never. What an earlier one of its name said is not its word.
    pub(crate) since: Nanos,
    pub(crate) paused: bool,
    /// What waits in sockets while the process sleeps or is busy.
    pub(crate) inbox: VecDeque<Post<P::Message>>,
    /// How long it takes to handle what has come in; none: no time.
    pub(crate) slow: Option<Nanos>,
    pub(crate) busy_until: Nanos,
    /// The earliest wake-up planned and not yet due.
    pub(crate) wake_planned: Option<Nanos>,
    /// What the node wanted by its clock when a wake-up was planned last: while it wants nothing else, there is nothing to plan.
    pub(crate) wake_wanted: Option<Millis>,
    pub(crate) disk_slow: bool,
    /// Whether its disk was damaged beyond what a crash does.
    pub(crate) rotten: bool,
    /// Whether its disk holds damage that it rightly refuses to start on.
    pub(crate) lost: bool,
    pub(crate) rng: Stream,
}

/// A node's process.
pub(crate) enum Process<P: Protocol> {
    /// It does not run, because …
    Down(String),
    /// Its log has been read; it is not serving yet.
    Starting(Box<Wal<SimDisk>>, Box<Recovered<P::Record>>),
    /// It runs (though it may be paused).
    Up(Box<Live<P>>),
}

/// What a running process holds.
pub(crate) struct Live<P: Protocol> {
    pub(crate) replica: Replica<P>,
    pub(crate) outbox: Outbox<P::Message>,
    pub(crate) wal: Wal<SimDisk>,
    /// Batches that wait for the log's writer.
    pub(crate) batches: VecDeque<Batch>,
    pub(crate) writing: Option<Writing>,
    pub(crate) clients: FxHashMap<OperationId, Attempt>,
    /// What the batches under way say, where the schedule looks for it.
    pub(crate) written_out: VecDeque<(Ticket, String)>,
}

/// What is being written.
#[derive(Clone, Copy)]
pub(crate) struct Writing {
    pub(crate) ticket: Ticket,
    /// When it will be on the disk.
    pub(crate) ends_at: Nanos,
    /// Whether that is so late because the disk is slow.
    is_slow: bool,
}

/// Something that came in and waits.
pub(crate) enum Post<M> {
    Durable(Ticket),
    Message(usize, M),
    Request(Attempt, Request),
}

/// Posts that may wait at a node; beyond it messages are dropped and clients hear nothing.
pub(crate) const INBOX_MAX: usize = rashomon_node::server::node::INBOX_MAX;

/// How many times as long a slow disk takes.
const SLOW_FACTOR: u64 = 50;

impl<P: Protocol> Node<P> {
    pub(crate) fn new(settings: Settings, clock: NodeClock, rng: Stream) -> Self {
        Self {
            settings,
            clock,
            disk: SimDisk::default(),
            process: Process::Down("not started yet".into()),
            start: 0,
            since: Nanos(0),
            paused: false,
            inbox: VecDeque::new(),
            slow: None,
            busy_until: Nanos(0),
            wake_planned: None,
            wake_wanted: None,
            disk_slow: false,
            rotten: false,
            lost: false,
            rng,
        }
    }

    pub(crate) fn live(&self) -> Option<&Live<P>> {
        match &self.process {
            Process::Up(live) => Some(live),
            Process::Down(_) | Process::Starting(..) => None,
        }
    }

    pub(crate) fn live_mut(&mut self) -> Option<&mut Live<P>> {
        match &mut self.process {
            Process::Up(live) => Some(live),
            Process::Down(_) | Process::Starting(..) => None,
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(self.process, Process::Down(_))
    }

    /// Whether it handles at once what comes in.
    pub(crate) fn is_free(&self, now: Nanos) -> bool {
        !self.paused && self.busy_until <= now
    }

    /// Its clock jumps ahead and goes on at another rate: what it wanted by it comes at another moment.
    pub(crate) fn step_clock(&mut self, now: Nanos, ahead_ms: u64, rate_ppm: i64) {
        self.clock.step(now, ahead_ms, rate_ppm);
        self.wake_wanted = None;
    }

    /// Puts something into the sockets, unless they are full.
    pub(crate) fn post(&mut self, post: Post<P::Message>) {
        if self.inbox.len() < INBOX_MAX || matches!(post, Post::Durable(_)) {
            self.inbox.push_back(post);
        }
    }

    /// The disk sets about writing this, with so many barriers. Returns when it will be done.
    pub(crate) fn begin_writing(
        &mut self,
        setup: &DiskSetup,
        now: Nanos,
        ticket: Ticket,
        barriers: usize,
    ) -> Nanos {
        let is_slow = self.disk_slow;
        let usual = self.disk_takes(setup, barriers);
        let ends_at = now.plus(if is_slow { Nanos(usual.0 * SLOW_FACTOR) } else { usual });
        if let Some(live) = self.live_mut() {
            live.writing = Some(Writing { ticket, ends_at, is_slow });
        }
        ends_at
    }

    /// What was being written is on the disk, unless that was planned before the disk got faster or concerns an earlier write.
    pub(crate) fn end_writing(&mut self, now: Nanos) -> Option<Ticket> {
        let writing = &mut self.live_mut()?.writing;
        writing.take_if(|one| one.ends_at <= now).map(|one| one.ticket)
    }

    /// The disk is as fast as ever again, also with what is left of the write under way: else a single sync would stay slow for
    /// long after all is healed. Returns when that will be done now.
    pub(crate) fn relieve_disk(&mut self, now: Nanos) -> Option<Nanos> {
        self.disk_slow = false;
        let writing = self.live_mut()?.writing.as_mut().filter(|one| one.is_slow)?;
        writing.is_slow = false;
        writing.ends_at = now.plus(Nanos(writing.ends_at.since(now).0 / SLOW_FACTOR));
        Some(writing.ends_at)
    }

    /// How long the disk takes for so many barriers, unless it is slow.
    fn disk_takes(&mut self, setup: &DiskSetup, barriers: usize) -> Nanos {
        const CACHED_NS: u64 = 10_000;
        let mut takes_ns = CACHED_NS;
        for _ in 0..barriers {
            let base_ns = self.rng.random_range(setup.sync_us.start * 1_000..setup.sync_us.end * 1_000);
            let is_late = self.rng.random_range(0..1_000) < setup.late_per_mille;
            takes_ns += if is_late { 20 * base_ns } else { base_ns };
        }
        Nanos(takes_ns)
    }
}

/// A node's own clock: it runs a little too fast or too slow, and may be stepped forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeClock {
    /// Nanoseconds that it is ahead at `since`.
    ahead_ns: u64,
    since: Nanos,
    /// How much faster than true time it runs, in parts per million.
    rate_ppm: i64,
}

impl NodeClock {
    pub(crate) fn new(ahead_ns: u64, rate_ppm: i64) -> Self {
        Self { ahead_ns, since: Nanos(0), rate_ppm }
    }

    fn read_ns(self, now: Nanos) -> u64 {
        const FITS: &str = "a run lasts days at most";
        let passed = now.since(self.since).0;
        let passed_signed = i64::try_from(passed).expect(FITS);
        // Read at every step: a division of 64 bits where the product fits them, which is always but after days.
        let drifted = match passed_signed.checked_mul(self.rate_ppm) {
            Some(product) => product / 1_000_000,
            None => i64::try_from(i128::from(passed) * i128::from(self.rate_ppm) / 1_000_000).expect(FITS),
        };
        (self.since.0 + self.ahead_ns + passed).saturating_add_signed(drifted)
    }

    /// What it shows at true time `now`.
    pub(crate) fn read(self, now: Nanos) -> Millis {
        Millis(self.read_ns(now) / 1_000_000)
    }

    /// The true time, not before `now`, at which it shows `at`.
    pub(crate) fn when(self, now: Nanos, at: Millis) -> Nanos {
        let left = at.0.saturating_mul(1_000_000).saturating_sub(self.read_ns(now));
        let rate = u64::try_from(1_000_000 + self.rate_ppm).expect("a clock does not stand still");
        let wait = match left.checked_mul(1_000_000) {
            Some(product) => product.div_ceil(rate),
            None => {
                let wait = (u128::from(left) * 1_000_000).div_ceil(u128::from(rate));
                u64::try_from(wait).unwrap_or(u64::MAX)
            }
        };
        // A nanosecond more than rounding may have cost.
        now.plus(Nanos(wait.saturating_add(u64::from(wait > 0))))
    }

    /// It jumps ahead and goes on at another rate.
    pub(crate) fn step(&mut self, now: Nanos, ahead_ms: u64, rate_ppm: i64) {
        let shows_ns = self.read_ns(now) + ahead_ms * 1_000_000;
        *self = Self { ahead_ns: shows_ns.saturating_sub(now.0), since: now, rate_ppm };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_what_it_was_waited_for() {
        for rate_ppm in [-50_000, -100, 0, 1, 100, 50_000] {
            let mut clock = NodeClock::new(3_000_000_000, rate_ppm);
            clock.step(Nanos::from_secs(5), 20, rate_ppm);
            for ms in 0..500 {
                let now = Nanos(7_000_000_123);
                let at = clock.read(now) + ms;
                let when = clock.when(now, at);
                assert!(clock.read(when) >= at, "rate {rate_ppm}, {ms} ms");
                assert!(ms == 0 || clock.read(when.since(Nanos(3_000))) < at, "rate {rate_ppm}, {ms} ms");
            }
        }
    }

    #[test]
    fn a_clock_never_goes_back_when_its_rate_changes() {
        let mut clock = NodeClock::new(0, 40_000);
        let before = clock.read(Nanos::from_secs(100));
        clock.step(Nanos::from_secs(100), 0, -40_000);
        assert_eq!(clock.read(Nanos::from_secs(100)), before);
        assert!(clock.read(Nanos::from_secs(101)) > before);
    }
}
