//! The log and what is safe about it (Raft 5.3 to 5.6).

use super::*;

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
        let answer = answer_to(&mut cluster, 5, vote(last));
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
