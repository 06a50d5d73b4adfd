//! Random schedules: sound nodes keep every invariant and answer linearizably; the same schedules find planted defects.

use rashomon_node::defect::{Defect, Defects};
use rashomon_node::settings::Reads;
use rashomon_node::zab::Zab;

use crate::cluster::random::{check_sound, complaints};

#[test]
fn sound_nodes_survive_random_schedules() {
    check_sound::<Zab>(0..40, |_| {});
}

#[test]
fn sound_nodes_with_tiny_checkpoints_survive_random_schedules() {
    check_sound::<Zab>(100..140, |config| config.snapshot_entries = 10);
}

#[test]
fn reads_through_the_log_survive_random_schedules() {
    check_sound::<Zab>(200..210, |config| config.reads = Reads::Log);
}

/// How many of some seeds find a defect.
fn found(defect: Defect) -> usize {
    let defects = Defects::from_iter([defect]);
    let found = (0..20)
        .filter(|seed| !complaints::<Zab>(*seed, |config| config.defects = defects).is_empty())
        .count();
    println!("{defect}: {found} of 20 seeds");
    found
}

#[test]
fn random_schedules_find_z01() {
    assert!(found(Defect::Z01) > 0);
}

#[test]
fn random_schedules_find_z02() {
    assert!(found(Defect::Z02) > 0);
}

#[test]
fn random_schedules_find_z03() {
    assert!(found(Defect::Z03) > 0);
}

#[test]
fn random_schedules_find_z04() {
    assert!(found(Defect::Z04) > 0);
}

#[test]
fn random_schedules_find_z05() {
    assert!(found(Defect::Z05) > 0);
}

#[test]
fn random_schedules_find_z07() {
    assert!(found(Defect::Z07) > 0);
}

#[test]
fn random_schedules_find_z08() {
    assert!(found(Defect::Z08) > 0);
}

#[test]
fn random_schedules_find_z10() {
    assert!(found(Defect::Z10) > 0);
}

#[test]
fn random_schedules_find_z11() {
    assert!(found(Defect::Z11) > 0);
}

#[test]
fn random_schedules_find_z13() {
    assert!(found(Defect::Z13) > 0);
}

#[test]
fn random_schedules_find_z15() {
    assert!(found(Defect::Z15) > 0);
}
