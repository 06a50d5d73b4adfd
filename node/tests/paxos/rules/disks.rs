//! Lost disks and compacted logs (PP10, PP12).

use super::*;

/// n1 has written `count` values and compacted them; n3 was cut off.
fn compacted_without_n3(count: u64) -> Cluster {
    let mut cluster = Cluster::with(3, |config| config.snapshot_entries = 8);
    led_by_n1(&mut cluster);
    cluster.isolate(N3);
    for sequence in 1..=count {
        cluster.ask(N1, Some((2, sequence)), Operation::write("x", sequence as i64));
        cluster.settle();
    }
    cluster.timeout(N1);
    cluster.settle();
    cluster
}

#[test]
fn pp10_a_new_cluster_votes_only_once_all_its_nodes_have_met() {
    let mut cluster = Cluster::new(3);
    cluster.isolate(N3);
    cluster.pass(2_000);
    assert!(!cluster.leads(N1) && !cluster.leads(N2));
    assert_eq!(cluster.replica(N1).core().standing(), Standing::Newcomer);
    cluster.heal();
    cluster.pass(1_000);
    assert!([N1, N2, N3].into_iter().any(|id| cluster.leads(id)));
}

#[test]
fn pp10_a_node_that_lost_its_disk_promises_and_accepts_nothing() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.wipe(N2);
    cluster.start(N2);
    cluster.pass(1_000);
    assert_eq!(cluster.replica(N2).core().standing(), Standing::Learner);
    cluster.now = cluster.now + 1_000;
    cluster.network.clear();
    cluster.step(N2, Event::Message(N3, prepare(9, 3, 1)));
    assert_eq!(cluster.network, []);
    cluster.step(N2, Event::Message(N3, accept(9, 3, 1, &[1])));
    assert!(!cluster.network.iter().any(|one| matches!(one.message, Message::Accepted { .. })));
}

#[test]
fn pp10_a_node_that_lost_its_disk_learns_and_serves_and_still_does_not_vote_after_a_restart() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.wipe(N2);
    cluster.start(N2);
    cluster.pass(500);
    let write = cluster.ask(N2, Some((2, 1)), Operation::write("x", 1));
    cluster.pass(100);
    assert_eq!(cluster.answers[&(N2, write)], Ok(Reply::Written));
    cluster.crash(N2);
    cluster.start(N2);
    assert_eq!(cluster.replica(N2).core().standing(), Standing::Learner);
    let read = cluster.ask(N2, None, Operation::read("x"));
    cluster.pass(200);
    assert_eq!(cluster.answers[&(N2, read)], Ok(Reply::Value(Some(1))));
    cluster.isolate(N3);
    let lonely = cluster.ask(N1, Some((2, 2)), Operation::write("x", 2));
    cluster.settle();
    assert!(!cluster.answers.contains_key(&(N1, lonely)), "n1 and a learner are no majority");
}

/// That slot 1 is chosen is only known by the leader's word; what is accepted in slot 2 is what lost there.
#[test]
fn pp6_what_was_learnt_after_what_was_only_heard_of_is_read_back() {
    let mut cluster = alone_with(vec![
        Record::Accepted { slot: Slot(2), accepted: accepted(1, 3, 9) },
        Record::Accepted { slot: Slot(1), accepted: accepted(5, 2, 1) },
    ]);
    answers(&mut cluster, N2, Message::Chosen { ballot: ballot(5, 2), chosen: Slot(1) });
    assert_eq!(chosen(&cluster, N1), 1);
    let taught = Message::Taught { first: Slot(2), values: vec![value(2)], chosen: Slot(2) };
    answers(&mut cluster, N2, taught);
    assert_eq!(chosen(&cluster, N1), 2);
    cluster.crash(N1);
    cluster.start(N1);
    assert_eq!(cluster.replica(N1).core().chosen(Slot(1)), Some(&value(1)));
    assert_eq!(cluster.replica(N1).core().chosen(Slot(2)), Some(&value(2)));
}

