//! What clients may rely on: what all protocols keep, and rules ZB9, ZB10 and ZB11.

use super::*;
use crate::cluster::clients::{Led, Serving, client_rules};

impl Serving for Zab {
    fn led(configure: impl Fn(&mut Settings)) -> Led<Self> {
        Led { cluster: led(configure), leader: N3, followers: [N2, N1], session: 1 }
    }
}

client_rules!(Zab);

#[test]
fn zb9_a_local_read_may_be_outdated_and_a_synced_one_is_not() {
    for (reads, expected) in [(Reads::Local, Some(1)), (Reads::ReadIndex, Some(2)), (Reads::Log, Some(2))] {
        let mut cluster = led(|settings| settings.reads = reads);
        write(&mut cluster, N1, 1, 1);
        // n1 hears of nothing for a moment, too short to give its leader up.
        cluster.cuts.insert((N3, N1));
        write(&mut cluster, N3, 2, 2);
        cluster.cuts.clear();
        let read = cluster.ask(N1, None, Operation::read("x"));
        assert_eq!(answer(&mut cluster, N1, read), Ok(Reply::Value(expected)), "{reads}");
    }
}

#[test]
fn zb9_a_synced_read_waits_for_what_had_no_room_on_the_way() {
    const MORE_THAN_FITS: u64 = 600;
    let mut cluster = led(|_| {});
    cluster.cuts.insert((N3, N1));
    (1..=MORE_THAN_FITS).for_each(|value| write(&mut cluster, N3, value, value as i64));
    // The answer is under way before the last of these transactions are.
    let read = cluster.ask(N1, None, Operation::read("x"));
    cluster.cuts.clear();
    assert_eq!(answer(&mut cluster, N1, read), Ok(Reply::Value(Some(MORE_THAN_FITS as i64))));
}

#[test]
fn zb9_a_client_that_stays_with_a_node_reads_its_own_writes_locally() {
    let mut cluster = led(|settings| settings.reads = Reads::Local);
    for value in 1..10 {
        write(&mut cluster, N1, value, value as i64);
        let read = cluster.ask(N1, None, Operation::read("x"));
        assert_eq!(cluster.answers[&(N1, read)], Ok(Reply::Value(Some(value as i64))));
    }
}

/// A client that has read at one node goes on at another one that lags.
pub(crate) fn goes_on_at_a_node_that_lags(configure: impl Fn(&mut Settings)) -> crate::cluster::Answer {
    let mut cluster = led(|settings| {
        settings.reads = Reads::Local;
        configure(settings);
    });
    cluster.cuts.insert((N3, N1));
    write(&mut cluster, N3, 1, 1);
    let seen = cluster.replica(N3).machine().applied();
    let read = cluster.ask_having_seen(seen, N1, None, Operation::read("x"));
    cluster.answers[&(N1, read)].clone()
}

#[test]
fn zb10_a_server_refuses_a_client_that_has_seen_more_than_it_has() {
    let refusal = goes_on_at_a_node_that_lags(|_| {}).unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Behind, true));
}

#[test]
fn zb10_a_server_that_has_caught_up_serves_the_client() {
    let mut cluster = led(|settings| settings.reads = Reads::Local);
    write(&mut cluster, N3, 1, 1);
    cluster.pass(100);
    let seen = cluster.replica(N3).machine().applied();
    let read = cluster.ask_having_seen(seen, N1, None, Operation::read("x"));
    assert_eq!(cluster.answers[&(N1, read)], Ok(Reply::Value(Some(1))));
}

#[test]
fn zb10_sessions_are_opened_by_transactions() {
    let mut cluster = led(|_| {});
    cluster.pass(100);
    for id in [N1, N2, N3] {
        let first = cluster.replica(id).core().history().get(Index(1)).unwrap();
        assert_eq!(first.command.operation, Operation::OpenSession);
    }
    // It outlives the leader that opened it.
    cluster.crash(N3);
    cluster.pass(1_000);
    write(&mut cluster, N2, 1, 1);
}

#[test]
fn zb11_after_a_restart_the_history_goes_to_the_disks_end_and_is_applied_once_committed() {
    let mut cluster = led(|_| {});
    (1..=5).for_each(|value| write(&mut cluster, N3, value, value as i64));
    let before = (zxids(&cluster, N3), cluster.replica(N3).status().digest);
    [N1, N2, N3].into_iter().for_each(|id| cluster.crash(id));
    [N1, N2, N3].into_iter().for_each(|id| cluster.start(id));
    assert_eq!(zxids(&cluster, N3), before.0);
    assert_eq!(cluster.replica(N3).machine().applied(), 0);
    cluster.pass(1_000);
    assert_eq!(cluster.replica(N3).status().digest, before.1);
}

#[test]
fn zb11_replay_goes_on_exactly_where_the_checkpoint_ends() {
    let mut cluster = led(|settings| settings.snapshot_entries = 10);
    (1..=25).for_each(|value| write(&mut cluster, N3, value, value as i64));
    let digest = cluster.replica(N3).status().digest;
    let disk = &cluster.nodes[&N3].disk;
    assert!(disk.len() < 20, "the log was compacted: {} records", disk.len());
    [N1, N2, N3].into_iter().for_each(|id| cluster.crash(id));
    [N1, N2, N3].into_iter().for_each(|id| cluster.start(id));
    cluster.pass(1_000);
    for id in [N1, N2, N3] {
        assert_eq!(cluster.replica(id).status().digest, digest);
    }
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}
