//! Membership changes (Raft 6; thesis 4).

use super::*;
use rashomon_node::api::Admin;
use rashomon_node::protocol::OperationId;
use rashomon_node::raft::membership::Membership;

const N4: NodeId = NodeId(4);
const N5: NodeId = NodeId(5);

fn nodes(numbers: &[u32]) -> Vec<NodeId> {
    numbers.iter().copied().map(NodeId).collect()
}

/// `count` nodes of which `members` take part, led by n1.
fn with_members(count: u32, members: &[u32], defects: &[Defect]) -> Cluster {
    let mut cluster = Cluster::with(count, |config| {
        config.members = nodes(members);
        config.defects = defects.iter().copied().collect();
    });
    led_by_n1(&mut cluster);
    cluster
}

fn change(cluster: &mut Cluster, id: NodeId, members: &[u32]) -> OperationId {
    cluster.ask(id, None, Operation::Admin(Admin::Members(nodes(members))))
}

fn membership(cluster: &Cluster, id: NodeId) -> Membership {
    cluster.replica(id).core().membership().clone()
}

fn entry(index: u64, term: u64, membership: &Membership) -> Entry {
    Entry { index: Index(index), term: Term(term), payload: Payload::Membership(membership.clone()) }
}

fn sound(cluster: &Cluster) {
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

fn violated(cluster: &Cluster, invariant: &str) -> bool {
    cluster.invariants.violations.iter().any(|violation| violation.starts_with(invariant))
}

#[test]
fn s6_nodes_are_added_removed_and_replaced() {
    let mut cluster = with_members(5, &[1, 2, 3], &[]);
    for members in [&[1, 2, 3, 4, 5][..], &[1, 2, 3], &[1, 4, 5], &[1], &[1, 2]] {
        let id = change(&mut cluster, N1, members);
        cluster.pass(300);
        assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done), "{members:?}");
        for node in nodes(members) {
            assert_eq!(membership(&cluster, node), Membership::of(&nodes(members)));
        }
    }
    let write = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, write)], Ok(Reply::Written));
    sound(&cluster);
}

#[test]
fn s6_the_old_and_the_new_voters_decide_together_on_the_way() {
    let mut cluster = with_members(5, &[1, 2, 3], &[]);
    change(&mut cluster, N1, &[3, 4, 5]);
    while !membership(&cluster, N1).is_joint() {
        cluster.deliver_at(0);
    }
    // The new voters are there, the old ones are not.
    [N2, N3].into_iter().for_each(|id| cluster.isolate(id));
    let commit = commit_of(&cluster, N1);
    let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    assert!(!cluster.answers.contains_key(&(N1, id)));
    assert_eq!(commit_of(&cluster, N1), commit, "n1, n4 and n5 are no majority of the old voters");
    cluster.heal();
    cluster.pass(400);
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Written));
    sound(&cluster);
}

#[test]
fn s6_a_membership_is_in_force_from_the_moment_it_is_appended() {
    let mut cluster = alone_with(2, &[1]);
    let joint = Membership::of(&nodes(&[1, 2, 3])).towards(&nodes(&[1, 2]));
    let append = Body::Append { prev: position(1, 1), entries: vec![entry(2, 2, &joint)], commit: Index(0) };
    answer_to(&mut cluster, 2, append);
    assert_eq!(membership(&cluster, N1), joint);
    // And after a restart, committed or not.
    cluster.crash(N1);
    cluster.start(N1);
    assert_eq!(membership(&cluster, N1), joint);
}

#[test]
fn s6_a_membership_goes_when_its_entry_is_truncated() {
    let before = Membership::of(&nodes(&[1, 2, 3]));
    for (defects, expected) in [(vec![], before.clone()), (vec![Defect::R29], before.towards(&[N1, N2]))] {
        let mut cluster = Cluster::with(3, |config| config.defects = defects.iter().copied().collect());
        [N2, N3].into_iter().for_each(|id| cluster.crash(id));
        let joint = before.towards(&nodes(&[1, 2]));
        let first =
            Body::Append { prev: position(0, 0), entries: vec![entry(1, 2, &joint)], commit: Index(0) };
        answer_to(&mut cluster, 2, first);
        let second = Body::Append { prev: position(0, 0), entries: vec![noop(1, 3)], commit: Index(0) };
        answer_to(&mut cluster, 3, second);
        assert_eq!(membership(&cluster, N1), expected);
    }
}

