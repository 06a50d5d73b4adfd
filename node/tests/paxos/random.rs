//! Random schedules: sound nodes keep every invariant and answer linearizably; the same schedules find planted defects.

use rashomon_node::defect::{Defect, Defects};
use rashomon_node::paxos::Paxos;
use rashomon_node::settings::{Reads, Settings};

use crate::cluster::random::{Run, check_sound, complaints, seeds};

#[test]
fn sound_nodes_survive_random_schedules() {
    check_sound::<Paxos>(0..40, |_| {});
}

#[test]
fn sound_nodes_survive_tiny_snapshots() {
    check_sound::<Paxos>(300..330, |config| config.snapshot_entries = 10);
}

#[test]
fn sound_leases_survive_random_schedules() {
    check_sound::<Paxos>(100..120, |config| config.reads = Reads::Lease);
}

#[test]
fn reads_through_the_log_survive_random_schedules() {
    check_sound::<Paxos>(200..210, |config| config.reads = Reads::Log);
}

#[test]
fn sound_leases_survive_random_schedules_with_transfers() {
    for seed in seeds(400..410) {
        let mut run = Run::<Paxos>::new(seed, |config| config.reads = Reads::Lease).handing_over();
        run.go();
        assert_eq!(run.complaints(), Vec::<String>::new(), "seed {seed}");
    }
}

/// Random schedules, with snapshots every few entries, find a defect; the catalogue's others need one of their own.
#[track_caller]
fn check_found(defect: Defect) {
    let defects = Defects::from_iter([defect]);
    let configure = |config: &mut Settings| {
        config.defects = defects;
        config.snapshot_entries = 20;
    };
    let found = (0..20).find(|seed| !complaints::<Paxos>(*seed, configure).is_empty());
    println!("{defect}: {found:?}");
    assert!(found.is_some(), "20 seeds do not find {defect}");
}

#[test]
fn random_schedules_find_p02() {
    check_found(Defect::P02);
}

#[test]
fn random_schedules_find_p03() {
    check_found(Defect::P03);
}

#[test]
fn random_schedules_find_p06() {
    check_found(Defect::P06);
}

#[test]
fn random_schedules_find_p08() {
    check_found(Defect::P08);
}

#[test]
fn random_schedules_find_p09() {
    check_found(Defect::P09);
}

#[test]
fn random_schedules_find_p12() {
    check_found(Defect::P12);
}

#[test]
fn random_schedules_find_p13() {
    check_found(Defect::P13);
}

#[test]
fn random_schedules_find_p14() {
    check_found(Defect::P14);
}

#[test]
fn random_schedules_find_p18() {
    check_found(Defect::P18);
}
