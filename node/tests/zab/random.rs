//! Random schedules: sound nodes keep every invariant and answer linearizably; the same schedules find planted defects.

use rashomon_node::api::NodeId;
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

#[test]
fn weights_and_observers_survive_random_schedules() {
    check_sound::<Zab>(300..315, |config| {
        config.members.truncate(4);
        config.weights = [(NodeId(1), 3), (NodeId(2), 2)].into();
        config.snapshot_entries = 50;
    });
}

/// A seed that finds a defect, out of some.
fn find(defect: Defect) -> Option<u64> {
    let defects = Defects::from_iter([defect]);
    (0..20).find(|seed| !complaints::<Zab>(*seed, |config| config.defects = defects).is_empty())
}

#[test]
fn random_schedules_find_z01() {
    assert_ne!(find(Defect::Z01), None);
}

#[test]
fn random_schedules_find_z02() {
    assert_ne!(find(Defect::Z02), None);
}

#[test]
fn random_schedules_find_z03() {
    assert_ne!(find(Defect::Z03), None);
}

#[test]
fn random_schedules_find_z04() {
    assert_ne!(find(Defect::Z04), None);
}

#[test]
fn random_schedules_find_z05() {
    assert_ne!(find(Defect::Z05), None);
}

#[test]
fn random_schedules_find_z07() {
    assert_ne!(find(Defect::Z07), None);
}

#[test]
fn random_schedules_find_z08() {
    assert_ne!(find(Defect::Z08), None);
}

#[test]
fn random_schedules_find_z10() {
    assert_ne!(find(Defect::Z10), None);
}

#[test]
fn random_schedules_find_z11() {
    assert_ne!(find(Defect::Z11), None);
}

#[test]
fn random_schedules_find_z13() {
    assert_ne!(find(Defect::Z13), None);
}

#[test]
fn random_schedules_find_z15() {
    assert_ne!(find(Defect::Z15), None);
}
