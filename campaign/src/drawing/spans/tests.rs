use rashomon_histories::Kind;

use super::*;

fn note(time: u64, f: &str, json: &str) -> Event {
    Event {
        index: 0,
        time: Nanos(time),
        process: Process::Nemesis,
        kind: Kind::Info,
        f: f.into(),
        key: None,
        value: serde_json::from_str(json).unwrap(),
        node: None,
        error: None,
    }
}

fn spans(events: &[Event]) -> Spans {
    let mut spans = Spans::default();
    events.iter().for_each(|event| spans.admit(event));
    spans
}

#[test]
fn a_fault_lasts_from_its_first_action_to_the_proof_of_its_heal() {
    let cut = r#"{"id":1,"phase":"begin","since":10,"outcome":"installed","story":"n1 alone","actions":[{"action":
        {"do":"cut","grudge":{"n1":["n2"]}},"outcome":"installed","evidence":{"links":{"cut":[{"from":"n2","to":"n1",
        "dropped_count":3,"arrived":false}],"open_count":1,"rules_left":0,"arrived_ns_max":250000}}}]}"#;
    let mend = r#"{"id":1,"phase":"end","since":90,"outcome":"installed","actions":[{"action":{"do":"mend"},
        "outcome":"installed","evidence":{"links":{"open_count":2,"rules_left":0,"arrived_ns_max":100000}}}]}"#;
    let spans = spans(&[note(20, "partition", cut), note(99, "partition", mend)]);
    let [fault] = spans.faults.as_slice() else { panic!("{spans:?}") };
    assert_eq!((fault.begun, fault.measured, fault.ended), (Nanos(10), Nanos(20), Some(Nanos(99))));
    assert_eq!(
        fault.evidence,
        [
            "cut n1⊣n2: 1 link cut, 3 packets dropped there, no probe arrived; 1 link open, a probe arrived on each within 0.25 ms"
        ]
    );
    assert_eq!(fault.heal, ["mend: 2 links open, a probe arrived on each within 0.1 ms"]);
    assert!(fault.overlaps(Nanos(0), Nanos(10)) && !fault.overlaps(Nanos(100), Nanos(200)));
}

#[test]
fn a_fault_that_takes_anothers_place_ends_it_and_the_final_heal_ends_all() {
    let first = r#"{"id":1,"phase":"begin","outcome":"installed"}"#;
    let second = r#"{"id":2,"phase":"begin","outcome":"installed","replaces":1}"#;
    let spans = spans(&[
        note(10, "partition-shift", first),
        note(20, "partition-shift", second),
        note(30, HEALED, "[]"),
    ]);
    let ended: Vec<_> = spans.faults.iter().map(|fault| fault.ended).collect();
    assert_eq!(ended, [Some(Nanos(20)), Some(Nanos(30))]);
    assert_eq!(spans.healed, Some(Nanos(30)));
}

#[test]
fn records_of_others_are_shown_as_they_stand() {
    let spans = spans(&[
        note(10, "earthquake", r#"{"actions":[{"shake":1}],"id":"x"}"#),
        note(20, "start", r#""n1""#),
    ]);
    assert_eq!(spans.faults[0].evidence, [r#"{"shake":1}"#]);
    assert_eq!(spans.faults[0].outcome, "indeterminate");
    assert_eq!(spans.faults[1].ended, None);
    assert_eq!(spans.faults[1].colour(), "#6b7280");
}

#[test]
fn leaders_are_no_faults() {
    let spans = spans(&[note(10, LEADER, r#"{"node":"n3","term":4}"#), note(20, LEADER, r#"{"node":null}"#)]);
    assert!(spans.faults.is_empty());
    assert_eq!(spans.leads, [Lead { from: Nanos(10), node: "n3".into(), term: Some(4) }]);
}
