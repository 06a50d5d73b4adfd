use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rashomon_histories::Nanos;

use super::gather::gather;
use super::*;
use crate::run::measure::{Counts, Measures};
use crate::run::report::Violation;
use crate::run::verdict::{Axes, Coverage, Harness, Recovery, Safety};

const HISTORY: &str = r#"{"rashomon_history":1,"about":"test","model":"cas-register"}
{"index":0,"time":1000000000,"process":0,"type":"invoke","f":"write","key":"<script>","value":1,"node":"n1"}
{"index":1,"time":1010000000,"process":0,"type":"ok","f":"write","key":"<script>","value":1,"node":"n1"}
{"index":2,"time":1020000000,"process":"nemesis","type":"info","f":"partition","value":{"id":1,"phase":"begin","since":1015000000,"outcome":"installed","story":"<img src=x onerror=alert(1)>"}}
{"index":3,"time":1100000000,"process":"nemesis","type":"info","f":"leader","value":{"node":"n3","term":2}}
{"index":4,"time":2040000000,"process":7,"type":"invoke","f":"read","key":"<script>","node":"n3"}
{"index":5,"time":2041000000,"process":7,"type":"ok","f":"read","key":"<script>","node":"n3"}
{"index":6,"time":2500000000,"process":8,"type":"invoke","f":"write","key":"<script>","value":2,"node":"n3"}
{"index":7,"time":2600000000,"process":8,"type":"fail","f":"write","key":"<script>","value":2,"node":"n3","error":"</title><b>"}
"#;

const WITNESS: &str = r#"{"verdict":"invalid","keys":[{"key":"a","verdict":"valid","order":[1,2,3]},
    {"key":"<script>","verdict":"invalid","operations":[0,4],"impossible":4,"prefixes":[{"order_tail":[0],"state":"1"}]}]}"#;

fn report(safety: Safety, code: u8) -> Report {
    let violation = Violation {
        key: "<script>".into(),
        sentences: vec!["client 7 read null on key <script>, although 1 was written.".into(), "More.".into()],
        at: Nanos(2_041_000_000),
    };
    Report {
        format: 1,
        plan_hash: "c180fd4a9753916a".into(),
        code,
        outcome: String::new(),
        axes: Axes {
            coverage: Coverage::default(),
            recovery: Recovery::default(),
            harness: Harness::default(),
            safety: safety.clone(),
        },
        violations: if safety == Safety::Invalid { vec![violation] } else { Vec::new() },
        keys_judged: 2,
        judged_ms: 12,
        ran_ms: 2_600,
        measures: Measures { counts: Counts { ok: 2, fail: 1, info: 0 }, ..Measures::default() },
        doubts: Vec::new(),
        reads_locally: false,
        defects: vec!["<R09>".into()],
        command: "rashomon run --system '<x>' --seed 3".into(),
        folder: PathBuf::from("/elsewhere"),
    }
}

/// A run's folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn violation() -> String {
    serde_json::to_string(&report(Safety::Invalid, 1)).unwrap()
}

fn html(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let path = gather(folder.path()).unwrap().write(folder.path()).unwrap();
    let html = fs::read_to_string(path).unwrap();
    assert!(html.ends_with("</html>"));
    for loads in ["<script", "<img", "<link", "<iframe", "<b>", "src=\"", "href=", "url(", "@import"] {
        assert!(!html.contains(loads), "{loads} in\n{html}");
    }
    html
}

#[test]
fn a_violation_says_what_broke_first_and_shows_it() {
    let plan =
        r#"{"system":"reference","nodes":5,"faults":["partition"],"a_setting_of_the_future":{"x":[]}}"#;
    let html = html(&[
        ("plan.json", plan),
        ("history.jsonl", HISTORY),
        ("verdict.json", &violation()),
        ("witness.json", WITNESS),
    ]);
    for shown in [
        "VIOLATION",
        "Client 7 read null on key &lt;script&gt;, although 1 was written.",
        "read → nothing",
        "rashomon run --system '&lt;x&gt;' --seed 3",
        "&lt;R09&gt;",
        "partition: &lt;img",
        "n3 leads in term 2",
        "longest gap",
        "a setting of the future",
        "&lt;/title&gt;&lt;b&gt;",
    ] {
        assert!(html.contains(shown), "{shown} not in\n{html}");
    }
    assert!(!html.contains("cannot be drawn"));
}

#[test]
fn every_verdict_has_its_word() {
    let undecided = Safety::Undecided { reason: "keys decided 1 of 2".into() };
    let mut failed = report(Safety::Valid, 255);
    failed.axes.harness.failures.push("the nemesis died".into());
    for (report, word, sentence) in [
        (report(Safety::Valid, 0), "PASSED", "One order of events"),
        (failed, "NOT PASSED", "The nemesis died"),
        (report(undecided, 2), "UNDECIDED", "keys decided 1 of 2"),
        (report(Safety::Diverged { story: "n1 differs.".into() }, 1), "VIOLATION", "N1 differs."),
        (report(Safety::Unjudged, 255), "NOT JUDGED", "There was nothing to judge."),
    ] {
        let verdict = serde_json::to_string(&report).unwrap();
        let html = html(&[("plan.json", "{}"), ("history.jsonl", HISTORY), ("verdict.json", &verdict)]);
        assert!(html.contains(&format!("<div class=\"word\">{word}</div>")), "{word}");
        assert!(html.contains(sentence), "{sentence}");
        assert_eq!(html.contains("VIOLATION"), word == "VIOLATION");
    }
}

