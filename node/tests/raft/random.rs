//! Random schedules: sound nodes keep every invariant and answer linearizably; the same schedules find planted defects.

use rashomon_node::api::Reply;
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::raft::Raft;
use rashomon_node::settings::Reads;

use crate::cluster::random::{Run, check_sound, complaints, seeds};

#[test]
fn sound_nodes_survive_random_schedules() {
    check_sound::<Raft>(0..40, |_| {});
}

#[test]
fn tiny_snapshots_survive_random_schedules() {
    check_sound::<Raft>(300..330, |config| config.snapshot_entries = 10);
}

#[test]
fn changing_clusters_survive_random_schedules() {
    let mut done = 0;
    for seed in seeds(400..430) {
        let mut run = Run::<Raft>::new(seed, |config| {
            config.snapshot_entries = 20;
            config.reads = if seed % 2 == 0 { Reads::Lease } else { Reads::ReadIndex };
        });
        run = run.reshaping();
        run.go();
        assert_eq!(run.complaints(), Vec::<String>::new(), "seed {seed}");
        done += run.cluster.answers.values().filter(|answer| **answer == Ok(Reply::Done)).count();
    }
    assert!(done > 60, "changes came about: {done}");
}

#[test]
fn sound_leases_survive_random_schedules() {
    check_sound::<Raft>(100..120, |config| config.reads = Reads::Lease);
}

#[test]
fn reads_through_the_log_survive_random_schedules() {
    check_sound::<Raft>(200..210, |config| config.reads = Reads::Log);
}

/// How many of some seeds find a defect.
fn found(defect: Defect) -> usize {
    let defects = Defects::from_iter([defect]);
    let found = (0..20)
        .filter(|seed| !complaints::<Raft>(*seed, |config| config.defects = defects).is_empty())
        .count();
    println!("{defect}: {found} of 20 seeds");
    found
}

#[test]
fn random_schedules_find_r05() {
    assert!(found(Defect::R05) > 0);
}

#[test]
fn random_schedules_find_r08() {
    assert!(found(Defect::R08) > 0);
}

#[test]
fn random_schedules_find_r09() {
    assert!(found(Defect::R09) > 0);
}

#[test]
fn random_schedules_find_r12() {
    assert!(found(Defect::R12) > 0);
}

#[test]
fn random_schedules_find_r14() {
    assert!(found(Defect::R14) > 0);
}

#[test]
fn random_schedules_find_r21() {
    assert!(found(Defect::R21) > 0);
}

#[test]
fn random_schedules_find_r22() {
    assert!(found(Defect::R22) > 0);
}

#[test]
fn random_schedules_find_r36() {
    assert!(found(Defect::R36) > 0);
}
