//! One history for leader and followers: rules ZB3, ZB4, ZB5 and ZB7.

use super::*;

#[test]
fn zb3_transactions_are_durable_then_the_epoch_then_it_is_acknowledged() {
    let mut follower = Follower::new(vec![], |_| {});
    follower.say(Down::NewEpoch { epoch: Epoch(1) });
    follower.cluster.node(N1).syncs = false;
    follower.say(Down::Diff);
    follower.say(propose(&[transaction(0, 1)], Zxid::default()));
    assert_eq!(follower.say(Down::NewLeader { epoch: Epoch(1) }), []);
    follower.cluster.sync_one(N1);
    assert_eq!(follower.heard(), [], "the transaction is durable, the epoch is not");
    follower.cluster.sync_one(N1);
    assert!(follower.heard().contains(&Up::AckNewLeader { epoch: Epoch(1) }));
    let disk = &follower.cluster.nodes[&N1].disk;
    let position = |wanted: &dyn Fn(&Record) -> bool| disk.iter().position(wanted).unwrap();
    let transaction = position(&|record| matches!(record, Record::Transaction { .. }));
    assert!(transaction < position(&|record| *record == Record::CurrentEpoch(Epoch(1))));
}

/// Where the histories part decides how a follower gets the leader's; afterwards they are equal, on disk too.
fn check_synchronisation(own: &[(u64, u64)], current: u64, leaders: &[(u64, u64)], expected: &Down) {
    let disks = [records(1, current, own), records(3, 3, leaders), records(3, 3, leaders)];
    let mut cluster = with_disks(disks, |_| {});
    let mut first = None;
    for _ in 0..100 {
        cluster.now = cluster.now + 5;
        for id in [N1, N2, N3] {
            if cluster.replica(id).wake_at() <= cluster.now {
                cluster.step(id, Event::Tick);
            }
        }
        while !cluster.network.is_empty() {
            let envelope = cluster.network.remove(0);
            if let Message::Down(Frame { body, sequence: 2, .. }) = &envelope.message
                && envelope.to == N1
            {
                first.get_or_insert(body.clone());
            }
            cluster.deliver(envelope);
        }
    }
    assert!(cluster.leads(N3));
    assert_eq!(first.as_ref(), Some(expected), "{own:?} under {leaders:?}");
    let all: Vec<Zxid> = leaders.iter().map(|(epoch, counter)| zxid(*epoch, *counter)).collect();
    assert_eq!(zxids(&cluster, N1), all);
    cluster.crash(N1);
    cluster.start(N1);
    assert_eq!(zxids(&cluster, N1), all, "as well on disk");
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

#[test]
fn zb3_who_has_the_beginning_is_sent_the_rest() {
    check_synchronisation(&[], 0, &[], &Down::Diff);
    check_synchronisation(&[], 0, &[(1, 1), (2, 1)], &Down::Diff);
    check_synchronisation(&[(1, 1)], 1, &[(1, 1), (1, 2), (3, 1)], &Down::Diff);
    check_synchronisation(&[(1, 1), (1, 2)], 1, &[(1, 1), (1, 2)], &Down::Diff);
}

#[test]
fn zb7_who_has_more_drops_it_from_disk_and_memory() {
    let to = |epoch, counter| Down::Trunc { last: zxid(epoch, counter) };
    check_synchronisation(&[(1, 1), (1, 2), (1, 3)], 1, &[(1, 1)], &to(1, 1));
    check_synchronisation(&[(1, 1), (1, 2)], 1, &[(1, 1), (2, 1)], &to(1, 1));
    check_synchronisation(&[(1, 1)], 1, &[], &to(0, 0));
    // The leader's last transaction before the follower's is not one that the follower has.
    check_synchronisation(&[(1, 1), (2, 1), (2, 2)], 2, &[(1, 1), (1, 2), (1, 3), (3, 1)], &to(1, 1));
}

/// The dumb twin of finding what two histories share: compare them from the beginning.
#[test]
fn zb7_what_two_histories_share_is_where_they_first_differ() {
    // All histories of up to three epochs that can come about: each epoch goes on from a prefix of an earlier history.
    let mut known: Vec<Vec<(u64, u64)>> = vec![vec![]];
    for epoch in 1..=3 {
        // The leader of this epoch goes on from one of them; the others have a part of what it proposed.
        let base = known[epoch as usize * 5 % known.len()].clone();
        for count in 1..=3 {
            known.push(base.iter().copied().chain((1..=count).map(|counter| (epoch, counter))).collect());
        }
    }
    for one in &known {
        for other in &known {
            let build = |history: &[(u64, u64)]| {
                let mut cluster = with_disks([records(3, 3, history), vec![], vec![]], |_| {});
                cluster.crash(N2);
                cluster
            };
            let (ours, theirs) = (build(one), build(other));
            let outline = theirs.replica(N1).core().history().outline();
            let shared = ours.replica(N1).core().history().shared_with(&outline).unwrap();
            let twin = one.iter().zip(other).take_while(|(a, b)| a == b).count() as u64;
            assert_eq!(shared.index, Index(twin), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn zb7_who_lacks_what_was_compacted_gets_a_checkpoint() {
    let mut cluster = led(|settings| settings.snapshot_entries = 5);
    cluster.isolate(N1);
    (1..=30).for_each(|value| write(&mut cluster, N3, value, value as i64));
    let floor = cluster.replica(N3).core().history().start().index;
    assert!(floor.0 > view(&cluster, N1).last, "what n1 lacks is gone");
    cluster.heal();
    cluster.pass(1_000);
    assert_eq!(cluster.replica(N1).status().digest, cluster.replica(N3).status().digest);
    cluster.crash(N1);
    cluster.start(N1);
    assert!(view(&cluster, N1).last >= floor.0, "the checkpoint is on disk");
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

#[test]
fn zb4_a_leader_commits_and_serves_only_when_a_quorum_has_its_history() {
    let disks = [records(1, 1, &[(1, 1)]), records(1, 1, &[(1, 1)]), records(1, 1, &[(1, 1)])];
    let mut cluster = with_disks(disks, |_| {});
    for id in [N1, N2] {
        cluster.node(id).syncs = false;
    }
    for _ in 0..30 {
        cluster.pass(5);
        // Their epochs become durable, not what comes after it.
        for id in [N1, N2] {
            if cluster.replica(id).core().epochs().1 == Epoch(1) {
                cluster.sync(id);
            }
        }
    }
    assert_eq!(cluster.replica(N3).core().epochs().1, Epoch(2), "n3 has entered its epoch");
    assert!(!cluster.leads(N3));
    assert_eq!(cluster.replica(N3).machine().applied(), 0);
    cluster.sync(N1);
    cluster.settle();
    assert!(cluster.leads(N3));
    assert_eq!(cluster.replica(N3).machine().applied(), 1);
}

#[test]
fn zb4_a_follower_applies_and_serves_only_after_uptodate() {
    let mut follower = Follower::synchronised(|settings| settings.reads = Reads::Local, &[transaction(0, 1)]);
    let read = follower.cluster.ask(N1, None, Operation::read("x"));
    assert_eq!(follower.applied(), 0);
    assert!(!follower.cluster.answers.contains_key(&(N1, read)));
    // Not even when it is told of commits.
    follower.say(Down::Commit { zxid: zxid(0, 1) });
    assert_eq!(follower.applied(), 0);
    follower.say(Down::UpToDate { commit: zxid(0, 1) });
    assert_eq!(follower.applied(), 1);
    assert_eq!(follower.cluster.answers[&(N1, read)], Ok(Reply::Value(None)));
}

/// n1 joins a leader that has a quorum and proposes on; n1's disk is slow, so that proposals fall between its
/// acknowledgement of the epoch and that of the history.
pub(crate) fn joins_under_writes(configure: impl Fn(&mut Settings)) -> Cluster {
    let mut cluster = led(configure);
    cluster.crash(N1);
    write(&mut cluster, N3, 1, 1);
    cluster.start(N1);
    cluster.node(N1).syncs = false;
    for sequence in 2..20 {
        cluster.ask(N3, Some((1, sequence)), Operation::write("x", sequence as i64));
        cluster.pass(10);
        if sequence % 4 == 0 {
            cluster.sync(N1);
        }
    }
    cluster.node(N1).syncs = true;
    cluster.sync(N1);
    cluster.pass(500);
    cluster
}

#[test]
fn zb5_what_is_proposed_after_a_follower_accepted_the_epoch_reaches_it() {
    let cluster = joins_under_writes(|_| {});
    assert!(cluster.leads(N3));
    assert_eq!(zxids(&cluster, N1), zxids(&cluster, N3));
    assert_eq!(cluster.replica(N1).status().digest, cluster.replica(N3).status().digest);
}
