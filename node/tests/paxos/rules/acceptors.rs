//! Acceptors: ballots, promises, acceptances (PP1 to PP3).

use super::*;

#[test]
fn pp1_ballots_are_ordered_by_round_and_no_two_nodes_share_one() {
    let ballots = [ballot(1, 1), ballot(1, 2), ballot(1, 3), ballot(2, 1), ballot(2, 2)];
    assert!(ballots.is_sorted_by(|a, b| a < b));
    assert_ne!(ballot(4, 1).next_of(N1), ballot(4, 1).next_of(N2));
    assert!(ballot(4, 3).next_of(N1) > ballot(4, 3));
}

#[test]
fn pp1_a_candidate_goes_above_everything_it_has_heard_of() {
    let mut cluster = alone_with(vec![Record::Promised(ballot(3, 1))]);
    answers(&mut cluster, N2, Message::Refused { promised: ballot(8, 2) });
    cluster.timeout(N1);
    let willing = Message::Willing { ballot: ballot(9, 1), promised: ballot(12, 3) };
    cluster.step(N1, Event::Message(N2, willing));
    assert_eq!(cluster.replica(N1).core().acceptor().promised(), ballot(13, 1));
}

#[test]
fn pp1_a_restarted_node_uses_no_ballot_twice() {
    let (mut cluster, first) = candidate(vec![Record::Promised(ballot(3, 2))]);
    cluster.crash(N1);
    cluster.network.clear();
    cluster.start(N1);
    cluster.timeout(N1);
    let probed = sent(&cluster, |message| match message {
        Message::Probe { ballot } => Some(*ballot),
        _ => None,
    });
    assert!(probed > first, "{probed} after {first}");
}

#[test]
fn pp1_nobody_hears_of_a_ballot_before_its_proposers_own_promise_is_durable() {
    let mut cluster = alone_with(vec![Record::Promised(ballot(3, 1))]);
    cluster.node(N1).syncs = false;
    cluster.timeout(N1);
    let willing = Message::Willing { ballot: ballot(4, 1), promised: Ballot::NONE };
    cluster.step(N1, Event::Message(N2, willing));
    let is_prepare = |one: &Envelope| matches!(one.message, Message::Prepare { .. });
    assert!(!cluster.network.iter().any(is_prepare));
    cluster.sync(N1);
    assert!(cluster.network.iter().any(is_prepare));
}

#[test]
fn pp2_a_promise_is_durable_before_it_is_told() {
    let mut cluster = alone_with(vec![]);
    cluster.node(N1).syncs = false;
    assert_eq!(answers(&mut cluster, N2, prepare(1, 2, 1)), []);
    cluster.sync(N1);
    assert_eq!(take(&mut cluster, N1, N2).len(), 1);
    cluster.crash(N1);
    cluster.start(N1);
    assert_eq!(cluster.replica(N1).core().acceptor().promised(), ballot(1, 2));
}

#[test]
fn pp2_a_lower_ballot_is_refused_with_what_was_promised() {
    let mut cluster = alone_with(vec![Record::Promised(ballot(5, 2))]);
    let refused = Message::Refused { promised: ballot(5, 2) };
    assert_eq!(answers(&mut cluster, N3, prepare(4, 3, 1)), std::slice::from_ref(&refused));
    assert_eq!(answers(&mut cluster, N3, accept(4, 3, 1, &[1])), [refused]);
}

#[test]
fn pp2_a_promise_reports_everything_accepted_from_the_asked_slot_on() {
    let records =
        [1, 2, 4].map(|slot| Record::Accepted { slot: Slot(slot), accepted: accepted(slot, 3, slot) });
    let mut cluster = alone_with(records.to_vec());
    let Message::Promise { ballot: promised, slots, rest, .. } =
        answers(&mut cluster, N2, prepare(9, 2, 2)).remove(0)
    else {
        panic!("it promises")
    };
    assert_eq!(promised, ballot(9, 2));
    assert_eq!(slots, [reported(2, 2, 3, 2), reported(4, 4, 3, 4)]);
    assert_eq!(rest, None);
}

#[test]
fn pp2_a_long_report_comes_in_parts_as_many_at_a_time_as_may_be_under_way() {
    let bounds = Bounds { batch_max: 10, in_flight_max: 3, ..Bounds::default() };
    let records = (1..=65).map(|slot| Record::Accepted { slot: Slot(slot), accepted: accepted(1, 3, slot) });
    let mut cluster = alone_under(|config| config.bounds = bounds, records.collect());
    let (mut slots, mut counts) = (Vec::new(), Vec::new());
    let mut asked = Some(1);
    while let Some(first) = asked.take() {
        let parts = answers(&mut cluster, N2, prepare(9, 2, first));
        counts.push(parts.len());
        for (place, part) in parts.iter().enumerate() {
            let Message::Promise { slots: part, rest, .. } = part else { panic!("{part:?}") };
            slots.extend(part.iter().map(|one| one.slot.0));
            assert!(rest.is_none_or(|rest| rest.is_coming == (place < 2)), "{rest:?}");
            asked = rest.map(|rest| rest.from.0);
        }
    }
    assert_eq!(slots, (1..=65).collect::<Vec<_>>());
    assert_eq!(counts, [3, 3, 1]);
}

