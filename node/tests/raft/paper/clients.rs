//! Clients: reads, commands applied once, leases, refusals (Raft 8; thesis 6).

use super::*;

// 8

#[test]
fn s8_a_leader_commits_a_blank_entry_at_the_start_of_its_term() {
    let mut cluster = Cluster::new(3);
    cluster.elect(N1);
    let core = cluster.replica(N1).core();
    assert_eq!(core.log().get(Index(1)), Some(&noop(1, 1)));
    assert_eq!(core.view().commit, 1);
}

#[test]
fn s8_reads_wait_for_the_first_commit_of_the_term() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.node(N2).syncs = false;
    cluster.crash(N1);
    cluster.now = cluster.now + 1_000;
    cluster.timeout(N2);
    cluster.sync(N2);
    cluster.settle();
    while !cluster.leads(N2) {
        cluster.sync_one(N2);
        cluster.settle();
    }
    let id = cluster.ask(N2, None, Operation::read("x"));
    cluster.settle();
    assert!(
        !cluster.answers.contains_key(&(N2, id)),
        "its no-op is not committed: it is not on its own disk"
    );
    cluster.sync(N2);
    cluster.settle();
    assert_eq!(cluster.answers[&(N2, id)], Ok(Reply::Value(None)));
}

#[test]
fn s8_a_leader_exchanges_heartbeats_with_a_majority_before_it_answers_a_read() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let id = cluster.ask(N1, None, Operation::read("x"));
    assert!(!cluster.answers.contains_key(&(N1, id)));
    cluster.settle();
    assert!(cluster.answers.contains_key(&(N1, id)));
}

#[test]
fn s8_heartbeats_sent_before_the_read_do_not_confirm_it() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.timeout(N1);
    let earlier: Vec<Envelope> = cluster.network.drain(..).collect();
    let id = cluster.ask(N1, None, Operation::read("x"));
    cluster.network.clear();
    earlier.into_iter().for_each(|envelope| cluster.deliver(envelope));
    cluster.settle();
    assert!(!cluster.answers.contains_key(&(N1, id)));
}

#[test]
fn s8_a_deposed_leader_does_not_serve_reads() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.isolate(N1);
    cluster.elect(N2);
    let id = cluster.ask(N1, None, Operation::read("x"));
    for _ in 0..50 {
        cluster.timeout(N1);
        cluster.settle();
    }
    let refusal = cluster.answers[&(N1, id)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::NoLeader, true));
}

#[test]
fn defect_r09_is_what_the_test_above_tests() {
    let mut cluster = Cluster::with_defects(3, Defects::from_iter([Defect::R09]));
    led_by_n1(&mut cluster);
    cluster.isolate(N1);
    cluster.elect(N2);
    let id = cluster.ask(N1, None, Operation::read("x"));
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Value(None)));
}

#[test]
fn s8_a_repeated_command_is_executed_once_and_answered_twice() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let first = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    let cas = |cluster: &mut Cluster, id| cluster.ask(id, Some((2, 2)), Operation::cas("x", 1, 2));
    let once = cas(&mut cluster, N1);
    cluster.settle();
    let again = cas(&mut cluster, N2);
    cluster.settle();
    cluster.timeout(N1);
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, first)], Ok(Reply::Written));
    assert_eq!(cluster.answers[&(N1, once)], Ok(Reply::Swapped));
    assert_eq!(cluster.answers[&(N2, again)], Ok(Reply::Swapped), "not a mismatch");
}

#[test]
fn s8_a_follower_passes_a_command_on_and_answers_from_its_own_state() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let id = cluster.ask(N3, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    assert_eq!(cluster.answers[&(N3, id)], Ok(Reply::Written));
    let read = cluster.ask(N3, None, Operation::read("x"));
    cluster.settle();
    assert_eq!(cluster.answers[&(N3, read)], Ok(Reply::Value(Some(1))));
}

#[test]
fn thesis_6_4_1_a_lease_runs_from_the_sending_of_its_round() {
    let mut cluster = Cluster::with(3, |config| config.reads = Reads::Lease);
    led_by_n1(&mut cluster);
    let read = |cluster: &mut Cluster| {
        let id = cluster.ask(N1, None, Operation::read("x"));
        cluster.answers.contains_key(&(N1, id))
    };
    assert!(read(&mut cluster), "within the lease no round is needed");
    // A round is sent, and answered at once; the leader sleeps before it reads the answers.
    cluster.timeout(N1);
    let round: Vec<Envelope> = cluster.network.drain(..).collect();
    round.into_iter().for_each(|envelope| cluster.deliver(envelope));
    cluster.now = cluster.now + 1_000;
    let answers: Vec<Envelope> = cluster.network.drain(..).collect();
    answers.into_iter().for_each(|envelope| cluster.deliver(envelope));
    assert!(!read(&mut cluster), "the lease ended while the leader slept");
}

#[test]
fn thesis_6_4_1_after_a_restart_a_voter_still_keeps_the_lease_it_granted() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.crash(N2);
    cluster.start(N2);
    cluster.now = cluster.now + 100;
    cluster.step(N2, Event::Message(N3, message(9, vote(position(99, 9)))));
    assert_eq!(cluster.network, []);
}

#[test]
fn thesis_6_3_a_command_that_was_proposed_is_never_refused_as_definite() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.isolate(N1);
    let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    while !cluster.answers.contains_key(&(N1, id)) {
        cluster.timeout(N1);
        cluster.settle();
    }
    let refusal = cluster.answers[&(N1, id)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Timeout, false));
}

#[test]
fn a_command_that_never_left_its_node_is_refused_as_definite() {
    let mut cluster = Cluster::new(3);
    cluster.isolate(N1);
    let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    while !cluster.answers.contains_key(&(N1, id)) {
        cluster.timeout(N1);
        cluster.settle();
    }
    let refusal = cluster.answers[&(N1, id)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::NoLeader, true));
}

#[test]
fn read_questions_are_never_named_alike_even_over_restarts() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let mut ids = std::collections::BTreeSet::new();
    let mut count = 0;
    for _ in 0..3 {
        for _ in 0..3 {
            cluster.ask(N2, None, Operation::read("x"));
            count += 1;
            for one in cluster.network.drain(..) {
                if let Body::ReadIndex { id } = one.message.body {
                    ids.insert(id);
                }
            }
        }
        cluster.crash(N2);
        cluster.start(N2);
        cluster.timeout(N1);
        cluster.settle();
    }
    assert_eq!(ids.len(), count);
}

#[test]
fn an_operation_lost_with_its_leader_reaches_the_next_one() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let id = cluster.ask(N3, Some((2, 1)), Operation::write("x", 1));
    cluster.network.clear();
    cluster.crash(N1);
    cluster.elect(N2);
    cluster.timeout(N2);
    cluster.settle();
    assert_eq!(cluster.answers[&(N3, id)], Ok(Reply::Written));
}

#[test]
fn a_read_lost_with_its_leader_is_asked_of_the_next_one_at_once() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let follower = cluster.ask(N3, None, Operation::read("x"));
    let next_leader = cluster.ask(N2, None, Operation::read("x"));
    cluster.network.clear();
    cluster.crash(N1);
    cluster.elect(N2);
    assert_eq!(cluster.answers[&(N3, follower)], Ok(Reply::Value(None)));
    assert_eq!(cluster.answers[&(N2, next_leader)], Ok(Reply::Value(None)));
}
