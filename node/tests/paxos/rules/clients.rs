//! Clients: reads, leases, commands chosen twice, refusals (PP8, PP9, PP13): what all protocols keep, and what is Paxos'
//! own.

use super::*;
use crate::cluster::clients::{Led, Serving, client_rules};

impl Serving for Paxos {
    fn led(configure: impl Fn(&mut Settings)) -> Led<Self> {
        let mut cluster = Cluster::with(3, configure);
        led_by_n1(&mut cluster);
        Led { cluster, leader: N1, followers: [N2, N3], session: 2 }
    }
}

client_rules!(Paxos, leases);

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