/// A part of n2's report to n1.
fn part(ballot: Ballot, from: u64, rest: Option<(u64, bool)>) -> Message {
    Message::Promise {
        ballot,
        from: Slot(from),
        compacted: Slot(0),
        slots: vec![reported(from, 1, 2, from)],
        rest: rest.map(|(from, is_coming)| Rest { from: Slot(from), is_coming }),
    }
}

#[test]
fn pp2_only_the_last_part_of_a_report_makes_it_count() {
    let (mut cluster, own) = candidate(vec![Record::Promised(ballot(1, 1))]);
    assert_eq!(answers(&mut cluster, N2, part(own, 1, Some((4, true)))), []);
    let asked = Message::Prepare { ballot: own, from: Slot(7), released: None };
    assert_eq!(answers(&mut cluster, N2, part(own, 4, Some((7, false)))), [asked]);
    assert_eq!(answers(&mut cluster, N2, part(own, 4, Some((7, false)))), [], "asked once");
    assert!(!cluster.leads(N1));
    answers(&mut cluster, N2, part(own, 7, None));
    assert!(cluster.leads(N1));
}

#[test]
fn pp2_parts_of_a_report_may_overtake_each_other() {
    let (mut cluster, own) = candidate(vec![Record::Promised(ballot(1, 1))]);
    answers(&mut cluster, N2, part(own, 7, None));
    answers(&mut cluster, N2, part(own, 4, Some((7, true))));
    assert!(!cluster.leads(N1), "slots 1 to 3 are not reported");
    answers(&mut cluster, N2, part(own, 1, Some((4, true))));
    assert!(cluster.leads(N1));
    assert_eq!(proposed(&cluster)[..1], [(1, value(1))]);
    assert_eq!(proposed(&cluster)[6], (7, value(7)));
}

#[test]
fn pp2_promised_and_accepted_are_two_variables() {
    let mut cluster = alone_with(vec![]);
    answers(&mut cluster, N2, accept(1, 2, 1, &[1]));
    answers(&mut cluster, N3, Message::Refused { promised: Ballot::NONE });
    cluster.now = cluster.now + 10_000;
    let promised = answers(&mut cluster, N3, prepare(7, 3, 1));
    let Message::Promise { slots, .. } = &promised[0] else { panic!("{promised:?}") };
    assert_eq!(*slots, [reported(1, 1, 2, 1)], "accepted in 1.2, promised 7.3");
}

#[test]
fn pp3_nothing_is_accepted_below_the_promise() {
    let mut cluster = alone_with(vec![Record::Promised(ballot(5, 3))]);
    answers(&mut cluster, N2, accept(5, 2, 1, &[1]));
    assert_eq!(proposed(&cluster), []);
    assert_eq!(answers(&mut cluster, N3, accept(5, 3, 1, &[1])), [acceptance(5, 3, 1, 1)]);
}

#[test]
fn pp3_accepting_is_promising_also_over_a_restart() {
    let mut cluster = alone_with(vec![]);
    answers(&mut cluster, N2, accept(5, 2, 1, &[1]));
    assert_eq!(cluster.replica(N1).core().acceptor().promised(), ballot(5, 2));
    cluster.crash(N1);
    cluster.start(N1);
    let refused = Message::Refused { promised: ballot(5, 2) };
    assert_eq!(answers(&mut cluster, N3, accept(4, 3, 1, &[2])), [refused]);
}

#[test]
fn pp3_an_acceptance_is_durable_before_it_is_told() {
    let mut cluster = alone_with(vec![]);
    cluster.node(N1).syncs = false;
    assert_eq!(answers(&mut cluster, N2, accept(1, 2, 1, &[1, 2])), []);
    cluster.sync(N1);
    assert_eq!(take(&mut cluster, N1, N2)[0].message, acceptance(1, 2, 1, 2));
    cluster.crash(N1);
    cluster.start(N1);
    assert_eq!(proposed(&cluster), [(1, value(1)), (2, value(2))]);
}

#[test]
fn pp3_slots_are_accepted_in_any_order() {
    let mut cluster = alone_with(vec![]);
    assert_eq!(answers(&mut cluster, N2, accept(1, 2, 3, &[3])), [acceptance(1, 2, 3, 3)]);
    assert_eq!(answers(&mut cluster, N2, accept(1, 2, 1, &[1])), [acceptance(1, 2, 1, 1)]);
    assert_eq!(proposed(&cluster), [(1, value(1)), (3, value(3))]);
}
