//! Random schedules: sound nodes keep every invariant and answer linearizably; the same schedules find planted defects.

use rashomon_node::paxos::Paxos;
use rashomon_node::settings::Reads;

use crate::cluster::random::check_sound;

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
