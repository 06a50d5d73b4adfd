//! One test per sentence of the Raft paper (extended version; *thesis* where so said), named as the claim it makes.

use rashomon_node::api::{NodeId, Operation, RefusalCode, Reply, Role};
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::protocol::{Millis, Note, Protocol};
use rashomon_node::raft::config::Reads;
use rashomon_node::raft::log::{Entry, Index, Payload, Position, Term};
use rashomon_node::raft::message::{Body, HardState, Message, Record};
use rashomon_node::replica::Event;

use crate::cluster::{Cluster, Envelope};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

fn noop(index: u64, term: u64) -> Entry {
    Entry { index: Index(index), term: Term(term), payload: Payload::Noop }
}

fn position(index: u64, term: u64) -> Position {
    Position { index: Index(index), term: Term(term) }
}

fn message(term: u64, body: Body) -> Message {
    Message { term: Term(term), body }
}

/// Three nodes, of which only n1 has been started for the test to talk to; its disk holds `terms` as entries 1, 2, ….
fn alone_with(term: u64, terms: &[u64]) -> Cluster {
    let mut cluster = Cluster::new(3);
    for (index, entry_term) in (1..).zip(terms) {
        cluster.node(N1).disk.push(Record::Entry(noop(index, *entry_term)));
    }
    cluster.node(N1).disk.push(Record::HardState(HardState { term: Term(term), vote: None }));
    [N1, N2, N3].into_iter().for_each(|id| cluster.crash(id));
    cluster.start(N1);
    // Long after any leader it may have heard.
    cluster.now = cluster.now + 10_000;
    cluster
}

/// What n1 answers n2.
fn answer_to(cluster: &mut Cluster, term: u64, body: Body) -> Vec<Message> {
    cluster.network.clear();
    cluster.step(N1, Event::Message(N2, message(term, body)));
    let to_n2 = cluster.network.drain(..).filter(|envelope| envelope.to == N2);
    to_n2.map(|envelope| envelope.message).collect()
}

fn terms_of(cluster: &Cluster, id: NodeId) -> Vec<u64> {
    cluster.replica(id).core().log().from(Index(1), usize::MAX).iter().map(|entry| entry.term.0).collect()
}

fn commit_of(cluster: &Cluster, id: NodeId) -> u64 {
    cluster.replica(id).core().view().commit
}

fn is_append(envelope: &Envelope) -> bool {
    matches!(envelope.message.body, Body::Append { .. })
}

/// A leader n1 with a session, number 2, opened by the entry after its no-op.
fn led_by_n1(cluster: &mut Cluster) {
    cluster.elect(N1);
    cluster.ask(N1, None, Operation::OpenSession);
    cluster.settle();
    let round = cluster.replica(N1).wake_at();
    cluster.now = round;
    cluster.step(N1, Event::Tick);
    cluster.settle();
}

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
    let vote = Body::Vote { last: position(9, 2) };
    assert_eq!(answer_to(&mut cluster, 2, vote), [message(3, Body::VoteReply { granted: false })]);
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
    let vote = || Body::Vote { last: position(0, 0) };
    assert_eq!(answer_to(&mut cluster, 2, vote()), [message(2, Body::VoteReply { granted: true })]);
    cluster.step(N1, Event::Message(N3, message(2, vote())));
    let refused = Envelope { from: N1, to: N3, message: message(2, Body::VoteReply { granted: false }) };
    assert_eq!(cluster.network, [refused]);
    // The first one may ask again, as its answer may have been lost.
    assert_eq!(answer_to(&mut cluster, 2, vote()), [message(2, Body::VoteReply { granted: true })]);
}

#[test]
fn s5_2_a_vote_outlives_a_crash() {
    let mut cluster = alone_with(1, &[]);
    answer_to(&mut cluster, 2, Body::Vote { last: position(0, 0) });
    cluster.crash(N1);
    cluster.start(N1);
    cluster.now = cluster.now + 10_000;
    cluster.step(N1, Event::Message(N3, message(2, Body::Vote { last: position(0, 0) })));
    assert_eq!(cluster.network[0].message, message(2, Body::VoteReply { granted: false }));
}

#[test]
fn figure_2_a_vote_is_on_disk_before_the_answer_leaves() {
    let mut cluster = alone_with(1, &[]);
    cluster.node(N1).syncs = false;
    assert_eq!(answer_to(&mut cluster, 2, Body::Vote { last: position(0, 0) }), []);
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

// 5.3

#[test]
fn s5_3_an_entry_is_committed_once_a_majority_has_it_and_then_applied_and_answered() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.crash(N3);
    let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
    assert!(!cluster.answers.contains_key(&(N1, id)));
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Written));
}

