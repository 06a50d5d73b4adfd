//! The engines against each other, on histories too long for the twin, with every witness re-checked.

#[allow(dead_code, reason = "the other tests use the rest")]
mod twin;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::generate::{Overlap, Plan, generate, random_plan};
use rashomon_checker::models::CasRegister;
use rashomon_checker::verify::verify;
use rashomon_checker::{
    Budget, Call, Engine, Exhausted, Finding, KeyJudgement, Options, Verdict, decode, judge, judge_again,
    judge_key, refusal,
};
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

/// Two refused cas of values that must have been replaced in between, by cas that nobody knows of otherwise.
#[test]
fn unseen_cas_that_explain_refused_ones_need_no_search() {
    use rashomon_checker::models::RegisterOp::{Cas, Read, Refused, Write};
    let calls = [
        Call::completed(0, 0, 1, Write(1.into())),
        Call::unknown(1, 2, Cas { old: 1.into(), new: 2.into() }),
        Call::unknown(2, 3, Cas { old: 2.into(), new: 3.into() }),
        Call::completed(0, 4, 5, Read(1.into())),
        Call::completed(0, 6, 7, Refused { old: 1.into(), new: 4.into() }),
        Call::completed(0, 8, 9, Refused { old: 2.into(), new: 5.into() }),
        Call::completed(0, 10, 11, Write(6.into())),
        Call::completed(0, 12, 13, Read(6.into())),
    ];
    let judged = judge_key(&CasRegister, "x", &calls, &Options::default());
    assert_eq!((judged.engine, judged.finding.verdict()), (Engine::Shortcut, Verdict::Valid));
    verify(&CasRegister, &calls, &judged.finding).expect("an order");
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
    for (options, expected) in [
        (Options { budget: few, ..Options::default() }, Exhausted::States),
        (Options { budget: little, ..Options::default() }, Exhausted::Bytes),
        (Options { stop: &late, ..Options::default() }, Exhausted::Deadline),
    ] {
        let judged = judge_key(&CasRegister, "0", &keys[0].calls, &options);
        let Finding::Undecided { exhausted, consistent_until } = judged.finding else {
            panic!("{expected:?}: {:?}", judged.finding.verdict());
        };
        assert_eq!(exhausted, expected);
        assert!(consistent_until < 4_000, "{consistent_until}");
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
    use rashomon_checker::Counterexample;
    use rashomon_checker::models::RegisterOp;
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

#[test]
fn what_is_undecided_is_gone_on_with_and_what_is_settled_is_kept() {
    let plan = Plan { operations: 3_000, clients: 30, keys: 2, values: Some(5), seed: 5, ..Plan::default() };
    let keys = decode(&CasRegister, &history(plan)).expect("of a register");
    let few = Options { budget: Budget { states_max: 300, ..Budget::default() }, ..Options::default() };
    let mut before = judge(&CasRegister, &keys, &few);
    assert_eq!(before.verdict, Verdict::Undecided);
    // One key counts as settled; nobody asks how.
    let kept = KeyJudgement { finding: Finding::Valid { order: vec![7] }, ..before.keys[0].clone() };
    before.keys[0] = kept.clone();

    let again = judge_again(&CasRegister, &keys, &before, &Options::default()).expect("the same keys");
    assert_eq!((again.verdict, &again.keys[0]), (Verdict::Valid, &kept));
    verify(&CasRegister, &keys[1].calls, &again.keys[1].finding).expect("an order");

    // With less to spend, what was known stays known.
    let Finding::Undecided { consistent_until: known, .. } = before.keys[1].finding else {
        panic!("too much to spend: {:?}", before.keys[1]);
    };
    let fewer = Options { budget: Budget { states_max: 10, ..Budget::default() }, ..Options::default() };
    let ended = judge_again(&CasRegister, &keys, &before, &fewer).expect("the same keys");
    assert!(known > 0);
    assert_eq!(
        ended.keys[1].finding,
        Finding::Undecided { exhausted: Exhausted::States, consistent_until: known },
    );

    assert!(judge_again(&CasRegister, &keys[..1], &before, &few).is_err());
    before.keys[1].operation_count += 1;
    assert!(judge_again(&CasRegister, &keys, &before, &few).is_err());
}

#[test]
fn an_engine_that_does_not_apply_is_refused() {
    let distinct = decode(&CasRegister, &history(Plan::default())).expect("of a register");
    let few = Plan { values: Some(5), operations: 200, ..Plan::default() };
    let few = decode(&CasRegister, &history(few)).expect("of a register");
    assert_eq!(refusal(&CasRegister, &distinct, Engine::Shortcut), Ok(()));
    assert_eq!(refusal(&CasRegister, &few, Engine::Search), Ok(()));
    let refused = refusal(&CasRegister, &few, Engine::Shortcut).expect_err("values are written again");
    assert!(refused.to_string().contains("shortcut does not apply to key \"0\""), "{refused}");
    let forced = Options { engine: Some(Engine::Shortcut), ..Options::default() };
    assert_eq!(
        judge_key(&CasRegister, "0", &few[0].calls, &forced).finding,
        Finding::Undecided { exhausted: Exhausted::Engine, consistent_until: 0 },
    );
    assert_eq!(judge_key(&CasRegister, "0", &distinct[0].calls, &forced).finding.verdict(), Verdict::Valid);
    assert_eq!("search".parse(), Ok(Engine::Search));
    assert!("zone".parse::<Engine>().is_err());
}

/// The near-linear judge alone leaves few of these open: what its schedule gets wrong is put right in windows.
#[test]
fn refused_cas_are_settled_in_windows_as_the_search_settles_them() {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let (mut seen, mut open) = ([0, 0], 0);
    for _ in 0..3_000 {
        let unknown = [0.0, 0.05][rng.random_range(0..2)];
        let spans = twin::random_overlap(&mut rng, 60, 8, unknown);
        let calls = twin::distinct(&mut rng, &spans);
        let judge = |engine| {
            let options = Options { engine: Some(engine), minimise: false, ..Options::default() };
            judge_key(&CasRegister, "0", &calls, &options).finding
        };
        let (near_linear, searched) = (judge(Engine::Shortcut), judge(Engine::Search));
        match &near_linear {
            Finding::Undecided { .. } => open += usize::from(searched.verdict() == Verdict::Valid),
            Finding::Valid { order } => assert!(twin::is_order(&CasRegister, &calls, order), "{calls:?}"),
            Finding::Invalid(_) => {}
        }
        if near_linear.verdict() != Verdict::Undecided {
            assert_eq!(near_linear.verdict(), searched.verdict(), "{calls:?}");
            seen[usize::from(near_linear.verdict() == Verdict::Invalid)] += 1;
        }
    }
    assert!(seen[0] > 300 && seen[1] > 300 && open <= 3, "{seen:?} {open}");
}
