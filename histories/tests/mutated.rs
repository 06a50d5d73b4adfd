//! Whatever the bytes, the reader answers with a history or an error, never with a panic; and what it reads, it
//! reads again after writing. The same is asked of it by `fuzz/fuzz_targets/reader.rs`, with more patience.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use rashomon_histories::{History, Sink, Writer, corpus};

/// The golden histories, as bytes.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    corpus::list(&folder).unwrap().iter().map(|golden| std::fs::read(&golden.path).unwrap()).collect()
});

#[derive(Clone, Debug)]
enum Change {
    Set(u8),
    Insert(u8),
    Remove,
    Cut,
    /// Copies a stretch from elsewhere, which keeps more of it well formed.
    Copy(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let telling = prop::sample::select(b"{}[]\":,\\0-9eE.\n\r\t nulltruefalse\xff\xc3".to_vec());
    prop_oneof![
        prop_oneof![any::<u8>(), telling.clone()].prop_map(Change::Set),
        prop_oneof![any::<u8>(), telling].prop_map(Change::Insert),
        Just(Change::Remove),
        Just(Change::Cut),
        (any::<usize>(), 1_usize..200).prop_map(|(from, length)| Change::Copy(from, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, place: usize, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let place = place % bytes.len();
    match *change {
        Change::Set(byte) => bytes[place] = byte,
        Change::Insert(byte) => bytes.insert(place, byte),
        Change::Remove => {
            bytes.remove(place);
        }
        Change::Cut => bytes.truncate(place),
        Change::Copy(from, length) => {
            let from = from % bytes.len();
            let stretch = bytes[from..bytes.len().min(from + length)].to_vec();
            bytes.splice(place..place, stretch);
        }
    }
}

/// What could be read is whole: it has its rules, and it comes back from our own writer.
fn check(history: &History) {
    let mut writer = Writer::new(Vec::new());
    writer.header(history.header()).unwrap();
    for event in history.events() {
        writer.event(event).unwrap();
    }
    let again = History::read_from("again", Cursor::new(writer.finish().unwrap())).unwrap();
    assert_eq!(again.events(), history.events());
    assert_eq!(again.header(), history.header());
    for event in history.events() {
        let counterpart = history.counterpart(event.index);
        assert!(counterpart.is_none_or(|other| history.counterpart(other.index) == Some(event)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn plain(which in any::<usize>(), changes in prop::collection::vec((any::<usize>(), change()), 0..8)) {
        let mut bytes = SEEDS[which % SEEDS.len()].clone();
        for (place, change) in &changes {
            apply(&mut bytes, *place, change);
        }
        if let Ok(history) = History::read_from("mutated", Cursor::new(bytes)) {
            check(&history);
        }
    }
}

proptest! {
    #[test]
    fn compressed(which in any::<usize>(), changes in prop::collection::vec((any::<usize>(), change()), 0..4)) {
        let mut bytes = zstd::encode_all(SEEDS[which % SEEDS.len()].as_slice(), 1).unwrap();
        for (place, change) in &changes {
            apply(&mut bytes, *place, change);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mutated.jsonl.zst");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(history) = History::read(&path) {
            check(&history);
        }
    }
}
