//! Hostile and broken files: each refusal names file, line, column and what was expected, in bounded memory.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod headers;
mod lines;

mod fields;
mod values;

mod sizes;

use std::io::Cursor;

use expect_test::Expect;
use rashomon_histories::{Event, History, ReadError};

const HEADER: &str = "{\"rashomon_history\":1}\n";
const WRITE: &str = r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"write","key":"x","value":7}"#;

fn read(bytes: impl AsRef<[u8]>) -> Result<History, ReadError> {
    History::read_from("a.jsonl", Cursor::new(bytes.as_ref().to_vec()))
}

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, message: Expect) {
    message.assert_eq(&read(bytes).expect_err("it is refused").to_string());
}

/// An event line with one part replaced is refused.
#[track_caller]
fn refused_event(part: &str, by: &str, message: Expect) {
    assert!(WRITE.contains(part), "{part} is in the event");
    refused(format!("{HEADER}{}\n", WRITE.replacen(part, by, 1)), message);
}

#[track_caller]
fn accepted_event(part: &str, by: &str) -> Event {
    assert!(WRITE.contains(part), "{part} is in the event");
    let history = read(format!("{HEADER}{}\n", WRITE.replacen(part, by, 1)));
    history.expect("the event is good").events()[0].clone()
}
