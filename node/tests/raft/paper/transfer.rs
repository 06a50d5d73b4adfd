//! Leadership transfer (thesis 3.10) and what it does to leases.

use super::*;
use rashomon_node::api::Admin;
use rashomon_node::protocol::OperationId;

fn lead(cluster: &mut Cluster, id: NodeId, heir: NodeId) -> OperationId {
    cluster.ask(id, None, Operation::Admin(Admin::Lead(heir)))
}

#[test]
fn thesis_3_10_the_heir_leads_without_waiting_for_a_timeout() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let at = cluster.now;
    let id = lead(&mut cluster, N1, N3);
    cluster.settle();
    assert!(cluster.leads(N3));
    assert_eq!(cluster.now, at);
    assert_eq!(cluster.answers[&(N1, id)], Ok(Reply::Done));
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

#[test]
fn thesis_3_10_it_may_be_asked_of_any_node() {
    for asked in [N1, N2, N3] {
        let mut cluster = Cluster::new(3);
        led_by_n1(&mut cluster);
        let id = lead(&mut cluster, asked, N3);
        cluster.pass(300);
        assert!(cluster.leads(N3));
        assert_eq!(cluster.answers[&(asked, id)], Ok(Reply::Done), "asked of {asked}");
    }
}

#[test]
fn thesis_3_10_the_heir_is_brought_up_to_date_first() {
    for (defects, is_told) in [(Defects::NONE, false), (Defects::from_iter([Defect::R34]), true)] {
        let mut cluster = Cluster::with_defects(3, defects);
        led_by_n1(&mut cluster);
        cluster.isolate(N3);
        cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
        cluster.settle();
        lead(&mut cluster, N1, N3);
        let told = cluster.network.iter().any(|one| one.message.body == Body::TimeoutNow);
        assert_eq!(told, is_told, "n3 lacks an entry");
    }
}

#[test]
fn thesis_3_10_no_command_is_taken_meanwhile_and_none_is_lost() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    let last = cluster.replica(N1).core().view().last;
    lead(&mut cluster, N1, N3);
    let own = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    assert_eq!(cluster.replica(N1).core().view().last, last);
    let forwarded = cluster.ask(N2, None, Operation::OpenSession);
    cluster.pass(1_500);
    assert!(cluster.leads(N3));
    assert_eq!(cluster.answers[&(N1, own)], Ok(Reply::Written));
    assert!(matches!(cluster.answers[&(N2, forwarded)], Ok(Reply::Opened(_))));
}

#[test]
fn thesis_3_10_after_an_election_timeout_the_leader_goes_on() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.isolate(N3);
    let id = lead(&mut cluster, N1, N3);
    let own = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.pass(400);
    assert!(cluster.leads(N1));
    let refusal = cluster.answers[&(N1, id)].as_ref().unwrap_err();
    assert_eq!(
        (refusal.code, refusal.definite),
        (RefusalCode::Timeout, false),
        "the message was sent: {refusal}"
    );
    assert_eq!(cluster.answers[&(N1, own)], Ok(Reply::Written));
}

#[test]
fn thesis_3_10_a_transfer_that_never_began_is_refused_as_definite() {
    let mut cluster = Cluster::with(4, |config| config.members = vec![N1, N2, N3]);
    led_by_n1(&mut cluster);
    let id = lead(&mut cluster, N2, NodeId(4));
    cluster.settle();
    let refusal = cluster.answers[&(N2, id)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Conflict, true), "n4 is no member");
    cluster.isolate(N3);
    cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
    cluster.settle();
    let id = lead(&mut cluster, N1, N3);
    cluster.pass(400);
    let refusal = cluster.answers[&(N1, id)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Conflict, true), "n3 lacked an entry");
}

/// The heir is elected by n2, which heeds it within the old leader's lease; the old leader hears nothing.
#[test]
fn thesis_6_4_1_a_transfer_ends_the_lease() {
    for (defects, expected) in [(Defects::NONE, None), (Defects::from_iter([Defect::R34]), Some(None))] {
        let mut cluster = Cluster::with(3, |config| {
            config.reads = Reads::Lease;
            config.defects = defects;
        });
        led_by_n1(&mut cluster);
        lead(&mut cluster, N1, N3);
        let now = cluster.network.iter().position(|one| one.message.body == Body::TimeoutNow).unwrap();
        cluster.deliver_at(now);
        cluster.isolate(N1);
        cluster.settle();
        assert!(cluster.leads(N3));
        let write = cluster.ask(N3, Some((2, 1)), Operation::write("x", 1));
        cluster.settle();
        assert_eq!(cluster.answers[&(N3, write)], Ok(Reply::Written));
        let read = cluster.ask(N1, None, Operation::read("x"));
        let answer = cluster.answers.get(&(N1, read));
        assert_eq!(answer.cloned(), expected.map(|value| Ok(Reply::Value(value))));
    }
}

#[test]
fn thesis_6_4_1_no_lease_is_taken_again_after_a_transfer_that_failed() {
    let mut cluster = Cluster::with(3, |config| config.reads = Reads::Lease);
    led_by_n1(&mut cluster);
    lead(&mut cluster, N1, N3);
    let late = cluster.network.iter().find(|one| one.message.body == Body::TimeoutNow).unwrap().clone();
    cluster.network.clear();
    cluster.pass(1_000);
    assert!(cluster.leads(N1));
    let read = cluster.ask(N1, None, Operation::read("x"));
    assert!(!cluster.answers.contains_key(&(N1, read)), "the heir may still be told: a round is needed");
    cluster.settle();
    assert!(cluster.answers.contains_key(&(N1, read)));
    cluster.deliver(late);
    cluster.settle();
    assert!(cluster.leads(N3), "and so it was");
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

#[test]
fn only_the_leader_of_the_term_can_tell_a_node_to_campaign() {
    let mut cluster = Cluster::new(3);
    led_by_n1(&mut cluster);
    cluster.step(N3, Event::Message(N2, message(1, Body::TimeoutNow)));
    assert_eq!(cluster.network, []);
    cluster.step(N3, Event::Message(N1, message(0, Body::TimeoutNow)));
    assert_eq!(cluster.network, []);
}
