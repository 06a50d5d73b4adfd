//! Clients: reads, leases, commands chosen twice, refusals (PP8, PP9, PP13).

use super::*;

fn leased() -> Cluster {
    let mut cluster = Cluster::with(3, |config| config.reads = Reads::Lease);
    led_by_n1(&mut cluster);
    cluster
}

/// Whether a read at n1 is answered without any message.
fn reads_at_once(cluster: &mut Cluster) -> bool {
    let asked = cluster.ask(N1, None, Operation::read("x"));
    cluster.answers.contains_key(&(N1, asked))
}

#[test]
fn pp8_a_majority_confirms_the_leader_after_the_read_arrived() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let asked = cluster.ask(N1, None, Operation::read("x"));
    assert!(!cluster.answers.contains_key(&(N1, asked)));
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, asked)], Ok(Reply::Value(None)));
}

#[test]
fn pp8_heartbeats_sent_before_the_read_do_not_confirm_it() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.timeout(N1);
    let earlier: Vec<Envelope> = cluster.network.drain(..).collect();
    let asked = cluster.ask(N1, None, Operation::read("x"));
    cluster.network.clear();
    earlier.into_iter().for_each(|envelope| cluster.deliver(envelope));
    cluster.settle();
    assert!(!cluster.answers.contains_key(&(N1, asked)));
}

#[test]
fn pp8_a_read_waits_for_what_was_in_progress_when_its_leader_took_office() {
    let (mut cluster, ballot) = candidate(vec![Record::Promised(ballot(3, 1))]);
    answers(&mut cluster, N2, promise(ballot.round, 1, vec![reported(1, 1, 2, 5)]));
    let asked = cluster.ask(N1, None, Operation::read("x"));
    for round in 1..10 {
        answers(&mut cluster, N2, Message::Confirmed { ballot, round });
    }
    assert!(!cluster.answers.contains_key(&(N1, asked)), "slot 1 is not settled");
    let told = answers(&mut cluster, N2, acceptance(ballot.round, 1, 1, 2));
    let Some(Message::Heartbeat { round, .. }) = told.first() else { panic!("{told:?}") };
    answers(&mut cluster, N2, Message::Confirmed { ballot, round: *round });
    assert_eq!(cluster.answers[&(N1, asked)], Ok(Reply::Value(Some(5))));
}

#[test]
fn pp8_a_deposed_leader_does_not_serve_reads() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.isolate(N1);
    cluster.elect(N2);
    let asked = cluster.ask(N1, None, Operation::read("x"));
    for _ in 0..50 {
        cluster.timeout(N1);
        cluster.settle();
    }
    let refusal = cluster.answers[&(N1, asked)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::NoLeader, true));
}

#[test]
fn pp8_with_duelling_leaders_the_lower_ballot_confirms_no_read() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.cuts.extend([(N1, N2), (N2, N1)]);
    cluster.now = cluster.now + 400;
    cluster.timeout(N2);
    for _ in 0..2 {
        deliver(&mut cluster, N2, N3);
        deliver(&mut cluster, N3, N2);
    }
    assert!(cluster.leads(N1) && cluster.leads(N2));
    // n3, which promised n2, is the only one that could confirm n1.
    let asked = cluster.ask(N1, None, Operation::read("x"));
    cluster.settle();
    assert!(!cluster.answers.contains_key(&(N1, asked)));
    assert!(!cluster.leads(N1));
}

#[test]
fn pp9_a_lease_runs_from_the_sending_of_its_round() {
    let mut cluster = leased();
    assert!(reads_at_once(&mut cluster), "within the lease no round is needed");
    cluster.timeout(N1);
    let round: Vec<Envelope> = cluster.network.drain(..).collect();
    round.into_iter().for_each(|envelope| cluster.deliver(envelope));
    cluster.now = cluster.now + 1_000;
    let answers: Vec<Envelope> = cluster.network.drain(..).collect();
    answers.into_iter().for_each(|envelope| cluster.deliver(envelope));
    assert!(!reads_at_once(&mut cluster), "the lease ended while the leader slept");
}

#[test]
fn pp9_a_lease_is_shorter_than_what_acceptors_grant() {
    let mut cluster = leased();
    cluster.timeout(N1);
    cluster.settle();
    cluster.now = cluster.now + 150 * 9 / 10;
    assert!(!reads_at_once(&mut cluster));
    // At that time the acceptors still listen to nobody else.
    for asker in [N2, N3] {
        let other = if asker == N2 { N3 } else { N2 };
        cluster.network.clear();
        cluster.step(other, Event::Message(asker, prepare(9, asker.0, 1)));
        assert_eq!(cluster.network, []);
    }
}

#[test]
fn pp9_a_restarted_acceptor_waits_one_full_lease() {
    let mut cluster = leased();
    cluster.crash(N2);
    cluster.start(N2);
    cluster.now = cluster.now + 149;
    cluster.network.clear();
    cluster.step(N2, Event::Message(N3, prepare(9, 3, 1)));
    assert_eq!(cluster.network, []);
    cluster.now = cluster.now + 1;
    cluster.step(N2, Event::Message(N3, prepare(9, 3, 1)));
    assert!(matches!(cluster.network[0].message, Message::Promise { .. }));
}

#[test]
fn pp13_a_command_chosen_twice_is_applied_once_and_answered() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let first = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    let cas = |cluster: &mut Cluster, id| cluster.ask(id, Some((2, 2)), Operation::cas("x", 1, 2));
    let once = cas(&mut cluster, N1);
    cluster.settle();
    let again = cas(&mut cluster, N2);
    cluster.settle();
    assert_eq!(chosen(&cluster, N1), 5, "a no-op, the session, the write, the cas, and the cas again");
    assert_eq!(cluster.answers[&(N1, first)], Ok(Reply::Written));
    assert_eq!(cluster.answers[&(N1, once)], Ok(Reply::Swapped));
    assert_eq!(cluster.answers[&(N2, again)], Ok(Reply::Swapped), "not a mismatch");
}

#[test]
fn pp13_an_operation_lost_with_its_leader_reaches_the_next_one() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let asked = cluster.ask(N3, Some((2, 1)), Operation::write("x", 1));
    cluster.network.clear();
    cluster.crash(N1);
    cluster.elect(N2);
    cluster.pass(100);
    assert_eq!(cluster.answers[&(N3, asked)], Ok(Reply::Written));
}

#[test]
fn pp13_what_was_given_to_a_leader_is_never_refused_as_definite() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.isolate(N1);
    let asked = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    while !cluster.answers.contains_key(&(N1, asked)) {
        cluster.timeout(N1);
        cluster.settle();
    }
    let refusal = cluster.answers[&(N1, asked)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Timeout, false));
}

#[test]
fn what_never_left_its_node_is_refused_as_definite() {
    let mut cluster = Cluster::new(3);
    cluster.isolate(N1);
    let asked = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    while !cluster.answers.contains_key(&(N1, asked)) {
        cluster.timeout(N1);
        cluster.settle();
    }
    let refusal = cluster.answers[&(N1, asked)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::NoLeader, true));
}

#[test]
fn a_full_node_refuses_as_overloaded_and_as_definite() {
    let mut cluster = Cluster::new(3);
    let count = rashomon_node::paxos::config::PROPOSALS_MAX as u64;
    let asked: Vec<_> = (1..=count + 1)
        .map(|sequence| cluster.ask(N1, Some((2, sequence)), Operation::write("x", 1)))
        .collect();
    let refusal = cluster.answers[&(N1, asked[count as usize])].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Overloaded, true));
    assert_eq!(cluster.answers.len(), 1);
}
