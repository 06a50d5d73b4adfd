//! Every workload against a store that is sound, and against stores that are not, on a virtual clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use expect_test::expect;
use rand::{RngExt as _, SeedableRng as _};
use rashomon_checker::Verdict;
use rashomon_checker::models::by_name as model;
use rashomon_histories::{Event, Header, History, Invocation, Kind, Nanos, Process, Value};
use smol_str::SmolStr;

use super::*;
use crate::client::{Outcome, Reply};
use crate::error::ErrorCode;
use crate::generator::simulate::{Answered, simulate_phases};
use crate::generator::{Layout, Phases, Rng};

/// Objects of every kind that workloads ask for. Each operation takes effect when it is asked.
#[derive(Clone, Debug, Default)]
struct Store {
    registers: BTreeMap<SmolStr, i64>,
    sets: BTreeMap<SmolStr, BTreeSet<i64>>,
    sums: BTreeMap<SmolStr, i64>,
    lists: BTreeMap<SmolStr, Vec<i64>>,
    queues: BTreeMap<SmolStr, VecDeque<i64>>,
    locks: BTreeMap<SmolStr, i64>,
}

fn all<'a>(elements: impl IntoIterator<Item = &'a i64>) -> Outcome {
    Ok(Reply::value(elements.into_iter().map(|one| Value::Int(*one)).collect::<Vec<_>>()))
}

impl Store {
    fn answer(&mut self, objects: Objects, operation: &Invocation) -> Outcome {
        let key = operation.key.clone().unwrap();
        let argument = operation.value.as_int();
        let refused = |text: &str| Err(ErrorCode::Precondition.with(text));
        match (objects, &*operation.f) {
            (Objects::Registers, "read") => Ok(Reply::value(self.registers.get(&key).copied())),
            (Objects::Registers, "write") => {
                self.registers.insert(key, argument.unwrap());
                Ok(Reply::done())
            }
            (Objects::Registers, "cas") => {
                let pair = operation.value.as_list().unwrap();
                if self.registers.get(&key).copied() != pair[0].as_int() {
                    return refused("another value");
                }
                self.registers.insert(key, pair[1].as_int().unwrap());
                Ok(Reply::done())
            }
            (Objects::Registers, "acquire") if self.locks.contains_key(&key) => refused("held"),
            (Objects::Registers, "acquire") => {
                self.locks.insert(key, argument.unwrap());
                Ok(Reply::done())
            }
            (Objects::Registers, "release") if self.locks.get(&key) != argument.as_ref() => {
                refused("not yours")
            }
            (Objects::Registers, "release") => {
                self.locks.remove(&key);
                Ok(Reply::done())
            }
            (Objects::Sets, "add") => {
                self.sets.entry(key).or_default().insert(argument.unwrap());
                Ok(Reply::done())
            }
            (Objects::Sets, "read") => all(self.sets.entry(key).or_default().iter()),
            (Objects::Counters, "add") => {
                *self.sums.entry(key).or_default() += argument.unwrap();
                Ok(Reply::done())
            }
            (Objects::Counters, "read") => Ok(Reply::value(*self.sums.entry(key).or_default())),
            (Objects::Lists, "append") => {
                self.lists.entry(key).or_default().push(argument.unwrap());
                Ok(Reply::done())
            }
            (Objects::Lists, "read") => all(self.lists.entry(key).or_default().iter()),
            (Objects::Queues, "enqueue") => {
                self.queues.entry(key).or_default().push_back(argument.unwrap());
                Ok(Reply::done())
            }
            (Objects::Queues, "dequeue") => Ok(Reply::value(self.queues.entry(key).or_default().pop_front())),
            _ => panic!("{operation:?} of {objects}"),
        }
    }
}

/// How a store misbehaves, if it does: some of the operations that change something are lost, or done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Sound,
    Loses,
    Doubles,
}

/// One in so many changes is treated so.
const UNSOUND_ONE_IN: u32 = 200;

