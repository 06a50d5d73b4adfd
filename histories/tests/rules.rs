//! Each rule by its name: one well-formed history, and for each rule mutations that break it and no other.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::Cursor;

use expect_test::{Expect, expect};
use rashomon_histories::{
    Event, Header, History, Kind, Nanos, Process, ReadError, Rule, Sink, Value, WellFormed, Writer,
};

fn event(index: u64, process: Process, kind: Kind, f: &str) -> Event {
    Event {
        index,
        time: Nanos(index * 10),
        process,
        kind,
        f: f.into(),
        key: (process != Process::Nemesis).then(|| "x".into()),
        value: Value::Null,
        node: None,
        error: None,
    }
}

/// Two clients, one of which retires, and the nemesis.
fn good() -> Vec<Event> {
    let (zero, one) = (Process::client(0), Process::client(1));
    vec![
        event(0, zero, Kind::Invoke, "write"),
        event(1, one, Kind::Invoke, "read"),
        event(2, Process::Nemesis, Kind::Info, "kill"),
        event(3, one, Kind::Ok, "read"),
        event(4, zero, Kind::Info, "write"),
        event(5, one, Kind::Invoke, "write"),
        event(6, one, Kind::Fail, "write"),
    ]
}

fn file_of(events: &[Event]) -> Cursor<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    writer.header(&Header::new("rules")).unwrap();
    for event in events {
        writer.event(event).unwrap();
    }
    Cursor::new(writer.finish().unwrap())
}

/// Changes one event of the good history; it must break `rule` there, in memory and in a file alike.
#[track_caller]
fn check(rule: Rule, position: usize, change: impl FnOnce(&mut Event), message: Expect) {
    let mut events = good();
    change(&mut events[position]);
    let broken = History::from_events(Header::new("rules"), events.clone()).unwrap_err();
    assert_eq!((broken.position, broken.broken.rule), (position, rule), "{broken}");
    let error = History::read_from("a.jsonl", file_of(&events)).unwrap_err();
    message.assert_eq(&error.to_string());
    let ReadError::IllFormed { line, broken, .. } = error else { panic!("{error}") };
    assert_eq!((line, broken.rule), (position as u64 + 2, rule), "the header is line 1");
}

#[test]
fn the_good_history_is_good() {
    let history = History::from_events(Header::new("rules"), good()).unwrap();
    assert_eq!(History::read_from("a.jsonl", file_of(&good())).unwrap(), history);
    let outcomes: Vec<_> = history.operations().map(|operation| operation.outcome()).collect();
    assert_eq!(outcomes, [Kind::Info, Kind::Ok, Kind::Fail]);
    assert_eq!(history.counterpart(4).map(|event| event.index), Some(0));
    assert_eq!(history.counterpart(0).map(|event| event.index), Some(4));
    assert_eq!(history.counterpart(2), None, "a nemesis event stands alone");
    assert_eq!(history.counterpart(99), None);
    assert_eq!(history.nemesis().count(), 1);
}

#[test]
fn index_counts() {
    let message = expect!["a.jsonl, line 5: rule index-counts: index 4, expected 3"];
    check(Rule::IndexCounts, 3, |event| event.index = 4, message);
    let message = expect!["a.jsonl, line 2: rule index-counts: index 18446744073709551615, expected 0"];
    check(Rule::IndexCounts, 0, |event| event.index = u64::MAX, message);
}

#[test]
fn time_rises() {
    let message =
        expect!["a.jsonl, line 5: rule time-rises: time 19 ns, expected 20 ns or later, as the event before"];
    check(Rule::TimeRises, 3, |event| event.time = Nanos(19), message);
    let mut events = good();
    events[3].time = Nanos(20);
    History::from_events(Header::new("rules"), events).expect("equal times are in order");
}

#[test]
fn completion_has_invocation() {
    let message = expect![
        "a.jsonl, line 5: rule completion-has-invocation: ok of process 7, which has no operation open, expected an invoke event of this process first"
    ];
    check(Rule::CompletionHasInvocation, 3, |event| event.process = Process::client(7), message);
    let message = expect![
        "a.jsonl, line 7: rule completion-has-invocation: info of process 1, which has no operation open, expected an invoke event of this process first"
    ];
    check(Rule::CompletionHasInvocation, 5, |event| event.kind = Kind::Info, message);
}

#[test]
fn one_open_operation() {
    let message = expect![
        "a.jsonl, line 5: rule one-open-operation: process 1 invokes read while its event 1 is open, expected a completion of that event first"
    ];
    check(Rule::OneOpenOperation, 3, |event| event.kind = Kind::Invoke, message);
}

#[test]
fn retired_after_info() {
    for kind in [Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info] {
        let message = expect![
            "a.jsonl, line 7: rule retired-after-info: process 0 goes on after an operation of it ended in info, expected a fresh process number in its place"
        ];
        let change = |event: &mut Event| (event.process, event.kind) = (Process::client(0), kind);
        check(Rule::RetiredAfterInfo, 5, change, message);
    }
}

#[test]
fn completion_matches() {
    let message = expect![
        "a.jsonl, line 5: rule completion-matches: ok of cas on key x, expected read on key x, as event 1 invoked"
    ];
    check(Rule::CompletionMatches, 3, |event| event.f = "cas".into(), message);
    let message = expect![
        "a.jsonl, line 5: rule completion-matches: ok of read on key y, expected read on key x, as event 1 invoked"
    ];
    check(Rule::CompletionMatches, 3, |event| event.key = Some("y".into()), message);
    let message = expect![
        "a.jsonl, line 6: rule completion-matches: info of write on key (none), expected write on key x, as event 0 invoked"
    ];
    check(Rule::CompletionMatches, 4, |event| event.key = None, message);
}

#[test]
fn every_rule_has_a_name_of_its_own_and_a_test_here() {
    let source = include_str!("rules.rs");
    let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    for name in &names {
        assert!(
            source.contains(&format!("fn {}()", name.replace('-', "_"))),
            "no test is named after {name}"
        );
    }
    names.dedup();
    assert_eq!(names.len(), Rule::ALL.len());
}

#[test]
fn what_breaks_a_rule_leaves_no_trace() {
    let mut rules = WellFormed::new();
    for event in good() {
        for change in [|e: &mut Event| e.index += 1, |e: &mut Event| e.process = Process::client(0)] {
            let mut wrong = event.clone();
            change(&mut wrong);
            if wrong != event && event.index > 4 {
                rules.admit(&wrong).unwrap_err();
            }
        }
        rules.admit(&event).unwrap();
    }
    assert_eq!(rules.count(), 7);
    assert_eq!(rules.open().count(), 0);
}

#[test]
fn open_invocations_are_listed_by_process() {
    let mut rules = WellFormed::new();
    for event in &good()[..2] {
        rules.admit(event).unwrap();
    }
    assert_eq!(rules.open().collect::<Vec<_>>(), [(0, 0), (1, 1)]);
}
