//! Worlds of every protocol: a sound cluster is never accused, whatever breaks, and equal seeds give equal bytes.

#![allow(clippy::unwrap_used, reason = "a test helper that panics is a test that fails")]

use rashomon_checker::models::CasRegister;
use rashomon_checker::{Options, Verdict, decode, judge};
use rashomon_histories::Nanos;
use rashomon_nemesis::fault::{SIMULATED, find};
use rashomon_node::defect::{Defect, Defects, Home};
use rashomon_simulator::protocols;
use rashomon_simulator::swarm::{Fixed, vary};
use rashomon_simulator::{Outcome, Setup};

fn setup(seed: u64, faults: &[&str], defects: Defects) -> Setup {
    let mut setup = Setup::new(seed);
    setup.duration = Nanos::from_secs(15);
    setup.faults = faults.iter().map(|name| find(name).unwrap()).collect();
    setup.node.defects = defects;
    vary(setup, Fixed::default())
}

fn run(protocol: &str, setup: &Setup) -> Outcome {
    (protocols::find(protocol).unwrap().run)(setup)
}

fn verdict(outcome: &Outcome) -> Verdict {
    let keys = decode(&CasRegister, &outcome.history).unwrap();
    judge(&CasRegister, &keys, &Options::default()).verdict
}

fn is_never_accused(protocol: &str) {
    for seed in 0..20 {
        let outcome = run(protocol, &setup(seed, SIMULATED, Defects::NONE));
        assert_eq!(outcome.broken, [], "{protocol}, seed {seed}");
        assert_eq!(verdict(&outcome), Verdict::Valid, "{protocol}, seed {seed}");
        assert!(outcome.counts.ok > 20, "{protocol}, seed {seed}: {:?}", outcome.counts);
    }
}

#[test]
fn sound_raft_is_never_accused() {
    is_never_accused("raft");
}

#[test]
fn sound_paxos_is_never_accused() {
    is_never_accused("paxos");
}

#[test]
fn sound_zab_is_never_accused() {
    is_never_accused("zab");
}

/// Each accused a sound cluster once. The tale stands where it was mended.
/// ZAB 204: the log was cut by a batch that was under way when the node was killed (`invariants/recovery.rs`).
/// Raft 66: a sleeper woke up as the leader of a term long past (`invariants/completeness.rs`).
/// Raft 3000023: two syncs failed, and what was read back after the first had never been on the disk (`storage`, "What a
/// restart may count on").
#[test]
fn seeds_that_found_something_stay_silent() {
    for (protocol, seed, secs) in [("raft", 66, 30), ("raft", 3_000_023, 20), ("zab", 204, 30)] {
        let mut given = Setup::new(seed);
        given.duration = Nanos::from_secs(secs);
        given.faults = SIMULATED.iter().map(|name| find(name).unwrap()).collect();
        let outcome = run(protocol, &vary(given, Fixed::default()));
        assert_eq!(outcome.broken, [], "{protocol}, seed {seed}");
        assert_eq!(verdict(&outcome), Verdict::Valid, "{protocol}, seed {seed}");
    }
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_do_not() {
    for protocol in protocols::REGISTRY {
        let [one, two, other] = [7, 7, 8].map(|seed| (protocol.run)(&setup(seed, SIMULATED, Defects::NONE)));
        assert_eq!((one.trace_hash, one.steps), (two.trace_hash, two.steps), "{}", protocol.name);
        assert_eq!(one.history, two.history, "{}", protocol.name);
        assert_ne!(one.trace_hash, other.trace_hash, "{}", protocol.name);
    }
}

/// They need a crash or a late snapshot at one very moment: the node's own directed tests show them.
const RARE: [Defect; 3] = [Defect::R02, Defect::R30, Defect::R33];

/// Those that faults of the simulated world can show within seconds; a storm of single messages and a lost sync among
/// them, which no kill -9 shows.
#[test]
fn planted_defects_of_raft_are_found_within_a_few_seeds() {
    let planted = Defect::ALL.into_iter().filter(|defect| {
        let description = defect.description();
        let is_reachable = description.reachable || *defect == Defect::R03;
        let is_of_raft = description.home == Home::Node && defect.id().starts_with('R');
        is_of_raft && is_reachable && !RARE.contains(defect)
    });
    let missed: Vec<Defect> = planted
        .filter(|defect| {
            let finds = |seed: u64| {
                let outcome = run("raft", &setup(seed, SIMULATED, [*defect].into_iter().collect()));
                !outcome.broken.is_empty() || verdict(&outcome) == Verdict::Invalid
            };
            !(0..20).any(finds)
        })
        .collect();
    assert_eq!(missed, []);
}
