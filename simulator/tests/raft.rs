//! Worlds of Raft: a sound cluster is never accused, whatever breaks; planted defects are found; equal seeds give equal
//! bytes.

use rashomon_checker::models::CasRegister;
use rashomon_checker::{Options, Verdict, decode, judge};
use rashomon_histories::Nanos;
use rashomon_nemesis::fault::{DEFAULT, find};
use rashomon_node::defect::{Defect, Home};
use rashomon_node::raft::Raft;
use rashomon_simulator::swarm::{Fixed, vary};
use rashomon_simulator::world::World;
use rashomon_simulator::{Outcome, Setup};

fn setup(seed: u64, defect: Option<Defect>) -> Setup {
    let mut setup = Setup::new(seed);
    setup.duration = Nanos::from_secs(15);
    setup.faults = DEFAULT.iter().map(|name| find(name).unwrap()).collect();
    setup.node.defects = defect.into_iter().collect();
    vary(setup, Fixed::default())
}

fn run(setup: &Setup) -> Outcome {
    World::<Raft>::new(setup).run()
}

fn verdict(outcome: &Outcome) -> Verdict {
    let keys = decode(&CasRegister, &outcome.history).unwrap();
    judge(&CasRegister, &keys, &Options::default()).verdict
}

#[test]
fn a_sound_cluster_is_never_accused() {
    for seed in 0..20 {
        let outcome = run(&setup(seed, None));
        assert_eq!(outcome.broken, [], "seed {seed}");
        assert_eq!(verdict(&outcome), Verdict::Valid, "seed {seed}");
        assert!(outcome.counts.ok > 100, "seed {seed}: {:?}", outcome.counts);
    }
}

#[test]
fn equal_seeds_give_equal_bytes_and_others_do_not() {
    let [one, two, other] = [7, 7, 8].map(|seed| run(&setup(seed, None)));
    assert_eq!((one.trace_hash, one.steps), (two.trace_hash, two.steps));
    assert_eq!(one.history, two.history);
    assert_ne!(one.trace_hash, other.trace_hash);
}

/// Those that kill, pause and partition can show; the others have tests of their own.
#[test]
fn planted_defects_are_found_within_a_few_seeds() {
    let planted = Defect::ALL.into_iter().filter(|defect| {
        let description = defect.description();
        description.home == Home::Node && description.reachable && defect.id().starts_with('R')
    });
    for defect in planted {
        let found = (0..20).find(|seed| {
            let outcome = run(&setup(*seed, Some(defect)));
            !outcome.broken.is_empty() || verdict(&outcome) == Verdict::Invalid
        });
        assert!(found.is_some(), "{defect} is found in none of 20 seeds");
    }
}
