//! What half of the seeds meet beyond sizes, timings and faults: other ways to read, voters that weigh more and nodes without
//! a vote, messages that hold little, sessions that end, clients that go on elsewhere.
//!
//! A rule that is only needed in such clothes is broken unseen in all others: weights that nobody gives are ignored by
//! nobody, and a snapshot that fits one message never arrives in the wrong order. Each of these is as sound as the default; what a
//! protocol does not offer is not drawn. From a stream of its own, and after [`crate::swarm`]: what seeds are
//! remembered for stays as it was in the other half of them.

use std::time::Duration;

use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _};
use rashomon_nemesis::random::stream;
use rashomon_node::api::Retries;
use rashomon_node::machine::sessions::Limits;
use rashomon_node::settings::{Bounds, Reads};

use crate::protocols::Entry;
use crate::setup::{Habits, Setup};

/// Entries in a message, and messages under way. Together they let 800 entries a second through at the longest latency that is
/// drawn: with less, a node that lagged would not have caught up when it is asked whether the cluster has come back.
const WINDOWS: [(usize, usize); 5] = [(4, 16), (16, 2), (32, 1), (512, 2), (512, 16)];

/// This setup of worlds of this protocol, in circumstances drawn by its seed; how nodes read only where that is `free`.
#[must_use]
pub fn draw(mut setup: Setup, protocol: &Entry, free: bool) -> Setup {
    let rng = &mut stream(setup.seed, "circumstances", 0);
    if rng.random_bool(0.5) {
        return setup;
    }
    if rng.random_bool(0.5) && free {
        draw_reads(&mut setup, protocol, rng);
    }
    if rng.random_bool(0.5) && protocol.observers && setup.nodes > 3 {
        setup.node.circumstances.observers = rng.random_range(1..=setup.nodes - 3);
    }
    if rng.random_bool(0.5) {
        let weights = setup.members().iter().map(|_| rng.random_range(1..=3)).collect();
        let before = std::mem::replace(&mut setup.node.circumstances.weights, weights);
        if !protocol.accepts(&setup) {
            setup.node.circumstances.weights = before;
        }
    }
    if rng.random_bool(0.5) {
        let (batch_max, in_flight_max) = pick(rng, &WINDOWS);
        let part_bytes_max = pick(rng, &[512, 4 << 10, 256 << 10]);
        setup.node.circumstances.bounds = Bounds { batch_max, in_flight_max, part_bytes_max };
    }
    if rng.random_bool(0.5) {
        let clients = setup.clients as usize;
        setup.node.circumstances.sessions = Limits {
            count_max: clients + rng.random_range(1..=clients),
            idle_max: pick(rng, &[60, 200, 1_000]),
        };
    }
    setup.habits = Habits { keeps_session: rng.random_bool(0.5), changes_node: rng.random_bool(0.3) };
    if setup.retries == Retries::Never && rng.random_bool(0.5) {
        setup.retries = Retries::SameSequence(Duration::from(setup.timeout) / 4);
    }
    setup
}

fn draw_reads(setup: &mut Setup, protocol: &Entry, rng: &mut impl Rng) {
    let before = setup.node.reads;
    setup.node.reads = pick(rng, &[Reads::Lease, Reads::Lease, Reads::Log, Reads::Local]);
    if !protocol.accepts(setup) {
        setup.node.reads = before;
    }
    if setup.node.reads == Reads::Lease {
        // No lease allows for a clock that jumps (thesis 6.4.1).
        setup.faults.retain(|fault| fault.name() != "clock-jump");
    }
}

fn pick<T: Copy>(rng: &mut impl Rng, from: &[T]) -> T {
    *from.choose(rng).expect("a constant list")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols;

    /// Settings that no node would take, or a cluster nobody votes in, would be found as a bug of the node.
    #[test]
    fn every_seed_draws_what_its_protocol_accepts_and_all_of_that_is_drawn() {
        for protocol in protocols::REGISTRY {
            let drawn: Vec<Setup> = (0..300).map(|seed| draw(Setup::new(seed), protocol, true)).collect();
            assert!(drawn.iter().all(|setup| protocol.accepts(setup) && !setup.members().is_empty()));
            let some = |has: &dyn Fn(&Setup) -> bool| drawn.iter().any(has);
            let plain = Setup::new(0);
            assert!(some(&|setup| setup.node == plain.node), "{}: nothing is plain", protocol.name);
            assert!(some(&|setup| setup.node.reads != plain.node.reads));
            assert!(some(&|setup| setup.node.circumstances.bounds != Bounds::default()));
            assert!(some(&|setup| setup.node.circumstances.sessions != Limits::default()));
            assert!(some(&|setup| setup.habits.keeps_session && setup.habits.changes_node));
            assert_eq!(some(&|setup| setup.node.circumstances.observers > 0), protocol.observers);
            assert_eq!(
                some(&|setup| setup.weights().values().any(|weight| *weight > 1)),
                protocol.name == "zab"
            );
        }
    }

    #[test]
    fn how_nodes_read_is_left_alone_where_it_is_given() {
        let protocol = protocols::REGISTRY[0];
        assert!((0..100).all(|seed| draw(Setup::new(seed), &protocol, false).node.reads == Reads::ReadIndex));
    }
}
