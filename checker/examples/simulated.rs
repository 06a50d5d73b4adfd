//! Judging a history made inside a deterministic test, without a recorder: a toy replicated register in which a backup may
//! answer reads before it has caught up. One seed makes one history; the judge finds the seeds in which somebody
//! could tell.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::explain::{Naming, explain};
use rashomon_checker::models::{Register, RegisterOp};
use rashomon_checker::{Call, Finding, Options, judge_key};

/// A primary and a backup that learns of writes later.
#[derive(Default)]
struct Store {
    primary: i64,
    backup: i64,
}

fn simulate(seed: u64) -> Vec<Call<RegisterOp>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut store = Store::default();
    // Every simulator has a count of steps; it serves as the history's clock.
    let mut calls = vec![Call::completed(0, 0, 1, RegisterOp::Write(0.into()))];
    let mut clock = 1;
    for value in 1..=20 {
        let invoked = clock + 1;
        clock += 2;
        let operation = if rng.random_bool(0.5) {
            store.primary = value;
            RegisterOp::Write(value.into())
        } else {
            RegisterOp::Read(if rng.random_bool(0.5) { store.primary } else { store.backup }.into())
        };
        calls.push(Call::completed(value as u32 % 3, invoked, clock, operation));
        if rng.random_bool(0.9) {
            store.backup = store.primary;
        }
    }
    calls
}

fn main() {
    for seed in 0..100 {
        let calls = simulate(seed);
        let judged = judge_key(&Register, "x", &calls, &Options::default());
        if let Finding::Invalid(counterexample) = &judged.finding {
            println!("seed {seed}:\n{}", explain(&Register, "x", &calls, counterexample, &Naming::default()));
            return;
        }
    }
    println!("100 seeds, and nobody could tell");
}
