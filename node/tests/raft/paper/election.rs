//! Terms and elections (Raft 5.1, 5.2), and what the thesis adds to them.

use super::*;

// 5.1

#[test]
fn s5_1_servers_start_as_followers() {
    let cluster = Cluster::new(3);
    assert!(cluster.nodes.keys().all(|id| cluster.replica(*id).core().view().role == Role::Follower));
}

#[test]
fn s5_1_a_server_updates_its_term_to_the_larger_value() {
    let mut cluster = alone_with(1, &[]);
    answer_to(&mut cluster, 4, Body::Heartbeat { round: 1, commit: Index(0) });
    assert_eq!(cluster.replica(N1).core().hard_state().term, Term(4));
}

#[test]
fn s5_1_a_leader_that_finds_its_term_out_of_date_becomes_a_follower() {
    let mut cluster = Cluster::new(3);
    cluster.elect(N1);
    cluster.step(N1, Event::Message(N2, message(9, Body::StaleTerm)));
    assert!(!cluster.leads(N1));
    assert_eq!(cluster.replica(N1).core().hard_state().term, Term(9));
}

#[test]
fn s5_1_a_request_with_a_stale_term_is_rejected() {
    let mut cluster = alone_with(3, &[1]);
    let append = Body::Append { prev: position(1, 1), entries: vec![noop(2, 2)], commit: Index(2) };
    assert_eq!(answer_to(&mut cluster, 2, append), [message(3, Body::StaleTerm)]);
    let ask = vote(position(9, 2));
    assert_eq!(answer_to(&mut cluster, 2, ask), [message(3, Body::VoteReply { granted: false })]);
    assert_eq!(terms_of(&cluster, N1), [1]);
}

// 5.2

#[test]
fn s5_2_a_follower_that_hears_nobody_begins_an_election() {
    let mut cluster = Cluster::new(3);
    cluster.elect(N2);
    assert!(cluster.notes.contains(&(N2, Note::ElectionStarted { term: 1 })));
}

#[test]
fn s5_2_a_follower_that_hears_from_a_leader_stays_one() {
    let mut cluster = Cluster::new(3);
    cluster.elect(N1);
    for _ in 0..100 {
        cluster.timeout(N1);
        cluster.settle();
        let due = [N2, N3].into_iter().filter(|id| cluster.replica(*id).wake_at() <= cluster.now);
        assert_eq!(due.count(), 0, "heartbeats come in time");
    }
    assert!(cluster.leads(N1));
}

#[test]
fn s5_2_a_candidate_with_votes_from_a_majority_wins_the_election() {
    let mut cluster = Cluster::new(5);
    cluster.crash(NodeId(4));
    cluster.crash(NodeId(5));
    cluster.elect(N1);
}

#[test]
fn s5_2_without_a_majority_nobody_wins() {
    let mut cluster = Cluster::new(5);
    [N3, NodeId(4), NodeId(5)].into_iter().for_each(|id| cluster.crash(id));
    for _ in 0..20 {
        cluster.timeout(N1);
        cluster.settle();
        assert!(!cluster.leads(N1));
    }
}

#[test]
fn s5_2_a_server_votes_for_at_most_one_candidate_in_a_term_first_come_first_served() {
    let mut cluster = alone_with(1, &[]);
    let ask = || vote(position(0, 0));
    assert_eq!(answer_to(&mut cluster, 2, ask()), [message(2, Body::VoteReply { granted: true })]);
    cluster.step(N1, Event::Message(N3, message(2, ask())));
    let refused = Envelope { from: N1, to: N3, message: message(2, Body::VoteReply { granted: false }) };
    assert_eq!(cluster.network, [refused]);
    // The first one may ask again, as its answer may have been lost.
    assert_eq!(answer_to(&mut cluster, 2, ask()), [message(2, Body::VoteReply { granted: true })]);
}

#[test]
fn s5_2_a_vote_outlives_a_crash() {
    let mut cluster = alone_with(1, &[]);
    answer_to(&mut cluster, 2, vote(position(0, 0)));
    cluster.crash(N1);
    cluster.start(N1);
    cluster.now = cluster.now + 10_000;
    cluster.step(N1, Event::Message(N3, message(2, vote(position(0, 0)))));
    assert_eq!(cluster.network[0].message, message(2, Body::VoteReply { granted: false }));
}

