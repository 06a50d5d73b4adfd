//! Each planted defect in a schedule that shows it: the same one harms a sound cluster in no way.

use rashomon_node::api::{NodeId, Operation, Reply};
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::paxos::message::{Message, Slot};
use rashomon_node::settings::Settings;

use crate::cluster::Invariants;
use crate::{Cluster, Envelope, N1, N2, N3, deliver, led_by_n1, take};

/// Runs a schedule, which says whether something went wrong, on a defective and on a sound cluster.
#[track_caller]
fn shows(
    defect: Defect,
    count: u32,
    configure: impl Fn(&mut Settings),
    schedule: impl Fn(&mut Cluster) -> bool,
) {
    let run = |defects: Defects| {
        let mut cluster = Cluster::with(count, |config| {
            config.defects = defects;
            configure(config);
        });
        let is_wrong = schedule(&mut cluster);
        (is_wrong, cluster.invariants.violations().to_vec())
    };
    let (is_wrong, violations) = run(Defects::NONE);
    assert!(!is_wrong && violations.is_empty(), "a sound cluster: {violations:?}");
    let (is_wrong, _) = run(Defects::from_iter([defect]));
    assert!(is_wrong, "{defect} does not show");
}

/// Whether two nodes took different values for chosen.
fn disagree(cluster: &Cluster) -> bool {
    cluster.invariants.violations().iter().any(|violation| violation.starts_with("agreement"))
}

fn write(cluster: &mut Cluster, id: NodeId, sequence: u64, value: i64) -> bool {
    let asked = cluster.ask(id, Some((SESSION, sequence)), Operation::write("x", value));
    cluster.settle();
    cluster.answers.get(&(id, asked)) == Some(&Ok(Reply::Written))
}

/// The session that `led_by_n1` opens.
const SESSION: u64 = 2;

/// What a read at `id` brings, if it is answered before any time passes.
fn read(cluster: &mut Cluster, id: NodeId) -> Option<Reply> {
    let asked = cluster.ask(id, None, Operation::read("x"));
    cluster.settle();
    cluster.answers.remove(&(id, asked)).and_then(Result::ok)
}

const N4: NodeId = NodeId(4);
const N5: NodeId = NodeId(5);

/// n2 gathers promises until it is about to lead; nothing it proposes has arrived anywhere.
fn n2_prepares_with(cluster: &mut Cluster, helper: NodeId) {
    cluster.now = cluster.now + 400;
    cluster.timeout(N2);
    for _ in 0..2 {
        deliver(cluster, N2, helper);
        deliver(cluster, helper, N2);
    }
}

#[test]
fn p01_a_forgotten_promise_lets_two_values_be_chosen() {
    shows(
        Defect::P01,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N1);
            n2_prepares_with(cluster, N3);
            assert!(cluster.leads(N2));
            cluster.crash(N3);
            cluster.start(N3);
            let late = take(cluster, N2, N3);
            cluster.heal();
            let asked = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
            deliver(cluster, N1, N3);
            deliver(cluster, N3, N1);
            cluster.answers.remove(&(N1, asked));
            late.into_iter().for_each(|envelope| cluster.deliver(envelope));
            cluster.settle();
            disagree(cluster)
        },
    );
}

#[test]
fn p02_power_loss_takes_what_was_acknowledged() {
    shows(
        Defect::P02,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N3);
            [N1, N2].into_iter().for_each(|id| cluster.node(id).syncs = false);
            let is_acknowledged = write(cluster, N1, 1, 1);
            for id in [N1, N2] {
                cluster.crash(id);
                cluster.start(id);
                cluster.node(id).syncs = true;
            }
            cluster.heal();
            cluster.elect(N2);
            is_acknowledged && read(cluster, N2) != Some(Reply::Value(Some(1)))
        },
    );
}

#[test]
fn p03_the_first_value_reported_replaces_what_was_chosen() {
    shows(
        Defect::P03,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N1);
            assert!(!write(cluster, N1, 1, 1));
            cluster.elect(N2);
            assert!(write(cluster, N2, 2, 2));
            cluster.crash(N1);
            cluster.start(N1);
            cluster.heal();
            cluster.crash(N2);
            cluster.elect(N1);
            disagree(cluster)
        },
    );
}

