//! `rashomon sim` as a user meets it: what it refuses, what it prints and leaves, and with which code it ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and says where")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const PASSED: i32 = 0;
const VIOLATION: i32 = 1;
const BAD_INPUT: i32 = 254;

fn sim(store: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rashomon"));
    command.arg("sim").arg("--store").arg(store).args(arguments.split_whitespace());
    command
}

/// Must end with this code; what it said.
#[track_caller]
fn ends(mut command: Command, code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (said, told) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{command:?} said: {said}\nand told: {told}");
    (said, told)
}

#[track_caller]
fn refused(arguments: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (_, told) = ends(sim(folder.path(), arguments), BAD_INPUT);
    for word in words {
        assert!(told.contains(word), "{arguments} should say {word:?}: {told}");
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn what_cannot_be_is_refused_by_the_name_of_its_flag() {
    refused("--protocol raaft", &["--protocol", "raaft", "paxos"]);
    refused("--workload regsiter", &["--workload", "regsiter"]);
    refused("--workload mutex", &["--workload mutex", "made of several"]);
    refused("--faults kil", &["--faults", "kil", "kill"]);
    refused("--defect R99", &["--defect", "R99"]);
    refused("--nodes 0", &["--nodes 0", "1 to 31"]);
    refused("--nodes 2 --faults partition-ring", &["partition-ring", "--nodes is 2"]);
    refused("--rate 0", &["--rate 0"]);
    refused("--rate NaN", &["--rate NaN"]);
    refused("--duration 1ms", &["--duration", "100 ms"]);
    refused("--duration soon", &["--duration", "soon"]);
    refused("--jobs 0", &["--jobs", "0"]);
    refused("--minutes inf", &["--minutes", "0 to"]);
    refused("--trace", &["--seed"]);
    refused("--seed 1 --seeds 1..2", &["--seed", "--seeds"]);
    refused("--forever --seed 1", &["--forever", "--seed"]);
    refused("--corpus-cases 3", &["--forever"]);
}

#[test]
fn a_time_line_of_ones_own_is_followed_and_refused_by_file_entry_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let mine = |text: &str, flags: &str, code: i32| {
        std::fs::write(&path, text).unwrap();
        ends(sim(folder.path(), &format!("--timeline {} {flags}", path.display())), code)
    };
    let told = |text: &str| mine(text, "--seed 1", BAD_INPUT).1;
    let kill = "[[fault]]\nat_ms = 500\nfor_ms = 300\n";
    for (text, words) in [
        (format!("{kill}kil = \"n1\""), &["mine.toml", "line 4", "kil"][..]),
        (format!("{kill}kill = \"n4\""), &["mine.toml", "entry 1", "n4, which does not exist"]),
        (format!("{kill}hold = {{ sent = \"Votee\" }}"), &["mine.toml", "entry 1", "\"Votee\"", "VoteReply"]),
        (format!("nodes = 5\n{kill}kill = \"n4\"\n{kill}"), &["entry 2 has 0 deeds"]),
    ] {
        let told = told(&text);
        assert!(words.iter().all(|word| told.contains(word)), "{text}: {told}");
    }
    refused("--timeline R98", &["--timeline R98", "R05"]);
    refused("--timeline R05 --faults kill", &["--timeline", "--faults"]);
    refused("--timeline R07 --nodes 9", &["written for 5 nodes, there are 9"]);
    let text = format!("nodes = 4\n{kill}kill = \"n4\"");
    let (said, _) = mine(&text, "--seed 1 --trace --duration 2s", PASSED);
    assert!(said.contains("mine.toml --duration 2000ms"), "{said}");
    let schedule = std::fs::read_to_string(folder.path().join("latest/schedule.json")).unwrap();
    let faults = json(&schedule)["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 1, "{schedule}");
    assert_eq!((&faults[0]["at"], &faults[0]["start"][0]["node"]), (&json("500000000"), &json("\"n4\"")));
    ends(sim(folder.path(), "--timeline R05 --defect R05 --seeds 0..3 --json"), VIOLATION);
}

#[test]
fn a_range_of_seeds_says_both_its_ends() {
    for range in ["5", "5..", "..5", "a..b", "5..5", "6..5", "-1..5"] {
        refused(&format!("--seeds={range}"), &[&format!("--seeds {range}"), "FROM..TO"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let (said, _) = ends(sim(folder.path(), "--seeds 3..6 --duration 1s --json"), PASSED);
    assert_eq!(json(&said)["seeds"], 3);
    assert_eq!(json(&said)["repeated"], 1, "the first one is run twice");
}

#[test]
fn one_seed_is_told_in_columns_drawn_and_kept_like_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (said, _) = ends(sim(folder.path(), "--seed 7 --trace --nodes 3 --duration 2s"), PASSED);
    assert!(said.starts_with("< message in, x message lost"), "{said}");
    assert!(said.contains(" n1   n2   n3") || said.contains(" n1  n2  n3"), "{said}");
    assert!(said.contains("seed 7: nothing was found"), "{said}");
    assert!(said.contains("reproduce  rashomon sim --protocol raft"), "{said}");
    let run = folder.path().join("latest");
    let svg = std::fs::read_to_string(run.join("spacetime.svg")).unwrap();
    assert!(svg.starts_with("<?xml") && svg.contains("class=\"message\""), "messages are drawn");
    for name in ["plan.json", "schedule.json", "verdict.json", "witness.json", "report.html"] {
        assert!(run.join(name).exists(), "{name}");
    }
    let again = |verb: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rashomon"));
        command.arg(verb).arg(&run);
        ends(command, PASSED)
    };
    again("check");
    assert!(again("replay").1.contains("the same history, event by event"));
}

#[test]
fn a_nodes_panic_is_a_finding_with_its_schedule_and_is_replayed() {
    const PANICKED: &str = "a node's code panicked";
    let folder = tempfile::tempdir().unwrap();
    // Truncated at every message, a log gets holes, which its own assertions see.
    let plan = "--defect R13 --duration 10s";
    let mut quiet = sim(folder.path(), &format!("{plan} --seeds 0..6 --all --json"));
    quiet.env("RUST_BACKTRACE", "1");
    let (all, told) = ends(quiet, VIOLATION);
    assert!(!told.contains("panicked at"), "it is told as a finding and nowhere else: {told}");
    let all = json(all.lines().next().unwrap());
    let panic = |found: &Value| {
        let findings = found["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["check"] == PANICKED).cloned()
    };
    let panicked = all["findings"].as_array().unwrap().iter().find(|found| panic(found).is_some());
    let found = panicked.expect("one of six seeds ends in a panic");
    let detail = panic(found).unwrap()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with('n') && detail.contains(" panicked: "), "it says whose code: {detail}");
    assert!(detail.contains("node/src/raft/"), "and where: {detail}");
    assert_eq!(all["seeds"], 6, "the seeds after it are run");
    let (said, _) = ends(sim(folder.path(), &format!("{plan} --seed {} --trace", found["seed"])), VIOLATION);
    assert!(said.contains(PANICKED), "{said}");
    let run = folder.path().join("latest");
    let schedule = json(&std::fs::read_to_string(run.join("schedule.json")).unwrap());
    assert!(
        !schedule["faults"].as_array().unwrap().is_empty(),
        "what had broken until then is kept: {schedule}"
    );
    let mut replay = Command::new(env!("CARGO_BIN_EXE_rashomon"));
    replay.arg("replay").arg(&run);
    assert!(ends(replay, VIOLATION).1.contains("the same history, event by event"));
}

#[test]
fn a_finding_ends_the_seeds_unless_all_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = "--defect R09 --seeds 0..30 --duration 5s --jobs 1 --json";
    let (first, _) = ends(sim(folder.path(), seeds), VIOLATION);
    let first = json(first.lines().next().unwrap());
    let (all, _) = ends(sim(folder.path(), &format!("{seeds} --all")), VIOLATION);
    let all = json(all.lines().next().unwrap());
    assert_eq!(first["findings"].as_array().unwrap().len(), 1);
    assert!(first["seeds"].as_u64().unwrap() < 30);
    assert_eq!(all["seeds"], 30);
    assert_eq!(all["findings"][0]["seed"], first["findings"][0]["seed"]);
    assert!(all["findings"].as_array().unwrap().len() > 1);
    assert_eq!(files(folder.path(), "latest").len(), 1, "its run folder is kept");
}

#[test]
fn forever_keeps_each_kind_of_finding_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let session = |seeds: &str, code| {
        let flags = format!(
            "--forever --protocol raft --defect R09 --duration 5s --within 20s --seeds {seeds} --json"
        );
        json(&ends(sim(folder.path(), &flags), code).0)
    };
    let first = session("0..12", VIOLATION);
    assert_eq!(first["seeds"], 12);
    let kinds = first["kinds"].as_array().unwrap();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| kind["protocol"] == "raft"), "{first}");
    let mut paths: Vec<&str> = kinds.iter().map(|kind| kind["path"].as_str().unwrap()).collect();
    paths.dedup();
    assert_eq!(paths.len(), kinds.len());
    let mut replay = Command::new(env!("CARGO_BIN_EXE_rashomon"));
    replay.arg("replay").arg(paths[0]);
    assert!(ends(replay, VIOLATION).1.contains("it fails as the case says"));
    let again = session("0..12", PASSED);
    assert_eq!(
        (&again["seeds"], &again["kinds"]),
        (&Value::from(0), &first["kinds"]),
        "no seed is run again"
    );
    let flags = "--forever --protocol raft --defect R09 --duration 5s --within 20s --seeds 0..13 --json";
    let more = sim(folder.path(), flags).output().unwrap();
    let said = json(std::str::from_utf8(&more.stdout).unwrap());
    assert_eq!(said["seeds"], 1);
    assert_eq!(more.status.code(), Some(if said["found"] == 0 { PASSED } else { VIOLATION }));
}

