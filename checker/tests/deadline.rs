//! The caller's deadline: asked often enough, whatever a judge is doing, and obeyed at once. No clock: the distance between two
//! questions is counted in calls of the model, each of which takes nanoseconds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rashomon_checker::budget::{ASK_EVERY, Poll};
use rashomon_checker::generate::{Flaw, Plan, generate};
use rashomon_checker::models::CasRegister;
use rashomon_checker::models::register::{RegisterOp, Value};
use rashomon_checker::outcome::Shortcut;
use rashomon_checker::{
    Call, Effect, Engine, Exhausted, Finding, Model, Options, Verdict, decode, judge_key,
};
use rashomon_histories::{Event, Header, History};

/// A register that counts how often it is asked anything.
#[derive(Default)]
struct Counting {
    work: AtomicU64,
}

impl Counting {
    fn worked(&self) -> CasRegister {
        self.work.fetch_add(1, Relaxed);
        CasRegister
    }
}

impl Model for Counting {
    type State = Value;
    type Operation = RegisterOp;

    fn init(&self) -> Value {
        CasRegister.init()
    }
    fn step(&self, state: &Value, operation: &RegisterOp) -> Option<Value> {
        self.worked().step(state, operation)
    }
    fn describe(&self, operation: &RegisterOp) -> String {
        CasRegister.describe(operation)
    }
    fn effect(&self, operation: &RegisterOp) -> Effect {
        self.worked().effect(operation)
    }
    fn needs(&self, operation: &RegisterOp, earlier: &RegisterOp) -> bool {
        self.worked().needs(operation, earlier)
    }
    fn trusted(&self, operation: &RegisterOp) -> Option<RegisterOp> {
        self.worked().trusted(operation)
    }
    fn shortcut(&self, calls: &[Call<RegisterOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
        CasRegister.shortcut(calls, poll)
    }
}

/// What was counted while judging with a deadline that passes at the `last` question.
struct Counted {
    finding: Finding,
    asked: u64,
    /// The most work between two questions, before the deadline passed.
    gap_max: u64,
    /// Work and questions after that.
    late: (u64, u64),
}

fn count(calls: &[Call<RegisterOp>], engine: Option<Engine>, last: u64) -> Counted {
    let model = Counting::default();
    let (asked, before, gap_max, end) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let stop = || {
        let now = model.work.load(Relaxed);
        if asked.fetch_add(1, Relaxed) < last {
            gap_max.fetch_max(now - before.swap(now, Relaxed), Relaxed);
            end.store(now, Relaxed);
            return false;
        }
        true
    };
    let finding =
        judge_key(&model, "x", calls, &Options { engine, stop: &stop, ..Options::default() }).finding;
    let asked = asked.into_inner();
    Counted {
        finding,
        asked,
        gap_max: gap_max.into_inner(),
        late: (model.work.into_inner() - end.into_inner(), asked.saturating_sub(last)),
    }
}

fn calls(values: Option<u32>, flaw: Flaw, clients: u32) -> Vec<Call<RegisterOp>> {
    let plan = Plan { operations: 6_000, clients, values, flaw, seed: 4, ..Plan::default() };
    let events: Vec<Event> = generate(plan).collect();
    let history = History::from_events(Header::new("generated"), events).expect("well-formed");
    let mut keys = decode(&CasRegister, &history).expect("of a register");
    keys.remove(0).calls
}

/// Valid and invalid, by either engine, with much to minimise.
fn cases() -> Vec<(Vec<Call<RegisterOp>>, Option<Engine>, Verdict)> {
    vec![
        (calls(None, Flaw::None, 20), None, Verdict::Valid),
        (calls(None, Flaw::Stale, 20), None, Verdict::Invalid),
        (calls(None, Flaw::None, 5), Some(Engine::Search), Verdict::Valid),
        (calls(Some(5), Flaw::None, 100), None, Verdict::Valid),
        (calls(Some(5), Flaw::Stale, 4), None, Verdict::Invalid),
    ]
}

/// One question per so many turns of any loop; a turn asks the model about a few classes and, when an operation is
/// invoked, about the states met lately. A millisecond or two.
const GAP_MAX: u64 = 64 * ASK_EVERY as u64;

#[test]
fn the_deadline_is_looked_at_often_whatever_is_going_on() {
    for (at, (calls, engine, verdict)) in cases().into_iter().enumerate() {
        let counted = count(&calls, engine, u64::MAX);
        assert_eq!(counted.finding.verdict(), verdict, "case {at}");
        assert!(counted.gap_max <= GAP_MAX, "case {at}: {}", counted.gap_max);
        // Each judge goes over all operations several times.
        let turns = 5 * calls.len() as u64 / u64::from(ASK_EVERY);
        assert!(counted.asked >= turns, "case {at}: {} < {turns}", counted.asked);
    }
}

#[test]
fn a_deadline_that_passes_ends_the_work_at_once() {
    for (at, (calls, engine, verdict)) in cases().into_iter().enumerate() {
        let whole = count(&calls, engine, u64::MAX).asked;
        for fifth in 0..=5 {
            let counted = count(&calls, engine, whole * fifth / 5);
            let (work, questions) = counted.late;
            assert!(work <= 2 * GAP_MAX && questions <= 16, "case {at}, {fifth}: {work}, {questions}");
            match counted.finding {
                Finding::Undecided { exhausted, .. } => assert_eq!(exhausted, Exhausted::Deadline),
                // The verdict was there, the smallest counterexample not yet.
                ended => assert_eq!((ended.verdict(), fifth > 0), (verdict, true), "case {at}, {fifth}"),
            }
        }
    }
}
