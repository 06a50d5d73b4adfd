//! Generators on a virtual clock: what they promise each other and their driver.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, prop_assert_ne, proptest};
use rand::{RngExt as _, SeedableRng as _};
use rashomon_histories::{Event, Invocation, Kind, Nanos, Value};

use super::simulate::{Answered, Simulated, simulate, simulate_phases};
use super::*;
use crate::client::Reply;
use crate::error::ErrorCode;
use crate::workload::{Options, Workload, by_name};

const MILLI: Nanos = Nanos::from_millis(1);

fn layout(clients: u32, nodes: usize) -> Layout {
    Layout::new(clients, (1..=nodes).map(|n| format!("n{n}"))).unwrap()
}

fn register() -> &'static dyn Workload {
    by_name("register").unwrap()
}

/// Every operation succeeds after `latency`; reads see nothing.
fn perfect(latency: Nanos) -> impl FnMut(Nanos, &Invocation) -> Answered {
    move |_, _| (latency, Ok(Reply::done()))
}

/// Latencies and outcomes at random: mostly fine, sometimes turned away, sometimes unknown.
fn rough(seed: u64) -> impl FnMut(Nanos, &Invocation) -> Answered {
    let mut rng = Rng::seed_from_u64(seed);
    move |_, _| {
        let latency = Nanos(rng.random_range(0..3_000_000));
        match rng.random_range(0..20) {
            0 => (latency, Err(ErrorCode::NoLeader.with("rough"))),
            1 => (latency.plus(MILLI), Err(ErrorCode::Timeout.with("rough"))),
            2 => (latency, Err(ErrorCode::Precondition.with("rough"))),
            _ => (latency, Ok(Reply::done())),
        }
    }
}

fn line(event: &Event) -> String {
    format!(
        "at {} ns, process {} on {}: {} {} {}",
        event.time.0,
        event.process,
        event.node.as_deref().unwrap_or("-"),
        event.f,
        event.key.as_deref().unwrap_or("-"),
        event.value,
    )
}

