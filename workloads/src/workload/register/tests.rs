//! Registers against a register that is one.

use std::collections::BTreeMap;

use rand::SeedableRng as _;
use rashomon_checker::models::CasRegister;
use rashomon_checker::{Verdict, decode, judge};
use rashomon_histories::{Header, History, Kind, Nanos};

use super::*;
use crate::client::Reply;
use crate::error::ErrorCode;
use crate::generator::simulate::{Answered, Simulated, simulate};
use crate::generator::{Layout, Phases};
use crate::workload::by_name;

/// A linearizable store: every operation takes effect when it is asked, and the answer travels for a while. One
/// in `unknown_one_in` answers is lost.
fn store(seed: u64, unknown_one_in: u32) -> impl FnMut(Nanos, &Invocation) -> Answered {
    let mut rng = Rng::seed_from_u64(seed);
    let mut registers = BTreeMap::<SmolStr, i64>::new();
    move |_, operation| {
        let latency = Nanos(rng.random_range(100_000..2_000_000));
        let lost = rng.random_ratio(1, unknown_one_in);
        let key = operation.key.clone().unwrap();
        let present = registers.get(&key).copied();
        let outcome = match (&*operation.f, &operation.value) {
            ("read", _) => Ok(Reply::value(present)),
            ("write", Value::Int(value)) => {
                registers.insert(key, *value);
                Ok(Reply::done())
            }
            ("cas", Value::List(pair)) if present == pair[0].as_int() => {
                registers.insert(key, pair[1].as_int().unwrap());
                Ok(Reply::done())
            }
            ("cas", _) => Err(ErrorCode::Precondition.with("another value")),
            _ => panic!("{operation:?}"),
        };
        (latency, if lost { Err(ErrorCode::Timeout.with("lost")) } else { outcome })
    }
}

fn run(workload: &str, clients: u32, seed: u64) -> Simulated {
    let layout = Layout::new(clients, ["n1", "n2", "n3", "n4", "n5"]).unwrap();
    let mut phases = Phases::new(by_name(workload).unwrap(), &Options::default(), Nanos::from_secs(5), seed);
    simulate(&mut phases, &layout, 5_000, store(seed, 100))
}

fn count(run: &Simulated, f: &str, kind: Kind) -> usize {
    run.events.iter().filter(|event| event.f == f && event.kind == kind).count()
}

#[test]
fn a_fair_share_of_cas_succeeds_and_a_fair_share_is_refused() {
    for (workload, least) in [("register", 0.3), ("register-small", 0.3), ("register-read-heavy", 0.3)] {
        let run = run(workload, 10, 1);
        let succeeded = count(&run, "cas", Kind::Ok) as f64 / count(&run, "cas", Kind::Invoke) as f64;
        assert!((least..0.95).contains(&succeeded), "{workload}: {succeeded}");
    }
}

#[test]
fn every_node_gets_reads_and_writes_all_the_time() {
    let run = run("register", 10, 2);
    let mut asked = BTreeMap::<_, usize>::new();
    for event in run.invocations() {
        let window = event.time.0 / 100_000_000;
        *asked.entry((window, event.node.clone().unwrap(), event.f.clone())).or_default() += 1;
    }
    let windows = run.now.0 / 100_000_000;
    for window in 0..windows {
        for node in ["n1", "n2", "n3", "n4", "n5"] {
            for f in ["read", "write"] {
                let count = asked.get(&(window, node.into(), f.into())).copied().unwrap_or(0);
                assert!(count >= 3, "{count} {f} on {node} in window {window} of {windows}");
            }
        }
    }
}

#[test]
fn a_value_of_another_key_shows() {
    let run = run("register", 5, 3);
    let mut key_of = BTreeMap::new();
    let lifetime = i64::try_from(Options::default().key_operations).unwrap();
    for event in run.invocations().filter(|event| event.f == "write") {
        let number = (event.value.as_int().unwrap() - 1) / lifetime;
        let key = key_of.entry(number).or_insert_with(|| event.key.clone().unwrap());
        assert_eq!(event.key.as_ref(), Some(&*key));
    }
}

fn judged(run: &Simulated) -> Verdict {
    let history = History::from_events(Header::new("simulated"), run.events.clone()).unwrap();
    let keys = decode(&CasRegister, &history).unwrap();
    judge(&CasRegister, &keys, &rashomon_checker::Options::default()).verdict
}

#[test]
fn the_judge_reads_what_is_asked_and_finds_a_sound_store_valid() {
    for workload in ["register", "register-small", "register-read-heavy"] {
        assert_eq!(judged(&run(workload, 10, 4)), Verdict::Valid, "{workload}");
    }
}

/// From the second half on, one node answers reads from what it knew at half-time.
fn with_a_stale_node(seed: u64) -> impl FnMut(Nanos, &Invocation) -> Answered {
    let mut sound = store(seed, 1_000_000);
    let mut asked = 0;
    let mut seen = BTreeMap::<SmolStr, Value>::new();
    move |now, operation| {
        asked += 1;
        let (latency, outcome) = sound(now, operation);
        let key = operation.key.clone().unwrap();
        let is_stale = asked > 2_500 && operation.f == READ && operation.node.as_deref() == Some("n3");
        let value = match &outcome {
            Ok(Reply { value: Some(value) }) if asked <= 2_500 => value.clone(),
            _ if is_stale => seen.get(&key).cloned().unwrap_or_default(),
            _ => return (latency, outcome),
        };
        seen.insert(key, value.clone());
        (latency, Ok(Reply::value(value)))
    }
}

#[test]
fn a_stale_node_is_found() {
    for workload in ["register", "register-small", "register-read-heavy"] {
        let layout = Layout::new(10, ["n1", "n2", "n3", "n4", "n5"]).unwrap();
        let limit = Nanos::from_secs(5);
        let mut phases = Phases::new(by_name(workload).unwrap(), &Options::default(), limit, 5);
        let run = simulate(&mut phases, &layout, 5_000, with_a_stale_node(5));
        assert_eq!(judged(&run), Verdict::Invalid, "{workload}");
    }
}
