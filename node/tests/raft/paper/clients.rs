//! Clients: reads, commands applied once, leases, refusals (Raft 8; thesis 6): what all protocols keep, and what is Raft's
//! own.

use super::*;
use crate::cluster::clients::{Led, Serving, client_rules, read_at_a_deposed_leader};

impl Serving for Raft {
    fn led(configure: impl Fn(&mut Settings)) -> Led<Self> {
        let mut cluster = Cluster::with(3, configure);
        led_by_n1(&mut cluster);
        Led { cluster, leader: N1, followers: [N2, N3], session: 2 }
    }
}

client_rules!(Raft, leases);

#[test]
fn defect_r09_is_what_the_rule_about_deposed_leaders_tests() {
    let answer =
        read_at_a_deposed_leader::<Raft>(|config| config.defects = Defects::from_iter([Defect::R09]));
    assert_eq!(answer, Ok(Reply::Value(Some(1))));
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
