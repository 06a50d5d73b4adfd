//! The online judge against the one that sees everything.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::generate::{Flaw, Plan, generate, random_plan};
use rashomon_checker::models::CasRegister;
use rashomon_checker::online::{Followed, Online};
use rashomon_checker::verify::verify;
use rashomon_checker::{Finding, Judgement, KeyHistory, Options, Verdict, decode, judge};
use rashomon_histories::{Event, Header, History};

type Keys = Vec<KeyHistory<rashomon_checker::models::RegisterOp>>;

fn keys_of(events: &[Event]) -> Keys {
    let history = History::from_events(Header::new("generated"), events.to_vec()).expect("well-formed");
    decode(&CasRegister, &history).expect("generated histories are of registers")
}

fn offline(events: &[Event]) -> Judgement {
    judge(&CasRegister, &keys_of(events), &Options { minimise: false, ..Options::default() })
}

/// Every key's finding proves itself, but for violations whose beginning was forgotten.
fn check_witnesses(keys: &Keys, followed: &Followed, story: &dyn std::fmt::Debug) {
    assert_eq!(keys.len(), followed.judgement.keys.len(), "{story:?}");
    for (key, judged) in keys.iter().zip(&followed.judgement.keys) {
        assert_eq!((&key.key, key.calls.len()), (&judged.key, judged.operation_count), "{story:?}");
        // What was too costly to reduce has too many orders for the verifier to try.
        let is_large = matches!(&judged.finding, Finding::Invalid(found) if found.operations.len() > 100);
        if !followed.shortened.contains(&key.key) && !is_large {
            verify(&CasRegister, &key.calls, &judged.finding)
                .unwrap_or_else(|refuted| panic!("{refuted}: {judged:?} of {story:?}"));
        }
    }
}

/// Long keys of few clients are quiet often; half of the plans are of that kind.
fn plan(rng: &mut ChaCha8Rng) -> Plan {
    let plan = Plan { keys: rng.random_range(1..=4), ..random_plan(rng, 400) };
    if rng.random_bool(0.5) {
        return plan;
    }
    Plan { operations: rng.random_range(600..2_500), clients: rng.random_range(1..=4), keys: 1, ..plan }
}

#[test]
fn in_chunks_it_agrees_with_the_offline_judge_at_the_end_and_on_the_way() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut seen = [0, 0];
    for _ in 0..150 {
        let plan = plan(&mut rng);
        let events: Vec<Event> = generate(plan).collect();
        let mut online = Online::new(&CasRegister, &Header::new("generated"));
        let mut convicted_at = None;
        let mut fed = 0;
        while fed < events.len() {
            let chunk = rng.random_range(1..=events.len().div_ceil(4));
            let end = (fed + chunk).min(events.len());
            events[fed..end].iter().for_each(|event| online.observe(event.clone()).expect("decodable"));
            let before = std::mem::replace(&mut fed, end);
            if online.judge_changed(&Options::default()) == Verdict::Invalid && convicted_at.is_none() {
                convicted_at = Some((before, end));
            }
        }
        let followed = online.finish(&Options::default()).expect("decodable");
        check_witnesses(&keys_of(&events), &followed, &plan);
        let truth = offline(&events).verdict;
        assert_eq!(followed.judgement.verdict, truth, "{plan:?}");
        assert!(plan.flaw != Flaw::None || truth == Verdict::Valid, "{plan:?}");
        // Convicted at the first chunk whose end is an invalid prefix.
        assert_eq!(convicted_at.is_some(), truth == Verdict::Invalid, "{plan:?}");
        if let Some((before, end)) = convicted_at {
            assert_eq!(offline(&events[..end]).verdict, Verdict::Invalid, "{plan:?}");
            assert_eq!(offline(&events[..before]).verdict, Verdict::Valid, "{plan:?}");
        }
        seen[usize::from(truth == Verdict::Invalid)] += 1;
    }
    assert!(seen[0] > 30 && seen[1] > 30, "{seen:?}");
}

#[test]
fn event_by_event_a_violation_is_reported_at_the_first_prefix_that_has_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut convicted = 0;
    for _ in 0..150 {
        let plan = Plan { flaw: Flaw::Mutated, keys: 2, ..random_plan(&mut rng, 60) };
        let events: Vec<Event> = generate(plan).collect();
        let mut online = Online::new(&CasRegister, &Header::new("generated"));
        let first = events.iter().position(|event| {
            online.observe(event.clone()).expect("decodable");
            online.judge_changed(&Options::default()) == Verdict::Invalid
        });
        let truth = (0..events.len()).find(|end| offline(&events[..=*end]).verdict == Verdict::Invalid);
        assert_eq!(first, truth, "{plan:?}");
        convicted += usize::from(first.is_some());
    }
    assert!(convicted > 30, "{convicted}");
}

