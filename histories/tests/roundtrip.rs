//! What is written is what is read, for every event and header that can be said.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::Cursor;

use proptest::prelude::*;
use rashomon_histories::jsonl::write_file;
use rashomon_histories::{Event, Header, History, Kind, Nanos, Process, Sink, Tail, Value, Writer};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("sayable as a number", |x| x.abs() < 9.2e18).prop_map(Value::Float),
        ".{0,40}".prop_map(|text| Value::from(text.as_str())),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            proptest::collection::btree_map(".{0,30}".prop_map(|name| name.as_str().into()), inner, 0..5)
                .prop_map(Value::Map),
        ]
    })
}

fn text() -> impl Strategy<Value = smol_str::SmolStr> {
    ".{0,30}".prop_map(|text| text.as_str().into())
}

/// Events as a run makes them: two clients and the nemesis, with whatever content.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let content = (text(), proptest::option::of(text()), value(), value());
    let extras = (proptest::option::of(text()), proptest::option::of(text()), any::<u16>(), 0_u8..4);
    proptest::collection::vec((content, extras), 0..12).prop_map(|operations| {
        let mut events = Vec::new();
        let (mut time, mut process) = (0, 0);
        for ((f, key, argument, result), (node, error, step, how)) in operations {
            let kind = [Kind::Ok, Kind::Fail, Kind::Info, Kind::Info][usize::from(how)];
            let who = if how == 3 { Process::Nemesis } else { Process::client(process) };
            for (kind, value) in [(Kind::Invoke, argument), (kind, result)] {
                time += u64::from(step);
                let (f, key, node) = (f.clone(), key.clone(), node.clone());
                let error = error.clone().filter(|_| kind != Kind::Invoke);
                let index = events.len() as u64;
                events.push(Event {
                    index,
                    time: Nanos(time),
                    process: who,
                    kind,
                    f,
                    key,
                    value,
                    node,
                    error,
                });
            }
            process += u64::from(kind == Kind::Info);
        }
        events
    })
}

fn header() -> impl Strategy<Value = Header> {
    let parts = (".{0,30}", proptest::option::of(text()), proptest::option::of(".{0,20}"));
    (parts, proptest::option::of(any::<u64>()), proptest::option::of(".{0,60}")).prop_map(
        |((about, model, plan_hash), seed, story)| Header {
            model,
            plan_hash,
            seed,
            story,
            ..Header::new(about)
        },
    )
}

proptest! {
    #[test]
    fn a_history_comes_back_as_it_was(header in header(), events in events()) {
        let mut writer = Writer::new(Vec::new());
        writer.header(&header).unwrap();
        for event in &events {
            writer.event(event).unwrap();
        }
        let history = History::read_from("memory", Cursor::new(writer.finish().unwrap())).unwrap();
        prop_assert_eq!(history.header(), &header);
        prop_assert_eq!(history.events(), &events[..]);
        prop_assert_eq!(history.tail(), Tail::Whole);
    }

    #[test]
    fn a_value_is_shown_as_it_stands_in_a_file(value in value()) {
        let again: Value = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(again, value);
    }
}

#[test]
fn both_kinds_of_file_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/rejected/split-brain.jsonl");
    let history = History::read(&source).unwrap();
    for name in ["a.jsonl", "a.jsonl.zst"] {
        let path = folder.path().join(name);
        write_file(&path, history.header(), history.events()).unwrap();
        assert_eq!(History::read(&path).unwrap(), history, "{name}");
    }
    let plain = std::fs::read(folder.path().join("a.jsonl")).unwrap();
    assert_eq!(plain, std::fs::read(&source).unwrap(), "the bytes are those of the golden file");
}

/// A number that a file cannot carry must not come back as another number, nor end the run that notes it.
#[test]
fn floats_that_json_cannot_say_become_text() {
    for (number, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-1e19, "-10000000000000000000")] {
        let again: Value = serde_json::from_str(&Value::Float(number).to_string()).unwrap();
        assert_eq!(again, Value::from(text));
    }
}

#[test]
fn a_value_is_made_of_any_data() {
    let data = std::collections::BTreeMap::from([("pairs", vec![(1, Some("a")), (2, None)])]);
    let value = Value::from_data(&data).unwrap();
    assert_eq!(value.to_string(), r#"{"pairs":[[1,"a"],[2,null]]}"#);
    assert_eq!(value.get("pairs").and_then(Value::as_list).map(<[_]>::len), Some(2));
    assert!(Value::from_data(&u64::MAX).is_err(), "beyond 63 bits");
}
