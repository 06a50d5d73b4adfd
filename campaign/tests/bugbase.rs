//! Simulated runs, repeated and shrunk; and every saved case, which must fail as it says for as long as its bug is planted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and says where")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rashomon_campaign::replay::pinned::Pinned;
use rashomon_campaign::shrink::case::{Case, Subject};
use rashomon_campaign::shrink::simulated::shrink;
use rashomon_campaign::sim::seed::{self, Ran};
use rashomon_histories::Nanos;
use rashomon_nemesis::fault::{DEFAULT, find};
use rashomon_nemesis::timeline::library;
use rashomon_node::defect::Defect;
use rashomon_simulator::setup::Given;
use rashomon_simulator::swarm::{Fixed, vary};
use rashomon_simulator::{Setup, protocols};

fn setup(seed: u64, defect: Option<Defect>) -> Setup {
    let mut setup = Setup::new(seed);
    setup.duration = Nanos::from_secs(10);
    setup.faults = DEFAULT.iter().map(|name| find(name).unwrap()).collect();
    setup.node.defects = defect.into_iter().collect();
    vary(setup, Fixed::default())
}

/// The first of these seeds that finds something, pinned.
fn found(defect: Defect) -> Pinned {
    let raft = protocols::find("raft").unwrap();
    let failing = (0..50).find_map(|number| {
        let setup = setup(number, Some(defect));
        let Ran { outcome, findings, .. } = seed::of(raft, &setup).unwrap();
        (!findings.is_empty()).then(|| Pinned::of("raft", &setup, &outcome.unwrap()))
    });
    failing.unwrap_or_else(|| panic!("{defect} is found in none of 50 seeds"))
}

#[test]
fn a_pinned_run_repeats_byte_for_byte() {
    let raft = protocols::find("raft").unwrap();
    for number in 0..8 {
        let mut setup = setup(number, None);
        if number % 2 == 1 {
            // What waits for a message strikes at its very moment: before or after it must not be left to luck.
            let timeline = toml::from_str(library::text("R20").unwrap()).unwrap();
            setup.resize(3);
            setup.schedule = Some(Arc::new(Given::Timeline(timeline)));
        }
        let first = seed::of(raft, &setup).unwrap().outcome.unwrap();
        assert!(!first.script.faults.is_empty(), "seed {number}: nothing broke");
        let pinned = Pinned::of("raft", &setup, &first);
        let text = serde_json::to_string(&pinned).unwrap();
        let pinned: Pinned = serde_json::from_str(&text).unwrap();
        let second = pinned.run().unwrap().outcome.unwrap();
        assert_eq!((second.trace_hash, second.script), (first.trace_hash, first.script), "seed {number}");
        let (events, again) = (first.history.events(), second.history.events());
        let differs = events.iter().zip(again).find(|(first, second)| first != second);
        assert_eq!(differs, None, "seed {number}");
        assert_eq!(events.len(), again.len(), "seed {number}");
    }
}

#[test]
fn the_operations_of_a_run_can_be_asked_one_by_one() {
    let raft = protocols::find("raft").unwrap();
    let setup = setup(3, None);
    let first = seed::of(raft, &setup).unwrap().outcome.unwrap();
    let pinned = Pinned::of("raft", &setup, &first);
    let operations = pinned.operations_of(&first.history).unwrap();
    let asked = operations.len() as u64;
    assert_eq!(asked, first.counts.ok + first.counts.fail + first.counts.info);
    let again = Pinned { operations: Some(operations), ..pinned }.run().unwrap();
    assert_eq!(again.findings, []);
    let counts = again.outcome.unwrap().counts;
    assert_eq!(counts.ok + counts.fail + counts.info, asked);
}

#[test]
fn a_shrunk_run_is_small_and_fails_alike() {
    for defect in [Defect::R05, Defect::R09] {
        let shrunk = shrink(found(defect), None, Duration::from_secs(60)).unwrap().unwrap();
        assert!(shrunk.size.faults <= 5 && shrunk.size.operations <= 12, "{defect}: {:?}", shrunk.size);
        fails_as_it_says(&shrunk.case, defect.id());
        let text = shrunk.case.to_text();
        assert!(text.starts_with("{\n \"signature\"") && text.lines().all(|line| line.len() < 2_000));
        assert_eq!(serde_json::from_str::<Case>(&text).unwrap(), shrunk.case);
    }
}

#[test]
fn every_saved_case_fails_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/bugbase");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let case = Case::load(&path).unwrap();
            assert!(!case.story.is_empty(), "{}: it has no story", path.display());
            fails_as_it_says(&case, &path.display().to_string());
            count += 1;
        }
    }
    assert!(count > 0, "there is no case");
}

fn fails_as_it_says(case: &Case, name: &str) {
    // Real processes fail more often or less: those cases are for people to repeat.
    let Subject::Simulator { run } = &case.subject else { return };
    let findings = run.run().unwrap().findings;
    let alike = findings.iter().any(|finding| finding.check == case.signature.check);
    // A case without a planted bug is a bug of our own that was mended: it must stay so.
    assert_eq!(alike, !run.planted().is_empty(), "{name}: {findings:?}");
}