#[test]
fn p05_a_late_proposal_overwrites_what_an_acceptor_accepted_without_promising() {
    let schedule = |cluster: &mut Cluster| {
        led_by_n1(cluster);
        cluster.ask(N1, Some((SESSION, 1)), Operation::write("x", 1));
        let late = take_accepts(cluster, N1, N5);
        cluster.network.clear();
        // n2 gets promises from n3 and n4; n5 hears of its ballot only by accepting.
        cluster.isolate(N1);
        cluster.now = cluster.now + 400;
        cluster.timeout(N2);
        while !cluster.leads(N2) {
            for id in [N3, N4] {
                deliver(cluster, N2, id);
                deliver(cluster, id, N2);
            }
        }
        let to_n5 = take_accepts(cluster, N2, N5);
        let to_n4 = take_accepts(cluster, N2, N4);
        cluster.network.clear();
        to_n5.into_iter().chain(to_n4).for_each(|envelope| cluster.deliver(envelope));
        deliver(cluster, N4, N2);
        deliver(cluster, N5, N2);
        assert_eq!(cluster.replica(N2).core().acceptor().chosen(), Slot(3));
        cluster.network.clear();
        // n5 forgets whom it follows, and keeps what it promised.
        cluster.crash(N5);
        cluster.start(N5);
        cluster.heal();
        late.into_iter().for_each(|envelope| cluster.deliver(envelope));
        cluster.network.clear();
        // The next leader hears of what n2 had chosen from n5 alone.
        [N1, N2, N4].into_iter().for_each(|id| cluster.crash(id));
        cluster.start(N1);
        cluster.elect(N3);
        disagree(cluster)
    };
    shows(Defect::P05, 5, |_| {}, schedule);
}

/// Takes the proposals under way from one node to another; the rest is lost.
fn take_accepts(cluster: &mut Cluster, from: NodeId, to: NodeId) -> Vec<Envelope> {
    let mut taken = take(cluster, from, to);
    taken.retain(|envelope| matches!(envelope.message, Message::Accept { .. }));
    taken
}

#[test]
fn p06_a_deposed_leader_goes_on_choosing() {
    shows(
        Defect::P06,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N1);
            cluster.elect(N2);
            assert!(write(cluster, N2, 1, 1));
            cluster.heal();
            write(cluster, N1, 2, 2);
            disagree(cluster)
        },
    );
}

#[test]
fn p08_two_candidates_share_a_ballot() {
    shows(
        Defect::P08,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.crash(N1);
            cluster.start(N1);
            cluster.cuts.extend([(N1, N2), (N2, N1)]);
            cluster.network.clear();
            cluster.now = cluster.now + 10_000;
            cluster.timeout(N1);
            cluster.timeout(N2);
            for _ in 0..2 {
                for id in [N1, N2] {
                    deliver(cluster, id, N3);
                    deliver(cluster, N3, id);
                }
            }
            write(cluster, N1, 1, 1);
            write(cluster, N2, 2, 2);
            disagree(cluster)
        },
    );
}

#[test]
fn p09_a_hole_is_applied_past() {
    shows(
        Defect::P09,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
            drop(take(cluster, N1, N3));
            cluster.settle();
            write(cluster, N1, 2, 2);
            cluster.timeout(N1);
            cluster.settle();
            disagree(cluster)
        },
    );
}

#[test]
fn p11_a_gap_stops_everything() {
    shows(
        Defect::P11,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
            cluster.network.clear();
            cluster.ask(N1, Some((2, 2)), Operation::write("x", 2));
            deliver(cluster, N1, N3);
            cluster.crash(N1);
            cluster.network.clear();
            cluster.elect(N2);
            assert_eq!(
                cluster.replica(N2).core().acceptor().last(),
                Slot(5),
                "the gap, what follows, a no-op"
            );
            !write(cluster, N2, 3, 3)
        },
    );
}

#[test]
fn p12_a_deposed_leader_serves_what_it_remembers() {
    shows(
        Defect::P12,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N1);
            cluster.elect(N2);
            assert!(write(cluster, N2, 1, 1));
            read(cluster, N1) == Some(Reply::Value(None))
        },
    );
}

