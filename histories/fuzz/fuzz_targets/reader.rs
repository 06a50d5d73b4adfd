//! Whatever the bytes, the reader answers with a history or an error; what it reads comes back from the writer.
//!
//! Seeds: the golden histories, `cargo fuzz run reader corpus/accepted corpus/rejected`. The small sibling of
//! this in the test suite is `tests/mutated.rs`.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use rashomon_histories::{History, Sink, Writer};

fuzz_target!(|bytes: &[u8]| {
    let Ok(history) = History::read_from("fuzzed", Cursor::new(bytes.to_vec())) else { return };
    let mut writer = Writer::new(Vec::new());
    writer.header(history.header()).expect("memory takes it");
    for event in history.events() {
        writer.event(event).expect("what was read can be written");
    }
    let bytes = writer.finish().expect("memory takes it");
    let again = History::read_from("again", Cursor::new(bytes)).expect("our own lines are read");
    assert_eq!(again.events(), history.events());
    assert_eq!(again.header(), history.header());
});
