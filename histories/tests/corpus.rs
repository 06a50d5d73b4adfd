//! The golden histories: every file is whole, well formed and told. Their verdicts are held against the judge in
//! the checker.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeSet;
use std::path::Path;

use rashomon_histories::corpus::{Expected, list};
use rashomon_histories::{History, Kind, Process, Tail, Value};

fn goldens() -> Vec<(String, Expected, History)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let read = |golden: rashomon_histories::corpus::Golden| {
        let history = History::read(&golden.path).unwrap_or_else(|error| panic!("{error}"));
        let name = golden.path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, golden.expected, history)
    };
    list(&folder).expect("the folders are there").into_iter().map(read).collect()
}

#[test]
fn every_file_is_whole_and_tells_its_story() {
    for (name, _, history) in goldens() {
        assert_eq!(history.tail(), Tail::Whole, "{name}");
        let header = history.header();
        let model = header.model.as_deref().unwrap_or_else(|| panic!("{name} names no model"));
        assert!(!model.is_empty(), "{name}: the checker's own tests know its models by name");
        assert!(header.about.len() > 10, "{name} says what it is about");
        assert!(header.story.as_ref().is_some_and(|story| story.len() > 40), "{name} tells its story");
    }
}

#[test]
fn every_story_is_another_one() {
    let goldens = goldens();
    let stories: BTreeSet<_> = goldens.iter().map(|(_, _, history)| history.header().story.clone()).collect();
    assert_eq!(stories.len(), goldens.len());
    for (expected, least) in [(Expected::Accepted, 12), (Expected::Rejected, 12), (Expected::Undecided, 1)] {
        let count = goldens.iter().filter(|(_, verdict, _)| *verdict == expected).count();
        assert!(count >= least, "{count} histories are {expected}");
    }
}

/// The conventions of registers: what the operations carry, so that a judge can decode every file.
#[test]
fn operations_carry_what_registers_need() {
    for (name, _, history) in goldens() {
        let cas_allowed = match history.header().model.as_deref() {
            Some("cas-register") => true,
            Some("register") => false,
            _ => continue,
        };
        for event in history.events().iter().filter(|event| event.process != Process::Nemesis) {
            let at = format!("{name}, event {}", event.index);
            assert!(event.key.is_some(), "{at} names its key");
            assert_eq!(
                event.error.is_some(),
                matches!(event.kind, Kind::Fail | Kind::Info),
                "{at}: its error"
            );
            let value = &event.value;
            match event.f.as_str() {
                "read" if event.kind == Kind::Ok => {
                    assert!(value.is_null() || value.as_int().is_some(), "{at}: {value}");
                }
                "read" => assert!(value.is_null(), "{at}: {value}"),
                "write" => assert!(value.as_int().is_some(), "{at}: {value}"),
                "cas" => {
                    assert!(cas_allowed, "{at}: a cas on a plain register");
                    assert!(matches!(value.as_list(), Some([Value::Int(_), Value::Int(_)])), "{at}: {value}");
                }
                other => panic!("{at}: unknown operation {other}"),
            }
        }
    }
}

#[test]
fn the_listing_passes_nothing_over() {
    let corpus = tempfile::tempdir().unwrap();
    let missing = list(corpus.path()).unwrap_err().to_string();
    assert!(missing.contains("accepted"), "{missing}");
    for expected in Expected::ALL {
        std::fs::create_dir(corpus.path().join(expected.folder())).unwrap();
    }
    assert_eq!(list(corpus.path()).unwrap(), []);
    std::fs::write(corpus.path().join("rejected").join("a.jsonl.zst"), "").unwrap();
    assert_eq!(list(corpus.path()).unwrap().len(), 1);
    std::fs::write(corpus.path().join("rejected").join("notes.txt"), "").unwrap();
    let foreign = list(corpus.path()).unwrap_err().to_string();
    assert!(foreign.contains("notes.txt: expected only"), "{foreign}");
}