#[test]
fn p13_a_new_leader_reads_before_it_has_settled_what_was_in_progress() {
    shows(
        Defect::P13,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N3);
            let asked = cluster.ask(N1, Some((2, 1)), Operation::write("x", 1));
            deliver(cluster, N1, N2);
            deliver(cluster, N2, N1);
            assert_eq!(cluster.answers[&(N1, asked)], Ok(Reply::Written));
            cluster.network.clear();
            cluster.crash(N1);
            cluster.heal();
            n2_prepares_with(cluster, N3);
            assert!(cluster.leads(N2));
            // Its proposals are slow; its heartbeats are not.
            let asked = cluster.ask(N2, None, Operation::read("x"));
            cluster.network.retain(|envelope| !matches!(envelope.message, Message::Accept { .. }));
            cluster.settle();
            cluster.answers.get(&(N2, asked)) == Some(&Ok(Reply::Value(None)))
        },
    );
}

#[test]
fn p14_a_lease_outlives_the_loyalty_of_those_who_granted_it() {
    let leases = |config: &mut Settings| config.reads = rashomon_node::settings::Reads::Lease;
    shows(Defect::P14, 3, leases, |cluster| {
        led_by_n1(cluster);
        cluster.isolate(N1);
        cluster.pass(450);
        let leader = if cluster.leads(N2) { N2 } else { N3 };
        assert!(cluster.leads(leader));
        assert!(write(cluster, leader, 1, 1));
        read(cluster, N1) == Some(Reply::Value(None))
    });
}

#[test]
fn p16_a_wiped_acceptor_helps_to_lose_what_it_had_accepted() {
    shows(
        Defect::P16,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N3);
            assert!(write(cluster, N1, 1, 1));
            cluster.wipe(N2);
            cluster.heal();
            cluster.isolate(N1);
            cluster.start(N2);
            cluster.pass(2_000);
            read(cluster, N3) == Some(Reply::Value(None))
        },
    );
}

#[test]
fn p17_compacted_slots_are_taken_for_empty() {
    shows(
        Defect::P17,
        3,
        |config| config.snapshot_entries = 8,
        |cluster| {
            led_by_n1(cluster);
            cluster.isolate(N3);
            cluster.ask(N1, Some((SESSION, 1)), Operation::write("early", 1));
            for sequence in 2..20 {
                assert!(write(cluster, N1, sequence, 0));
            }
            cluster.timeout(N1);
            cluster.settle();
            assert!(cluster.replica(N2).core().acceptor().base() > Slot(5));
            cluster.heal();
            cluster.crash(N1);
            cluster.elect(N3);
            let asked = cluster.ask(N3, None, Operation::read("early"));
            cluster.settle();
            cluster.answers[&(N3, asked)] == Ok(Reply::Value(None))
        },
    );
}

#[test]
fn p18_a_command_proposed_again_is_applied_again() {
    shows(
        Defect::P18,
        3,
        |_| {},
        |cluster| {
            led_by_n1(cluster);
            cluster.ask(N3, Some((2, 1)), Operation::write("x", 1));
            deliver(cluster, N3, N1);
            cluster.isolate(N3);
            cluster.settle();
            cluster.crash(N1);
            let patience_ms = 1_000;
            cluster.now = cluster.now + patience_ms;
            cluster.heal();
            n2_prepares_with(cluster, N3);
            assert!(cluster.leads(N2));
            // n3 follows n2, gives it its command, and only then hears that it was chosen before.
            deliver(cluster, N2, N3);
            let answers = take(cluster, N3, N2);
            let (late, prompt): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|one| matches!(one.message, Message::Propose { .. }));
            assert_eq!(late.len(), 1);
            prompt.into_iter().for_each(|envelope| cluster.deliver(envelope));
            assert!(write(cluster, N2, 2, 2));
            late.into_iter().for_each(|envelope| cluster.deliver(envelope));
            cluster.settle();
            read(cluster, N2) == Some(Reply::Value(Some(1)))
        },
    );
}
