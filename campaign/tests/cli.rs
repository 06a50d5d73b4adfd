//! The command line, as a user meets it: every mistake has a sentence that names it, and the right exit code.
//! Nothing here starts a system; what does is in `run.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and says where")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BAD_INPUT: i32 = 254;

fn rashomon(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rashomon")).args(arguments).output().unwrap()
}

/// Must end with `code` and say every one of `words` on standard error.
#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let output = rashomon(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?} said: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} should say {word:?}, it said: {said}");
    }
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn what_does_not_exist_is_named_with_what_does() {
    refused(&["run", "--colour"], BAD_INPUT, &["--colour"]);
    refused(&["run", "--system", "ectd"], BAD_INPUT, &["ectd", "etcd"]);
    refused(&["run", "--faults", "kil"], BAD_INPUT, &["kil", "kill"]);
    refused(&["run", "--workload", "regsiter"], BAD_INPUT, &["regsiter", "register"]);
    refused(&["run", "--defect", "R99"], BAD_INPUT, &["R99", "R05"]);
    refused(&["run", "--protocol", "raaft"], BAD_INPUT, &["raaft", "raft"]);
    refused(&["run", "--arena", "moon"], BAD_INPUT, &["moon", "loopback"]);
    refused(&["list", "cats"], BAD_INPUT, &["cats", "defects"]);
    refused(&["run", "--timeline", "R98"], BAD_INPUT, &["R98", "R05"]);
    refused(&["run", "--timeline", "R05", "--faults", "kill"], BAD_INPUT, &["--timeline", "--faults"]);
    refused(&["conquer"], BAD_INPUT, &["conquer"]);
}

#[test]
fn a_plan_that_contradicts_itself_is_refused() {
    refused(&["run", "--nodes", "0"], BAD_INPUT, &["--nodes", "1 to"]);
    refused(&["run", "--nodes", "5", "--clients", "3"], BAD_INPUT, &["--clients 3", "per node"]);
    refused(&["run", "--rate=-1"], BAD_INPUT, &["--rate -1"]);
    refused(&["run", "--duration", "soon"], BAD_INPUT, &["soon"]);
    refused(&["run", "--duration", "1ms"], BAD_INPUT, &["--duration", "100"]);
    refused(&["run", "--faults", "kill,kill"], BAD_INPUT, &["twice"]);
    refused(
        &["run", "--faults", "partition-ring", "--nodes", "3"],
        BAD_INPUT,
        &["partition-ring", "4 nodes"],
    );
    refused(&["run", "--faults", "partition", "--arena", "loopback"], BAD_INPUT, &["partition", "loopback"]);
    refused(&["run", "--system", "etcd", "--protocol", "raft"], BAD_INPUT, &["etcd", "raft"]);
    refused(&["run", "--system", "etcd", "--defect", "R09"], BAD_INPUT, &["etcd", "no planted defects"]);
    let foreign = "R05 is a defect of raft, which zab cannot have";
    refused(&["run", "--protocol", "zab", "--defect", "R05"], BAD_INPUT, &[foreign]);
    refused(&["sim", "--protocol", "zab", "--defect", "R05"], BAD_INPUT, &[foreign]);
    refused(&["sim", "--reads", "local"], BAD_INPUT, &["--reads", "raft has no local reads"]);
    refused(&["sim", "--reads", "loudly"], BAD_INPUT, &["--reads", "loudly", "read-index"]);
    refused(&["sim", "--snapshot-entries", "0"], BAD_INPUT, &["--snapshot-entries", "expected 1 to"]);
}