#[test]
fn defect_r29_forgets_the_memberships_of_its_log_when_it_restarts() {
    let mut cluster = with_members(4, &[1, 2, 3], &[Defect::R29]);
    change(&mut cluster, N1, &[1, 2, 3, 4]);
    cluster.pass(300);
    assert_eq!(membership(&cluster, N2), Membership::of(&nodes(&[1, 2, 3, 4])));
    cluster.crash(N2);
    cluster.start(N2);
    assert_eq!(membership(&cluster, N2), Membership::of(&nodes(&[1, 2, 3])));
}

#[test]
fn thesis_4_2_1_new_servers_catch_up_before_they_count() {
    let mut cluster = with_members(5, &[1, 2, 3], &[]);
    cluster.isolate(N4);
    let id = change(&mut cluster, N1, &[1, 2, 3, 4]);
    cluster.settle();
    assert_eq!(membership(&cluster, N1), Membership::of(&nodes(&[1, 2, 3])), "n4 has nothing yet");
    let write = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, write)], Ok(Reply::Written), "and holds nobody up");
    cluster.heal();
    cluster.pass(300);
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done));
    assert_eq!(cluster.replica(N4).machine().digest(), cluster.replica(N1).machine().digest());
    sound(&cluster);
}

#[test]
fn thesis_4_2_1_a_change_whose_new_server_does_not_catch_up_is_refused_as_definite() {
    let mut cluster = with_members(4, &[1, 2, 3], &[]);
    cluster.crash(N4);
    let id = change(&mut cluster, N1, &[1, 2, 3, 4]);
    cluster.pass(4_000);
    let refusal = cluster.answers[&(N1, id)].as_ref().unwrap_err();
    assert!(matches!(refusal.code, RefusalCode::Conflict | RefusalCode::Timeout), "{refusal}");
    assert_eq!(membership(&cluster, N1), Membership::of(&nodes(&[1, 2, 3])));
    let id = change(&mut cluster, N1, &[1, 2]);
    cluster.pass(300);
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done), "another change may be asked for");
}

#[test]
fn a_new_server_catches_up_by_snapshot_when_the_log_is_gone() {
    let mut cluster = Cluster::with(4, |config| {
        config.members = nodes(&[1, 2, 3]);
        config.snapshot_entries = 10;
    });
    led_by_n1(&mut cluster);
    for sequence in 1..50 {
        cluster.ask(N1, Some((2, sequence)), Operation::write("x", 1));
        cluster.settle();
    }
    let id = change(&mut cluster, N1, &[2, 3, 4]);
    cluster.pass(600);
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done));
    assert!(
        cluster.notes.iter().any(|(id, note)| *id == N4 && matches!(note, Note::SnapshotInstalled { .. }))
    );
    // The membership outlives the entries that said so.
    for sequence in 50..100 {
        cluster.ask(N2, Some((2, sequence)), Operation::write("x", 1));
        cluster.pass(20);
    }
    cluster.crash(N4);
    cluster.start(N4);
    assert_eq!(membership(&cluster, N4), Membership::of(&nodes(&[2, 3, 4])));
    sound(&cluster);
}

