//! Other tools' histories: golden files, and the way there and back. What a file is guessed to be, and what is wrong with one: `wrong`.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::{expect, expect_file};
use proptest::prelude::*;
use rashomon_histories::formats::{FailedCas, Format, Imported, Options, guess, read, read_from, write_edn};
use rashomon_histories::{Event, Header, History, Kind, Nanos, Process, ReadError, Tail, Value};

mod wrong;

use wrong::refused;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/formats").join(name)
}

/// Reads a text as a file of this name.
fn read_text(name: &str, text: impl AsRef<[u8]>, options: &Options) -> Result<Imported, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    read(&path, options)
}

fn shown(imported: &Imported) -> String {
    let mut text = String::new();
    for note in &imported.notes {
        writeln!(text, "note: {note}").unwrap();
    }
    for event in imported.history.events() {
        writeln!(text, "{}", serde_json::to_string(event).unwrap()).unwrap();
    }
    text
}

const GOLDENS: [(&str, Format); 10] = [
    ("elle-cas-register.json", Format::Json),
    ("elle-list-append.json", Format::Json),
    ("jepsen-cas-register.edn", Format::Edn),
    ("jepsen-counter.edn", Format::Edn),
    ("jepsen-etcd.log", Format::JepsenLog),
    ("jepsen-independent.edn", Format::Edn),
    ("jepsen-list-append-single.edn", Format::Edn),
    ("jepsen-list-append.edn", Format::Edn),
    ("jepsen-set.edn", Format::Edn),
    ("json-lines-counter.json", Format::Json),
];

