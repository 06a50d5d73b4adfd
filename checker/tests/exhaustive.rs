//! The judges against the twin that tries all orders: on every small history there is, and on many larger ones.

#[allow(dead_code, reason = "other tests use the rest")]
mod twin;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::verify::verify;
use rashomon_checker::{Call, Engine, Finding, Options, judge_key};

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

fn every_history(count: usize, alphabet: &[RegisterOp], engine: Option<Engine>) {
    twin::every_overlap(count, &mut |spans| {
        let mut digits = vec![0; count];
        loop {
            agree(&twin::calls(spans, digits.iter().map(|&digit| alphabet[digit])), engine, false);
            let Some(at) = digits.iter().position(|&digit| digit + 1 < alphabet.len()) else { break };
            digits[at] += 1;
            digits[..at].fill(0);
        }
    });
}

#[test]
fn every_history_of_three_operations() {
    for count in 0..=3 {
        every_history(count, &twin::alphabet(2), Some(Engine::Search));
        every_history(count, &twin::alphabet(2), None);
    }
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
