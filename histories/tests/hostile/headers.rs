//! The first line, and the version that it names.

use expect_test::expect;

use super::{WRITE, refused};

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
