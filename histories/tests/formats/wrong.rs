//! What a file is guessed to be, and the message for what is none.

use expect_test::{Expect, expect};
use rashomon_histories::formats::{Options, guess};

use super::read_text;

#[track_caller]
fn check_guess(start: &str, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, start).unwrap();
    let said = match guess(&path) {
        Ok(guess) => format!("{}: {}", guess.format, guess.because),
        Err(error) => error.to_string().replace(folder.path().to_str().unwrap(), ""),
    };
    expected.assert_eq(&said);
}

#[test]
fn what_a_file_seems_to_be_and_why() {
    check_guess(
        "{\"rashomon_history\":1}\n",
        expect!["rashomon: its first line is a header with rashomon_history"],
    );
    check_guess("; a comment\n\n, {:type :invoke", expect!["edn: it begins with a map with keywords"]);
    check_guess("[ {:type", expect!["edn: it begins with a map with keywords"]);
    check_guess("(#jepsen.history.Op{:index 0", expect!["edn: it begins with one of Jepsen's records"]);
    check_guess("[\n  {\n  \"type\": \"invoke\"", expect!["json: it begins with an object of JSON"]);
    check_guess("{\"type\":\"invoke\"}\n", expect!["json: it begins with an object of JSON"]);
    check_guess("[]", expect!["json: it is an empty list"]);
    check_guess(
        "some text\nINFO  jepsen.util - 0\t:invoke\t:read\tnil\n",
        expect!["jepsen-log: it has log lines with a process, :invoke and an operation between tabs"],
    );
    check_guess("", expect![[r#"/a: empty; expected a header line such as {"rashomon_history":1}"#]]);
    check_guess("\n\n", expect![[r#"/a: empty; expected a header line such as {"rashomon_history":1}"#]]);
    check_guess(
        "hello\nworld",
        expect![[
            r#"/a, line 1: begins with "hello\nworld"; expected a history: JSON lines with a rashomon_history header, Jepsen's EDN maps, Jepsen's log, or a JSON list of operations"#
        ]],
    );
    check_guess(
        "\u{7f}ELF\u{2}",
        expect![[
            r#"/a, line 1: begins with "\u{7f}ELF\u{2}"; expected a history: JSON lines with a rashomon_history header, Jepsen's EDN maps, Jepsen's log, or a JSON list of operations"#
        ]],
    );
    check_guess(
        "{}",
        expect![[
            r#"/a, line 1: begins with "{}"; expected a history: JSON lines with a rashomon_history header, Jepsen's EDN maps, Jepsen's log, or a JSON list of operations"#
        ]],
    );
}

#[track_caller]
pub(super) fn refused(name: &str, text: impl AsRef<[u8]>, expected: Expect) {
    let error = read_text(name, text, &Options::default()).unwrap_err().to_string();
    let (_, message) = error.split_once(&format!("/{name}")).expect("the file is named");
    expected.assert_eq(message);
}

#[test]
fn edn_that_is_wrong() {
    refused(
        "a.edn",
        "{:type :invoke, :f :read}",
        expect![
            ", line 1, column 1: the field :process is missing; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :f :read}",
        expect![
            ", line 1, column 1: the field :type is missing; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type :start, :f :read}",
        expect![
            ", line 1, column 1: the unknown type :start; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process -1, :type :invoke, :f :read}",
        expect![
            ", line 1, column 1: the process -1, which is neither a number from 0 on nor :nemesis; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process :generator, :type :invoke, :f :read}",
        expect![
            ", line 1, column 1: the process :generator, which is neither a number from 0 on nor :nemesis; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type :invoke, :value nil}",
        expect![
            ", line 1, column 1: an operation without f; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type :invoke, :f [1 2]}",
        expect![
            ", line 1, column 1: :f (a vector of 2), which is no name; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type :invoke, :f :r, :time 1.5}",
        expect![
            ", line 1, column 1: :time 1.5, which is no whole number; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type \"ok\", :f :r}",
        expect![[
            r#", line 1, column 1: the type "ok", which is no keyword; expected an operation with process, type (invoke, ok, fail or info), f and value"#
        ]],
    );
    refused(
        "a.edn",
        "{:process 0, :process 0, :type :invoke, :f :read}",
        expect![
            ", line 1, column 1: the field :process stands twice; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type :invoke, :f :w, :value {:a 1 \"a\" 2}}",
        expect![[
            r#", line 1, column 1: the name "a" stands twice in one map; expected an operation with process, type (invoke, ok, fail or info), f and value"#
        ]],
    );
    refused(
        "a.edn",
        "{:process 0, :type :invoke, :f :read}\n\n 7",
        expect![
            ", line 3, column 2: not a map; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type :invoke, :f :read}\n {:process 0)",
        expect![
            ", line 2, column 13: a ')' that closes nothing; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        "{:process 0, :type",
        expect![
            ", line 1, column 19: the file is cut off; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        format!("{{:process 0 :value {}", "[".repeat(1_000_000)),
        expect![
            ", line 1, column 148: nested more than 128 deep; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.edn",
        b"{:process 0 :value \"\xff\"",
        expect![
            ", line 1, column 23: not UTF-8; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
}

#[test]
fn json_that_is_wrong() {
    refused(
        "a.json",
        r#"[{"process":0,"f":"read"}]"#,
        expect![
            ", line 1, column 26: missing field `type`; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.json",
        "[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"},\n7]",
        expect![
            ", line 2, column 2: invalid type: integer `7`, expected an operation as an object; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.json",
        "[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}]\n]",
        expect![
            ", line 2, column 1: trailing characters; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.json",
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":\"x\"}",
        expect![[
            r#", line 2, column 15: invalid value: string "x", expected a process: a number from 0 on, or "nemesis"; expected an operation with process, type (invoke, ok, fail or info), f and value"#
        ]],
    );
    refused(
        "a.json",
        format!("[{{\"value\":{}", "[".repeat(1_000_000)),
        expect![
            ", line 1, column 136: recursion limit exceeded; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.json",
        r#"[{"process":0,"type":"invoke","f":"w","value":9223372036854775808}]"#,
        expect![
            ", line 1, column 67: the whole number 9223372036854775808 is beyond 63 bits; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.json",
        r#"[{"process":0,"#,
        expect![
            ", line 1, column 14: EOF while parsing a value; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
}

#[test]
fn logs_that_are_wrong() {
    let good = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n";
    refused(
        "a.log",
        format!("{good}INFO  jepsen.util - x\t:ok\t:read\tnil\n"),
        expect![[
            r#", line 2, column 1: the process "x", which is no number and not :nemesis; expected an operation with process, type (invoke, ok, fail or info), f and value"#
        ]],
    );
    refused(
        "a.log",
        format!("{good}INFO  jepsen.util - 0\t:ok\t:read\n"),
        expect![
            ", line 2, column 1: an operation's line without :f or value; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.log",
        format!("{good}INFO  jepsen.util - 0\t:ok\t:read\t[1\n"),
        expect![
            ", line 2, column 1: a ')' that closes nothing; expected an operation with process, type (invoke, ok, fail or info), f and value"
        ],
    );
    refused(
        "a.log",
        format!("{good}INFO  jepsen.util - 0\t:ok\t:read\t1 2\n"),
        expect![[
            r#", line 2, column 1: "1 2", which is not one form; expected an operation with process, type (invoke, ok, fail or info), f and value"#
        ]],
    );
}
