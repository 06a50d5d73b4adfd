//! Planted defects: each bites in a small schedule that a sound node survives. Those of membership and transfer are shown
//! beside the rule that they break.

use super::snapshots::{image, whole};
use super::*;

/// A sound node, and one with the defect; and whether it is to misbehave.
fn both(defect: Defect) -> [(Defects, bool); 2] {
    [(Defects::NONE, false), (Defects::from_iter([defect]), true)]
}

/// As `alone_with`, with defects.
fn alone(defects: Defects, term: u64, terms: &[u64]) -> Cluster {
    let mut cluster = alone_with(term, terms);
    cluster.crash(N1);
    cluster.node(N1).config.defects = defects;
    cluster.start(N1);
    cluster.now = cluster.now + 10_000;
    cluster
}

fn violated(cluster: &Cluster, invariant: &str) -> bool {
    cluster.invariants.violations.iter().any(|violation| violation.starts_with(invariant))
}

#[test]
fn r01_a_restarted_voter_votes_again() {
    for (defects, again) in both(Defect::R01) {
        let mut cluster = alone(defects, 1, &[]);
        let answer = answer_to(&mut cluster, 2, vote(position(0, 0)));
        assert_eq!(answer, [message(2, Body::VoteReply { granted: true })]);
        cluster.crash(N1);
        cluster.start(N1);
        cluster.now = cluster.now + 10_000;
        cluster.network.clear();
        cluster.step(N1, Event::Message(N3, message(2, vote(position(0, 0)))));
        assert_eq!(cluster.network[0].message, message(2, Body::VoteReply { granted: again }));
    }
}

#[test]
fn r02_a_restarted_node_obeys_a_deposed_leader() {
    for (defects, obeys) in both(Defect::R02) {
        let mut cluster = alone(defects, 1, &[1]);
        answer_to(&mut cluster, 7, Body::Heartbeat { round: 1, commit: Index(0) });
        cluster.crash(N1);
        cluster.start(N1);
        let append = Body::Append { prev: position(1, 1), entries: vec![noop(2, 3)], commit: Index(2) };
        let answer = answer_to(&mut cluster, 3, append);
        let obeyed = message(3, Body::Appended { matched: Index(2) });
        assert_eq!(answer == [obeyed], obeys, "{answer:?}");
    }
}

#[test]
fn r04_power_loss_takes_an_acknowledged_write() {
    for (defects, acknowledged) in both(Defect::R04) {
        let mut cluster = Cluster::with_defects(3, defects);
        led_by_n1(&mut cluster);
        cluster.node(N1).syncs = false;
        cluster.isolate(N3);
        let id = cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
        cluster.settle();
        assert_eq!(cluster.answers.contains_key(&(N1, id)), acknowledged);
        assert_eq!(violated(&cluster, "committed means durable"), acknowledged);
        // n1 loses power, n2 is cut off: n1 and n3 are a majority.
        cluster.crash(N1);
        cluster.start(N1);
        cluster.node(N1).syncs = true;
        cluster.heal();
        cluster.isolate(N2);
        cluster.elect(N3);
        assert_eq!(violated(&cluster, "leader completeness"), acknowledged);
    }
}

/// Figure 8 (a) to (c): entry 2 of term 2 is on three of five nodes, under a leader of term 4.
#[test]
fn r07_an_entry_of_an_earlier_term_is_committed_by_counting_and_lost() {
    for (defects, commits) in both(Defect::R07) {
        let mut cluster = Cluster::with_defects(5, defects);
        let disk = |terms: &[u64], term| -> Vec<Record> {
            let entries = (1..).zip(terms).map(|(index, term)| Record::Entry(noop(index, *term)));
            entries.chain([Record::HardState(HardState { term: Term(term), vote: None })]).collect()
        };
        let n5 = NodeId(5);
        for (id, terms, term) in [(N1, &[1, 2][..], 3), (N2, &[1, 2], 3), (N3, &[1], 2), (n5, &[1, 3], 3)] {
            cluster.crash(id);
            cluster.node(id).disk = disk(terms, term);
            cluster.start(id);
        }
        cluster.isolate(n5);
        cluster.now = cluster.now + 1_000;
        cluster.timeout(N1);
        while !cluster.leads(N1) {
            cluster.deliver_at(0);
        }
        assert_eq!(cluster.replica(N1).core().view().term, 4);
        // n2 and n3 have entry 2; the leader's own entry stays under way.
        cluster.network.clear();
        for follower in [N2, N3] {
            cluster.step(N1, Event::Message(follower, message(4, Body::Appended { matched: Index(2) })));
        }
        assert_eq!(commit_of(&cluster, N1) == 2, commits);
        let most = cluster.network.iter().map(|one| match &one.message.body {
            Body::Append { entries, .. } => entries.len(),
            _ => 0,
        });
        assert!(!commits || most.max() <= Some(1), "one entry per message");
        // (d) n5 wins with its entry of term 3 and overwrites it.
        cluster.crash(N1);
        cluster.crash(N2);
        cluster.heal();
        cluster.network.clear();
        while !cluster.leads(n5) {
            cluster.now = cluster.now + 1_000;
            cluster.timeout(n5);
            cluster.settle();
        }
        assert_eq!(violated(&cluster, "leader completeness"), commits);
    }
}

