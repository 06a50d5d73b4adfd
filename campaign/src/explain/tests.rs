use std::io::Cursor;

use expect_test::{Expect, expect};
use rashomon_checker::Counterexample;
use rashomon_checker::outcome::Prefix;
use rashomon_histories::History;

use super::*;
use crate::drawing::spans::Spans;
use crate::source::record_of;

/// A stale read behind a partition, and a write of unknown outcome.
const STALE: &str = r#"{"rashomon_history":1,"about":"test","model":"cas-register"}
{"index":0,"time":1000000000,"process":0,"type":"invoke","f":"write","key":"x","value":1,"node":"n1"}
{"index":1,"time":1010000000,"process":0,"type":"ok","f":"write","key":"x","value":1,"node":"n1"}
{"index":2,"time":1020000000,"process":"nemesis","type":"info","f":"partition","value":{"id":1,"phase":"begin","since":1015000000,"outcome":"installed","story":"the leader n3 alone"}}
{"index":3,"time":2000000000,"process":5,"type":"invoke","f":"write","key":"x","value":2,"node":"n2"}
{"index":4,"time":2030000000,"process":5,"type":"ok","f":"write","key":"x","value":2,"node":"n2"}
{"index":5,"time":2040000000,"process":7,"type":"invoke","f":"read","key":"x","node":"n3"}
{"index":6,"time":2041000000,"process":7,"type":"ok","f":"read","key":"x","value":1,"node":"n3"}
{"index":7,"time":2050000000,"process":9,"type":"invoke","f":"cas","key":"x","value":[1,3],"node":"n3"}
{"index":8,"time":3050000000,"process":9,"type":"info","f":"cas","key":"x","value":[1,3],"node":"n3","error":"timeout"}
"#;

fn history(text: &str) -> History {
    History::read_from("test", Cursor::new(text.to_owned())).unwrap()
}

fn case_of(text: &str, found: &Counterexample) -> Case {
    let history = history(text);
    let mut spans = Spans::default();
    history.nemesis().for_each(|event| spans.admit(event));
    let sentences = ["It is so.".to_owned(), "Since it is so.".to_owned()];
    Case::new("x", &sentences, found, &record_of(history.events().to_vec()), &spans)
}

fn stale() -> Case {
    case_of(
        STALE,
        &Counterexample {
            operations: vec![0, 3, 5, 7],
            impossible: Some(5),
            prefixes: vec![Prefix { order_tail: vec![0, 3], state: "2".into() }],
            ..Counterexample::default()
        },
    )
}

fn check_table(case: &Case, width: usize, expected: Expect) {
    let table = table::table(case, width);
    let widest = table.lines().map(text::columns).max().unwrap_or(0);
    assert!(widest <= width, "{widest} columns of {width}:\n{table}");
    // A first line without blanks, which snapshots would otherwise take away from all.
    expected.assert_eq(&format!("{width} columns\n{table}"));
}