/// A leader keeps books on those who leave for an election timeout more, so that they learn of it. Who is back by then may have
/// lost its disk meanwhile, and with it all that stands there.
#[test]
fn a_member_that_comes_back_is_not_taken_at_its_old_word() {
    let mut cluster = with_members(3, &[1, 2, 3], &[]);
    let id = change(&mut cluster, N1, &[1, 2]);
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done));
    cluster.wipe(N3);
    cluster.start(N3);
    // It is not heard.
    [N1, N2].into_iter().for_each(|other| _ = cluster.cuts.insert((N3, other)));
    let id = change(&mut cluster, N1, &[1, 2, 3]);
    cluster.settle();
    assert_eq!(
        membership(&cluster, N1),
        Membership::of(&nodes(&[1, 2])),
        "n3 has nothing, as far as is known"
    );
    cluster.heal();
    cluster.pass(300);
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done));
    assert_eq!(cluster.replica(N3).machine().digest(), cluster.replica(N1).machine().digest());
    sound(&cluster);
}

#[test]
fn thesis_4_1_a_second_change_is_refused_while_one_is_under_way() {
    let mut cluster = with_members(5, &[1, 2, 3], &[]);
    cluster.isolate(N4);
    change(&mut cluster, N1, &[1, 2, 3, 4]);
    let other = change(&mut cluster, N1, &[1, 2]);
    let refusal = cluster.answers[&(N1, other)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Conflict, true));
    let same = change(&mut cluster, N1, &[4, 3, 2, 1]);
    cluster.heal();
    cluster.pass(300);
    assert_eq!(cluster.answers[&(N1, same)], Ok(Reply::Done), "who asks for the same is answered, too");
}

#[test]
fn the_2015_bug_a_change_waits_for_a_commit_of_the_own_term() {
    let mut cluster = with_members(4, &[1, 2, 3], &[]);
    cluster.crash(N1);
    cluster.now = cluster.now + 1_000;
    cluster.timeout(N2);
    while !cluster.leads(N2) {
        cluster.deliver_at(0);
    }
    cluster.network.clear();
    change(&mut cluster, N2, &[2, 3]);
    assert!(!membership(&cluster, N2).is_joint(), "its no-op is not committed");
    cluster.pass(300);
    assert_eq!(membership(&cluster, N2), Membership::of(&nodes(&[2, 3])));
    sound(&cluster);
}

#[test]
fn thesis_4_2_2_a_removed_leader_steps_down_once_it_is_removed_and_hands_over() {
    let mut cluster = with_members(3, &[1, 2, 3], &[]);
    let id = change(&mut cluster, N1, &[2, 3]);
    let at = cluster.now;
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done));
    assert!(!cluster.leads(N1));
    assert!(cluster.leads(N2) || cluster.leads(N3), "nobody had to wait for a timeout");
    assert_eq!(cluster.now, at);
    cluster.pass(3_000);
    assert!(cluster.leads(N2) || cluster.leads(N3));
    assert_eq!(cluster.replica(N1).core().view().role, Role::Follower, "and it leaves them alone");
    sound(&cluster);
}

#[test]
fn thesis_4_2_2_a_leader_that_is_leaving_does_not_count_itself() {
    for (defects, commits) in [(vec![], false), (vec![Defect::R28], true)] {
        let mut cluster = with_members(3, &[1, 2, 3], &defects);
        change(&mut cluster, N1, &[2, 3]);
        while membership(&cluster, N1).is_joint() || membership(&cluster, N1).contains(N1) {
            cluster.deliver_at(0);
        }
        cluster.network.clear();
        let last = cluster.replica(N1).core().view().last;
        let term = cluster.replica(N1).core().view().term;
        cluster.step(N1, Event::Message(N2, message(term, Body::Appended { matched: Index(last) })));
        assert_eq!(commit_of(&cluster, N1) == last, commits, "n2 alone is no majority of n2 and n3");
    }
}