#[test]
fn s5_3_followers_learn_of_the_commit_index_and_apply_too() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
    cluster.settle();
    cluster.timeout(N1);
    cluster.settle();
    let digest = cluster.replica(N1).machine().digest();
    assert!([N2, N3].into_iter().all(|id| cluster.replica(id).machine().digest() == digest));
}

#[test]
fn s5_3_committing_an_entry_commits_all_before_it() {
    let mut cluster = Cluster::new(3);
    cluster.node(N1).disk = vec![
        Record::Entry(noop(1, 1)),
        Record::Entry(noop(2, 1)),
        Record::HardState(HardState { term: Term(1), vote: None }),
    ];
    cluster.crash(N1);
    cluster.start(N1);
    cluster.elect(N1);
    assert_eq!(commit_of(&cluster, N1), 3);
}

#[test]
fn s5_3_a_follower_without_the_preceding_entry_refuses() {
    let mut cluster = alone_with(2, &[1, 1]);
    let append = |index, term| Body::Append {
        prev: position(index, term),
        entries: vec![noop(index + 1, 2)],
        commit: Index(0),
    };
    for (index, term) in [(3, 2), (2, 2)] {
        let answer = answer_to(&mut cluster, 2, append(index, term));
        assert!(matches!(answer[0].body, Body::Rejected { prev, .. } if prev == Index(index)));
        assert_eq!(terms_of(&cluster, N1), [1, 1]);
    }
}

#[test]
fn s5_3_conflicting_entries_are_overwritten_with_the_leaders() {
    let mut cluster = alone_with(2, &[1, 1, 1]);
    let append = Body::Append { prev: position(1, 1), entries: vec![noop(2, 3)], commit: Index(0) };
    assert_eq!(answer_to(&mut cluster, 3, append), [message(3, Body::Appended { matched: Index(2) })]);
    assert_eq!(terms_of(&cluster, N1), [1, 3]);
    // On disk as well.
    cluster.crash(N1);
    cluster.start(N1);
    assert_eq!(terms_of(&cluster, N1), [1, 3]);
}

#[test]
fn figure_2_a_late_append_that_matches_deletes_nothing() {
    let mut cluster = alone_with(2, &[1, 1, 2]);
    let late = Body::Append { prev: position(0, 0), entries: vec![noop(1, 1)], commit: Index(0) };
    assert_eq!(answer_to(&mut cluster, 2, late), [message(2, Body::Appended { matched: Index(1) })]);
    assert_eq!(terms_of(&cluster, N1), [1, 1, 2]);
}

#[test]
fn figure_2_the_commit_index_goes_no_further_than_the_last_new_entry() {
    let mut cluster = alone_with(2, &[1, 1, 1]);
    let append = Body::Append { prev: position(0, 0), entries: vec![noop(1, 1)], commit: Index(3) };
    answer_to(&mut cluster, 2, append);
    assert_eq!(commit_of(&cluster, N1), 1);
}

#[test]
fn figure_2_entries_are_on_disk_before_the_answer_leaves() {
    let mut cluster = alone_with(2, &[]);
    cluster.node(N1).syncs = false;
    let append = || Body::Append { prev: position(0, 0), entries: vec![noop(1, 2)], commit: Index(0) };
    assert_eq!(answer_to(&mut cluster, 2, append()), []);
    // Repeated, it is still not on disk.
    assert_eq!(answer_to(&mut cluster, 2, append()), []);
    cluster.sync(N1);
    assert!(cluster.network.iter().all(|one| one.message.body == Body::Appended { matched: Index(1) }));
    assert_eq!(cluster.network.len(), 2);
}

#[test]
fn s5_3_a_leader_never_overwrites_or_deletes_its_own_entries() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let before = terms_of(&cluster, N1);
    let forged = Body::Append { prev: position(0, 0), entries: vec![noop(1, 0)], commit: Index(0) };
    cluster.step(N1, Event::Message(N2, message(0, forged)));
    assert_eq!(terms_of(&cluster, N1), before);
}