#[test]
fn r10_a_follower_reads_the_past() {
    for (defects, stale) in both(Defect::R10) {
        let mut cluster = Cluster::with_defects(3, defects);
        led_by_n1(&mut cluster);
        cluster.isolate(N3);
        cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
        cluster.settle();
        let read = cluster.ask(N3, None, Operation::read("x"));
        assert_eq!(cluster.answers.get(&(N3, read)) == Some(&Ok(Reply::Value(None))), stale);
    }
}

/// n3's first question is answered late: it has asked again, and on behalf of a younger read as well.
#[test]
fn r11b_a_late_answer_releases_a_younger_read() {
    for (defects, stale) in both(Defect::R11B) {
        let mut cluster = Cluster::with_defects(3, defects);
        led_by_n1(&mut cluster);
        cluster.ask(N3, None, Operation::read("x"));
        let mut held: Vec<Envelope> = Vec::new();
        let deliver = |cluster: &mut Cluster, held: &mut Vec<Envelope>| {
            while !cluster.network.is_empty() {
                if cluster.network[0].to == N3 {
                    held.push(cluster.network.remove(0));
                } else {
                    cluster.deliver_at(0);
                }
            }
        };
        deliver(&mut cluster, &mut held);
        let answer =
            held.iter().find(|one| matches!(one.message.body, Body::ReadIndexReply { .. })).unwrap().clone();
        let write = cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
        deliver(&mut cluster, &mut held);
        assert_eq!(cluster.answers[&(N1, write)], Ok(Reply::Written));
        cluster.now = cluster.now + 150;
        cluster.step(N3, Event::Tick);
        let younger = cluster.ask(N3, None, Operation::read("x"));
        cluster.deliver(answer);
        assert_eq!(cluster.answers.get(&(N3, younger)) == Some(&Ok(Reply::Value(None))), stale);
    }
}

#[test]
fn r13_a_late_append_cuts_off_what_came_before_it() {
    for (defects, cuts) in both(Defect::R13) {
        let mut cluster = alone(defects, 2, &[1, 1, 2]);
        let late = Body::Append { prev: position(0, 0), entries: vec![noop(1, 1)], commit: Index(0) };
        answer_to(&mut cluster, 2, late);
        assert_eq!(terms_of(&cluster, N1) == [1], cuts);
    }
}

#[test]
fn r15_dead_entries_stay_below_the_leaders() {
    for (defects, stay) in both(Defect::R15) {
        let mut cluster = alone(defects, 2, &[1, 1, 1]);
        let append = Body::Append { prev: position(3, 2), entries: vec![noop(4, 2)], commit: Index(0) };
        answer_to(&mut cluster, 2, append);
        assert_eq!(terms_of(&cluster, N1) == [1, 1, 1, 2], stay);
    }
}

#[test]
fn r17_the_commit_index_falls() {
    for (defects, falls) in both(Defect::R17) {
        let mut cluster = alone(defects, 2, &[1, 1, 1]);
        for commit in [3, 1] {
            answer_to(&mut cluster, 2, Body::Heartbeat { round: 1, commit: Index(commit) });
        }
        assert_eq!(commit_of(&cluster, N1), if falls { 1 } else { 3 });
        assert_eq!(cluster.replica(N1).machine().applied(), 3, "to clients it makes no difference");
    }
}

#[test]
fn r19_repeated_and_late_votes_make_a_leader() {
    for (defects, elected) in both(Defect::R19) {
        for replies in [[(N2, 1), (N2, 1)], [(N2, 1), (N3, 0)]] {
            let mut cluster = Cluster::with_defects(5, defects);
            cluster.now = cluster.now + 1_000;
            cluster.timeout(N1);
            for voter in [N2, N3] {
                cluster.step(N1, Event::Message(voter, message(0, Body::PreVoteReply { granted: true })));
            }
            for (voter, term) in replies {
                let reply = message(term, Body::VoteReply { granted: true });
                cluster.step(N1, Event::Message(voter, reply));
            }
            assert_eq!(cluster.leads(N1), elected, "{replies:?}");
        }
    }
}

