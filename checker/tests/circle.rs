//! Circles of constraints against the twin that tries all orders.

#[path = "twin/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod twin;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::explain::{Step, Why, circle};
use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::{Call, Finding, Options, judge_key};

fn random(rng: &mut ChaCha8Rng) -> Vec<Call<RegisterOp>> {
    let count = rng.random_range(2..=8);
    let wide = rng.random_range(1..=6);
    let unknown = [0.0, 0.2][rng.random_range(0..2)];
    let spans = twin::random_overlap(rng, count, wide, unknown);
    match rng.random_range(0..3) {
        0 => twin::nearly_valid(rng, &spans, &twin::alphabet(3)),
        _ => twin::distinct(rng, &spans),
    }
}

#[test]
fn where_there_is_a_circle_there_is_no_order() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut circles = 0;
    for _ in 0..40_000 {
        let calls = random(&mut rng);
        if let Some(circle) = circle(&CasRegister, &calls) {
            circles += 1;
            assert!(!twin::has_order(&CasRegister, &calls), "{circle:?} in {calls:?}");
        }
    }
    assert!(circles > 5_000, "{circles}");
}

#[test]
fn distinct_values_without_refusals_have_a_circle_of_at_most_four() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut circles = 0;
    for _ in 0..40_000 {
        let calls: Vec<_> = random(&mut rng)
            .into_iter()
            .filter(|call| !matches!(call.operation, RegisterOp::Refused { .. }))
            .collect();
        let judged = judge_key(&CasRegister, "x", &calls, &Options::default());
        let Finding::Invalid(found) = judged.finding else { continue };
        let kept: Vec<_> = calls
            .iter()
            .filter(|call| found.operations.contains(&call.id))
            .map(|call| match call.operation {
                RegisterOp::Cas { new, .. } if found.trusted.contains(&call.id) => {
                    Call { operation: RegisterOp::Write(new), ..*call }
                }
                _ => *call,
            })
            .collect();
        let written = |call: &Call<RegisterOp>| call.operation.written();
        let is_distinct = kept
            .iter()
            .filter_map(written)
            .all(|v| kept.iter().filter(|call| written(call) == Some(v)).count() == 1);
        // A value that nobody wrote needs no circle.
        let is_known = |call: &Call<RegisterOp>| {
            call.operation.found().is_none_or(|v| {
                v.get().is_none() || kept.iter().any(|by| by.id != call.id && written(by) == Some(v))
            })
        };
        if is_distinct && kept.iter().all(is_known) {
            let circle = circle(&CasRegister, &kept);
            // Cas that found each other's work all around are a circle of their own.
            let is_short =
                |steps: &Vec<Step>| steps.len() <= 4 || steps.iter().all(|step| step.why == Why::Found);
            assert!(circle.as_ref().is_some_and(is_short), "{circle:?} of {kept:?}");
            circles += 1;
        }
    }
    assert!(circles > 1_000, "{circles}");
}