#[test]
fn a_verdict_on_nodes_that_read_locally_says_so() {
    let promise = "sequential consistency is all they promise";
    for reads_locally in [false, true] {
        let report = Report { reads_locally, ..report(Safety::Valid, 0) };
        let verdict = serde_json::to_string(&report).unwrap();
        let html = html(&[("plan.json", "{}"), ("history.jsonl", HISTORY), ("verdict.json", &verdict)]);
        assert_eq!(html.contains(promise), reads_locally);
        assert_eq!(report.summary().contains(promise), reads_locally);
    }
}

#[test]
fn what_cannot_be_read_is_remarked_upon_and_never_hides_the_verdict() {
    let torn = &HISTORY[..HISTORY.len() - 40];
    let header = HISTORY.lines().next().unwrap();
    let broken = format!("{}{{\"index\":8,\"time\":1}}\n", HISTORY);
    for (name, text, remark) in [
        ("witness.json", None, "witness.json: "),
        ("witness.json", Some("{\"keys\":7}"), "witness.json: "),
        ("plan.json", Some("["), "plan.json: "),
        ("history.jsonl", None, "history.jsonl: "),
        ("history.jsonl", Some(torn), "line 9 of the history is torn"),
        ("history.jsonl", Some(broken.as_str()), "as far as it could be read"),
        ("history.jsonl", Some(header), ""),
        ("history.jsonl", Some(""), "empty; expected a header"),
    ] {
        let verdict = violation();
        let whole = [
            ("plan.json", "{}"),
            ("history.jsonl", HISTORY),
            ("verdict.json", &verdict),
            ("witness.json", WITNESS),
        ];
        let mut files: BTreeMap<&str, &str> = whole.into();
        match text {
            Some(text) => files.insert(name, text),
            None => files.remove(name),
        };
        let html = html(&files.into_iter().collect::<Vec<_>>());
        assert!(html.contains("VIOLATION") && html.contains("although 1 was written"), "{name}: {remark}");
        assert!(html.contains(remark), "{name}: no remark {remark:?} in\n{html}");
    }
}

#[test]
fn a_run_without_a_verdict_says_so() {
    for verdict in [None, Some("{}")] {
        let files =
            [("plan.json", "{}"), ("history.jsonl", HISTORY), ("verdict.json", verdict.unwrap_or_default())];
        let html = html(&files[..if verdict.is_some() { 3 } else { 2 }]);
        assert!(html.contains("NOT JUDGED") && html.contains("verdict.json: "), "{html}");
    }
}

#[test]
fn a_folder_that_is_no_runs_is_refused() {
    let folder = folder(&[("notes.txt", "hello")]);
    let error = gather(folder.path()).err().unwrap().to_string();
    assert!(error.contains("is not the folder of a run"), "{error}");
    let error = gather(&folder.path().join("gone")).err().unwrap().to_string();
    assert!(error.contains("there is no such folder"), "{error}");
}

#[test]
fn the_same_folder_gives_the_same_page() {
    let verdict = violation();
    let files = [("history.jsonl", HISTORY), ("verdict.json", verdict.as_str()), ("witness.json", WITNESS)];
    let folder = folder(&files);
    let page = || gather(folder.path()).unwrap().html();
    assert_eq!(page(), page());
}

#[test]
fn a_long_run_with_many_faults_fits_a_megabyte() {
    use rashomon_histories::{Event, Kind, Process, Value};
    let mut page = Page {
        name: "long".into(),
        plan: Map::new(),
        report: Some(report(Safety::Valid, 0)),
        traces: Traces::default(),
        cases: Vec::new(),
        remarks: Vec::new(),
    };
    let event = |time: u64, process: Process, kind: Kind, f: &str, value: Value| Event {
        index: 0,
        time: Nanos::from_millis(time),
        process,
        kind,
        f: f.into(),
        key: None,
        value,
        node: None,
        error: None,
    };
    let words = "x".repeat(300);
    for n in 0..1_500_u64 {
        let id = n as i64;
        let begin = serde_json::json!({"id": id, "phase": "begin", "outcome": "installed", "story": words,
            "actions": [words, words, words]});
        let lead = serde_json::json!({"node": format!("n{}", n % 5), "term": id});
        let value = |json| serde_json::from_value::<Value>(json).unwrap();
        page.traces.admit(&event(100 * n, Process::Nemesis, Kind::Info, "kill", value(begin)));
        page.traces.admit(&event(100 * n, Process::Nemesis, Kind::Info, "leader", value(lead)));
        for (kind, late) in [(Kind::Ok, 1), (Kind::Fail, 3), (Kind::Info, 40)] {
            page.traces.admit(&event(100 * n, Process::Client(n), Kind::Invoke, "read", Value::Null));
            page.traces.admit(&event(100 * n + late, Process::Client(n), kind, "read", Value::Null));
        }
        let end = serde_json::json!({"id": id, "phase": "end", "outcome": "installed"});
        page.traces.admit(&event(100 * n + 50, Process::Nemesis, Kind::Info, "kill", value(end)));
    }
    page.traces.finish();
    let bytes = page.html().len();
    assert!(bytes < 1_000_000, "{bytes} bytes");
}
