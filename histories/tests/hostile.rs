//! Hostile and broken files: each refusal names file, line, column and what was expected, in bounded memory.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use expect_test::{Expect, expect};
use rashomon_histories::{Event, History, Process, ReadError, Reader, Tail, Value};

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

#[test]
fn no_header() {
    refused("", expect![[r#"a.jsonl: empty; expected a header line such as {"rashomon_history":1}"#]]);
    refused(
        "\n",
        expect![[
            r#"a.jsonl, line 1, column 1: not an object; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
    refused(
        WRITE,
        expect![[
            r#"a.jsonl, line 1, column 80: missing field `rashomon_history`; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
    refused(
        "[]\n",
        expect![[
            r#"a.jsonl, line 1, column 1: not an object; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
    refused(
        "{\"rashomon_history\":\"one\"}\n",
        expect![[
            r#"a.jsonl, line 1, column 25: invalid type: string "one", expected u32; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
    refused(
        "{\"rashomon_history\":1} x\n",
        expect![[
            r#"a.jsonl, line 1, column 24: trailing characters; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
    refused(
        "{\"rashomon_his",
        expect![[
            r#"a.jsonl, line 1, column 15: the file is cut off in this line; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
    refused(
        "\u{feff}{\"rashomon_history\":1}\n",
        expect![[
            r#"a.jsonl, line 1, column 1: not an object; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
}

#[test]
fn another_version() {
    refused(
        "{\"rashomon_history\":2}\n",
        expect!["a.jsonl, line 1: history format version 2; this program expects one from 1 to 1"],
    );
    refused(
        "{\"rashomon_history\":0}\n",
        expect!["a.jsonl, line 1: history format version 0; this program expects one from 1 to 1"],
    );
    refused(
        "{\"rashomon_history\":-1}\n",
        expect![[
            r#"a.jsonl, line 1, column 22: invalid value: integer `-1`, expected u32; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
    refused(
        "{\"rashomon_history\":4294967296}\n",
        expect![[
            r#"a.jsonl, line 1, column 30: invalid value: integer `4294967296`, expected u32; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
}

#[test]
fn not_json() {
    refused(
        format!("{HEADER}hello\n"),
        expect![
            "a.jsonl, line 2, column 1: not an object; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused(
        format!("{HEADER}{{\"index\":0,\n"),
        expect![
            "a.jsonl, line 2, column 11: EOF while parsing a value; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused(
        format!("{HEADER}{WRITE}{WRITE}\n"),
        expect![
            "a.jsonl, line 2, column 81: trailing characters; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused(
        format!("{HEADER}{WRITE}\n{{'index':1}}\n"),
        expect![
            "a.jsonl, line 3, column 2: key must be a string; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused(
        format!("{HEADER}[0,1,0,\"invoke\",\"read\",\"x\",null,null,null]\n"),
        expect![
            "a.jsonl, line 2, column 1: not an object; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused(
        format!("{HEADER}7\n"),
        expect![
            "a.jsonl, line 2, column 1: not an object; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused(
        "\u{7f}ELF\u{2}\u{1}\u{1}\0\0\n\0",
        expect![[
            r#"a.jsonl, line 1, column 1: not an object; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
}

#[test]
fn not_utf8() {
    let mut bytes = format!("{HEADER}{WRITE}\n").into_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'x').unwrap();
    bytes[at] = 0xff;
    refused(
        bytes,
        expect![
            "a.jsonl, line 2, column 68: not UTF-8; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
}

#[test]
fn fields_that_are_wrong() {
    refused_event(
        r#""index":0,"#,
        "",
        expect![
            "a.jsonl, line 2, column 70: missing field `index`; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""f":"write","#,
        "",
        expect![
            "a.jsonl, line 2, column 68: missing field `f`; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""index":0"#,
        r#""index":-1"#,
        expect![
            "a.jsonl, line 2, column 11: invalid value: integer `-1`, expected u64; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""index":0"#,
        r#""index":0.0"#,
        expect![
            "a.jsonl, line 2, column 12: invalid type: floating point `0.0`, expected u64; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""time":1"#,
        r#""time":"1""#,
        expect![[
            r#"a.jsonl, line 2, column 21: invalid type: string "1", expected u64; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"#
        ]],
    );
    refused_event(
        r#""time":1"#,
        r#""time":18446744073709551616"#,
        expect![
            "a.jsonl, line 2, column 38: invalid type: floating point `1.8446744073709552e+19`, expected u64; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""process":0"#,
        r#""process":-1"#,
        expect![[
            r#"a.jsonl, line 2, column 32: invalid type: integer `-1`, expected a process: a number from 0 on, or "nemesis"; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"#
        ]],
    );
    refused_event(
        r#""process":0"#,
        r#""process":"nobody""#,
        expect![[
            r#"a.jsonl, line 2, column 38: invalid value: string "nobody", expected a process: a number from 0 on, or "nemesis"; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"#
        ]],
    );
    refused_event(
        r#""process":0"#,
        r#""process":null"#,
        expect![[
            r#"a.jsonl, line 2, column 34: invalid type: null, expected a process: a number from 0 on, or "nemesis"; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"#
        ]],
    );
    refused_event(
        r#""invoke""#,
        r#""start""#,
        expect![
            "a.jsonl, line 2, column 46: unknown variant `start`, expected one of `invoke`, `ok`, `fail`, `info`; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""invoke""#,
        r#"7"#,
        expect![
            "a.jsonl, line 2, column 40: expected value; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""key":"x""#,
        r#""key":["x"]"#,
        expect![
            "a.jsonl, line 2, column 67: invalid type: sequence, expected a key: a string, a whole number, or null; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""key":"x""#,
        r#""key":1.5"#,
        expect![
            "a.jsonl, line 2, column 69: invalid type: floating point `1.5`, expected a key: a string, a whole number, or null; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""key":"x""#,
        r#""error":["timeout"]"#,
        expect![
            "a.jsonl, line 2, column 68: invalid type: sequence, expected a string; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
}

#[test]
fn numbers_that_would_lose_digits() {
    refused_event(
        ":7",
        ":9223372036854775808",
        expect![
            "a.jsonl, line 2, column 97: the whole number 9223372036854775808 is beyond 63 bits; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        ":7",
        ":18446744073709551616",
        expect![
            "a.jsonl, line 2, column 98: the number 1.8446744073709552e19 is beyond 63 bits; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        ":7",
        ":-9223372036854775809",
        expect![
            "a.jsonl, line 2, column 98: the number -9.223372036854776e18 is beyond 63 bits; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        ":7",
        ":1e19",
        expect![
            "a.jsonl, line 2, column 82: the number 1e19 is beyond 63 bits; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        ":7",
        ":1e999",
        expect![
            "a.jsonl, line 2, column 83: number out of range; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    assert_eq!(accepted_event(":7", ":9223372036854775807").value, Value::Int(i64::MAX));
    assert_eq!(accepted_event(":7", ":-9223372036854775808").value, Value::Int(i64::MIN));
    assert_eq!(accepted_event(":7", ":1e18").value, Value::Float(1e18));
    assert_eq!(accepted_event(r#""time":1"#, r#""time":18446744073709551615"#).time.0, u64::MAX);
}

/// Readers differ on which of two fields of one name holds; a history must not mean two things.
#[test]
fn names_that_stand_twice() {
    refused_event(
        r#""index":0"#,
        r#""index":0,"index":0"#,
        expect![
            "a.jsonl, line 2, column 18: duplicate field `index`; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        r#""value":7"#,
        r#""value":7,"value":8"#,
        expect![
            "a.jsonl, line 2, column 87: duplicate field `value`; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        ":7",
        r#":{"a":1,"b":2,"a":3}"#,
        expect![[
            r#"a.jsonl, line 2, column 97: the name "a" stands twice in one object; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"#
        ]],
    );
    refused(
        r#"{"rashomon_history":1,"rashomon_history":1}"#,
        expect![[
            r#"a.jsonl, line 1, column 40: duplicate field `rashomon_history`; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#
        ]],
    );
}

/// Other tools add fields; those mean nothing here and are skipped, however deep and however often.
#[test]
fn fields_of_other_tools_are_skipped() {
    let plain = accepted_event(":7", ":7");
    let deep = format!(r#"7,"debug":{}{}"#, "[".repeat(10_000), "]".repeat(10_000));
    for by in [r#"7,"final?":true"#, r#"7,"debug":{"a":[1,2]},"debug":null"#, &deep] {
        assert_eq!(accepted_event("7", by), plain);
    }
    read("{\"rashomon_history\":1,\"tool\":\"other\"}\n").expect("in the header too");
}

#[test]
fn what_may_be_said_in_several_ways() {
    assert_eq!(accepted_event(r#""key":"x""#, r#""key":5"#).key.as_deref(), Some("5"));
    assert_eq!(accepted_event(r#""key":"x""#, r#""key":-5"#).key.as_deref(), Some("-5"));
    assert_eq!(accepted_event(r#""key":"x""#, r#""key":null"#).key, None);
    assert_eq!(accepted_event(r#","value":7"#, "").value, Value::Null);
    assert_eq!(accepted_event(r#""process":0"#, r#""process":"nemesis""#).process, Process::Nemesis);
    let most = format!("\"process\":{}", u64::MAX);
    assert_eq!(accepted_event(r#""process":0"#, &most).process, Process::client(u64::MAX));
}

#[test]
fn nested_too_deeply() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    refused_event(
        "7",
        &nested(200),
        expect![
            "a.jsonl, line 2, column 205: recursion limit exceeded; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        "7",
        &"[".repeat(500_000),
        expect![
            "a.jsonl, line 2, column 205: recursion limit exceeded; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    refused_event(
        "7",
        &"{\"a\":".repeat(500_000),
        expect![
            "a.jsonl, line 2, column 709: recursion limit exceeded; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
    accepted_event("7", &nested(120));
}

#[test]
fn line_ends_of_other_systems_and_blank_lines() {
    let ok = WRITE.replace("invoke", "ok").replace("\"index\":0", "\"index\":1");
    let plain = read(format!("{HEADER}{WRITE}\n{ok}\n")).unwrap();
    let spread = format!("{HEADER}\n{WRITE}\n  \t\n\n{ok}\n\n");
    for text in [spread.clone(), spread.replace('\n', "\r\n"), spread.trim_end().to_owned()] {
        assert_eq!(read(&text).unwrap(), plain, "{text:?}");
    }
    refused(
        format!("{HEADER}\r\n\r\n{WRITE}x\r\n"),
        expect![
            "a.jsonl, line 4, column 81: trailing characters; the line must be an event object with index, time, process, type (invoke, ok, fail or info), f and, where they apply, key and value"
        ],
    );
}

#[test]
fn a_file_that_is_not_there() {
    let error = History::read(Path::new("/nowhere/a.jsonl")).unwrap_err().to_string();
    expect!["/nowhere/a.jsonl: No such file or directory (os error 2)"].assert_eq(&error);
    let folder = tempfile::tempdir().unwrap();
    let error = History::read(folder.path()).unwrap_err();
    assert!(matches!(error, ReadError::Io { .. }), "a folder: {error}");
}

#[test]
fn compressed_data_that_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.zst");
    let message = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let text = History::read(&path).unwrap_err().to_string();
        text.replace(folder.path().to_str().unwrap(), "FOLDER")
    };
    expect!["FOLDER/a.jsonl.zst, line 1: the compressed data is damaged: Unknown frame descriptor; expected zstd, as the name ends in .zst"].assert_eq(&message(format!("{HEADER}{WRITE}\n").as_bytes()));
    expect![[r#"FOLDER/a.jsonl.zst, line 1, column 1: the file is cut off in this line; the line must be a header object such as {"rashomon_history":1,"about":"…"}"#]].assert_eq(&message(b""));
    let mut good = zstd::encode_all(format!("{HEADER}{WRITE}\n").as_bytes(), 1).unwrap();
    good.extend_from_slice(b"what is this");
    expect!["FOLDER/a.jsonl.zst, line 3: the compressed data is damaged: Unknown frame descriptor; expected zstd, as the name ends in .zst"].assert_eq(&message(&good));
}

#[test]
fn a_torn_last_line_is_reported_and_left_out() {
    for torn in ["{\"index\":1,", "{", "\0\0\0\0", "nul", "{\"index\":1,\"f\":\"\u{e9}"] {
        let history = read(format!("{HEADER}{WRITE}\n{torn}")).unwrap();
        assert_eq!((history.events().len(), history.tail()), (1, Tail::Torn { line: 3 }), "{torn:?}");
    }
    let mut half_character = format!("{HEADER}{WRITE}\n{{\"f\":\"").into_bytes();
    half_character.push(0xc3);
    assert_eq!(read(half_character).unwrap().tail(), Tail::Torn { line: 3 });
    let history = read(format!("{HEADER}{WRITE}")).unwrap();
    assert_eq!((history.events().len(), history.tail()), (1, Tail::Whole), "whole but for its line end");
    refused(
        format!("{HEADER}{WRITE}\n{WRITE}"),
        expect!["a.jsonl, line 3: rule index-counts: index 0, expected 1"],
    );
}

/// Gives so many bytes and remembers how many were taken.
struct Endless {
    taken: std::rc::Rc<std::cell::Cell<u64>>,
    size: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.size - self.taken.get();
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        buffer[..length].fill(b'a');
        self.taken.set(self.taken.get() + length as u64);
        Ok(length)
    }
}

/// The reader holds the line that it reads and a buffer; so what it took from the stream bounds its memory.
#[test]
fn a_line_of_a_gigabyte() {
    const GIGABYTE: u64 = 1 << 30;
    for start in ["", HEADER, "{\"rashomon_history\":1}\n{\"f\":\"", "{\"rashomon_history\":1}\n[[[["] {
        let taken = std::rc::Rc::new(std::cell::Cell::new(0));
        let endless = Endless { taken: std::rc::Rc::clone(&taken), size: GIGABYTE };
        let input = BufReader::new(Cursor::new(start.as_bytes().to_vec()).chain(endless));
        let error = match Reader::new("a.jsonl", Box::new(input)) {
            Err(error) => error,
            Ok(mut reader) => reader.next_event().unwrap_err(),
        };
        let line = if start.is_empty() { 1 } else { 2 };
        let expected =
            format!("a.jsonl, line {line}: longer than 4194304 bytes; expected an event in one line of JSON");
        assert_eq!(error.to_string(), expected);
        assert!(taken.get() < 5 << 20, "{} bytes were read", taken.get());
    }
}

/// A small compressed file that unpacks to one line of 32 MiB.
#[test]
fn a_small_file_that_unpacks_to_a_long_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.zst");
    let mut encoder = zstd::Encoder::new(std::fs::File::create(&path).unwrap(), 1).unwrap();
    std::io::Write::write_all(&mut encoder, HEADER.as_bytes()).unwrap();
    std::io::copy(&mut std::io::repeat(b' ').take(1 << 25), &mut encoder).unwrap();
    encoder.finish().unwrap();
    assert!(path.metadata().unwrap().len() < 1 << 16);
    let error = History::read(&path).unwrap_err();
    assert!(matches!(error, ReadError::LineTooLong { line: 2, .. }), "{error}");
}
