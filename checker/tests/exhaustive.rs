//! The judges against the twin that tries all orders: on every small history there is, and on many larger ones.

#[allow(dead_code, reason = "other tests use the rest")]
mod twin;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::model::NEVER;
use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::verify::verify;
use rashomon_checker::{Call, Engine, Finding, Options, judge_key};
use twin::every;

fn agree(calls: &[Call<RegisterOp>], engine: Option<Engine>, minimise: bool) {
    let options = Options { engine, minimise, ..Options::default() };
    let truth = twin::has_order(&CasRegister, calls);
    let finding = judge_key(&CasRegister, "x", calls, &options).finding;
    if minimise || truth {
        verify(&CasRegister, calls, &finding)
            .unwrap_or_else(|refuted| panic!("{refuted}: {finding:?} of {calls:#?}"));
    }
    match finding {
        Finding::Valid { order } => {
            assert!(truth, "judged valid, has no order: {calls:#?}");
            assert!(twin::is_order(&CasRegister, calls, &order), "not an order: {order:?} of {calls:#?}");
        }
        Finding::Invalid(_) => assert!(!truth, "judged invalid, has an order: {calls:#?}"),
        undecided => panic!("{undecided:?} for {calls:#?}"),
    }
}

#[test]
fn every_history_of_up_to_three_operations() {
    let mut counts = Vec::new();
    for count in 0..=3 {
        let mut histories = 0u64;
        for spans in every::overlaps(count) {
            every::histories(&spans, &twin::alphabet(2), |calls| {
                histories += 1;
                for engine in [Some(Engine::Search), None] {
                    agree(calls, engine, true);
                }
            });
        }
        counts.push(histories);
    }
    assert_eq!(counts, [1, 12, 289, 9_524]);
}

/// Whichever engine takes it, witnesses not minimised. Five operations: `checker/examples/exhaustive.rs`.
#[test]
fn every_history_of_four_operations() {
    let mut histories = 0u64;
    for spans in every::overlaps(4) {
        every::histories(&spans, &twin::alphabet(2), |calls| {
            histories += 1;
            agree(calls, None, false);
        });
    }
    assert_eq!(histories, 403_383);
}

/// Where everybody returns, overlaps are interval orders, and of these there are as many as Fishburn's numbers say
/// (Bousquet-Mélou, Claesson, Dukes and Kitaev 2010).
#[test]
fn there_are_as_many_overlaps_as_interval_orders() {
    for (count, expected) in [1, 1, 2, 5, 15, 53].into_iter().enumerate() {
        let returning =
            every::overlaps(count).into_iter().filter(|spans| spans.iter().all(|span| span.1 != NEVER));
        assert_eq!(returning.count(), expected, "of {count} operations");
    }
}

#[test]
fn of_histories_that_are_the_same_one_is_there() {
    let spans = vec![(0, 4), (1, 5), (2, 3)];
    let kept = every::overlaps(3);
    // The third returns first, so it comes first; the others return one after the other.
    assert!(!kept.contains(&spans) && kept.contains(&vec![(0, 3), (1, 4), (2, 5)]), "{kept:?}");
    let mut seen = Vec::new();
    every::histories(&vec![(0, 2), (1, 3)], &twin::alphabet(2), |calls| {
        seen.push([calls[0].operation, calls[1].operation]);
    });
    let (one, two) = (RegisterOp::Write(1.into()), RegisterOp::Write(2.into()));
    let [same, other] = [[one, one], [two, two]].map(|pair| seen.contains(&pair));
    assert!(same != other && seen.contains(&[one, two]) && !seen.contains(&[two, one]));
}

#[test]
fn random_histories() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for round in 0..40_000 {
        let alphabet = twin::alphabet(1 + round % 3);
        let count = rng.random_range(3..=8);
        let wide = rng.random_range(1..=6);
        let unknown = [0.0, 0.1, 0.4][round as usize / 3 % 3];
        let spans = twin::random_overlap(&mut rng, count, wide, unknown);
        let calls = if round % 2 == 0 {
            twin::calls(&spans, std::iter::repeat_with(|| alphabet[rng.random_range(0..alphabet.len())]))
        } else {
            twin::nearly_valid(&mut rng, &spans, &alphabet)
        };
        agree(&calls, Some(Engine::Search), round % 4 == 0);
    }
}

#[test]
fn random_histories_of_distinct_values() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for round in 0..40_000 {
        let count = rng.random_range(2..=8);
        let wide = rng.random_range(1..=6);
        let spans = twin::random_overlap(&mut rng, count, wide, [0.0, 0.1, 0.4][round % 3]);
        let calls = twin::distinct(&mut rng, &spans);
        agree(&calls, None, round % 4 == 0);
        agree(&calls, Some(Engine::Search), round % 4 == 0);
    }
}

/// What the fuzzer of the engines runs, on bytes that are drawn: half of them histories that have an order.
#[test]
fn random_bytes_are_histories_on_which_all_agree() {
    let mut rng = ChaCha8Rng::seed_from_u64(71);
    let mut seen = [0, 0];
    for _ in 0..6_000 {
        let length = rng.random_range(1..=20);
        let bytes: Vec<u8> = (0..length).map(|_| rng.random_range(0..=u8::MAX)).collect();
        seen[usize::from(twin::bytes::all_agree(&bytes).expect("not empty"))] += 1;
    }
    assert_eq!(twin::bytes::all_agree(&[]), None);
    assert!(seen.iter().all(|&count| count > 600), "{seen:?}");
}
