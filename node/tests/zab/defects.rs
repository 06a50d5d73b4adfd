//! Planted defects: a schedule each that shows it, and that a sound node survives.

use rashomon_node::api::{Operation, RefusalCode, Reply};
use rashomon_node::defect::Defect;
use rashomon_node::replica::Event;
use rashomon_node::settings::{Reads, Settings};
use rashomon_node::zab::Zab;
use rashomon_node::zab::message::{Down, Frame, Message, Record};
use rashomon_node::zab::zxid::Epoch;

use crate::cluster::clients::read_at_a_deposed_leader;
use crate::rules::serving::goes_on_at_a_node_that_lags;
use crate::rules::synchronisation::joins_under_writes;
use crate::rules::{Cluster, N1, N2, N3, answer, led, records, view, with_defect, with_disks, write, zxids};

/// Whether the schedule ends badly: what an invariant, or the nodes' digests, have to say in the end.
fn complaints(mut cluster: Cluster) -> Vec<String> {
    cluster.heal();
    for id in [N1, N2, N3] {
        cluster.node(id).syncs = true;
        if cluster.nodes[&id].replica.is_none() {
            cluster.start(id);
        }
        cluster.sync(id);
    }
    cluster.pass(3_000);
    let mut complaints = cluster.invariants.violations.clone();
    let states = [N1, N2, N3].map(|id| {
        let status = cluster.replica(id).status();
        (status.applied, status.digest)
    });
    if states.iter().any(|state| *state != states[0]) {
        complaints.push(format!("not of one mind: {states:?}"));
    }
    complaints
}

/// A sound cluster has nothing to complain of after the schedule, one with the defect has.
#[track_caller]
fn check(defect: Defect, schedule: impl Fn(&dyn Fn(&mut Settings)) -> Cluster) {
    assert_eq!(complaints(schedule(&|_| {})), Vec::<String>::new(), "a sound node survives");
    let found = complaints(schedule(&with_defect(defect)));
    assert!(!found.is_empty(), "{defect} shows");
    println!("{defect}: {found:#?}");
}

/// All nodes lose power right after a write was acknowledged.
#[test]
fn z01_power_loss_takes_what_was_acknowledged() {
    check(Defect::Z01, |configure| {
        let mut cluster = led(configure);
        for id in [N1, N2, N3] {
            cluster.node(id).syncs = false;
        }
        let name = cluster.ask(N3, Some((1, 1)), Operation::write("x", 1));
        cluster.settle();
        let is_acknowledged = cluster.answers.contains_key(&(N3, name));
        [N1, N2, N3].into_iter().for_each(|id| cluster.crash(id));
        [N1, N2, N3].into_iter().for_each(|id| cluster.start(id));
        cluster.pass(1_000);
        let read = cluster.ask(N2, None, Operation::read("x"));
        let found = answer(&mut cluster, N2, read);
        if is_acknowledged && found != Ok(Reply::Value(Some(1))) {
            cluster.invariants.violations.push("the write is gone".into());
        }
        cluster
    });
}

/// n3 has transactions that the others lack; they take them over, acknowledge, and lose power before they wrote them.
fn fails_in_synchronisation(configure: &dyn Fn(&mut Settings), synced_batches: usize) -> Cluster {
    let disks = [records(1, 1, &[]), records(1, 1, &[]), records(1, 1, &[(1, 1), (1, 2)])];
    let mut cluster = with_disks(disks, configure);
    for id in [N1, N2] {
        cluster.node(id).syncs = false;
    }
    for _ in 0..200 {
        cluster.pass(5);
        for id in [N1, N2] {
            let has_more = view(&cluster, id).last > 0;
            if !has_more {
                cluster.sync(id);
            }
        }
    }
    for id in [N1, N2] {
        (0..synced_batches).for_each(|_| cluster.sync_one(id));
        cluster.settle();
        cluster.crash(id);
    }
    cluster.crash(N3);
    [N1, N2].into_iter().for_each(|id| {
        cluster.node(id).syncs = true;
        cluster.start(id);
    });
    cluster.pass(1_000);
    cluster
}