#[test]
fn s5_3_the_leader_brings_every_follower_of_figure_7_to_its_own_log() {
    let leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    let followers: [&[u64]; 6] = [
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    let mut cluster = Cluster::new(7);
    for (id, terms) in (1..).map(NodeId).zip(std::iter::once(&leader[..]).chain(followers)) {
        cluster.crash(id);
        cluster.node(id).disk =
            (1..).zip(terms).map(|(index, term)| Record::Entry(noop(index, *term))).collect();
        cluster.node(id).disk.push(Record::HardState(HardState { term: Term(7), vote: None }));
        cluster.start(id);
    }
    // The leader of term 8 (d of the figure, with entries of term 7, will not vote for it).
    cluster.elect(N1);
    let expected = [&leader[..], &[8]].concat();
    for id in (1..=7).map(NodeId) {
        assert_eq!(terms_of(&cluster, id), expected, "{id}");
    }
}

#[test]
fn s5_3_backing_up_takes_one_rejection_per_term_not_per_entry() {
    let mut cluster = Cluster::new(3);
    let disk = |terms: &[u64]| -> Vec<Record> {
        let hard = Record::HardState(HardState { term: Term(9), vote: None });
        (1..).zip(terms).map(|(index, term)| Record::Entry(noop(index, *term))).chain([hard]).collect()
    };
    let shared = [1; 10];
    let leader = [&shared[..], &[5; 100]].concat();
    let follower = [&shared[..], &[2; 100], &[3; 100]].concat();
    for (id, terms) in [(N1, &leader), (N2, &leader), (N3, &follower)] {
        cluster.crash(id);
        cluster.node(id).disk = disk(terms);
        cluster.start(id);
    }
    cluster.now = cluster.now + 1_000;
    cluster.timeout(N1);
    let mut rejections = 0;
    while !cluster.network.is_empty() {
        let body = &cluster.network[0].message.body;
        rejections += usize::from(matches!(body, Body::Rejected { .. }));
        cluster.deliver_at(0);
    }
    assert_eq!(terms_of(&cluster, N3), terms_of(&cluster, N1));
    assert!(rejections <= 3, "{rejections} rejections for 3 terms");
}

// 5.4

#[test]
fn s5_4_1_a_voter_denies_its_vote_if_its_own_log_is_more_up_to_date() {
    let cases = [
        (position(3, 2), true),
        (position(9, 2), true),
        (position(1, 3), true),
        (position(2, 2), false),
        (position(9, 1), false),
    ];
    for (last, granted) in cases {
        let mut cluster = alone_with(4, &[1, 2, 2]);
        let answer = answer_to(&mut cluster, 5, Body::Vote { last });
        assert_eq!(answer, [message(5, Body::VoteReply { granted })], "{last:?}");
    }
}

#[test]
fn s5_4_2_entries_of_earlier_terms_are_not_committed_by_counting() {
    // Figure 8: entry 2 of term 2 reaches a majority under a leader of term 4, whose own entry does not.
    let mut cluster = Cluster::new(5);
    for id in [N1, N2] {
        cluster.crash(id);
        cluster.node(id).disk = vec![
            Record::Entry(noop(1, 1)),
            Record::Entry(noop(2, 2)),
            Record::HardState(HardState { term: Term(3), vote: None }),
        ];
        cluster.start(id);
    }
    cluster.now = cluster.now + 1_000;
    cluster.timeout(N1);
    while !cluster.leads(N1) {
        cluster.deliver_at(0);
    }
    cluster.network.clear();
    for follower in [N2, N3] {
        cluster.step(N1, Event::Message(follower, message(4, Body::Appended { matched: Index(2) })));
    }
    assert_eq!(commit_of(&cluster, N1), 0, "held by three of five, but of term 2");
    for follower in [N2, N3] {
        cluster.step(N1, Event::Message(follower, message(4, Body::Appended { matched: Index(3) })));
    }
    assert_eq!(commit_of(&cluster, N1), 3);
}

#[test]
fn thesis_10_2_1_the_leader_counts_itself_only_when_its_own_disk_has_the_entry() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.node(N1).syncs = false;
    cluster.crash(N3);
    let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
    cluster.settle();
    assert!(!cluster.answers.contains_key(&(N1, id)), "one follower and no own disk are no majority");
    cluster.sync(N1);
    assert!(cluster.answers.contains_key(&(N1, id)));
}

#[test]
fn thesis_10_2_1_the_leader_sends_entries_before_its_own_disk_has_them() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.node(N1).syncs = false;
    let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
    assert_eq!(cluster.network.iter().filter(|one| is_append(one)).count(), 2);
    cluster.settle();
    assert!(cluster.answers.contains_key(&(N1, id)), "both followers are a majority without it");
}

// 5.5, 5.6

#[test]
fn s5_5_requests_are_idempotent() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
    while !cluster.network.is_empty() {
        let envelope = cluster.network.remove(0);
        cluster.deliver(envelope.clone());
        cluster.deliver(envelope);
    }
    assert_eq!(terms_of(&cluster, N1), terms_of(&cluster, N2));
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

#[test]
fn s5_6_a_leader_sends_heartbeats_well_within_the_election_timeout() {
    let mut cluster = Cluster::new(3);
    cluster.elect(N1);
    let at = cluster.now;
    cluster.timeout(N1);
    assert!(cluster.now.since(at) <= 50);
    assert!(cluster.network.iter().any(|one| matches!(one.message.body, Body::Heartbeat { .. })));
}

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
    let vote = message(9, Body::Vote { last: position(99, 9) });
    cluster.step(N2, Event::Message(N3, vote));
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
    cluster.step(N2, Event::Message(N3, message(9, Body::Vote { last: position(99, 9) })));
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