#[test]
fn figure_2_a_vote_is_on_disk_before_the_answer_leaves() {
    let mut cluster = alone_with(1, &[]);
    cluster.node(N1).syncs = false;
    assert_eq!(answer_to(&mut cluster, 2, vote(position(0, 0))), []);
    cluster.sync(N1);
    assert_eq!(cluster.network[0].message, message(2, Body::VoteReply { granted: true }));
}

#[test]
fn s5_2_a_candidate_that_hears_a_leader_of_its_term_becomes_a_follower() {
    let mut cluster = Cluster::new(3);
    cluster.now = cluster.now + 1_000;
    cluster.timeout(N1);
    let pre_vote = message(0, Body::PreVoteReply { granted: true });
    cluster.step(N1, Event::Message(N2, pre_vote));
    assert_eq!(cluster.replica(N1).core().view().role, Role::Candidate);
    cluster.step(N1, Event::Message(N2, message(1, Body::Heartbeat { round: 1, commit: Index(0) })));
    let view = cluster.replica(N1).core().view();
    assert_eq!((view.role, view.leader), (Role::Follower, Some(N2)));
}

#[test]
fn s5_2_election_timeouts_are_chosen_randomly_from_the_interval() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let cluster = Cluster::with(1, |config| config.seed = seed);
        seen.insert(cluster.replica(N1).wake_at());
    }
    assert!(seen.first() >= Some(&Millis(150)) && seen.last() < Some(&Millis(300)));
    assert!(seen.len() > 50, "they differ");
}

#[test]
fn s5_2_votes_of_another_term_do_not_count() {
    let mut cluster = Cluster::new(3);
    cluster.now = cluster.now + 1_000;
    cluster.timeout(N1);
    cluster.step(N1, Event::Message(N2, message(0, Body::PreVoteReply { granted: true })));
    cluster.step(N1, Event::Message(N3, message(0, Body::VoteReply { granted: true })));
    assert!(!cluster.leads(N1));
    cluster.step(N1, Event::Message(N3, message(1, Body::VoteReply { granted: true })));
    assert!(cluster.leads(N1));
}

// Thesis: beyond the paper

#[test]
fn thesis_9_6_a_node_that_was_cut_off_does_not_depose_the_leader() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.isolate(N3);
    cluster.pass(2_000);
    assert_eq!(cluster.replica(N3).core().hard_state().term, Term(1), "pre-votes raise no term");
    cluster.heal();
    cluster.timeout(N3);
    cluster.settle();
    cluster.pass(1_000);
    assert!(cluster.leads(N1));
}

#[test]
fn thesis_4_2_3_voters_that_hear_a_leader_ignore_candidates() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let ask = message(9, vote(position(99, 9)));
    cluster.step(N2, Event::Message(N3, ask));
    assert_eq!(cluster.replica(N2).core().hard_state().term, Term(1));
    assert_eq!(cluster.network, []);
}

#[test]
fn thesis_6_2_a_leader_without_a_majority_steps_down() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.isolate(N1);
    let cut_at = cluster.now;
    while cluster.leads(N1) {
        cluster.timeout(N1);
        cluster.settle();
    }
    assert!(cluster.now.since(cut_at) <= 400);
}

#[test]
fn a_node_left_with_a_higher_term_is_pulled_back_in() {
    // RV2: without the answer that carries its term it would be ignored for ever.
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.crash(N3);
    cluster.node(N3).disk.push(Record::HardState(HardState { term: Term(7), vote: None }));
    cluster.start(N3);
    cluster.pass(1_000);
    let terms: Vec<u64> = [N1, N2, N3].map(|id| cluster.replica(id).core().view().term).to_vec();
    assert!(terms.iter().all(|term| *term >= 7 && *term == terms[0]), "{terms:?}");
    let leaders = [N1, N2, N3].into_iter().filter(|id| cluster.leads(*id));
    assert_eq!(leaders.count(), 1);
}