#[test]
fn condensing_changes_no_verdict_and_judges_nothing_twice() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut shortened = 0;
    for _ in 0..60 {
        let plan = Plan {
            operations: rng.random_range(500..6_000),
            clients: rng.random_range(1..=4),
            ..random_plan(&mut rng, 1)
        };
        let events: Vec<Event> = generate(plan).collect();
        let mut online = Online::new(&CasRegister, &Header::new("generated"));
        for event in &events {
            online.observe(event.clone()).expect("decodable");
            if rng.random_bool(0.02) {
                online.condense(&Options::default());
            }
        }
        let followed = online.finish(&Options::default()).expect("decodable");
        check_witnesses(&keys_of(&events), &followed, &plan);
        let truth = offline(&events).verdict;
        match followed.judgement.verdict {
            Verdict::Undecided => assert_eq!(followed.shortened, ["0"], "{plan:?}"),
            verdict => assert_eq!(verdict, truth, "{plan:?}"),
        }
        shortened += followed.shortened.len();
    }
    assert!(shortened > 5, "{shortened}");
}

#[test]
fn memory_is_what_is_pending_and_of_unknown_outcome_not_the_history() {
    for (values, unknown) in [(None, 0.0), (Some(3), 0.0), (None, 0.02), (Some(3), 0.02)] {
        let plan = Plan { operations: 60_000, clients: 4, unknown, values, seed: 2, ..Plan::default() };
        let mut online = Online::new(&CasRegister, &Header::new("generated"));
        let mut most = 0;
        for (count, event) in generate(plan).enumerate() {
            online.observe(event).expect("decodable");
            if count % 500 == 0 {
                assert_eq!(online.judge_changed(&Options::default()), Verdict::Valid, "{plan:?}");
                most = most.max(online.held());
            }
        }
        // Of unknown outcome are 900 that change something, and half of them never took effect.
        assert!(most < 6_000, "{most} operations held at a time: {plan:?}");
        let followed = online.finish(&Options::default()).expect("decodable");
        assert_eq!(followed.judgement.verdict, Verdict::Valid);
    }
}

#[test]
fn an_answer_that_could_not_be_given_before_the_cut_is_a_violation_after_it() {
    let plan = Plan { operations: 5_000, clients: 3, flaw: Flaw::Stale, seed: 4, ..Plan::default() };
    let mut online = Online::new(&CasRegister, &Header::new("generated"));
    let mut generated = generate(plan);
    let found = generated.by_ref().position(|event| {
        online.observe(event).expect("decodable");
        online.judge_changed(&Options::default()) == Verdict::Invalid
    });
    generated.by_ref().for_each(drop);
    assert!(generated.is_spoilt() && found.is_some());
    let followed = online.finish(&Options::default()).expect("decodable");
    assert_eq!(followed.shortened, ["0"], "its beginning was forgotten");
}

/// One client that writes 1 and is refused to replace it, which one of two writes of unknown outcome must explain; then
/// enough for the key to be cut; then reads of these values.
fn refused_and_then(reads: &[i64]) -> Vec<Event> {
    let mut lines = vec![
        (7, "invoke", "write", "5"),
        (7, "info", "write", "5"),
        (8, "invoke", "write", "6"),
        (8, "info", "write", "6"),
        (0, "invoke", "write", "1"),
        (0, "ok", "write", "1"),
        (0, "invoke", "cas", "[1,9]"),
        (0, "fail", "cas", "[1,9]"),
    ];
    lines.extend([(0, "invoke", "write", "2"), (0, "ok", "write", "2")].repeat(3_000));
    let reads: Vec<String> = reads.iter().map(ToString::to_string).collect();
    for read in &reads {
        lines.extend([(0, "invoke", "read", "null"), (0, "ok", "read", read)]);
    }
    let event = |(index, (process, kind, f, value)): (usize, &(u32, &str, &str, &str))| {
        let error = if *kind == "fail" { ",\"error\":\"precondition\"" } else { "" };
        let line = format!(
            "{{\"index\":{index},\"time\":{index},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}{error}}}"
        );
        serde_json::from_str(&line).expect("an event")
    };
    lines.iter().enumerate().map(event).collect()
}

#[test]
fn what_was_spent_without_need_is_never_a_wrong_verdict() {
    // Whichever of the two explains the refusal, the other can be read; the judge chose one, and cannot know.
    let mut doubtful = 0;
    for reads in [&[2][..], &[5], &[6], &[5, 6], &[7]] {
        let events = refused_and_then(reads);
        let mut online = Online::new(&CasRegister, &Header::new("generated"));
        for event in &events[..6_000] {
            online.observe(event.clone()).expect("decodable");
        }
        online.condense(&Options::default());
        assert!(online.held() < 10, "cut");
        events[6_000..].iter().for_each(|event| online.observe(event.clone()).expect("decodable"));
        let followed = online.finish(&Options::default()).expect("decodable");
        let truth = offline(&events).verdict;
        assert_eq!(truth == Verdict::Valid, reads.len() == 1 && reads != [7], "{reads:?}");
        match followed.judgement.verdict {
            Verdict::Undecided => doubtful += 1,
            verdict => assert_eq!(verdict, truth, "{reads:?}"),
        }
    }
    assert_eq!(doubtful, 2, "reading the one that was spent, and reading both");
}