fn check_invocations(run: &Simulated, expected: &Expect) {
    expected.assert_eq(&run.invocations().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_register_workload_asks_like_this() {
    let options = Options { keys: 2, key_operations: 6, rate: None };
    let mut generator = register().generator(&options, 7);
    let run = simulate(&mut generator, &layout(3, 2), 16, perfect(Nanos(10)));
    check_invocations(
        &run,
        &expect![[r#"
            at 0 ns, process 0 on n1: read k0 null
            at 0 ns, process 2 on n1: read k1 null
            at 0 ns, process 1 on n2: read k0 null
            at 10 ns, process 0 on n1: read k0 null
            at 10 ns, process 1 on n2: read k1 null
            at 10 ns, process 2 on n1: read k0 null
            at 20 ns, process 1 on n2: read k1 null
            at 20 ns, process 0 on n1: read k0 null
            at 20 ns, process 2 on n1: read k0 null
            at 30 ns, process 2 on n1: read k0 null
            at 30 ns, process 0 on n1: read k2 null
            at 30 ns, process 1 on n2: read k2 null
            at 40 ns, process 2 on n1: read k2 null
            at 40 ns, process 1 on n2: write k2 13
            at 40 ns, process 0 on n1: read k2 null
            at 50 ns, process 1 on n2: write k2 14"#]],
    );
}

#[test]
fn an_even_rate_asks_at_even_moments_and_nobody_twice() {
    let options = Options { keys: 1, ..Options::default() };
    let mut generator = Rate::new(register().generator(&options, 1), 1_000.0, Spacing::Even, 1);
    let run = simulate(&mut generator, &layout(2, 1), 6, perfect(Nanos::from_millis(3)));
    // Two processes that take three milliseconds each cannot keep up with one operation a millisecond.
    check_invocations(
        &run,
        &expect![[r#"
            at 0 ns, process 1 on n1: read k0 null
            at 1000000 ns, process 0 on n1: read k0 null
            at 3000000 ns, process 1 on n1: read k0 null
            at 4000000 ns, process 0 on n1: read k0 null
            at 6000000 ns, process 1 on n1: read k0 null
            at 7000000 ns, process 0 on n1: read k0 null"#]],
    );
}

#[test]
fn a_process_that_was_turned_away_rests_longer_each_time() {
    let mut generator = Rest::new(register().generator(&Options::default(), 1));
    let refused = |_: Nanos, _: &Invocation| (Nanos(100), Err(ErrorCode::ConnectionRefused.with("dead")));
    let run = simulate(&mut generator, &layout(1, 1), 7, refused);
    let times: Vec<u64> = run.invocations().map(|event| event.time.0 / 1_000_000).collect();
    assert_eq!(times, [0, 10, 30, 70, 150, 310, 470]);
}

#[test]
fn a_refused_cas_is_an_answer_and_needs_no_rest() {
    let mut generator = Rest::new(register().generator(&Options::default(), 1));
    let refused = |_: Nanos, _: &Invocation| (Nanos(100), Err(ErrorCode::Precondition.with("other value")));
    let run = simulate(&mut generator, &layout(1, 1), 5, refused);
    assert_eq!(run.now, Nanos(500));
}

#[test]
fn others_are_asked_while_one_rests() {
    let mut generator = Rest::new(register().generator(&Options::default(), 1));
    let world = |_: Nanos, operation: &Invocation| match operation.process {
        rashomon_histories::Process::Client(0) => (Nanos(100), Err(ErrorCode::NoLeader.with("cut off"))),
        _ => (MILLI, Ok(Reply::done())),
    };
    let run = simulate(&mut generator, &layout(2, 2), 40, world);
    let of_first = run.invocations().filter(|event| event.node.as_deref() == Some("n1")).count();
    assert_eq!(of_first, 3, "at 0, 10 and 30 ms of {}", run.now);
}

#[test]
fn the_time_limit_ends_asking_and_whoever_waits_comes_back_in_time() {
    let limit = Nanos::from_secs(2);
    let slow = Rate::new(register().generator(&Options::default(), 1), 0.3, Spacing::Even, 1);
    let mut generator = TimeLimit::new(slow, limit);
    let run = simulate(&mut generator, &layout(1, 1), 100, perfect(MILLI));
    assert_eq!(run.invocations().count(), 1);
    assert_eq!(run.now, limit);
}

#[test]
fn phases_end_with_a_read_of_every_recent_key_from_every_node() {
    let options = Options { keys: 3, key_operations: 20, rate: Some(500.0) };
    let mut phases = Phases::new(register(), &options, Nanos::from_secs(1), 3);
    let layout = layout(5, 3);
    let mut keys = Vec::new();
    let run = simulate_phases(&mut phases, &layout, usize::MAX, perfect(MILLI), |phases| {
        let begins = !phases.is_final();
        if begins {
            keys = phases.keys_recent();
            phases.begin_final();
        }
        begins
    });
    assert!(keys.len() > 20, "several generations of keys: {keys:?}");
    let main = run.invocations().filter(|event| event.time < Nanos::from_secs(1)).count();
    assert!((400..600).contains(&main), "{main} operations in a second at 500 a second");
    let last: Vec<&Event> = run.invocations().skip(main).collect();
    let mut read: Vec<_> =
        last.iter().map(|event| (event.key.clone().unwrap(), event.node.clone().unwrap())).collect();
    read.sort();
    let mut expected: Vec<_> =
        keys.iter().flat_map(|key| layout.nodes().iter().map(|node| (key.clone(), node.clone()))).collect();
    expected.sort();
    assert_eq!(read, expected);
    assert!(last.iter().all(|event| event.f == "read" && event.value == Value::Null));
}

#[test]
fn a_final_read_that_never_succeeds_is_given_up() {
    let mut generator = FinalReads::new("read", vec!["x".into(), "y".into()]);
    let dead = |_: Nanos, operation: &Invocation| match operation.node.as_deref() {
        Some("n2") => (MILLI, Err(ErrorCode::Timeout.with("dead"))),
        _ => (MILLI, Ok(Reply::value(Value::Null))),
    };
    let run = simulate(&mut generator, &layout(2, 2), usize::MAX, dead);
    let asked = |node: &str| run.invocations().filter(|event| event.node.as_deref() == Some(node)).count();
    assert_eq!(asked("n1"), 2);
    assert_eq!(asked("n2"), 2 * READ_ATTEMPTS_MAX as usize);
}

#[test]
fn beginning_the_end_twice_reads_once() {
    let mut phases = Phases::new(register(), &Options::default(), MILLI, 3);
    let layout = layout(1, 1);
    simulate(&mut phases, &layout, 10, perfect(MILLI));
    phases.begin_final();
    let context = Context { now: MILLI, free: &[0], layout: &layout };
    assert!(matches!(phases.ask(&context), Answer::Operation(_)));
    phases.begin_final();
    assert_eq!(phases.ask(&context), Answer::Pending { until: None }, "the one read is open still");
}

#[test]
fn a_rate_is_kept_and_a_stall_is_not_made_up_for() {
    let options = Options::default();
    let mut generator = Rate::new(register().generator(&options, 1), 1_000.0, Spacing::Exponential, 1);
    let stall = Nanos::from_secs(5)..Nanos::from_secs(8);
    let world = |now: Nanos, _: &Invocation| match stall.contains(&now) {
        true => (stall.end.since(now), Ok(Reply::done())),
        false => (MILLI, Ok(Reply::done())),
    };
    let mut run = simulate(&mut generator, &layout(20, 1), 9_000, world);
    run.events.retain(|event| event.kind == Kind::Invoke);
    let between = |from: u64, to: u64| {
        run.events.iter().filter(|e| (from..to).contains(&(e.time.0 / 100_000_000))).count()
    };
    assert!((4_800..5_200).contains(&between(0, 50)), "{}", between(0, 50));
    assert!(between(51, 80) <= 20, "everybody waits: {}", between(51, 80));
    assert!(between(80, 81) < 300, "at most two tenths of a second of operations: {}", between(80, 81));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the options and the world: well-formed (the simulation asserts it), bounded keys, distinct values, each
    /// seed its own stream.
    #[test]
    fn registers_are_bounded_distinct_and_reproducible(
        seed: u64,
        keys in 1_u32..6,
        key_operations in 1_u64..40,
        clients in 1_u32..9,
        nodes in 1_usize..6,
        rate in proptest::option::of(100.0_f64..100_000.0),
    ) {
        let options = Options { keys, key_operations, rate };
        let layout = layout(clients.max(nodes as u32), nodes);
        let limit = Nanos::from_millis(200);
        let run_with = |seed| {
            simulate(&mut Phases::new(register(), &options, limit, seed), &layout, 2_000, rough(1))
        };
        let run = run_with(seed);
        prop_assert_eq!(&run.events, &run_with(seed).events);

        let mut asked = BTreeMap::<_, u64>::new();
        let mut written = BTreeMap::new();
        for event in run.invocations() {
            *asked.entry(event.key.clone().unwrap()).or_default() += 1;
            let new = match &*event.f {
                "write" => event.value.as_int(),
                "cas" => event.value.as_list().unwrap()[1].as_int(),
                _ => None,
            };
            if let Some(new) = new {
                prop_assert_eq!(written.insert(new, event.index), None, "{} twice", new);
            }
        }
        prop_assert!(asked.values().all(|count| *count <= key_operations + 32), "{:?}", asked);
        let count = run.invocations().count();
        if let Some(rate) = rate {
            let most = run.now.as_secs_f64() * rate;
            prop_assert!(count as f64 <= most + 6.0 * most.sqrt() + 10.0, "{} for {}", count, most);
        }
        if count > 20 {
            prop_assert_ne!(&run.events, &run_with(seed ^ 1).events);
        }
    }

    /// A clone taken anywhere on the way answers as its original does.
    #[test]
    fn a_clone_answers_alike(seed: u64, before in 0_usize..200) {
        let options = Options { keys: 3, key_operations: 30, rate: Some(5_000.0) };
        let mut generator = Phases::new(register(), &options, Nanos::from_secs(1), seed);
        let layout = layout(4, 3);
        simulate(&mut generator, &layout, before, rough(seed));
        let mut clone = generator.clone_boxed();
        let original = simulate(&mut generator, &layout, 100, rough(2));
        let cloned = simulate(&mut clone, &layout, 100, rough(2));
        prop_assert_eq!(original.events, cloned.events);
    }
}
