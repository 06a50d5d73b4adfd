//! Swarm testing: per seed a random subset of fault kinds is off, the rest are weighted unequally, and sizes, rates and
//! timings vary (Groce et al., "Swarm Testing", ISSTA 2012). A cluster in which everything happens all the time hides the
//! bugs that need peace between two blows.

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};
use rashomon_nemesis::fault::Class;
use rashomon_nemesis::random::stream;
use rashomon_nemesis::rhythm::{Span, Weights};

use crate::setup::Setup;

/// How many nodes there are, the common numbers more often; the fewest first.
pub const NODES: [u32; 7] = [3, 3, 4, 5, 5, 5, 7];

/// What the command line fixed; the rest varies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// The number of nodes stays.
    pub nodes: bool,
    /// All faults stay on.
    pub faults: bool,
}

/// This setup, varied by its seed.
#[must_use]
pub fn vary(mut setup: Setup, fixed: Fixed) -> Setup {
    let rng = &mut stream(setup.seed, "swarm", 0);
    if !fixed.nodes {
        setup.nodes = *NODES.choose(rng).expect("a constant list");
    }
    setup.clients = setup.nodes * rng.random_range(2..=4);
    setup.options.keys = rng.random_range(2..=12);
    setup.options.key_operations = rng.random_range(20..=150);
    setup.options.rate = setup.options.rate.map(|rate| rate * rng.random_range(0.3..1.5));
    let start = *[100, 150, 150, 300].choose(rng).expect("a constant list");
    setup.node.election_ms = start..2 * start;
    setup.node.heartbeat_ms = start / rng.random_range(3..=6);
    let latency_us_max = *[300, 1_000, 1_000, 5_000, 20_000].choose(rng).expect("a constant list");
    setup.network.latency_us = 50..latency_us_max;
    setup.network.late_per_mille = rng.random_range(0..20);
    setup.disk.sync_us = 50..*[500, 2_000, 2_000, 10_000].choose(rng).expect("a constant list");
    setup.disk.late_per_mille = rng.random_range(0..20);
    setup.node.snapshot_entries = *[20, 100, 1_000, 20_000].choose(rng).expect("a constant list");
    setup.node.segment_bytes = *[4 << 10, 16 << 10, 64 << 10].choose(rng).expect("a constant list");
    setup.faults.retain(|fault| fault.nodes_min() <= setup.nodes as usize);
    if !fixed.faults && setup.faults.len() > 1 {
        let all = setup.faults.clone();
        setup.faults.retain(|_| rng.random_ratio(2, 3));
        if setup.faults.is_empty() {
            setup.faults.extend(all.choose(rng).copied());
        }
    }
    vary_rhythm(&mut setup, rng);
    // Every other seed has logs that are cut all the time: snapshots under way are where restarts and laggards meet.
    let rng = &mut stream(setup.seed, "tiny snapshots", 0);
    if rng.random_bool(0.5) {
        setup.node.snapshot_entries = *[10, 10, 20, 50].choose(rng).expect("a constant list");
    }
    setup
}

fn vary_rhythm(setup: &mut Setup, rng: &mut impl Rng) {
    let mut weight = |class: Class| {
        let is_used = setup.faults.iter().any(|fault| fault.class() == class);
        if is_used { rng.random_range(1..=8) } else { 1 }
    };
    setup.rhythm.weights = Weights {
        kill: weight(Class::Kill),
        pause: weight(Class::Pause),
        partition: weight(Class::Partition),
        disk: weight(Class::Disk),
        clock: weight(Class::Clock),
        load: weight(Class::Load),
        messages: weight(Class::Messages),
        ..setup.rhythm.weights
    };
    let gap =
        *[(100, 600), (300, 1_500), (1_000, 3_000), (2_000, 5_000)].choose(rng).expect("a constant list");
    setup.rhythm.gap = Span::new(gap.0, gap.1);
    // From a stream of their own: what other seeds are remembered for stays as it was.
    let rng = &mut stream(setup.seed, "swarm members", 0);
    setup.rhythm.weights.leadership = rng.random_range(1..=8);
    setup.rhythm.weights.members = rng.random_range(1..=12);
}
