//! The contract of every ready-made time line in this world: it finds the planted bug that it is named after, on nearly every
//! seed, and a sound cluster survives it whatever its protocol.

#![allow(clippy::unwrap_used, reason = "a test helper that panics is a test that fails")]

use std::sync::Arc;

use rashomon_checker::models::CasRegister;
use rashomon_checker::{Options, Verdict, decode, judge};
use rashomon_histories::Nanos;
use rashomon_nemesis::node::nodes;
use rashomon_nemesis::timeline::library;
use rashomon_nemesis::{Directed, Timeline};
use rashomon_node::defect::{Defect, Defects};
use rashomon_simulator::protocols::{self, Entry};
use rashomon_simulator::setup::Given;
use rashomon_simulator::swarm::{Fixed, vary};
use rashomon_simulator::{Outcome, Setup};

const SEEDS: u64 = 6;

fn read(text: &str) -> Timeline {
    toml::from_str(text).unwrap()
}

/// The world of a seed under this time line, made for this bug.
fn setup(seed: u64, timeline: &Timeline, defect: Defect) -> Setup {
    let mut setup = Setup::new(seed);
    setup.duration = Nanos::from_secs(25);
    let mut setup = vary(setup, Fixed::default());
    if let Some(nodes) = timeline.nodes {
        setup.resize(nodes);
    }
    if defect.description().faults.contains(&"tiny snapshots") {
        setup.node.snapshot_entries = 20;
    }
    setup.schedule = Some(Arc::new(Given::Timeline(timeline.clone())));
    setup
}

/// What accuses this world, if anything does.
fn accused(outcome: &Outcome) -> Option<String> {
    if let Some(broken) = outcome.broken.first() {
        return Some(format!("{}: {}", broken.invariant, broken.detail));
    }
    let keys = decode(&CasRegister, &outcome.history).unwrap();
    let verdict = judge(&CasRegister, &keys, &Options::default()).verdict;
    (verdict != Verdict::Valid).then(|| format!("clients saw {verdict:?}"))
}

/// Whether this protocol says what the time line looks for, and does what it asks for.
fn can_follow(entry: &Entry, timeline: &Timeline) -> bool {
    let count = timeline.nodes.unwrap_or(5);
    let directed = Directed::new(timeline, nodes(count).collect(), 0, Nanos(0)).unwrap();
    let needs: Vec<_> = directed.needs().into_iter().collect();
    timeline.check_words(&entry.kinds()).is_ok() && entry.capabilities().missing(&needs).is_none()
}

/// Whether a cluster with this bug is accused.
fn is_found(entry: Entry, setup: &Setup) -> bool {
    accused(&(entry.run)(setup)).is_some()
}

#[test]
fn every_time_line_finds_its_bug_on_nearly_every_seed() {
    let mut blunt = Vec::new();
    for (name, text) in library::ALL {
        let (timeline, defect) = (read(text), name.parse::<Defect>().unwrap());
        let entry = protocols::find(defect.protocol().unwrap_or("raft")).unwrap();
        let found = (0..SEEDS).filter(|seed| {
            let mut setup = setup(*seed, &timeline, defect);
            setup.node.defects = Defects::from_iter([defect]);
            is_found(entry, &setup)
        });
        let found = found.count() as u64;
        if found < SEEDS - 1 {
            blunt.push(format!("{name} is found on {found} of {SEEDS} seeds"));
        }
    }
    assert!(blunt.is_empty(), "{blunt:?}");
}

#[test]
fn a_sound_cluster_survives_every_time_line_that_its_protocol_can_follow() {
    for (name, text) in library::ALL {
        let (timeline, defect) = (read(text), name.parse::<Defect>().unwrap());
        let able = protocols::REGISTRY.iter().filter(|entry| can_follow(entry, &timeline));
        for (entry, seed) in able.flat_map(|entry| (0..SEEDS).map(move |seed| (entry, seed))) {
            let outcome = (entry.run)(&setup(seed, &timeline, defect));
            assert_eq!(accused(&outcome), None, "{name}, {}, seed {seed}", entry.name);
        }
    }
}

#[test]
fn every_time_line_can_be_followed_by_the_protocol_of_its_bug() {
    for (name, text) in library::ALL {
        let protocol = name.parse::<Defect>().unwrap().protocol().unwrap_or("raft");
        assert!(can_follow(&protocols::find(protocol).unwrap(), &read(text)), "{name}");
    }
}

#[test]
fn what_is_called_nothing_is_refused_with_what_there_is() {
    let text = "[[fault]]\nfor_ms = 1\nhold = { sent = \"Append|VoteReqly true\" }";
    let refused = read(text).check_words(&protocols::find("raft").unwrap().kinds()).unwrap_err().to_string();
    assert!(refused.contains("\"VoteReqly\"") && refused.contains("VoteReply, Append"), "{refused}");
}

/// While nobody can answer the first request, another has no turn; as real runs have it (`nemesis/src/errands.rs`).
#[test]
fn errands_that_change_members_take_turns() {
    let timeline = read(
        r#"
        about = "a majority is down while members are changed twice"
        nodes = 3

        [[fault]]
        when = { role = "leader", by = "n1" }
        for_ms = 1500
        kill = ["n2", "n3"]

        [[fault]]
        for_ms = 1000
        members = { of = ["n1", "n2"], at = "n1" }

        [[fault]]
        after_ms = 200
        for_ms = 300
        members = { of = ["n1", "n3"], at = "n1" }

        [[fault]]
        after_ms = 6000
        for_ms = 5000
        members = { of = ["n1", "n2", "n3"] }
        "#,
    );
    let raft = protocols::find("raft").unwrap();
    let outcome = (0..20).find_map(|seed| {
        let outcome = (raft.run)(&setup(seed, &timeline, Defect::R05));
        (!outcome.faults.is_empty()).then_some(outcome)
    });
    let outcome = outcome.unwrap();
    assert_eq!(accused(&outcome), None);
    let begun = outcome.history.events().iter().filter(|event| {
        event.f == "members" && event.value.get("phase").and_then(|phase| phase.as_text()) == Some("begin")
    });
    let told: Vec<(u64, String)> = begun.map(|event| (event.time.0, event.value.to_string())).collect();
    let of = |members: &str| told.iter().find(|(_, text)| text.contains(members)).unwrap();
    let (left_out_at, left_out) = of(r#"["n1","n3"]"#);
    assert!(left_out.contains("what was asked for before was still under way"), "{left_out}");
    let ((first_at, first), (last_at, last)) = (of(r#"["n1","n2"]"#), of(r#"["n1","n2","n3"]"#));
    assert!(left_out_at < first_at, "the first goes on waiting for its answer: {first}");
    assert!(last.contains(r#""outcome":"installed""#) && first_at < last_at, "the last had its turn: {last}");
}