#[test]
fn z02_a_history_acknowledged_before_it_is_durable_is_lost() {
    check(Defect::Z02, |configure| fails_in_synchronisation(configure, 0));
}

/// n1 and n3 have committed in epoch 1 what n2 has not; n2 takes it over under n3 and fails between epoch and history.
#[test]
fn z03_an_epoch_without_its_history_wins_the_next_election() {
    check(Defect::Z03, |configure| {
        let disks = [records(1, 1, &[(1, 1)]), records(1, 1, &[]), records(1, 1, &[(1, 1)])];
        let mut cluster = with_disks(disks, configure);
        cluster.isolate(N1);
        cluster.node(N2).syncs = false;
        for _ in 0..300 {
            cluster.pass(5);
            if cluster.nodes[&N2].disk.contains(&Record::CurrentEpoch(Epoch(2))) {
                break;
            }
            cluster.sync_one(N2);
        }
        // What had been committed in epoch 1 is now in the hands of n1 and n2.
        let committed = zxids(&cluster, N3);
        cluster.crash(N2);
        cluster.crash(N3);
        cluster.heal();
        cluster.node(N2).syncs = true;
        cluster.start(N2);
        cluster.pass(1_000);
        if zxids(&cluster, N1).first() != committed.first() {
            cluster.invariants.violations.push("what was committed is gone".into());
        }
        cluster
    });
}

/// n2 accepts an epoch from n3, restarts, and is asked to accept the same from n1.
#[test]
fn z04_a_restarted_node_accepts_the_same_epoch_twice() {
    check(Defect::Z04, |configure| {
        let mut cluster = led(configure);
        write(&mut cluster, N3, 1, 1);
        cluster.isolate(N3);
        // n3 sleeps on as leader of its epoch; the others restart and elect n2.
        for id in [N1, N2] {
            cluster.crash(id);
            cluster.start(id);
        }
        for _ in 0..200 {
            cluster.now = cluster.now + 5;
            for id in [N1, N2] {
                if cluster.replica(id).wake_at() <= cluster.now {
                    cluster.step(id, Event::Tick);
                }
            }
            cluster.settle();
        }
        cluster.ask(N2, Some((1, 2)), Operation::write("x", 2));
        cluster.settle();
        cluster
    });
}

/// n1 proposed much in epoch 1 that nobody else has; n2 and n3 committed one transaction in epoch 2.
#[test]
fn z05_a_long_history_of_an_old_epoch_beats_what_was_committed_later() {
    let old = [(1, 1), (1, 2), (1, 3), (1, 4)];
    check(Defect::Z05, |configure| {
        let disks = [records(1, 1, &old), records(2, 2, &[(1, 1), (2, 1)]), records(2, 2, &[(1, 1), (2, 1)])];
        let mut cluster = with_disks(disks, configure);
        cluster.crash(N3);
        cluster.pass(1_000);
        if zxids(&cluster, N2).get(1) != Some(&crate::rules::zxid(2, 1)) {
            cluster.invariants.violations.push("what was committed is gone".into());
        }
        cluster
    });
}

/// A leader is cut off with proposals in flight; the others go on; it comes back.
#[test]
fn z07_a_deposed_leader_keeps_what_nobody_else_has() {
    check(Defect::Z07, |configure| {
        let mut cluster = led(configure);
        cluster.isolate(N3);
        for sequence in 1..5 {
            cluster.ask(N3, Some((1, sequence)), Operation::write("x", 7));
        }
        cluster.pass(1_000);
        write(&mut cluster, N2, 9, 9);
        cluster
    });
}

#[test]
fn z08_a_follower_that_joins_under_writes_has_a_hole() {
    check(Defect::Z08, |configure| joins_under_writes(configure));
}