#[test]
fn thesis_4_2_1_learners_do_not_count() {
    for (defects, answered) in [(vec![], false), (vec![Defect::R28], true)] {
        let mut cluster = with_members(5, &[1, 2, 3], &defects);
        [N2, N3].into_iter().for_each(|id| cluster.isolate(id));
        // n4 keeps up, n5 does not, so both stay learners.
        cluster.isolate(N5);
        cluster.cuts.retain(|(from, to)| (*from, *to) != (N1, N5));
        change(&mut cluster, N1, &[1, 2, 3, 4, 5]);
        let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
        cluster.settle();
        let matched = Index(cluster.replica(N1).core().view().last);
        cluster.step(N1, Event::Message(N5, message(1, Body::Appended { matched })));
        assert_eq!(cluster.answers.contains_key(&(N1, id)), answered, "{defects:?}");
        assert_eq!(violated(&cluster, "committed means durable"), answered);
    }
}

#[test]
fn thesis_4_2_2_one_who_leaves_may_have_to_lead_until_the_others_know() {
    // From {1} to {2}: n1 alone has the entry that makes n2 the only voter, and dies.
    let mut cluster = with_members(2, &[1], &[]);
    change(&mut cluster, N1, &[2]);
    while membership(&cluster, N1) != Membership::of(&[N2]) {
        cluster.deliver_at(0);
    }
    cluster.network.clear();
    cluster.crash(N1);
    cluster.start(N1);
    cluster.pass(3_000);
    assert_eq!(membership(&cluster, N2), Membership::of(&[N2]));
    assert!(cluster.leads(N2));
    sound(&cluster);
}

#[test]
fn who_is_no_member_does_not_campaign() {
    let mut cluster = with_members(4, &[1, 2, 3], &[]);
    cluster.pass(3_000);
    assert_eq!(cluster.replica(N4).core().view().role, Role::Follower);
    assert_eq!(cluster.replica(N4).core().view().term, 0);
    cluster.notes.retain(|(id, _)| *id == N4);
    assert_eq!(cluster.notes, []);
}

#[test]
fn a_change_may_be_asked_of_any_node_and_outlives_its_leader() {
    let mut cluster = with_members(4, &[1, 2, 3, 4], &[]);
    let id = change(&mut cluster, N3, &[2, 3, 4]);
    cluster.network.clear();
    cluster.crash(N1);
    cluster.elect(N2);
    cluster.pass(300);
    assert_eq!(cluster.answers[&(N3, id)], Ok(Reply::Done));
    assert_eq!(membership(&cluster, N2), Membership::of(&nodes(&[2, 3, 4])));
    sound(&cluster);
}

#[test]
fn a_leader_finishes_a_change_that_it_finds_in_its_log() {
    let mut cluster = with_members(4, &[1, 2, 3], &[]);
    change(&mut cluster, N1, &[1, 2, 3, 4]);
    while !membership(&cluster, N1).is_joint() {
        cluster.deliver_at(0);
    }
    while !membership(&cluster, N2).is_joint() || !membership(&cluster, N3).is_joint() {
        cluster.deliver_at(0);
    }
    cluster.crash(N1);
    cluster.network.clear();
    cluster.elect(N2);
    cluster.pass(300);
    assert_eq!(membership(&cluster, N2), Membership::of(&nodes(&[1, 2, 3, 4])));
    sound(&cluster);
}

#[test]
fn an_old_request_does_not_undo_a_later_change() {
    let mut cluster = with_members(4, &[1, 2, 3], &[]);
    change(&mut cluster, N2, &[1, 2, 3, 4]);
    let late =
        cluster.network.iter().find(|one| matches!(one.message.body, Body::Admin { .. })).unwrap().clone();
    cluster.pass(300);
    change(&mut cluster, N2, &[1, 2, 3]);
    cluster.pass(300);
    // Again in the same term: it has been answered. In a later one: it is stale.
    cluster.deliver(late.clone());
    cluster.pass(300);
    assert_eq!(membership(&cluster, N1), Membership::of(&nodes(&[1, 2, 3])));
    cluster.crash(N1);
    cluster.elect(N3);
    cluster.deliver(Envelope { to: N3, ..late });
    cluster.pass(300);
    assert_eq!(membership(&cluster, N3), Membership::of(&nodes(&[1, 2, 3])));
    sound(&cluster);
}

