//! Every history of a few operations over two values, with unknown outcomes and refused cas, judged by every engine that
//! applies and compared with the twin that tries all orders.
//!
//! `cargo run --release -p rashomon-checker --example exhaustive -- [operations]`: up to that many, five unless told. Prints how many
//! histories there are of each length; exits 1 with the first on which anybody disagrees.

#[path = "../tests/twin/mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod twin;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::{Call, Engine, Finding, Options, judge_key};
use rayon::prelude::*;
use twin::every;

fn main() {
    let most = std::env::args().nth(1).map_or(5, |text| text.parse().expect("a number"));
    let alphabet = twin::alphabet(2);
    for count in 0..=most {
        let overlaps = every::overlaps(count);
        let (histories, valid) = (AtomicU64::new(0), AtomicU64::new(0));
        overlaps.par_iter().for_each(|spans| {
            every::histories(spans, &alphabet, |calls| {
                histories.fetch_add(1, Relaxed);
                match disagreement(calls) {
                    Ok(truth) => valid.fetch_add(u64::from(truth), Relaxed),
                    Err(what) => {
                        println!("{what}");
                        calls.iter().for_each(|call| println!("{call:?}"));
                        std::process::exit(1);
                    }
                };
            });
        });
        println!(
            "{count} operations: {} overlaps, {} histories, {} of them valid; no disagreement",
            overlaps.len(),
            histories.into_inner(),
            valid.into_inner()
        );
    }
}

/// Whether there is an order; an error when some judge says otherwise.
fn disagreement(calls: &[Call<RegisterOp>]) -> Result<bool, String> {
    let truth = twin::has_order(&CasRegister, calls);
    for engine in [None, Some(Engine::Search)] {
        let judged =
            judge_key(&CasRegister, "x", calls, &Options { engine, minimise: false, ..Options::default() });
        let sound = match &judged.finding {
            Finding::Valid { order } => truth && twin::is_order(&CasRegister, calls, order),
            Finding::Invalid(_) => !truth,
            Finding::Undecided { .. } => false,
        };
        if !sound {
            return Err(format!("{engine:?} says {:?}, the twin {truth}", judged.finding));
        }
        if judged.engine == Engine::Search {
            break;
        }
    }
    Ok(truth)
}
