//! Values that a reader would change, or that nest too deeply.

use expect_test::expect;
use rashomon_histories::Value;

use super::{accepted_event, refused_event};

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