/// {1,2,3} to {3,4,5}: n3 has the joint membership, the network is cut between {1,2} and the rest.
#[test]
fn s6_a_majority_of_the_union_is_not_enough() {
    for (defects, elected) in [(vec![], false), (vec![Defect::R27], true)] {
        let mut cluster = with_members(5, &[1, 2, 3], &defects);
        change(&mut cluster, N1, &[3, 4, 5]);
        while !membership(&cluster, N3).is_joint() {
            cluster.deliver_at(0);
        }
        cluster.network.clear();
        cluster.isolate(N1);
        cluster.isolate(N2);
        cluster.now = cluster.now + 1_000;
        cluster.timeout(N3);
        cluster.settle();
        assert_eq!(cluster.leads(N3), elected, "n3, n4 and n5 are three of five, but not two of 1, 2, 3");
    }
}

/// {1,2,3} to {3,4,5}; the new voters are on their own, n1 and n2 have not heard that the change is committed.
#[test]
fn s6_old_voters_that_have_the_new_membership_do_not_decide_without_the_new() {
    for (defects, elected) in [(vec![], false), (vec![Defect::R25], true)] {
        let mut cluster = with_members(5, &[1, 2, 3], &[]);
        for id in [N1, N2] {
            cluster.crash(id);
            let (old, new) = (Membership::of(&nodes(&[1, 2, 3])), nodes(&[3, 4, 5]));
            let entries = [noop(1, 1), entry(2, 1, &old.towards(&new)), entry(3, 1, &Membership::of(&new))];
            cluster.node(id).disk = entries.into_iter().map(Record::Entry).collect();
            cluster.node(id).disk.push(Record::HardState(HardState { term: Term(1), vote: None }));
            cluster.node(id).config.defects = defects.iter().copied().collect();
            cluster.start(id);
        }
        [N3, N4, N5].into_iter().for_each(|id| cluster.isolate(id));
        cluster.now = cluster.now + 1_000;
        cluster.timeout(N1);
        cluster.settle();
        assert_eq!(cluster.notes.contains(&(N1, Note::BecameLeader { term: 2 })), elected);
    }
}

/// The schedule of the 2015 bug: two leaders derive two memberships from one.
#[test]
fn defect_r26_commits_two_histories_with_disjoint_majorities() {
    for (defects, broken) in [(vec![], false), (vec![Defect::R26], true)] {
        let mut cluster = Cluster::with(5, |config| {
            config.members = nodes(&[1, 2, 3, 4]);
            config.defects = defects.iter().copied().collect();
        });
        led_by_n1(&mut cluster);
        // n1 adds n5; the entry reaches n5 only.
        [N2, N3, N4].into_iter().for_each(|id| cluster.isolate(id));
        cluster.cuts.retain(|(from, to)| ![*from, *to].contains(&N1) || ![*from, *to].contains(&N5));
        change(&mut cluster, N1, &[1, 2, 3, 4, 5]);
        cluster.settle();
        // n2 leads the others and removes n1, which n2 and n3 commit; n4 hears nothing of it.
        cluster.heal();
        cluster.isolate(N1);
        cluster.isolate(N5);
        cluster.now = cluster.now + 1_000;
        cluster.timeout(N2);
        while !cluster.leads(N2) {
            cluster.deliver_at(0);
        }
        cluster.network.clear();
        cluster.isolate(N4);
        change(&mut cluster, N2, &[2, 3, 4]);
        for _ in 0..10 {
            cluster.timeout(N2);
            cluster.settle();
        }
        // n1 is back in a later term, elected by its own five members: n1, n4 and n5.
        cluster.heal();
        cluster.isolate(N2);
        cluster.isolate(N3);
        for _ in 0..10 {
            cluster.now = cluster.now + 1_000;
            cluster.timeout(N1);
            cluster.settle();
        }
        assert_eq!(violated(&cluster, "leader completeness"), broken, "{:?}", cluster.invariants.violations);
        assert_eq!(!cluster.invariants.violations.is_empty(), broken);
    }
}