#[test]
fn what_cannot_be_repeated_or_shrunk_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    refused(&["replay", folder.path().to_str().unwrap()], BAD_INPUT, &["not the folder of a run"]);
    let neither = file(folder.path(), "neither.json", "{}");
    refused(&["replay", neither.to_str().unwrap()], BAD_INPUT, &["neither a case", "nor a plan"]);
    refused(&["shrink", neither.to_str().unwrap(), "--fails", "4"], BAD_INPUT, &["--fails 4", "--runs"]);
    let unseen = "[[fault]]\nwhen = { sent = \"Vote\" }\nfor_ms = 1\nkill = \"it\"";
    let unseen = file(folder.path(), "unseen.toml", unseen);
    let unseen = unseen.to_str().unwrap();
    refused(&["run", "--timeline", unseen], BAD_INPUT, &["entry 1", "a message, which cannot be seen"]);
}

/// Said twice, a long path leaves no room for what is wrong with the file.
#[test]
fn every_error_names_its_file_once() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"rashomon_history":1,"about":"t","model":"cas-register"}"#;
    let torn = file(folder.path(), "torn.jsonl", &format!("{header}\nnot json\n\n"));
    let strange = r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"juggle","key":"x","value":1}"#;
    let strange = file(folder.path(), "strange.jsonl", &format!("{header}\n{strange}\n"));
    let unmodelled = file(folder.path(), "unmodelled.jsonl", &header.replace("cas-register", "juggler"));
    let sound = file(folder.path(), "sound.jsonl", header);
    let broken = file(folder.path(), "broken.toml", "[x");
    let nothing = folder.path().join("nothing.json");
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    file(&run, "plan.json", "{");
    let cases: [(&[&str], &Path); 18] = [
        (&["check"], &torn),
        (&["check", "--verify"], &torn),
        (&["check"], &strange),
        (&["check"], &unmodelled),
        (&["check"], &nothing),
        (&["check", sound.to_str().unwrap(), "--resume"], &nothing),
        (&["check", sound.to_str().unwrap(), "--resume"], &broken),
        (&["explain"], &torn),
        (&["explain"], &strange),
        (&["explain"], &unmodelled),
        (&["report"], &nothing),
        (&["replay"], &nothing),
        (&["replay"], &broken),
        (&["shrink"], &broken),
        (&["run", "--config"], &broken),
        (&["run", "--system"], &broken),
        (&["sim", "--timeline"], &broken),
        (&["zoo", "--expected"], &broken),
    ];
    let said_once = |arguments: &[&str], name: &str| {
        let output = rashomon(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(BAD_INPUT), "{arguments:?} said: {said}");
        assert_eq!(said.matches(name).count(), 1, "{arguments:?} should say {name:?} once, it said: {said}");
    };
    for (arguments, path) in cases {
        let arguments = [arguments, &[path.to_str().unwrap()]].concat();
        said_once(&arguments, path.file_name().unwrap().to_str().unwrap());
    }
    for command in ["replay", "shrink"] {
        said_once(&[command, run.to_str().unwrap()], "plan.json");
        said_once(&[command, run.to_str().unwrap()], run.to_str().unwrap());
    }
}

#[test]
fn a_config_file_is_held_to_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = file(folder.path(), "unknown.toml", "nodes = 3\ncolour = \"red\"\n");
    refused(
        &["run", "--config", unknown.to_str().unwrap()],
        BAD_INPUT,
        &["unknown.toml", "line 2", "colour"],
    );
    let wrong = file(folder.path(), "wrong.toml", "duration = \"soon\"\n");
    refused(&["run", "--config", wrong.to_str().unwrap()], BAD_INPUT, &["wrong.toml", "line 1", "soon"]);
    refused(&["run", "--config", "/nowhere.toml"], BAD_INPUT, &["/nowhere.toml"]);
    let nodes = file(folder.path(), "nodes.toml", "nodes = 0\n");
    refused(&["run", "--config", nodes.to_str().unwrap()], BAD_INPUT, &["--nodes 0"]);
}