/// A world around the store: answers travel for a while, one in `unknown_one_in` is lost, and for half a second of every
/// two, one node is cut off: what was under way there ends unknown.
fn world(
    workload: &'static dyn Workload,
    manner: Manner,
    seed: u64,
    unknown_one_in: u32,
) -> impl FnMut(Nanos, &Invocation) -> Answered {
    let mut rng = Rng::seed_from_u64(seed);
    let mut store = Store::default();
    let objects = workload.objects();
    move |now, operation| {
        let latency = Nanos(rng.random_range(100_000..6_000_000));
        let is_change = operation.f != "read" && operation.f != "dequeue";
        let unsound = manner != Manner::Sound && is_change && rng.random_ratio(1, UNSOUND_ONE_IN);
        let outcome = match manner {
            Manner::Loses if unsound => store.clone().answer(objects, operation),
            Manner::Doubles if unsound => {
                let first = store.answer(objects, operation);
                let second = store.answer(objects, operation);
                if first.is_ok() { second } else { first }
            }
            _ => store.answer(objects, operation),
        };
        let is_cut_off = now.0 / 500_000_000 % 4 == 2 && operation.node.as_deref() == Some("n2");
        if is_cut_off {
            return (Nanos::from_millis(300), Err(ErrorCode::Timeout.with("cut off")));
        }
        let lost = rng.random_ratio(1, unknown_one_in);
        (latency, if lost { Err(ErrorCode::Timeout.with("lost")) } else { outcome })
    }
}

/// A run of some seconds at the default plan's size, final reads included.
fn run(workload: &'static dyn Workload, manner: Manner, seconds: u64, seed: u64) -> History {
    let layout = Layout::new(20, ["n1", "n2", "n3", "n4", "n5"]).unwrap();
    let options = Options { key_operations: workload.key_operations(), ..Options::default() };
    let mut phases = Phases::new(workload, &options, Nanos::from_secs(seconds), seed);
    let world = world(workload, manner, seed, 500);
    let run = simulate_phases(&mut phases, &layout, usize::MAX, world, |phases| {
        let begins = !phases.is_final();
        phases.begin_final();
        begins
    });
    History::from_events(Header::new("simulated"), run.events).unwrap()
}

