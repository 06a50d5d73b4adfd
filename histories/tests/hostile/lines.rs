//! Lines that are no JSON, no text, cut off, or damaged with their file.

use std::path::Path;

use expect_test::expect;
use rashomon_histories::{History, ReadError, Tail};

use super::{HEADER, WRITE, read, refused};

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