#[test]
fn a_wide_terminal_has_a_column_per_process() {
    check_table(
        &stale(),
        100,
        expect![[r#"
            100 columns
                       client 0 at n1  client 5 at n2  client 7 at n3  client 9 at n3
              1.000 s  ┌ write 1 ①
              1.010 s  └ returned
              1.015 s  ── partition begins: the leader n3 alone
              2.000 s                  ┌ write 2 ②
              2.030 s                  └ returned
              2.040 s                                  ┌ read → 1 ✗
              2.041 s                                  └ returned
              2.050 s                                                  ┌ cas 1→3 ?
                                                                       ┆  outcome unknown: open to the end
        "#]],
    );
}

#[test]
fn a_narrow_terminal_has_rails() {
    check_table(
        &stale(),
        60,
        expect![[r#"
            60 columns
              1.000 s  ┌           client 0 at n1: write 1 ①
              1.010 s  └           client 0 at n1 returned
              1.015 s  ── partition begins: the leader n3 alone
              2.000 s     ┌        client 5 at n2: write 2 ②
              2.030 s     └        client 5 at n2 returned
              2.040 s        ┌     client 7 at n3: read → 1 ✗
              2.041 s        └     client 7 at n3 returned
              2.050 s           ┌  client 9 at n3: cas 1→3 ?
                                ┆  outcome unknown: open to the end
        "#]],
    );
}

#[test]
fn twelve_processes_are_readable_in_eighty_columns() {
    let mut text = "{\"rashomon_history\":1,\"about\":\"test\"}\n".to_owned();
    for n in 0..12 {
        let time = 1_000_000 * (n + 1);
        text.push_str(&format!(
            "{{\"index\":{n},\"time\":{time},\"process\":{n},\"type\":\"invoke\",\"f\":\"write\",\"value\":{n}}}\n"
        ));
    }
    for n in 0..12 {
        let (index, time) = (12 + n, 20_000_000 + 1_000_000 * n);
        text.push_str(&format!(
            "{{\"index\":{index},\"time\":{time},\"process\":{n},\"type\":\"ok\",\"f\":\"write\",\"value\":{n}}}\n"
        ));
    }
    let case = case_of(&text, &Counterexample { operations: (0..12).collect(), ..Counterexample::default() });
    let table = table::table(&case, 80);
    assert!(table.lines().all(|line| text::columns(line) <= 80), "{table}");
    assert_eq!(table.lines().count(), 24, "{table}");
    for n in 0..12 {
        assert!(table.contains(&format!("client {n}: write {n}")), "{table}");
    }
}

#[test]
fn a_picture_marks_the_order_the_impossible_step_and_what_is_unknown() {
    let svg = picture::alone(&stale());
    let drawn = svg[svg.find("</style>").unwrap()..].replace("><", ">\n<");
    expect![[r##"
        </style>
        <rect class="sheet" width="100%" height="100%">
        </rect>
        <g>
        <title>partition: the leader n3 alone (installed), from 1.015 s to the end of the record</title>
        <rect x="238.6" y="4" width="711.4" height="204" fill="#00798c" fill-opacity="0.12">
        </rect>
        <rect x="238.6" y="4" width="711.4" height="2" fill="#00798c">
        </rect>
        <text class="soft" x="243.6" y="17">partition: the leader n3 alone</text>
        </g>
        <line class="lane" x1="0" x2="960" y1="24" y2="24">
        </line>
        <text x="6" y="44">client 0</text>
        <text class="soft" x="6" y="60">at n1</text>
        <line class="lane" x1="0" x2="960" y1="70" y2="70">
        </line>
        <text x="6" y="90">client 5</text>
        <text class="soft" x="6" y="106">at n2</text>
        <line class="lane" x1="0" x2="960" y1="116" y2="116">
        </line>
        <text x="6" y="136">client 7</text>
        <text class="soft" x="6" y="152">at n3</text>
        <line class="lane" x1="0" x2="960" y1="162" y2="162">
        </line>
        <text x="6" y="182">client 9</text>
        <text class="soft" x="6" y="198">at n3</text>
        <line class="lane" x1="0" x2="960" y1="208" y2="208">
        </line>
        <line class="tick" x1="120" x2="120" y1="24" y2="213">
        </line>
        <line class="tick" x1="185" x2="185" y1="24" y2="213">
        </line>
        <line class="tick" x1="238.6" x2="238.6" y1="24" y2="213">
        </line>
        <line class="tick" x1="652" x2="652" y1="24" y2="213">
        </line>
        <line class="tick" x1="745.6" x2="745.6" y1="24" y2="213">
        </line>
        <line class="tick" x1="810.6" x2="810.6" y1="24" y2="213">
        </line>
        <line class="tick" x1="849" x2="849" y1="24" y2="213">
        </line>
        <line class="tick" x1="912" x2="912" y1="24" y2="213">
        </line>
        <text class="soft" x="90.1" y="226">1.000 s</text>
        <text class="soft" x="155.1" y="241">1.010 s</text>
        <text class="soft" x="208.7" y="226">1.015 s</text>
        <text class="soft" x="622.1" y="226">2.000 s</text>
        <text class="soft" x="715.7" y="226">2.030 s</text>
        <text class="soft" x="780.7" y="241">2.040 s</text>
        <text class="soft" x="819" y="226">2.041 s</text>
        <text class="soft" x="882.1" y="241">2.050 s</text>
        <g>
        <title>client 0 at n1: write 1, from 1.000 s to 1.010 s; place 1 of an order that is consistent so far (event 0)</title>
        <rect class="bar" x="120" y="48" width="65" height="15" rx="3">
        </rect>
        <circle class="badge" cx="120" cy="55.5" r="8.5">
        </circle>
        <text class="place" x="120" y="59.3">1</text>
        <text x="112" y="39">write 1</text>
        </g>
        <g>
        <title>client 5 at n2: write 2, from 2.000 s to 2.030 s; place 2 of an order that is consistent so far (event 3)</title>
        <rect class="bar" x="652" y="94" width="93.6" height="15" rx="3">
        </rect>
        <circle class="badge" cx="652" cy="101.5" r="8.5">
        </circle>
        <text class="place" x="652" y="105.3">2</text>
        <text x="644" y="85">write 2</text>
        </g>
        <g>
        <title>client 7 at n3: read → 1, from 2.040 s to 2.041 s; it has no place in any order (event 5)</title>
        <rect class="bar impossible" x="810.6" y="140" width="38.3" height="15" rx="3">
        </rect>
        <circle class="badge impossible" cx="810.6" cy="147.5" r="8.5">
        </circle>
        <path class="cross" d="M807.1 144l7 7m0 -7l-7 7">
        </path>
        <text class="wrong" x="802.6" y="131">read → 1</text>
        </g>
        <g>
        <title>client 9 at n3: cas 1→3 ?, from 2.050 s on; its outcome is unknown, it may take effect at any later time or never (event 7)</title>
        <path class="bar among unknown" d="M950 186H912V201H950">
        </path>
        <path class="bar among unknown" d="M945 189l5 4.5l-5 4.5" style="fill:none;stroke-dasharray:none">
        </path>
        <text x="890.8" y="177">cas 1→3 ?</text>
        </g>
        </svg>
    "##]].assert_eq(&drawn);
}

#[test]
fn a_picture_is_well_formed_whatever_stands_in_the_history() {
    let hostile = STALE
        .replace("n3\"", "<script>alert(1)</script>&\\u0000\\u001b[31m\\ufffe\\\"'\"")
        .replace("\"f\":\"cas\"", "\"f\":\"]]>--><cas\\u202e\"");
    let case = case_of(
        &hostile,
        &Counterexample { operations: vec![0, 3, 5, 7], cycle: vec![3, 5], ..Counterexample::default() },
    );
    let svg = picture::alone(&case);
    assert!(!svg.contains("<script"), "{svg}");
    assert!(svg.chars().all(|c| c == '\n' || !c.is_control()), "{svg}");
    assert_well_formed(&svg);
}

/// Every tag closes the one that was opened last, and every ampersand begins an entity.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    for piece in xml.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!tag.starts_with('!'), "{tag}");
        match tag.strip_prefix('/') {
            _ if tag.starts_with('?') => {}
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            let name = entity.split(';').next().unwrap();
            assert!(["amp", "lt", "gt", "quot"].contains(&name), "&{entity}");
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn a_case_without_a_record_is_told_in_words_only() {
    let found = Counterexample { operations: vec![0, 3], ..Counterexample::default() };
    let case = Case::new("x", &["It is so.".to_owned()], &found, &Default::default(), &Spans::default());
    let loaded = Loaded { safety: Safety::Invalid, cases: vec![case], remarks: Vec::new() };
    assert_eq!(told(&loaded, loaded.cases.first(), 80), "It is so.\n\n");
}

#[test]
fn a_history_of_anybodys_making_is_judged_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stale.jsonl");
    std::fs::write(&path, STALE).unwrap();
    let loaded = load::load(&path, None).unwrap();
    assert_eq!(loaded.safety, Safety::Invalid);
    let told = told(&loaded, choose(&loaded, Some("x")).unwrap(), 100);
    assert!(told.contains("client 7 at node n3 read 1 on key x"), "{told}");
    assert!(told.contains("┌ read → 1 ✗"), "{told}");
    assert!(choose(&loaded, Some("y")).unwrap_err().to_string().contains("there is one on x"));
}

#[test]
fn what_is_not_there_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    for path in [folder.path(), &nowhere] {
        let error = load::load(path, None).err().unwrap();
        assert!(error.is::<BadInput>(), "{error:#}");
    }
}

#[test]
fn lines_wrap_at_words() {
    assert_eq!(wrap("one two three four", "", 9), "one two\n  three\n  four\n");
    assert_eq!(wrap("indivisible", "  ", 4), "  indivisible\n");
}
