//! An event's fields: missing, of another kind, twice, or another tool's.

use expect_test::expect;
use rashomon_histories::{Process, Value};

use super::{accepted_event, read, refused, refused_event};

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