#[test]
fn forever_takes_the_protocols_by_turns() {
    let folder = tempfile::tempdir().unwrap();
    ends(sim(folder.path(), "--forever --seeds 4..6 --duration 1s"), PASSED);
    let progress = std::fs::read_to_string(folder.path().join("corpus/progress.json")).unwrap();
    let plans = json(&progress)["plans"].as_array().unwrap().clone();
    let done: Vec<_> =
        plans.iter().map(|plan| (plan["plan"]["protocol"].as_str(), plan["next"].as_u64())).collect();
    assert_eq!(done, ["raft", "paxos", "zab"].map(|name| (Some(name), Some(6))));
}

#[test]
fn forever_ends_with_a_summary_when_it_is_asked_to() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = sim(folder.path(), "--forever --protocol raft --duration 1s");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        told.find(|line| line.contains("seeds,")).expect("it tells how far it is");
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        drop(told);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(PASSED), "{said}");
        assert!(said.contains("0 seeds found something") && said.contains("seeds so far, next"), "{said}");
        let (_, told) =
            ends(sim(folder.path(), "--forever --protocol raft --duration 1s --minutes 0"), PASSED);
        assert!(told.starts_with("raft: from seed ") && !told.starts_with("raft: from seed 0 "), "{told}");
        assert!(!told.contains("pending"), "every seed that was begun was finished: {told}");
    }
}

#[test]
fn a_broken_file_of_the_corpus_is_refused_with_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("corpus");
    std::fs::create_dir(&corpus).unwrap();
    std::fs::write(corpus.join("progress.json"), "{\n \"plans\": [\n  {\"plan\": 7}]}").unwrap();
    let (_, told) = ends(sim(folder.path(), "--forever"), BAD_INPUT);
    for word in ["progress.json", "field plans[0].plan", "line 3"] {
        assert!(told.contains(word), "{told}");
    }
}
