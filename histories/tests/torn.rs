//! A writer killed at any moment leaves a prefix of its file: every prefix reads as a whole or torn history.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::{Cursor, Write};

use rashomon_histories::{
    Completion, Event, FileWriter, Header, History, Invocation, Nanos, Process, ReadError, Recorder, Tail,
    Value, Writer,
};

/// A few operations, with every kind of outcome, text that needs escapes, and more than ASCII.
fn record<S: rashomon_histories::Sink>(sink: S, operations: u64, mut between: impl FnMut(u64)) -> S {
    let mut now = 0;
    let clock = move || {
        now += 1_000;
        Nanos(now)
    };
    let mut recorder = Recorder::new(sink, Header::new("a \"torn\" tale \u{1f3ac}\n"), clock);
    for number in 0..operations {
        let invocation = Invocation::new(Process::client(number), "write")
            .key(format!("k\u{e9}y {}", number % 3).as_str())
            .value(Value::pair("\u{7f85}\\\u{1}", i64::try_from(number).unwrap()));
        let token = recorder.invoke(invocation).unwrap();
        let completion = match number % 4 {
            0 => Completion::ok(),
            1 => Completion::fail("precondition"),
            2 => Completion::info("timeout"),
            _ => Completion::ok_with(Value::Float(0.5)),
        };
        recorder.complete(token, completion).unwrap();
        recorder.note("kill", Value::Null).unwrap();
        between(number);
    }
    recorder.seal().unwrap()
}

#[test]
fn every_prefix_of_a_plain_file() {
    let bytes = record(Writer::new(Vec::new()), 8, |_| ()).finish().unwrap();
    let whole = History::read_from("a.jsonl", Cursor::new(bytes.clone())).unwrap();
    let header_end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for length in 0..=bytes.len() {
        let prefix = &bytes[..length];
        let read = History::read_from("a.jsonl", Cursor::new(prefix.to_vec()));
        if length < header_end {
            let text = read.expect_err("without its header a file is no history").to_string();
            let expected = if length == 0 { "a.jsonl: empty" } else { "a.jsonl, line 1, column" };
            assert!(text.starts_with(expected), "{length}: {text}");
            continue;
        }
        let history = read.unwrap_or_else(|error| panic!("{length}: {error}"));
        let ends = prefix.iter().filter(|byte| **byte == b'\n').count();
        let (events, tail) = match (prefix.ends_with(b"\n"), bytes.get(length) == Some(&b'\n')) {
            (true, _) => (ends - 1, Tail::Whole),
            (false, true) => (ends, Tail::Whole),
            (false, false) => (ends - 1, Tail::Torn { line: ends as u64 + 1 }),
        };
        assert_eq!((history.events().len(), history.tail()), (events, tail), "prefix of {length} bytes");
        assert_eq!(history.events(), &whole.events()[..events]);
    }
}

/// Reads a prefix of compressed data: what came before the cut, in order, and whether it was cut.
fn check_compressed_prefix(path: &std::path::Path, whole: &History, length: usize, all: usize) -> usize {
    match History::read(path) {
        Ok(history) => {
            let count = history.events().len();
            assert_eq!(history.events(), &whole.events()[..count], "{length} bytes");
            match history.tail() {
                Tail::Whole => assert_eq!((length, count), (all, whole.events().len())),
                Tail::Torn { line } => {
                    assert_eq!(line, count as u64 + 2, "{length} bytes: the first that is missing")
                }
            }
            count
        }
        Err(ReadError::Empty { .. }) => {
            assert_eq!(length, 0, "only nothing is empty");
            0
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("line 1, column"), "{length} bytes: {text}");
            assert!(text.contains("cut off"), "{length} bytes: {text}");
            0
        }
    }
}

#[test]
fn every_prefix_of_a_compressed_file() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("whole.jsonl.zst");
    record(FileWriter::create(&source).unwrap(), 16, |_| ()).finish().unwrap();
    let bytes = std::fs::read(&source).unwrap();
    let whole = History::read(&source).unwrap();
    let path = folder.path().join("cut.jsonl.zst");
    for length in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        check_compressed_prefix(&path, &whole, length, bytes.len());
    }
}

/// Flushes end blocks: a killed writer's file keeps everything that was flushed.
#[test]
fn every_prefix_of_a_compressed_file_that_was_flushed_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("flushed.jsonl.zst");
    let events: Vec<Event> = record(Vec::new(), 12, |_| ());
    let mut writer = FileWriter::create(&source).unwrap();
    rashomon_histories::Sink::header(&mut writer, &Header::new("flushed")).unwrap();
    let mut flushed = Vec::new();
    for event in &events {
        rashomon_histories::Sink::event(&mut writer, event).unwrap();
        if event.index % 7 == 6 {
            rashomon_histories::Sink::flush(&mut writer).unwrap();
            flushed.push((source.metadata().unwrap().len() as usize, event.index as usize + 1));
        }
    }
    // Killed here: neither finished nor flushed again.
    std::mem::forget(writer);
    let bytes = std::fs::read(&source).unwrap();
    let whole = History::from_events(Header::new("flushed"), events).unwrap();
    let path = folder.path().join("cut.jsonl.zst");
    for length in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let count = check_compressed_prefix(&path, &whole, length, usize::MAX);
        let due = flushed.iter().rev().find(|(end, _)| *end <= length).map_or(0, |(_, events)| *events);
        assert!(count >= due, "{length} bytes: {count} events, but {due} had been flushed");
    }
}

/// Cuts of a file of many compressed blocks, where whole blocks come out before the torn one.
#[test]
fn prefixes_of_a_large_compressed_file() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("large.jsonl.zst");
    record(FileWriter::create(&source).unwrap(), 4_000, |_| ()).finish().unwrap();
    let bytes = std::fs::read(&source).unwrap();
    let whole = History::read(&source).unwrap();
    let path = folder.path().join("cut.jsonl.zst");
    let mut counts = Vec::new();
    for part in 1..=23 {
        let length = bytes.len() * part / 23;
        std::fs::File::create(&path).unwrap().write_all(&bytes[..length]).unwrap();
        counts.push(check_compressed_prefix(&path, &whole, length, bytes.len()));
    }
    assert!(counts.is_sorted());
    assert!(counts[20] > 0, "a cut near the end leaves most of it: {counts:?}");
}
