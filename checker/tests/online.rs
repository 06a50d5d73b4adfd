//! The online judge against the one that sees everything.

use rand::SeedableRng;
use rashomon_checker::generate::{Flaw, Overlap, Plan, generate, random_plan};
use rashomon_checker::models::CasRegister;
use rashomon_checker::online::Online;
use rashomon_checker::verify::verify;
use rashomon_checker::{Options, Verdict, decode, judge};
use rashomon_histories::{Event, Header, History};

fn offline(events: Vec<Event>) -> Verdict {
    let history =
        History::from_events(Header::new("generated"), events).expect("generated histories are well-formed");
    let keys = decode(&CasRegister, &history).expect("generated histories are of registers");
    let judgement = judge(&CasRegister, &keys, &Options::default());
    for (key, judged) in keys.iter().zip(&judgement.keys) {
        verify(&CasRegister, &key.calls, &judged.finding)
            .unwrap_or_else(|refuted| panic!("{refuted}: {judged:?}"));
    }
    judgement.verdict
}

#[test]
fn agrees_with_the_offline_judge() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut seen = [0, 0];
    for _ in 0..150 {
        let plan = Plan { keys: 3, ..random_plan(&mut rng, 400) };
        let events: Vec<Event> = generate(plan).collect();
        let mut online = Online::new(&CasRegister, Options::default());
        let mut early = false;
        for event in &events {
            early |= online.observe(event).expect("decodable").is_some();
        }
        let late = online.finish().expect("decodable").verdict;
        let truth = offline(events);
        assert_eq!(late, truth, "{plan:?}");
        assert!(!early || truth == Verdict::Invalid, "{plan:?}");
        assert!(plan.flaw != Flaw::None || truth == Verdict::Valid, "{plan:?}");
        seen[usize::from(truth == Verdict::Invalid)] += 1;
    }
    assert!(seen[0] > 20 && seen[1] > 20, "{seen:?}");
}

#[test]
fn a_planted_stale_read_stops_the_run() {
    for overlap in [Overlap::Even, Overlap::Hidden] {
        let plan =
            Plan { operations: 5_000, flaw: Flaw::Stale, unknown: 0.02, overlap, seed: 4, ..Plan::default() };
        let mut online = Online::new(&CasRegister, Options::default());
        let mut generated = generate(plan);
        let found = generated.by_ref().find_map(|event| online.observe(&event).expect("decodable"));
        let early = found.is_some();
        generated.by_ref().for_each(drop);
        assert!(generated.is_spoilt());
        assert!(early || offline(generate(plan).collect()) == Verdict::Invalid);
    }
}
