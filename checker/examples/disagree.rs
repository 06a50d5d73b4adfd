//! Looks for a small history on which a judge, the verifier and the twin that tries all orders disagree.
//!
//! `cargo run --release -p rashomon-checker --example disagree -- [count] [seed]`: that many random histories, each judged
//! by every engine. Prints how many had an order and how many had none; or the first disagreement, reduced, and exits 1.

#[path = "../tests/twin/mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod twin;

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::verify::verify;
use rashomon_checker::{Call, Engine, Finding, Options, judge_key};
use rayon::prelude::*;

const BLOCK: u64 = 10_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let count = arguments.next().unwrap_or(1_000_000);
    let seed = arguments.next().unwrap_or(1);
    let valid = AtomicU64::new(0);
    let found = (0..count.div_ceil(BLOCK)).into_par_iter().find_map_any(|block| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1 << 32) + block);
        (0..BLOCK.min(count - block * BLOCK)).find_map(|_| {
            let calls = random_history(&mut rng);
            match agreed(&calls) {
                Ok(truth) => {
                    valid.fetch_add(u64::from(truth), Ordering::Relaxed);
                    None
                }
                Err(_) => Some(calls),
            }
        })
    });
    match found {
        None => {
            let valid = valid.into_inner();
            let invalid = count - valid;
            println!(
                "{count} random histories from seed {seed}, {valid} valid and {invalid} invalid: no disagreement"
            );
        }
        Some(calls) => {
            let calls = reduce(calls);
            println!("{}", agreed(&calls).expect_err("reduced to one that still disagrees"));
            for call in calls {
                println!("{call:?}");
            }
            std::process::exit(1);
        }
    }
}

fn random_history(rng: &mut ChaCha8Rng) -> Vec<Call<RegisterOp>> {
    let alphabet = twin::alphabet(rng.random_range(1..=4));
    let count = rng.random_range(2..=9);
    let wide = rng.random_range(1..=8);
    let unknown = [0.0, 0.1, 0.4][rng.random_range(0..3)];
    let spans = twin::random_overlap(rng, count, wide, unknown);
    if rng.random_bool(0.5) {
        return twin::distinct(rng, &spans);
    }
    if rng.random_bool(0.5) {
        return twin::calls(&spans, std::iter::repeat_with(|| alphabet[rng.random_range(0..alphabet.len())]));
    }
    twin::nearly_valid(rng, &spans, &alphabet)
}

/// Whether the history has an order, where all agree; else who says what.
fn agreed(calls: &[Call<RegisterOp>]) -> Result<bool, String> {
    let truth = twin::has_order(&CasRegister, calls);
    for engine in [Some(Engine::Search), None] {
        let options = Options { engine, minimise: calls.len() < 7, ..Options::default() };
        let finding = judge_key(&CasRegister, "x", calls, &options).finding;
        if options.minimise
            && let Err(refuted) = verify(&CasRegister, calls, &finding)
        {
            return Err(format!("{engine:?} says {finding:?}, the verifier: {refuted}"));
        }
        let sound = match &finding {
            Finding::Valid { order } => truth && twin::is_order(&CasRegister, calls, order),
            Finding::Invalid(_) => !truth,
            Finding::Undecided { .. } => false,
        };
        if !sound {
            return Err(format!("{engine:?} says {finding:?}, the twin {truth}"));
        }
    }
    Ok(truth)
}

fn reduce(mut calls: Vec<Call<RegisterOp>>) -> Vec<Call<RegisterOp>> {
    loop {
        let smaller = (0..calls.len()).find_map(|at| {
            let mut rest = calls.clone();
            rest.remove(at);
            agreed(&rest).is_err().then_some(rest)
        });
        match smaller {
            Some(rest) => calls = rest,
            None => return calls,
        }
    }
}
