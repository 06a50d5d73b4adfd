//! The network: when a message arrives, and whether.
//!
//! A link carries whole messages in order, as one TCP stream does, unless it is disturbed: then messages are lost,
//! repeated, delayed and overtake each other. A grudge is asked at the moment of arrival, where the rule would stand.

use rand::RngExt as _;
use rashomon_histories::Nanos;
use rashomon_nemesis::action::Disturbance;
use rashomon_nemesis::random::Stream;
use rashomon_nemesis::{Grudge, NodeId};

use crate::setup::NetworkSetup;

/// All links.
#[derive(Debug)]
pub(crate) struct Network {
    setup: NetworkSetup,
    rng: Stream,
    /// The last arrival planned on each link: later messages do not overtake it.
    last: Vec<Nanos>,
    nodes: usize,
    pub(crate) grudge: Grudge,
    pub(crate) disturbance: Disturbance,
}

impl Network {
    pub(crate) fn new(setup: NetworkSetup, nodes: usize, rng: Stream) -> Self {
        let last = vec![Nanos(0); nodes * nodes];
        Self { setup, rng, last, nodes, grudge: Grudge::default(), disturbance: Disturbance::default() }
    }

    /// When what `from` sends now arrives at `to`: never, once, or twice.
    pub(crate) fn arrivals(&mut self, now: Nanos, from: usize, to: usize) -> [Option<Nanos>; 2] {
        let in_order = now.plus(self.latency());
        if self.disturbance == Disturbance::default() {
            let last = &mut self.last[from * self.nodes + to];
            *last = in_order.max(last.plus(Nanos(1)));
            return [Some(*last), None];
        }
        let Disturbance { lost_percent, repeated_percent, delayed_percent, delay_ms_max } = self.disturbance;
        let mut arrival = |percent: u32| {
            let delayed = self.rng.random_ratio(percent.min(100), 100);
            let delay_ns = if delayed { self.rng.random_range(0..=delay_ms_max * 1_000_000) } else { 0 };
            in_order.plus(Nanos(delay_ns))
        };
        let (first, second) = (arrival(delayed_percent), arrival(100));
        let is_lost = self.rng.random_ratio(lost_percent.min(100), 100);
        let is_repeated = self.rng.random_ratio(repeated_percent.min(100), 100);
        [(!is_lost).then_some(first), is_repeated.then_some(second)]
    }

    /// One way between a client and its node, or between nodes.
    pub(crate) fn latency(&mut self) -> Nanos {
        let base =
            self.rng.random_range(self.setup.latency_us.start * 1_000..self.setup.latency_us.end * 1_000);
        let is_late = self.rng.random_range(0..1_000) < self.setup.late_per_mille;
        Nanos(if is_late { base * 10 } else { base })
    }

    /// Whether this message is to be encoded and decoded.
    pub(crate) fn encodes(&mut self) -> bool {
        self.rng.random_range(0..self.setup.encoded_one_in) == 0
    }

    /// Whether the link carries anything from `from` to `to`.
    pub(crate) fn passes(&self, from: usize, to: usize) -> bool {
        self.grudge.is_empty() || !self.grudge.drops(name(to), name(from))
    }
}

/// The nemesis' name of the node at this position.
pub(crate) fn name(position: usize) -> NodeId {
    NodeId(u32::try_from(position + 1).expect("a cluster has few nodes"))
}