#[test]
fn pp12_a_promise_tells_the_point_of_compaction() {
    let mut cluster = compacted_without_n3(20);
    let base = cluster.replica(N1).core().acceptor().base();
    assert!(base > Slot(10), "{base:?}");
    cluster.now = cluster.now + 10_000;
    cluster.crash(N2);
    cluster.crash(N1);
    cluster.start(N1);
    cluster.now = cluster.now + 10_000;
    let told = answers(&mut cluster, N3, prepare(9, 3, 1));
    let Message::Promise { compacted, slots, .. } = &told[0] else { panic!("{told:?}") };
    assert_eq!(*compacted, base);
    assert!(slots.iter().all(|one| one.slot > base));
}

#[test]
fn pp12_a_candidate_behind_the_compaction_fetches_a_snapshot_before_it_leads() {
    let mut cluster = compacted_without_n3(20);
    cluster.crash(N1);
    cluster.heal();
    cluster.elect(N3);
    let core = cluster.replica(N3).core();
    assert!(core.acceptor().base() > Slot(10));
    let asked = cluster.ask(N3, None, Operation::read("x"));
    cluster.settle();
    assert_eq!(cluster.answers[&(N3, asked)], Ok(Reply::Value(Some(20))));
}

#[test]
fn pp12_a_straggler_catches_up_by_snapshot_and_keeps_it_over_a_restart() {
    let mut cluster = compacted_without_n3(20);
    cluster.heal();
    cluster.pass(300);
    assert_eq!(chosen(&cluster, N3), chosen(&cluster, N1));
    let digest = cluster.replica(N1).status().digest;
    assert_eq!(cluster.replica(N3).status().digest, digest);
    cluster.crash(N3);
    cluster.start(N3);
    cluster.pass(300);
    assert_eq!(cluster.replica(N3).status().digest, digest);
}

#[test]
fn pp12_a_straggler_that_is_only_a_little_behind_is_sent_values() {
    let mut cluster = Cluster::with(3, |config| config.snapshot_entries = 8);
    led_by_n1(&mut cluster);
    cluster.isolate(N3);
    cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    cluster.heal();
    cluster.pass(300);
    assert_eq!(chosen(&cluster, N3), chosen(&cluster, N1));
    assert_eq!(cluster.replica(N3).core().acceptor().base(), Slot(0));
}

#[test]
fn pp12_large_snapshots_travel_in_parts_and_survive_lost_ones() {
    let mut cluster = Cluster::with(3, |config| config.snapshot_entries = 2_000);
    led_by_n1(&mut cluster);
    cluster.isolate(N3);
    for sequence in 1..=2_500 {
        let key = format!("{sequence}{}", "k".repeat(250));
        cluster.ask(N1, Some((2, sequence)), Operation::write(key, 1));
        cluster.settle();
    }
    cluster.timeout(N1);
    cluster.heal();
    let mut parts = 0;
    for _ in 0..200 {
        cluster.pass(5);
        // Every other part is lost: the harness delivers at once, so lose them on their way by cutting the link.
        parts += 1;
        if parts % 2 == 0 {
            cluster.cuts.insert((N1, N3));
        } else {
            cluster.heal();
        }
    }
    cluster.heal();
    cluster.pass(500);
    assert_eq!(cluster.replica(N3).status().digest, cluster.replica(N1).status().digest);
    assert!(cluster.replica(N3).core().acceptor().base() > Slot(1_000));
}

#[test]
fn pp12_an_older_snapshot_never_takes_state_back() {
    let mut cluster = compacted_without_n3(20);
    let applied = cluster.replica(N2).machine().applied();
    let old = Cluster::new(1).replica(N1).machine().encode();
    let size = old.len() as u64;
    let bytes = rashomon_node::wire::Blob(old);
    cluster.step(N2, Event::Message(N1, Message::Chunk { index: Slot(0), size, offset: 0, bytes }));
    assert_eq!(cluster.replica(N2).machine().applied(), applied);
}

#[test]
fn a_snapshot_that_does_not_decode_is_dropped_and_asked_for_again() {
    let mut cluster = compacted_without_n3(20);
    let bytes = rashomon_node::wire::Blob(vec![7; 10]);
    cluster.step(N3, Event::Message(N1, Message::Chunk { index: Slot(18), size: 10, offset: 0, bytes }));
    assert_eq!(chosen(&cluster, N3), 2);
    cluster.heal();
    cluster.pass(300);
    assert_eq!(chosen(&cluster, N3), chosen(&cluster, N1));
}