/// The verdict, with a witness that was re-checked.
fn verdict(workload: &'static dyn Workload, history: &History) -> Verdict {
    let model = model(workload.model()).expect("a workload names a model");
    let options = rashomon_checker::Options::default();
    let name = workload.name();
    let judgement = (model.judge)(history, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
    let checked = (model.verify)(history, &judgement).expect("it was decoded before");
    checked.unwrap_or_else(|refuted| panic!("{name}: {refuted}"));
    judgement.verdict
}

#[test]
fn every_judge_reads_what_its_workload_records_and_finds_a_sound_store_valid() {
    for workload in registry() {
        let history = run(*workload, Manner::Sound, 2, 7);
        assert!(history.events().len() > 5_000, "{}", workload.name());
        assert_eq!(verdict(*workload, &history), Verdict::Valid, "{}", workload.name());
    }
}

/// The general search counts what it tries; where it is needed, workloads are shaped so that it has little to try.
#[test]
fn few_configurations_are_needed_per_operation() {
    for name in ["counter", "queue", "mutex"] {
        let workload = by_name(name).unwrap();
        let history = run(workload, Manner::Sound, 4, 11);
        let judge = model(workload.model()).unwrap().judge;
        let judgement = judge(&history, &rashomon_checker::Options::default()).unwrap();
        let worst = judgement.keys.iter().map(|key| key.configuration_count).max().unwrap();
        let all: u64 = judgement.keys.iter().map(|key| key.configuration_count).sum();
        let operations = history.events().len() as u64 / 2;
        assert!(worst < 20_000 && all < 20 * operations, "{name}: {worst} on a key, {all} of {operations}");
    }
}

#[test]
fn no_more_overlaps_on_a_queue_than_its_width() {
    let history = run(&queue::Queue, Manner::Sound, 2, 9);
    let mut open: BTreeMap<SmolStr, BTreeSet<Process>> = BTreeMap::new();
    for event in history.events().iter().filter(|event| event.process != Process::Nemesis) {
        let open = open.entry(event.key.clone().unwrap()).or_default();
        match event.kind {
            Kind::Invoke if event.f == "enqueue" => {
                open.insert(event.process);
                assert!(open.len() <= queue::WIDTH as usize, "{} overlap on {:?}", open.len(), event.key);
            }
            // What is unknown stays open for good.
            Kind::Info => {}
            _ => {
                open.remove(&event.process);
            }
        }
    }
}

#[test]
fn a_store_that_loses_changes_is_found_by_every_workload() {
    for workload in registry() {
        let history = run(*workload, Manner::Loses, 2, 3);
        assert_eq!(verdict(*workload, &history), Verdict::Invalid, "{}", workload.name());
    }
}

/// A set hides what is added twice.
#[test]
fn a_store_that_applies_twice_is_found_where_it_can_show() {
    for name in ["list", "counter", "queue", "mutex"] {
        let workload = by_name(name).unwrap();
        let history = run(workload, Manner::Doubles, 2, 4);
        assert_eq!(verdict(workload, &history), Verdict::Invalid, "{name}");
    }
    assert_eq!(verdict(&set::Set, &run(&set::Set, Manner::Doubles, 2, 4)), Verdict::Valid);
}

fn count(history: &History, f: &str, kind: Kind) -> usize {
    history.events().iter().filter(|event: &&Event| event.f == f && event.kind == kind).count()
}

#[test]
fn locks_change_hands_and_are_contended() {
    let history = run(&mutex::Mutex, Manner::Sound, 4, 1);
    for f in ["acquire", "release"] {
        let asked = count(&history, f, Kind::Invoke);
        let (ok, refused) = (count(&history, f, Kind::Ok), count(&history, f, Kind::Fail));
        assert!(ok * 8 > asked, "{ok} of {asked} {f} succeeded");
        assert!(refused * 20 > asked, "{refused} of {asked} {f} were refused");
    }
}

#[test]
fn queues_are_emptied_at_the_end() {
    let history = run(&queue::Queue, Manner::Sound, 2, 1);
    let mut left = BTreeMap::<SmolStr, Vec<Value>>::new();
    for event in history.events().iter().filter(|event| event.kind == Kind::Ok) {
        left.entry(event.key.clone().unwrap()).or_default().push(event.value.clone());
    }
    let recent = left.iter().filter(|(_, ended)| ended.last() == Some(&Value::Null)).count();
    assert!(recent * 10 > left.len() * 9, "{recent} of {} queues ended empty", left.len());
}

#[test]
fn elements_go_in_once_in_a_run() {
    for (name, f) in [("set", "add"), ("list", "append"), ("queue", "enqueue"), ("mutex", "acquire")] {
        let history = run(by_name(name).unwrap(), Manner::Sound, 2, 5);
        let mut seen = BTreeSet::new();
        let asked = history.events().iter().filter(|event| event.f == f && event.kind == Kind::Invoke);
        for event in asked {
            assert!(seen.insert(event.value.as_int().unwrap()), "{name}: {}", event.value);
        }
        assert!(seen.len() > 1_000, "{name}");
    }
}

#[test]
fn names_are_distinct_and_found() {
    for workload in registry() {
        assert_eq!(by_name(workload.name()).unwrap().name(), workload.name());
        assert!(workload.doc().ends_with('.'), "{}: the doc is a sentence", workload.name());
    }
}

#[test]
fn an_unknown_name_is_told_what_there_is() {
    let messages = ["regsiter", "bank"].map(|name| by_name(name).unwrap_err().to_string());
    expect![[r#"
        no workload is called "regsiter" (did you mean "register"?); there are register, register-small, register-read-heavy, set, list, counter, queue, mutex
        no workload is called "bank"; there are register, register-small, register-read-heavy, set, list, counter, queue, mutex"#]].assert_eq(&messages.join("\n"));
}

#[test]
fn options_out_of_bounds_are_refused() {
    let wrong = [
        Options { keys: 0, ..Options::default() },
        Options { key_operations: 0, ..Options::default() },
        Options { rate: Some(f64::NAN), ..Options::default() },
        Options { rate: Some(0.0), ..Options::default() },
    ];
    let messages = wrong.map(|options| options.check().unwrap_err().to_string());
    expect![[r#"
        0 keys: expected 1 to 10000
        0 operations per key: expected 1 to 1000000000
        a rate of NaN operations a second: expected more than 0 and at most 1000000000
        a rate of 0 operations a second: expected more than 0 and at most 1000000000"#]]
    .assert_eq(&messages.join("\n"));
    assert_eq!(Options::default().check(), Ok(()));
}
