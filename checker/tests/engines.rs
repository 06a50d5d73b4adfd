//! The engines against each other, on histories too long for the twin, with every witness re-checked.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::generate::{Overlap, Plan, generate, random_plan};
use rashomon_checker::models::CasRegister;
use rashomon_checker::verify::verify;
use rashomon_checker::{Budget, Engine, Finding, Options, Verdict, decode, judge_key};
use rashomon_histories::{Event, Header, History};

fn history(plan: Plan) -> History {
    let events: Vec<Event> = generate(plan).collect();
    History::from_events(Header::new("generated"), events).expect("generated histories are well-formed")
}

#[test]
fn near_linear_judge_and_search_agree_on_distinct_values() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let (mut seen, mut by_shortcut) = ([0, 0], 0);
    for _ in 0..400 {
        let plan = Plan { values: None, ..random_plan(&mut rng, 120) };
        let keys = decode(&CasRegister, &history(plan)).expect("of a register");
        for key in &keys {
            let verdicts = [None, Some(Engine::Search)].map(|engine| {
                let judged =
                    judge_key(&CasRegister, &key.key, &key.calls, &Options { engine, ..Options::default() });
                by_shortcut += usize::from(judged.engine == Engine::Shortcut);
                verify(&CasRegister, &key.calls, &judged.finding).unwrap_or_else(|refuted| {
                    panic!("{refuted}: {engine:?} {:?} of {plan:?}", judged.finding)
                });
                judged.finding.verdict()
            });
            assert_eq!(verdicts[0], verdicts[1], "{plan:?}");
            seen[usize::from(verdicts[0] == Verdict::Invalid)] += 1;
        }
    }
    assert!(seen[0] > 50 && seen[1] > 50 && by_shortcut > 350, "{seen:?} {by_shortcut}");
}

#[test]
fn what_worked_is_valid_whatever_the_overlap() {
    for overlap in [Overlap::Even, Overlap::Hidden] {
        for values in [None, Some(2), Some(5)] {
            for seed in 0..3 {
                let plan = Plan {
                    operations: 600,
                    clients: 10,
                    unknown: 0.05,
                    values,
                    overlap,
                    seed,
                    ..Plan::default()
                };
                for key in decode(&CasRegister, &history(plan)).expect("of a register") {
                    let judged = judge_key(&CasRegister, &key.key, &key.calls, &Options::default());
                    assert_eq!(judged.finding.verdict(), Verdict::Valid, "{plan:?}");
                    verify(&CasRegister, &key.calls, &judged.finding).expect("an order");
                }
            }
        }
    }
}

#[test]
fn a_small_budget_or_a_deadline_makes_it_undecided_and_says_how_far_it_got() {
    let plan = Plan { operations: 2_000, clients: 30, values: Some(5), seed: 5, ..Plan::default() };
    let keys = decode(&CasRegister, &history(plan)).expect("of a register");
    let few = Budget { states_max: 3_000, ..Budget::default() };
    let little = Budget { bytes_max: 3_000, ..Budget::default() };
    let late = || true;
    for options in [
        Options { budget: few, ..Options::default() },
        Options { budget: little, ..Options::default() },
        Options { stop: &late, ..Options::default() },
    ] {
        let judged = judge_key(&CasRegister, "0", &keys[0].calls, &options);
        assert!(matches!(judged.finding, Finding::Undecided { .. }), "{:?}", judged.finding.verdict());
        if let Finding::Undecided { consistent_until, .. } = judged.finding {
            assert!(consistent_until < 4_000, "{consistent_until}");
        }
    }
}

#[test]
fn equal_histories_get_equal_judgements() {
    let mut rng = ChaCha8Rng::seed_from_u64(22);
    for _ in 0..40 {
        let plan = Plan { seed: rng.random_range(0..u64::MAX), ..random_plan(&mut rng, 200) };
        let keys = decode(&CasRegister, &history(plan)).expect("of a register");
        for key in &keys {
            let judge = || judge_key(&CasRegister, &key.key, &key.calls, &Options::default());
            assert_eq!(judge(), judge(), "{plan:?}");
        }
    }
}

#[test]
fn a_judgement_survives_json() {
    let plan =
        Plan { operations: 300, flaw: rashomon_checker::generate::Flaw::Stale, seed: 9, ..Plan::default() };
    for key in decode(&CasRegister, &history(plan)).expect("of a register") {
        let judged = judge_key(&CasRegister, &key.key, &key.calls, &Options::default());
        let text = serde_json::to_string(&judged).expect("plain data");
        assert_eq!(
            serde_json::from_str::<rashomon_checker::KeyJudgement>(&text).expect("what was written"),
            judged
        );
    }
}

#[test]
fn false_witnesses_are_refuted() {
    use rashomon_checker::models::RegisterOp;
    use rashomon_checker::{Call, Counterexample};
    let calls = [
        Call::completed(0, 0, 1, RegisterOp::Write(1.into())),
        Call::completed(0, 2, 3, RegisterOp::Write(2.into())),
        Call::completed(0, 4, 5, RegisterOp::Read(2.into())),
    ];
    let valid = |order: &[u32]| verify(&CasRegister, &calls, &Finding::Valid { order: order.to_vec() });
    assert!(valid(&[0, 2, 4]).is_ok());
    // Out of order, illegal, incomplete, doubled, unknown.
    for order in [&[2, 0, 4][..], &[0, 4, 2], &[0, 2], &[0, 2, 2, 4], &[0, 2, 4, 9]] {
        assert!(valid(order).is_err(), "{order:?}");
    }
    let invalid = |operations: &[u32]| {
        let counterexample = Counterexample { operations: operations.to_vec(), ..Counterexample::default() };
        verify(&CasRegister, &calls, &Finding::Invalid(counterexample))
    };
    // The read alone has no order, but what it read was left out.
    assert!(invalid(&[4]).is_err() && invalid(&[0, 4]).is_err() && invalid(&[0, 2, 4]).is_err());
}