#[test]
fn z10_a_deposed_leader_answers_a_sync() {
    assert_eq!(read_at_a_deposed_leader::<Zab>(|_| {}).unwrap_err().code, RefusalCode::NoLeader);
    assert_eq!(read_at_a_deposed_leader::<Zab>(with_defect(Defect::Z10)), Ok(Reply::Value(Some(1))));
}

#[test]
fn z11_a_leader_that_is_alone_serves_on() {
    let reads = |configure: &dyn Fn(&mut Settings)| {
        let mut cluster = led(configure);
        write(&mut cluster, N3, 1, 1);
        cluster.isolate(N3);
        cluster.pass(2_000);
        write(&mut cluster, N2, 2, 2);
        let read = cluster.ask(N3, None, Operation::read("x"));
        (cluster.leads(N3), answer(&mut cluster, N3, read))
    };
    let (leads, refused) = reads(&|_| {});
    assert_eq!((leads, refused.unwrap_err().code), (false, RefusalCode::NoLeader));
    assert_eq!(reads(&with_defect(Defect::Z11)), (true, Ok(Reply::Value(Some(1)))));
}

/// Delivers everything but proposals to n2, for a while.
fn pass_without_proposals_to_n2(cluster: &mut Cluster, span_ms: u64) {
    let end = cluster.now + span_ms;
    while cluster.now < end {
        cluster.now = cluster.now + 5;
        for id in [N1, N2, N3] {
            let replica = cluster.nodes[&id].replica.as_ref();
            if replica.is_some_and(|replica| replica.wake_at() <= cluster.now) {
                cluster.step(id, Event::Tick);
            }
        }
        while !cluster.network.is_empty() {
            let envelope = cluster.network.remove(0);
            let is_proposal =
                matches!(&envelope.message, Message::Down(Frame { body: Down::Propose { .. }, .. }));
            if !(is_proposal && envelope.to == N2) {
                cluster.deliver(envelope);
            }
        }
    }
}

/// n3 has a transaction in memory only when n1 joins it; n3 dies before a quorum has it, and the others go on without.
#[test]
fn z13_what_is_applied_before_uptodate_may_never_have_happened() {
    check(Defect::Z13, |configure| {
        let mut cluster = led(configure);
        cluster.pass(100);
        cluster.crash(N1);
        cluster.node(N3).syncs = false;
        cluster.ask(N3, Some((1, 1)), Operation::write("x", 1));
        pass_without_proposals_to_n2(&mut cluster, 20);
        cluster.start(N1);
        pass_without_proposals_to_n2(&mut cluster, 250);
        assert_eq!(view(&cluster, N1).last, 2, "n1 has it from n3");
        cluster.crash(N3);
        cluster.isolate(N1);
        cluster.network.clear();
        cluster.node(N3).syncs = true;
        cluster.start(N3);
        cluster.pass(1_000);
        let leader = if cluster.leads(N3) { N3 } else { N2 };
        write(&mut cluster, leader, 2, 2);
        cluster
    });
}

#[test]
fn z14_a_client_sees_the_past_at_a_node_that_lags() {
    assert_eq!(goes_on_at_a_node_that_lags(|_| {}).unwrap_err().code, RefusalCode::Behind);
    let defective = |settings: &mut Settings| {
        settings.reads = Reads::Local;
        with_defect(Defect::Z14)(settings);
    };
    assert_eq!(goes_on_at_a_node_that_lags(defective), Ok(Reply::Value(None)));
}

/// The leader dies; the next one closes a session for itself.
#[test]
fn z15_a_session_closed_by_one_node_alone_is_open_elsewhere() {
    check(Defect::Z15, |configure| {
        let mut cluster = led(configure);
        cluster.pass(100);
        cluster.crash(N3);
        cluster.pass(1_000);
        assert!(cluster.leads(N2));
        cluster
    });
}
