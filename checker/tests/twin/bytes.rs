//! Whatever the bytes, they are a small history on which the engines, the verifier and the twin that tries all orders agree.
//!
//! The first byte says how many values there are; each further one invokes an operation or lets a pending one return. What
//! never returns is of unknown outcome. A fuzzer looks for bytes that break this, and a test tries random ones.

use rashomon_checker::model::NEVER;
use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::verify::verify;
use rashomon_checker::{Call, Engine, Finding, Options, judge_key};

/// The twin takes a moment for eight, and an hour for twelve.
const OPERATIONS_MAX: usize = 8;

/// Whether these bytes are a history that has an order, once all agree; none when they are no history.
pub(crate) fn all_agree(bytes: &[u8]) -> Option<bool> {
    let calls = history(bytes)?;
    let truth = super::has_order(&CasRegister, &calls);
    for engine in [None, Some(Engine::Search)] {
        let options = Options { engine, ..Options::default() };
        let finding = judge_key(&CasRegister, "x", &calls, &options).finding;
        verify(&CasRegister, &calls, &finding).expect("a witness proves its verdict");
        match finding {
            Finding::Valid { .. } => assert!(truth, "{engine:?}: judged valid, has no order: {calls:#?}"),
            Finding::Invalid(_) => assert!(!truth, "{engine:?}: judged invalid, has an order: {calls:#?}"),
            Finding::Undecided { .. } => panic!("{engine:?}: undecided: {calls:#?}"),
        }
    }
    Some(truth)
}

fn history(bytes: &[u8]) -> Option<Vec<Call<RegisterOp>>> {
    let (values, steps) = bytes.split_first()?;
    let alphabet = super::alphabet(1 + i64::from(values % 8));
    let (mut spans, mut operations, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    for (event, step) in steps.iter().enumerate() {
        let choice = usize::from(step / 2);
        if step % 2 == 0 && spans.len() < OPERATIONS_MAX {
            pending.push(spans.len());
            operations.push(alphabet[choice % alphabet.len()]);
            spans.push((event as u32, NEVER));
        } else if !pending.is_empty() {
            let returns = pending.swap_remove(choice % pending.len());
            spans[returns].1 = event as u32;
        }
    }
    Some(super::calls(&spans, operations.into_iter()))
}