#[test]
fn golden_files_read_as_recorded() {
    for (name, format) in GOLDENS.into_iter().chain([("porcupine-kv.txt", Format::Edn)]) {
        let path = golden(name);
        assert_eq!(guess(&path).unwrap().format, format, "{name}");
        let imported = read(&path, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        expect_file![golden(&format!("{name}.expected"))].assert_eq(&shown(&imported));
        assert_eq!(imported.history.tail(), Tail::Whole, "{name}");
    }
}

/// The models are named in files that say nothing of them.
#[test]
fn models_are_told_by_their_operations() {
    let model = |name: &str| {
        let imported = read(&golden(name), &Options::default()).unwrap();
        imported.history.header().model.clone().map(String::from)
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(model("jepsen-cas-register.edn"), some("cas-register"));
    assert_eq!(model("jepsen-set.edn"), some("set"));
    assert_eq!(model("jepsen-counter.edn"), some("counter"));
    assert_eq!(model("jepsen-list-append.edn"), some("list-append"));
    assert_eq!(model("jepsen-list-append-single.edn"), some("list-append"));
    assert_eq!(model("porcupine-kv.txt"), None);
}

/// What was read and is written as EDN reads as the same events.
#[test]
fn golden_files_come_back_from_edn() {
    for (name, _) in GOLDENS {
        let first = read(&golden(name), &Options::default()).unwrap().history;
        let mut bytes = Vec::new();
        write_edn(&mut bytes, first.header(), first.events()).unwrap();
        let again = read_text("again.edn", &bytes, &Options::default()).unwrap().history;
        assert_eq!(again.events(), first.events(), "{name}:\n{}", String::from_utf8_lossy(&bytes));
        assert_eq!(again.header().model, first.header().model, "{name}");
    }
}

#[test]
fn edn_is_written_as_jepsen_does() {
    let written = |name: &str| {
        let history = read(&golden(name), &Options::default()).unwrap().history;
        let mut bytes = Vec::new();
        write_edn(&mut bytes, &Header { about: String::new(), ..history.header().clone() }, history.events())
            .unwrap();
        String::from_utf8(bytes).unwrap()
    };
    expect![[r#"
        {:index 0, :time 3183000, :process 0, :type :invoke, :f :write, :value 3}
        {:index 1, :time 3190000, :process 1, :type :invoke, :f :read, :value nil}
        {:index 2, :time 5221000, :process 0, :type :ok, :f :write, :value 3}
        {:index 3, :time 5230000, :process 1, :type :ok, :f :read, :value nil}
        {:index 4, :time 6000000, :process :nemesis, :type :info, :f :start-partition, :value "majority"}
        {:index 5, :time 6100000, :process :nemesis, :type :info, :f :start-partition, :value ["isolated" {"n1" ["n2" "n3"], "n2" ["n1"]}]}
        {:index 6, :time 7000000, :process 2, :type :invoke, :f :cas, :value [3 4]}
        {:index 7, :time 7100000, :process 1, :type :invoke, :f :cas, :value [9 1]}
        {:index 8, :time 5007000000, :process 2, :type :info, :f :cas, :value [3 4], :error :timeout}
        {:index 9, :time 5007000100, :process 1, :type :fail, :f :cas, :value [9 1], :error :precondition}
        {:index 10, :time 5008000000, :process 7, :type :invoke, :f :cas, :value [4 5]}
        {:index 11, :time 5008100000, :process 7, :type :fail, :f :cas, :value [4 5], :error "not-leader: try \"n3\""}
        {:index 12, :time 5009000000, :process 1, :type :invoke, :f :read, :value nil}
        {:index 13, :time 5010000000, :process 1, :type :fail, :f :read, :value nil, :error "connection reset"}
        {:index 14, :time 6000000000, :process :nemesis, :type :info, :f :stop-partition, :value nil}
        {:index 15, :time 6010000000, :process 0, :type :invoke, :f :read, :value nil}
        {:index 16, :time 6011000000, :process 0, :type :ok, :f :read, :value 4}
    "#]].assert_eq(&written("jepsen-cas-register.edn"));
    expect![[r#"
        {:index 0, :time 0, :process 0, :type :invoke, :f :write, :value [0 3]}
        {:index 1, :time 1, :process 1, :type :invoke, :f :read, :value ["k1" nil]}
        {:index 2, :time 2, :process 0, :type :ok, :f :write, :value [0 3]}
        {:index 3, :time 3, :process 1, :type :ok, :f :read, :value ["k1" nil]}
        {:index 4, :time 4, :process 0, :type :invoke, :f :cas, :value [0 [3 4]]}
        {:index 5, :time 5, :process 0, :type :fail, :f :cas, :value [0 [3 4]], :error :precondition}
        {:index 6, :time 6, :process :nemesis, :type :info, :f :kill, :value "n1"}
        {:index 7, :time 7, :process 1, :type :invoke, :f :read, :value [0 nil]}
        {:index 8, :time 8, :process 1, :type :ok, :f :read, :value [0 3]}
    "#]]
    .assert_eq(&written("jepsen-independent.edn"));
    expect![[r#"
        {:index 0, :time 10, :process 0, :type :invoke, :f :add, :value 0}
        {:index 1, :time 20, :process 1, :type :invoke, :f :add, :value 10}
        {:index 2, :time 30, :process 0, :type :ok, :f :add, :value 0}
        {:index 3, :time 40, :process 1, :type :info, :f :add, :value 10, :error :socket-timeout}
        {:index 4, :time 50, :process 2, :type :invoke, :f :add, :value 2}
        {:index 5, :time 50, :process 2, :type :ok, :f :add, :value 2}
        {:index 6, :time 60, :process 0, :type :invoke, :f :read, :value nil}
        {:index 7, :time 70, :process 0, :type :ok, :f :read, :value #{0 2 10}}
    "#]]
    .assert_eq(&written("jepsen-set.edn"));
    expect![[r#"
        {:index 0, :time 1, :process 1, :type :invoke, :f :txn, :value [[:append 9 1]]}
        {:index 1, :time 2, :process 2, :type :invoke, :f :txn, :value [[:r 9 nil]]}
        {:index 2, :time 3, :process 1, :type :ok, :f :txn, :value [[:append 9 1]]}
        {:index 3, :time 4, :process 2, :type :ok, :f :txn, :value [[:r 9 [1]]]}
        {:index 4, :time 5, :process 1, :type :invoke, :f :txn, :value [[:append "k" 2]]}
        {:index 5, :time 6, :process 1, :type :info, :f :txn, :value [[:append "k" 2]], :error :timeout}
    "#]]
    .assert_eq(&written("jepsen-list-append-single.edn"));
}

#[test]
fn a_mixture_of_keyed_and_keyless_is_not_written() {
    let event = |index, key: Option<&str>| Event {
        index,
        time: Nanos(0),
        process: Process::client(index),
        kind: Kind::Invoke,
        f: "read".into(),
        key: key.map(Into::into),
        value: Value::Null,
        node: None,
        error: None,
    };
    let error =
        write_edn(&mut Vec::new(), &Header::new(""), &[event(0, Some("x")), event(1, None)]).unwrap_err();
    assert_eq!(error.to_string(), "event 1: either all operations name a key, or none");
}

#[test]
fn our_own_files_are_read_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/rejected/lost-update.jsonl");
    assert_eq!(guess(&path).unwrap().format, Format::Rashomon);
    let imported = read(&path, &Options::default()).unwrap();
    assert_eq!(imported.history, History::read(&path).unwrap());
    assert_eq!(imported.notes, ["read as rashomon, since its first line is a header with rashomon_history"]);
    let forced = Options { format: Some(Format::Edn), ..Options::default() };
    let error = read(&path, &forced).unwrap_err().to_string();
    assert!(error.contains("line 1, column"), "read as it was asked: {error}");
}

#[test]
fn compressed_files_are_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.edn.zst");
    let text = std::fs::read(golden("jepsen-set.edn")).unwrap();
    let bytes = zstd::encode_all(text.as_slice(), 1).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let whole = read(&path, &Options::default()).unwrap().history;
    assert_eq!(whole.events().len(), 8);
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    assert!(
        read(&path, &Options { format: Some(Format::Edn), ..Options::default() }).is_err(),
        "nothing is left of one block"
    );
}

#[test]
fn foreign_histories_keep_our_rules() {
    let read = "{:process 0, :type :invoke, :f :read}\n";
    refused(
        "a.edn",
        format!("{read}{read}"),
        expect![
            ", line 2: rule one-open-operation: process 0 invokes read while its event 0 is open, expected a completion of that event first"
        ],
    );
    refused(
        "a.edn",
        format!("{read}{{:process 1, :type :ok, :f :read}}"),
        expect![
            ", line 2: rule completion-has-invocation: ok of process 1, which has no operation open, expected an invoke event of this process first"
        ],
    );
    refused(
        "a.edn",
        format!("{read}{{:process 0, :type :ok, :f :write}}"),
        expect![
            ", line 2: rule completion-matches: ok of write on key (none), expected read on key (none), as event 0 invoked"
        ],
    );
    refused(
        "a.edn",
        "{:index 4 :process 0 :type :invoke :f :r}\n{:index 4 :process 1 :type :invoke :f :r}",
        expect![
            ", line 2, column 1: the index 4, which does not rise: the order is lost; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    let single = "{:process 0, :type :invoke, :f :txn, :value [[:r 1 nil]]}\n";
    refused(
        "a.edn",
        format!("{single}{{:process 0, :type :ok, :f :txn, :value [[:w 1 2]]}}"),
        expect![
            ", line 2, column 1: a transaction of other micro-operations than were asked; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        format!("{read}{{:process 0, :type :fail, :f :write}}"),
        expect![
            ", line 2: rule completion-matches: fail of write on key (none), expected read on key (none), as event 0 invoked"
        ],
    );
    let tuple = "{:process 0, :type :invoke, :f :read, :value [1 nil]}\n";
    refused(
        "a.edn",
        format!("{tuple}{{:process 0, :type :ok, :f :read, :value 7}}"),
        expect![
            ", line 2, column 1: a value without its key; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        format!("{tuple}{{:process 0, :type :ok, :f :read, :value [2 7]}}"),
        expect![
            ", line 2: rule completion-matches: ok of read on key 2, expected read on key 1, as event 0 invoked"
        ],
    );
}

#[test]
fn a_torn_tail_is_reported_and_left_out() {
    for (name, format) in GOLDENS {
        let bytes = std::fs::read(golden(name)).unwrap();
        let whole = read(&golden(name), &Options::default()).unwrap().history;
        let mut torn = 0;
        for length in 0..bytes.len() {
            let prefix = std::io::Cursor::new(bytes[..length].to_vec());
            // Before the first operation is whole there is nothing to read; after it, nothing is refused.
            let Ok(imported) = read_from("a", Box::new(prefix), format, FailedCas::Refused) else {
                assert_eq!(torn, 0, "{name} cut to {length} bytes is refused");
                continue;
            };
            let events = imported.history.events();
            assert!(events.len() <= whole.events().len(), "{name} cut to {length} bytes");
            torn += u32::from(imported.history.tail() != Tail::Whole);
        }
        assert!(torn > 0, "{name}");
    }
}

#[test]
fn a_failed_cas_without_an_error_is_what_the_caller_says() {
    let error = |failed_cas| {
        let options = Options { failed_cas, ..Options::default() };
        read(&golden("jepsen-etcd.log"), &options).unwrap().history.events()[6].error.clone()
    };
    assert_eq!(error(FailedCas::Refused).as_deref(), Some("precondition"));
    assert_eq!(error(FailedCas::Failed), None);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e15..1e15_f64).prop_map(Value::Float),
        "[ -~\u{e9}\n\t\"\\\\]{0,12}".prop_map(|text| Value::from(text.as_str())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::btree_map("[ -~]{0,6}".prop_map(|name| name.as_str().into()), inner, 0..4)
                .prop_map(Value::Map),
        ]
    })
}

proptest! {
    /// Reads and writes of any values under any keys, there and back.
    #[test]
    fn keyed_histories_come_back_from_edn(
        operations in proptest::collection::vec(("[0-9a-z \"]{1,3}", value(), 0_u8..4), 1..10),
    ) {
        let mut events: Vec<Event> = Vec::new();
        for (number, (key, value, how)) in operations.into_iter().enumerate() {
            let f = if how == 0 { "read" } else { "write" };
            let argument = if how == 0 { Value::Null } else { value.clone() };
            let (kind, result) = match how {
                0 | 1 => (Kind::Ok, value),
                2 => (Kind::Fail, argument.clone()),
                _ => (Kind::Info, argument.clone()),
            };
            let error = (kind != Kind::Ok).then(|| key.as_str().into());
            for (kind, value, error) in [(Kind::Invoke, argument, None), (kind, result, error)] {
                events.push(Event {
                    index: events.len() as u64,
                    time: Nanos(events.len() as u64 * 7),
                    process: Process::client(number as u64),
                    kind,
                    f: f.into(),
                    key: Some(key.as_str().into()),
                    value,
                    node: Some("n1".into()),
                    error,
                });
            }
        }
        prop_assume!(events.iter().any(|event| event.f == "read"));
        let mut bytes = Vec::new();
        write_edn(&mut bytes, &Header::new("a\nb"), &events).unwrap();
        let again = read_text("again.edn", &bytes, &Options::default()).unwrap();
        prop_assert_eq!(again.history.events(), &events[..], "{}", String::from_utf8_lossy(&bytes));
    }

    /// Whatever the bytes, the answer is a history or an error, never a panic.
    #[test]
    fn any_change_of_a_golden_file_is_read_or_refused(
        which in 0..GOLDENS.len(),
        changes in proptest::collection::vec((any::<u16>(), any::<u8>(), 0_u8..3), 1..6),
        forced in 0..Format::ALL.len(),
    ) {
        let mut bytes = std::fs::read(golden(GOLDENS[which].0)).unwrap();
        for (place, byte, how) in changes {
            let place = usize::from(place) % bytes.len();
            match how {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place.max(1)),
            }
        }
        for format in [None, Some(Format::ALL[forced])] {
            let _ = read_text("a", &bytes, &Options { format, ..Options::default() });
        }
    }
}