#[test]
fn a_broken_history_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"rashomon_history":1,"about":"t","model":"cas-register"}"#;
    let invoke = |index: u64, time: u64| {
        format!(
            r#"{{"index":{index},"time":{time},"process":0,"type":"invoke","f":"write","key":"x","value":1}}"#
        )
    };
    let completion = r#"{"index":0,"time":1,"process":0,"type":"ok","f":"write","key":"x","value":1}"#;
    let deep = format!(
        r#"{{"index":0,"time":1,"process":0,"type":"invoke","f":"write","value":{}1{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let cases: [(&str, String, &[&str]); 5] = [
        ("json", format!("{header}\nnot json\n"), &["line 2", "not an object"]),
        ("orphan", format!("{header}\n{completion}\n"), &["line 2", "completion-has-invocation"]),
        (
            "double",
            format!("{header}\n{}\n{}\n", invoke(0, 1), invoke(1, 2)),
            &["line 3", "one-open-operation"],
        ),
        ("back", format!("{header}\n{}\n{}\n", invoke(0, 9), invoke(1, 2)), &["line 3", "time-rises"]),
        ("deep", format!("{header}\n{deep}\n"), &["line 2"]),
    ];
    for (name, text, words) in cases {
        let path = file(folder.path(), &format!("{name}.jsonl"), &text);
        refused(&["check", path.to_str().unwrap()], BAD_INPUT, words);
    }
    refused(&["check", "/nowhere.jsonl"], BAD_INPUT, &["/nowhere.jsonl"]);
    let good = file(folder.path(), "good.jsonl", &format!("{header}\n{}\n", invoke(0, 1)));
    refused(&["check", "--model", "moon", good.to_str().unwrap()], BAD_INPUT, &["moon", "cas-register"]);
}

#[test]
fn the_corpus_is_judged_as_its_folders_say() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus");
    for (verdict, code) in [("accepted", 0), ("rejected", 1)] {
        let mut count = 0;
        for entry in std::fs::read_dir(corpus.join(verdict)).unwrap() {
            let path = entry.unwrap().path();
            let output = rashomon(&["check", "--verify", path.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(code), "{}: {said}", path.display());
            count += 1;
        }
        assert!(count >= 6, "{verdict}: {count} histories");
    }
}

#[test]
fn a_torn_last_line_is_told_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let text = concat!(
        r#"{"rashomon_history":1,"model":"register"}"#,
        "\n",
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"write","key":"x","value":1}"#,
        "\n",
        r#"{"index":1,"time":2,"proc"#,
    );
    let path = file(folder.path(), "torn.jsonl", text);
    let output = rashomon(&["check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 3 of the history is torn"));
}

#[test]
fn a_violation_goes_to_junit_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let text = concat!(
        r#"{"rashomon_history":1,"model":"register"}"#,
        "\n",
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"read","key":"x"}"#,
        "\n",
        r#"{"index":1,"time":2,"process":0,"type":"ok","f":"read","key":"x","value":9}"#,
        "\n",
    );
    let path = file(folder.path(), "h.jsonl", text);
    let junit = folder.path().join("junit.xml");
    let output = rashomon(&["check", "--json", "--junit", junit.to_str().unwrap(), path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["verdict"], "invalid");
    assert_eq!(json["violations"][0]["key"], "x");
    let report = std::fs::read_to_string(&junit).unwrap();
    assert!(report.contains("<failure") && report.contains("safety"), "{report}");
}

#[test]
fn every_list_has_entries() {
    let output = rashomon(&["list", "--json"]);
    let lists: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, entries) in lists.as_object().unwrap() {
        assert!(entries.as_array().is_some_and(|entries| !entries.is_empty()), "{name}");
    }
    assert_eq!(
        lists["defects"].as_array().unwrap().iter().filter(|defect| defect["name"] == "R03").count(),
        1
    );
}

