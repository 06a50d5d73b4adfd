//! Whole runs on real processes: a planted bug is found, a sound store passes, and what goes wrong around them is told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and says where")]

use std::path::Path;
use std::process::{Command, Output};

fn rashomon(store: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_rashomon");
    let node = Path::new(program).with_file_name("rashomon-node");
    assert!(node.exists(), "{} is missing: `cargo build --workspace --bins` makes it", node.display());
    Command::new(program).arg("run").arg("--store").arg(store).args(arguments).output().unwrap()
}

#[track_caller]
fn report(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_sound_store_passes_and_leaves_its_folder() {
    let store = tempfile::tempdir().unwrap();
    let arguments =
        ["--json", "--nodes", "3", "--clients", "6", "--duration", "8s", "--seed", "4", "--rate", "500"];
    let output = rashomon(store.path(), &arguments);
    let report = report(&output);
    assert_eq!(report["axes"]["safety"]["verdict"], "valid", "{report}");
    assert_eq!(report["axes"]["harness"]["failures"].as_array().unwrap().len(), 0, "{report}");
    assert!(report["measures"]["counts"]["ok"].as_u64().unwrap() > 500, "{report}");
    let folder = store.path().join("latest");
    for name in [
        "plan.json",
        "schedule.json",
        "history.jsonl",
        "verdict.json",
        "witness.json",
        "n1.log",
        "nemesis.log",
    ] {
        assert!(folder.join(name).exists(), "{name}");
    }
    // What was recorded is judged alike again, from the folder alone.
    let again = Command::new(env!("CARGO_BIN_EXE_rashomon")).arg("check").arg(&folder).output().unwrap();
    assert_eq!(again.status.code(), Some(0));
}

#[test]
fn a_given_time_line_is_followed_and_a_run_repeated() {
    let store = tempfile::tempdir().unwrap();
    let path = store.path().join("twice.toml");
    let text = "[[fault]]\nwhen = { note = \"became leader\" }\nfor_ms = 300\nkill = \"it\"\n\
                [[fault]]\nwhen = { role = \"leader\", by = \"other\" }\nfor_ms = 300\npause = \"it\"";
    std::fs::write(&path, text).unwrap();
    let line = path.to_str().unwrap();
    let arguments =
        ["--json", "--nodes", "3", "--clients", "3", "--duration", "4s", "--rate", "100", "--timeline", line];
    let first = report(&rashomon(store.path(), &arguments));
    let bites = |report: &serde_json::Value| {
        ["kill", "pause"].map(|name| report["measures"]["faults"][name]["installed"].as_u64())
    };
    assert_eq!(bites(&first), [Some(1), Some(1)], "{first}");
    let folder = first["folder"].as_str().unwrap();
    let mut replay = Command::new(env!("CARGO_BIN_EXE_rashomon"));
    let again = replay.args(["replay", "--json", folder, "--store"]).arg(store.path()).output().unwrap();
    let again = report(&again);
    assert_eq!(bites(&again), [Some(1), Some(1)], "{again}");
    assert!(again["command"].as_str().unwrap().starts_with("rashomon replay "), "{again}");
}

#[test]
fn a_planted_bug_is_found_and_its_evidence_kept() {
    let store = tempfile::tempdir().unwrap();
    let output = rashomon(store.path(), &["--json", "--duration", "60s", "--seed", "3", "--defect", "R05"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report = report(&output);
    assert_eq!(report["axes"]["safety"]["verdict"], "invalid");
    let folder = store.path().join("latest");
    assert!(folder.join("counterexample.jsonl").exists() && folder.join("data/n1").exists());
    let mut check = Command::new(env!("CARGO_BIN_EXE_rashomon"));
    let again = check.arg("check").arg(folder.join("counterexample.jsonl")).output().unwrap();
    assert_eq!(again.status.code(), Some(1), "the counterexample alone is a violation");
}

/// How often each action of this kind was proven to be done.
fn done(folder: &Path, what: &str) -> usize {
    let history = std::fs::read_to_string(folder.join("history.jsonl")).unwrap();
    let events = history.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let actions = events.filter_map(|event| event["value"]["actions"].as_array().cloned()).flatten();
    actions.filter(|report| report["action"]["do"] == what && report["outcome"] == "installed").count()
}

#[test]
fn members_are_replaced_while_clients_ask() {
    let store = tempfile::tempdir().unwrap();
    let arguments =
        ["--json", "--faults", "replace-member", "--clients", "6", "--rate", "300", "--duration", "20s"];
    let output = rashomon(store.path(), &[&arguments[..], &["--seed", "2"]].concat());
    let report = report(&output);
    assert_eq!(report["axes"]["safety"]["verdict"], "valid", "{report}");
    assert_eq!(report["axes"]["harness"]["failures"].as_array().unwrap().len(), 0, "{report}");
    let folder = store.path().join("latest");
    // Out, and in again; in between the disk went.
    let wiped_count = done(&folder, "wipe");
    assert!(wiped_count > 0 && done(&folder, "members") >= 2 * wiped_count, "{report}");
}

#[test]
fn a_store_of_the_users_is_asked_for_another_leader() {
    let store = tempfile::tempdir().unwrap();
    let system = concat!(env!("CARGO_MANIFEST_DIR"), "/systems/examples/etcd_by_program.toml");
    let arguments =
        ["--json", "--system", system, "--faults", "transfer-leadership", "--nodes", "3", "--clients", "3"];
    let more = ["--rate", "30", "--duration", "15s", "--seed", "2", "--timeout", "3s"];
    let output = rashomon(store.path(), &[&arguments[..], &more[..]].concat());
    let report = report(&output);
    assert_eq!(report["axes"]["safety"]["verdict"], "valid", "{report}");
    assert!(done(&store.path().join("latest"), "lead") > 0, "{report}");
}

/// Runs a system whose node is described by these lines; answers the exit code and what was said.
fn run_system(node: &str) -> (Option<i32>, String) {
    let store = tempfile::tempdir().unwrap();
    let path = store.path().join("mine.toml");
    let rest = "[probe]\nkind = \"port\"\n[client]\nkind = \"etcd-v3-json\"\n";
    std::fs::write(&path, format!("name = \"mine\"\ndoc = \"Does not serve.\"\n[node]\n{node}\n{rest}"))
        .unwrap();
    let output = rashomon(store.path(), &["--system", path.to_str().unwrap(), "--duration", "1s"]);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_node_that_dies_at_start_has_its_last_words_shown() {
    let dying = "program = \"/bin/sh\"\narguments = [\"-c\", \"echo the disk is on fire; exit 3\"]";
    let (code, said) = run_system(dying);
    assert_eq!(code, Some(255), "{said}");
    assert!(said.contains("exited with code 3") && said.contains("the disk is on fire"), "{said}");
}

#[test]
fn a_missing_node_program_is_named_before_anything_starts() {
    let (code, said) = run_system("program = \"no-such-server\"\npackage = \"no-such-package\"");
    assert_eq!(code, Some(254), "{said}");
    assert!(said.contains("no-such-server") && said.contains("no-such-package"), "{said}");
}

#[test]
fn a_full_disk_is_told_and_what_was_recorded_is_kept() {
    let store = tempfile::tempdir().unwrap();
    // Only the run's folder is on the small file system: the node's own data are elsewhere, so it is the history that fails.
    let elsewhere = tempfile::tempdir().unwrap();
    let reference =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systems/reference.toml"));
    let node = Path::new(env!("CARGO_BIN_EXE_rashomon")).with_file_name("rashomon-node");
    let text = reference.unwrap().replace("{data}", "{folder}/{name}");
    let text = text.replace("program = \"rashomon-node\"", &format!("program = {node:?}"));
    let system = elsewhere.path().join("elsewhere.toml");
    std::fs::write(&system, text).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=600k tmpfs {store} && {program} run --store {store} --system {system} --protocol raft \
         --duration 20s --faults none --nodes 1 --clients 4; echo code $?; wc -l {store}/latest/history.jsonl",
        store = store.path().display(),
        program = env!("CARGO_BIN_EXE_rashomon"),
        system = system.display(),
    );
    let is_root = nix::unistd::geteuid().is_root();
    let unshare = if is_root { vec!["-m"] } else { vec!["-Urm"] };
    let output = Command::new("unshare").args(unshare).args(["sh", "-c", &script]).output().unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(told.contains("code 255"), "{told}\n{said}");
    assert!(format!("{said}{told}").contains("No space left on device"), "{told}\n{said}");
    let lines: u64 = told.lines().last().and_then(|line| line.split(' ').next()?.parse().ok()).unwrap();
    assert!(lines > 1_000, "{told}");
}

#[test]
fn an_interrupted_run_is_healed_sealed_and_judged() {
    let store = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_rashomon"))
        .args([
            "run",
            "--json",
            "--duration",
            "60s",
            "--seed",
            "5",
            "--rate",
            "300",
            "--nodes",
            "3",
            "--clients",
            "6",
        ])
        .arg("--store")
        .arg(store.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let history = store.path().join("latest/history.jsonl");
    let has_begun = || std::fs::metadata(&history).is_ok_and(|file| file.len() > 100_000);
    let begun = (0..600).any(|_| {
        #[allow(
            clippy::disallowed_methods,
            reason = "waits, with a bound, for the run to have recorded something"
        )]
        std::thread::sleep(std::time::Duration::from_millis(100));
        has_begun()
    });
    assert!(begun, "the run recorded nothing for a minute");
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report = report(&output);
    assert_eq!(report["axes"]["harness"]["interrupted"], true);
    assert_eq!(report["axes"]["safety"]["verdict"], "valid");
}
