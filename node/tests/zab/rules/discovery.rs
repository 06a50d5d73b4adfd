//! Elections and discovery: rules ZB1 and ZB2.

use rashomon_node::raft::Raft;
use rashomon_node::settings::SettingsError;

use super::*;

/// Of three nodes: the epoch taken over, and the transactions.
type Disks = [(u64, &'static [(u64, u64)]); 3];

#[test]
fn zb1_a_leader_numbers_its_transactions_from_one_without_gaps() {
    let mut cluster = led(|_| {});
    (1..=3).for_each(|value| write(&mut cluster, N3, value, value as i64));
    assert_eq!(zxids(&cluster, N3), (1..=4).map(|counter| zxid(1, counter)).collect::<Vec<_>>());
}

#[test]
fn zb1_a_new_epoch_begins_to_count_anew_and_is_above_the_one_before() {
    let mut cluster = led(|_| {});
    cluster.crash(N3);
    cluster.pass(1_000);
    assert!(cluster.leads(N2));
    write(&mut cluster, N2, 1, 1);
    assert_eq!(zxids(&cluster, N2), [zxid(1, 1), zxid(2, 1)]);
}

#[test]
fn zb1_a_new_epoch_is_above_every_epoch_accepted_in_a_quorum() {
    let mut cluster = with_disks([records(7, 0, &[]), vec![], vec![]], |_| {});
    cluster.pass(1_000);
    assert!(cluster.leads(N3));
    assert_eq!(cluster.replica(N3).core().leads(), Some(Epoch(8)));
}

#[test]
fn zb1_a_node_with_a_later_epoch_than_its_leaders_is_not_left_out_for_ever() {
    let mut cluster = with_disks([records(7, 0, &[]), vec![], vec![]], |_| {});
    cluster.isolate(N1);
    cluster.pass(1_000);
    assert_eq!(cluster.replica(N3).core().leads(), Some(Epoch(1)));
    cluster.heal();
    cluster.pass(2_000);
    let leader = [N1, N2, N3].into_iter().find(|id| cluster.leads(*id)).unwrap();
    assert!(cluster.replica(leader).core().leads() > Some(Epoch(7)));
    assert!([N1, N2, N3].into_iter().all(|id| cluster.replica(id).core().serves()));
}

#[test]
fn zb2_the_accepted_epoch_is_durable_before_it_is_acknowledged() {
    let mut follower = Follower::new(vec![], |_| {});
    follower.cluster.node(N1).syncs = false;
    assert_eq!(follower.say(Down::NewEpoch { epoch: Epoch(4) }), []);
    let said = follower.sync();
    assert!(matches!(said[..], [Up::AckEpoch { epoch: Epoch(4), is_first: true, .. }]), "{said:?}");
    assert!(follower.cluster.nodes[&N1].disk.contains(&Record::AcceptedEpoch(Epoch(4))));
}

#[test]
fn zb2_an_epoch_accepted_before_does_not_count_a_second_time() {
    let mut follower = Follower::new(records(4, 0, &[]), |_| {});
    let said = follower.say(Down::NewEpoch { epoch: Epoch(4) });
    assert!(matches!(said[..], [Up::AckEpoch { is_first: false, .. }]), "{said:?}");
}

#[test]
fn zb2_an_earlier_epoch_than_the_accepted_one_is_not_followed() {
    let mut follower = Follower::new(records(5, 0, &[]), |_| {});
    assert_eq!(follower.say(Down::NewEpoch { epoch: Epoch(4) }), []);
    assert!(follower.looks_for_a_leader());
}

#[test]
fn zb2_a_leader_accepts_its_epoch_durably_before_it_asks_others() {
    let mut cluster = Cluster::new(3);
    cluster.node(N3).syncs = false;
    cluster.pass(400);
    let asks = |cluster: &Cluster| cluster.replica(N1).core().epochs().0 > Epoch(0);
    assert!(!asks(&cluster));
    cluster.sync(N3);
    cluster.settle();
    assert!(asks(&cluster));
}

/// The order of votes: the later epoch taken over, then the later transaction, then the higher number.
#[test]
fn zb2_the_best_history_leads() {
    let cases: [(Disks, NodeId); 5] = [
        ([(0, &[]), (0, &[]), (0, &[])], N3),
        ([(1, &[(1, 1)]), (0, &[]), (0, &[])], N1),
        ([(1, &[(1, 1)]), (1, &[(1, 1), (1, 2)]), (1, &[(1, 1)])], N2),
        // A later epoch beats a longer history, also one that has taken over nothing new in it.
        ([(2, &[(1, 1)]), (1, &[(1, 1), (1, 2), (1, 3)]), (1, &[])], N1),
        ([(2, &[(1, 1), (2, 1)]), (2, &[(1, 1), (2, 1)]), (1, &[(1, 1), (1, 2)])], N2),
    ];
    for (disks, best) in cases {
        let disks = disks.map(|(current, history)| records(current, current, history));
        let mut cluster = with_disks(disks.clone(), |_| {});
        cluster.pass(600);
        assert!(cluster.leads(best), "{disks:?}");
    }
}

#[test]
fn zb2_votes_of_any_two_nodes_can_be_told_apart() {
    let histories = [(0, 0, 0), (1, 1, 1), (1, 1, 2), (2, 1, 2), (2, 2, 1)];
    let votes: Vec<Vote> = histories
        .into_iter()
        .flat_map(|(current, epoch, counter)| {
            let credentials = Credentials { current: Epoch(current), last: zxid(epoch, counter) };
            [N1, N2, N3].map(|leader| Vote { credentials, leader })
        })
        .collect();
    // Listed from worst to best, and no two are alike: a total order.
    assert!(votes.is_sorted());
    assert!(votes.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn zb2_a_leader_whose_history_is_not_the_best_of_its_quorum_gives_up() {
    let mut cluster = Cluster::new(3);
    [N1, N2].into_iter().for_each(|id| cluster.crash(id));
    let worst = Notification {
        round: 1_000,
        stance: Stance::Looking,
        vote: Some(Vote { credentials: Credentials::default(), leader: N3 }),
    };
    for id in [N1, N2] {
        cluster.step(N3, Event::Message(id, Message::Notification(worst)));
    }
    let say = |cluster: &mut Cluster, sequence, body| {
        let link = Link { connection: 5, tenure: 0 };
        let frame = Frame { link, sequence, acked: 0, body };
        cluster.network.clear();
        cluster.step(N3, Event::Message(N1, Message::Up(frame)));
        std::mem::take(&mut cluster.network)
    };
    let to_join = |envelope: &crate::cluster::Envelope<Message>| {
        matches!(&envelope.message, Message::Down(Frame { body: Down::NewEpoch { epoch: Epoch(1) }, .. }))
    };
    assert!(say(&mut cluster, 1, Up::Join { accepted: Epoch(0) }).iter().any(to_join));
    let credentials = Credentials { current: Epoch(0), last: zxid(0, 1) };
    let outline = Box::new(Outline { floor: Zxid::default(), ends: vec![zxid(0, 1)] });
    let said = say(&mut cluster, 2, Up::AckEpoch { epoch: Epoch(1), is_first: true, credentials, outline });
    let resets = |envelope: &crate::cluster::Envelope<Message>| {
        matches!(&envelope.message, Message::Down(Frame { body: Down::Reset, .. }))
    };
    assert!(said.iter().any(resets), "{said:?}");
}

#[test]
fn who_looks_for_a_leader_finds_the_one_in_office() {
    let mut cluster = led(|_| {});
    cluster.crash(N1);
    cluster.start(N1);
    cluster.pass(200);
    assert!(cluster.leads(N3));
    assert_eq!(view(&cluster, N1).leader, Some(N3));
}

#[test]
fn weights_decide_what_a_quorum_is() {
    let weigh = |settings: &mut Settings| settings.weights = [(N1, 3)].into();
    let mut cluster = Cluster::with(3, weigh);
    cluster.crash(N2);
    cluster.crash(N3);
    cluster.pass(500);
    assert!(cluster.leads(N1), "three of five votes");
    let mut cluster = Cluster::with(3, weigh);
    cluster.crash(N1);
    cluster.pass(2_000);
    assert!(!cluster.leads(N2) && !cluster.leads(N3), "two of five votes");
}

#[test]
fn observers_follow_and_serve_but_neither_lead_nor_count() {
    let observes = |settings: &mut Settings| settings.members = vec![N1, N2];
    let mut cluster = Cluster::with(3, observes);
    cluster.pass(500);
    assert!(cluster.leads(N2));
    let name = cluster.ask(N3, None, Operation::OpenSession);
    assert_eq!(answer(&mut cluster, N3, name), Ok(Reply::Opened(rashomon_node::api::SessionId(1))));
    let read = cluster.ask(N3, None, Operation::read("x"));
    assert_eq!(answer(&mut cluster, N3, read), Ok(Reply::Value(None)));
    // With its only fellow voter gone, the leader has the observer but no quorum.
    cluster.crash(N1);
    cluster.pass(2_000);
    assert!(!cluster.leads(N2) && !cluster.leads(N3));
}

#[test]
fn what_a_protocol_does_not_know_is_refused_by_name() {
    let asked = |configure: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::new(N1, vec![N1, N2, N3]);
        configure(&mut settings);
        settings
    };
    let weighted = asked(&|settings| settings.weights = [(N2, 2)].into());
    assert_eq!(Raft::check(&weighted).unwrap_err().to_string(), "raft has no weighted votes");
    let local = asked(&|settings| settings.reads = Reads::Local);
    assert_eq!(Raft::check(&local).unwrap_err().to_string(), "raft has no local reads");
    let leased = asked(&|settings| settings.reads = Reads::Lease);
    assert_eq!(Zab::check(&leased).unwrap_err().to_string(), "zab has no leases");
    assert_eq!((Zab::check(&weighted), Zab::check(&local)), (Ok(()), Ok(())));
    let weightless = asked(&|settings| settings.weights = [(N2, 0)].into());
    assert_eq!(weightless.check(), Err(SettingsError::Weight(N2)));
    let observer = asked(&|settings| {
        settings.members = vec![N1, N2];
        settings.weights = [(N3, 2)].into();
    });
    assert_eq!(observer.check(), Err(SettingsError::Weight(N3)));
}