fn generated(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let arguments = [&["gen", "--ops", "3000", "-o", path.to_str().unwrap()], more].concat();
    let output = rashomon(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

#[test]
fn what_is_generated_is_judged_as_it_was_made_and_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let good =
        generated(folder.path(), "good.jsonl.zst", &["--unknown", "0.02", "--keys", "3", "--clients", "5"]);
    let again = generated(
        folder.path(),
        "again.jsonl.zst",
        &["--unknown", "0.02", "--keys", "3", "--clients", "5", "--distinct"],
    );
    assert_eq!(std::fs::read(&good).unwrap(), std::fs::read(again).unwrap());
    let bad = generated(folder.path(), "bad.jsonl", &["--invalid"]);
    let register = generated(folder.path(), "register.jsonl", &["--model", "register", "--clients", "2"]);
    for (path, code) in [(&good, 0), (&bad, 1), (&register, 0)] {
        let output = rashomon(&["check", "--verify", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = rashomon(&["check", folder.path().to_str().unwrap()]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "the worst of all: {table}");
    assert!(table.contains("4 histories: 3 valid, 1 invalid; 12000 operations"), "{table}");
    refused(&["gen", "--model", "moon", "-o", "/dev/null"], BAD_INPUT, &["moon", "queue"]);
    refused(&["gen", "--unknown", "2", "-o", "/dev/null"], BAD_INPUT, &["--unknown 2"]);
    refused(&["gen", "--ops", "0", "--invalid", "-o", "/dev/null"], BAD_INPUT, &["no answer to spoil"]);
}

#[test]
fn what_the_budget_leaves_open_says_how_far_it_got_and_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(folder.path(), "h.jsonl", &["--values", "3", "--clients", "8", "--hidden"]);
    let kept = folder.path().join("kept.json");
    let (path, kept) = (path.to_str().unwrap(), kept.to_str().unwrap());
    let output = rashomon(&["check", "--states-max", "50", "--keep", kept, path]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("keys decided 0 of 1") && said.contains("--states-max ended"), "{said}");
    let output = rashomon(&["check", "--resume", kept, "--verify", path]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let other = generated(folder.path(), "other.jsonl", &["--values", "3", "--keys", "2"]);
    refused(&["check", "--resume", kept, other.to_str().unwrap()], BAD_INPUT, &["another history"]);
    // As many operations on the same key, but one saw something else.
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text.replacen(r#""value":1}"#, r#""value":2}"#, 1)).unwrap();
    refused(&["check", "--resume", kept, path], BAD_INPUT, &["another history", "changed", "checksum"]);
    std::fs::write(path, text).unwrap();
    let output = rashomon(&["check", "--engine", "shortcut", path]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("each written once"), "{said}");
}

#[test]
fn a_counterexample_judged_alone_tells_what_it_told_in_its_history() {
    let folder = tempfile::tempdir().unwrap();
    // The cas found 1, whose writer is no part of the proof: only that it wrote 2 counts.
    let text = concat!(
        r#"{"rashomon_history":1,"model":"cas-register","trusted":[0]}"#,
        "\n",
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"cas","key":"x","value":[1,2]}"#,
        "\n",
        r#"{"index":1,"time":2,"process":0,"type":"ok","f":"cas","key":"x","value":[1,2]}"#,
        "\n",
        r#"{"index":2,"time":3,"process":1,"type":"invoke","f":"read","key":"x"}"#,
        "\n",
        r#"{"index":3,"time":4,"process":1,"type":"ok","f":"read","key":"x","value":null}"#,
        "\n",
    );
    let path = file(folder.path(), "counterexample.jsonl", text);
    let output = rashomon(&["check", "--json", "--verify", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sentences = json["violations"][0]["sentences"].as_array().unwrap();
    assert!(sentences[0].as_str().unwrap().contains("read null"), "{sentences:?}");
    let valid = file(folder.path(), "valid.jsonl", &text.replace(":null}", ":2}"));
    assert_eq!(rashomon(&["check", valid.to_str().unwrap()]).status.code(), Some(0));
}