#[test]
fn r20_a_voter_that_heard_the_leader_votes_again() {
    for (defects, again) in both(Defect::R20) {
        let mut cluster = alone(defects, 1, &[]);
        answer_to(&mut cluster, 2, vote(position(0, 0)));
        answer_to(&mut cluster, 2, Body::Heartbeat { round: 1, commit: Index(0) });
        cluster.now = cluster.now + 10_000;
        cluster.network.clear();
        cluster.step(N1, Event::Message(N3, message(2, vote(position(0, 0)))));
        assert_eq!(cluster.network[0].message, message(2, Body::VoteReply { granted: again }));
        assert_eq!(violated(&cluster, "one vote per term"), again);
    }
}

#[test]
fn r30_an_old_snapshot_takes_the_state_back() {
    let image = image();
    for (defects, back) in both(Defect::R30) {
        let mut cluster = Cluster::with(3, |config| {
            config.snapshot_entries = 10;
            config.defects = defects;
        });
        led_by_n1(&mut cluster);
        for sequence in 1..60 {
            cluster.ask(N1, Some((2, sequence)), Operation::write("x", 1));
            cluster.settle();
        }
        let before = cluster.replica(N2).machine().applied();
        cluster.step(N2, Event::Message(N1, message(1, whole(&image))));
        assert_eq!(cluster.replica(N2).machine().applied() < before, back);
    }
}

#[test]
fn r30_a_dead_tail_is_kept_and_counted() {
    let image = image();
    let last = image.last.index.0;
    for (defects, kept) in both(Defect::R30) {
        let mut terms = vec![0; usize::try_from(last).unwrap()];
        terms.extend([4; 3]);
        let mut cluster = alone(defects, 5, &terms);
        let matched = Index(if kept { last + 3 } else { last });
        assert_eq!(answer_to(&mut cluster, 5, whole(&image)), [message(5, Body::Appended { matched })]);
    }
}

#[test]
fn r33_a_crash_between_index_and_data_loses_what_lies_between() {
    for (defects, lost) in both(Defect::R33) {
        let mut cluster = Cluster::with(3, |config| {
            config.snapshot_entries = 10;
            config.defects = defects;
        });
        led_by_n1(&mut cluster);
        cluster.node(N2).syncs = false;
        for sequence in 1..16 {
            let value = i64::try_from(sequence).unwrap();
            cluster.ask(N1, Some((2, sequence)), Operation::write(format!("k{sequence}"), value));
            cluster.settle();
        }
        while !matches!(cluster.nodes[&N2].disk.first(), Some(Record::Snapshot(_))) {
            cluster.sync_one(N2);
        }
        cluster.crash(N2);
        cluster.start(N2);
        cluster.node(N2).syncs = true;
        cluster.pass(1_000);
        let [n1, n2] = [N1, N2].map(|id| cluster.replica(id).machine());
        assert_eq!(n1.applied(), n2.applied());
        assert_eq!(n1.digest() != n2.digest(), lost);
    }
}

/// n3 campaigned in term 7 once, unheard. When n2 dies, n1 needs its vote.
#[test]
fn r35_nobody_can_be_elected() {
    for (defects, stuck) in both(Defect::R35) {
        let mut cluster = Cluster::with_defects(3, defects);
        cluster.crash(N3);
        led_by_n1(&mut cluster);
        cluster.node(N3).disk.push(Record::HardState(HardState { term: Term(7), vote: None }));
        cluster.start(N3);
        // While n1 and n2 get along, nobody misses n3.
        cluster.pass(40);
        cluster.crash(N2);
        cluster.pass(10_000);
        assert_eq!(!cluster.leads(N1) && !cluster.leads(N3), stuck);
    }
}

#[test]
fn g09_a_wiped_leader_is_followed_into_oblivion() {
    for (defects, forgotten) in both(Defect::G09) {
        let mut cluster = Cluster::with_defects(3, defects);
        cluster.elect(N1);
        cluster.ask(N1, None, Operation::OpenSession);
        cluster.pass(100);
        cluster.ask(N1, Some((2, 1)), Operation::write("x", 7));
        cluster.pass(100);
        cluster.crash(N1);
        cluster.node(N1).disk.clear();
        cluster.start(N1);
        cluster.pass(2_000);
        let read = cluster.ask(N1, None, Operation::read("x"));
        cluster.pass(300);
        let value = if forgotten { None } else { Some(7) };
        assert_eq!(cluster.answers[&(N1, read)], Ok(Reply::Value(value)));
    }
}
