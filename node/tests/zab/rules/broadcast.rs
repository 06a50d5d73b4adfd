//! Proposals, acknowledgements and commits: rules ZB6 and ZB8.

use super::*;

#[test]
fn zb6_a_follower_acknowledges_what_is_on_its_disk() {
    let mut follower = Follower::synchronised(|_| {}, &[]);
    follower.say(Down::UpToDate { commit: Zxid::default() });
    follower.cluster.node(N1).syncs = false;
    let said = follower.say(propose(&[transaction(1, 1), transaction(1, 2)], Zxid::default()));
    assert_eq!(said, []);
    assert_eq!(follower.sync(), [Up::Ack { zxid: zxid(1, 2) }]);
}

#[test]
fn zb6_a_leader_counts_itself_once_its_own_disk_has_it() {
    let mut cluster = led(|_| {});
    cluster.crash(N1);
    cluster.node(N3).syncs = false;
    let name = cluster.ask(N3, Some((1, 1)), Operation::write("x", 1));
    cluster.settle();
    assert_eq!(view(&cluster, N2).last, 2, "n2 has it");
    assert!(!cluster.answers.contains_key(&(N3, name)));
    cluster.sync(N3);
    cluster.settle();
    assert_eq!(cluster.answers[&(N3, name)], Ok(Reply::Written));
}

#[test]
fn zb6_nothing_is_committed_without_a_quorum() {
    let mut cluster = led(|_| {});
    cluster.isolate(N3);
    let name = cluster.ask(N3, Some((1, 1)), Operation::write("x", 1));
    let refusal = answer(&mut cluster, N3, name).unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Timeout, false), "it may have happened");
}

#[test]
fn zb6_transactions_are_committed_in_the_order_of_their_zxids() {
    let mut cluster = led(|_| {});
    (1..=20).for_each(|value| write(&mut cluster, NodeId(value as u32 % 3 + 1), value, value as i64));
    cluster.pass(200);
    let committed: Vec<Zxid> = cluster.invariants.committed.iter().map(|one| one.zxid).collect();
    assert!(committed.is_sorted() && committed.len() == 21);
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

#[test]
fn zb6_frames_that_overtake_are_taken_in_in_order() {
    let mut follower = Follower::synchronised(|_| {}, &[]);
    follower.say(Down::UpToDate { commit: Zxid::default() });
    follower.sequence += 1;
    follower.say(propose(&[transaction(1, 2)], Zxid::default()));
    assert_eq!(view(&follower.cluster, N1).last, 0, "what comes before is missing");
    follower.sequence -= 2;
    follower.say(propose(&[transaction(1, 1)], Zxid::default()));
    assert_eq!(zxids(&follower.cluster, N1), [zxid(1, 1), zxid(1, 2)]);
}

#[test]
fn zb6_what_a_leader_of_an_earlier_epoch_says_is_dropped() {
    let mut follower = Follower::synchronised(|_| {}, &[]);
    let earlier = (follower.connection, follower.sequence);
    // The follower goes on to another leader, of epoch 2.
    follower.say(Down::Reset);
    for id in [N2, N3] {
        follower
            .cluster
            .step(N1, Event::Message(id, Message::Notification(Notification { round: 2_000, ..vote(N2) })));
    }
    follower.cluster.network.clear();
    (follower.connection, follower.sequence) = earlier;
    assert_eq!(follower.say(propose(&[transaction(1, 1)], Zxid::default())), []);
    assert_eq!(view(&follower.cluster, N1).last, 0);
}

#[test]
fn zb8_a_leader_without_a_quorum_of_synchronised_followers_stops_serving() {
    let mut cluster = led(|settings| settings.reads = Reads::Local);
    cluster.isolate(N3);
    let limit_ms = cluster.nodes[&N3].config.election_ms.end;
    cluster.pass(limit_ms + 60);
    assert!(!cluster.leads(N3));
    let read = cluster.ask(N3, None, Operation::read("x"));
    let refusal = answer(&mut cluster, N3, read).unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::NoLeader, true));
}

#[test]
fn zb8_a_follower_without_a_leader_stops_serving() {
    let mut cluster = led(|settings| settings.reads = Reads::Local);
    cluster.isolate(N1);
    cluster.pass(400);
    assert!(!cluster.replica(N1).core().serves());
    let read = cluster.ask(N1, None, Operation::read("x"));
    assert_eq!(answer(&mut cluster, N1, read).unwrap_err().code, RefusalCode::NoLeader);
}

#[test]
fn a_cluster_is_back_soon_after_its_leader_died() {
    for seed in 0..20 {
        let mut cluster = led(|settings| settings.seed = seed);
        cluster.crash(N3);
        let start = cluster.now;
        let name = cluster.ask(N1, Some((1, 1)), Operation::write("x", 1));
        assert_eq!(answer(&mut cluster, N1, name), Ok(Reply::Written));
        assert!(cluster.now.since(start) < 500, "seed {seed}: {} ms", cluster.now.since(start));
    }
}

#[test]
fn members_and_leaders_cannot_be_asked_for() {
    let mut cluster = led(|_| {});
    let name = cluster.ask(N3, None, Operation::Admin(rashomon_node::api::Admin::Lead(N1)));
    let refusal = cluster.answers[&(N3, name)].clone().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Unsupported, true));
}
