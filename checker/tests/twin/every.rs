//! Every small history there is, and each only once.
//!
//! Two histories are the same to every judge when they differ only in the order of invocations that nothing returned in
//! between, in the order of returns that nothing was invoked in between, or in the names of the values. And an operation of
//! unknown outcome that could only observe is no evidence, so there is none.

use rashomon_checker::Call;
use rashomon_checker::model::NEVER;
use rashomon_checker::models::RegisterOp;
use rashomon_checker::models::register::Value;

/// How operations overlap: where each is invoked and returns; who never returns is unknown.
pub(crate) type Spans = Vec<(u32, u32)>;

/// Every way in which `count` operations can overlap, one of those that are the same.
pub(crate) fn overlaps(count: usize) -> Vec<Spans> {
    let mut all = Vec::new();
    go(0, 0, false, &mut Vec::new(), count, &mut all);
    all.retain(|spans| {
        // Of neighbours that could change places the one that returns first comes first.
        (1..count).all(|at| !are_invoked_together(spans, at) || returns(spans, at - 1) <= returns(spans, at))
    });
    all
}

/// Appends events; `latest` is the operation that returned just now.
fn go(events: u32, latest: usize, returned: bool, spans: &mut Spans, count: usize, all: &mut Vec<Spans>) {
    if spans.len() == count {
        all.push(spans.clone());
    } else {
        spans.push((events, NEVER));
        go(events + 1, 0, false, spans, count, all);
        spans.pop();
    }
    for at in 0..spans.len() {
        // Returns that follow each other come in the order of the operations.
        if spans[at].1 == NEVER && !(returned && at < latest) {
            spans[at].1 = events;
            go(events + 1, at, true, spans, count, all);
            spans[at].1 = NEVER;
        }
    }
}

/// Whether nothing returned between the invocations of `at` and the one before it.
fn are_invoked_together(spans: &Spans, at: usize) -> bool {
    spans[at].0 == spans[at - 1].0 + 1
}

/// How many operations are invoked before it returns: all that matters of the moment of its return.
fn returns(spans: &Spans, at: usize) -> usize {
    let returned = spans[at].1;
    if returned == NEVER { usize::MAX } else { spans.iter().filter(|span| span.0 < returned).count() }
}

/// Visits every history with this overlap over an alphabet, one of those that are the same.
pub(crate) fn histories(spans: &Spans, alphabet: &[RegisterOp], mut visit: impl FnMut(&[Call<RegisterOp>])) {
    let count = spans.len();
    let renamed: Vec<usize> = alphabet
        .iter()
        .map(|operation| {
            let other = rename(*operation);
            alphabet.iter().position(|operation| *operation == other).expect("the alphabet has both names")
        })
        .collect();
    let is_twin = |at: usize| are_invoked_together(spans, at) && returns(spans, at - 1) == returns(spans, at);
    let twin: Vec<bool> = (0..count).map(|at| at > 0 && is_twin(at)).collect();
    let observes = |digit: usize| alphabet[digit].written().is_none();
    let mut digits = vec![0usize; count];
    loop {
        let evidence = (0..count).all(|at| spans[at].1 != NEVER || !observes(digits[at]));
        let sorted = (1..count).all(|at| !twin[at] || digits[at - 1] <= digits[at]);
        if evidence && sorted && digits <= in_order(digits.iter().map(|&digit| renamed[digit]), &twin) {
            visit(&super::calls(spans, digits.iter().map(|&digit| alphabet[digit])));
        }
        let Some(at) = digits.iter().position(|&digit| digit + 1 < alphabet.len()) else { break };
        digits[at] += 1;
        digits[..at].fill(0);
    }
}

/// The operation with the values 1 and 2 in each other's place; what a refused cas would have left does not matter.
fn rename(operation: RegisterOp) -> RegisterOp {
    let other = |value: Value| match value.get() {
        Some(1) => 2.into(),
        Some(2) => 1.into(),
        _ => value,
    };
    match operation {
        RegisterOp::Read(value) => RegisterOp::Read(other(value)),
        RegisterOp::Write(value) => RegisterOp::Write(other(value)),
        RegisterOp::Cas { old, new } => RegisterOp::Cas { old: other(old), new: other(new) },
        RegisterOp::Refused { old, new } => RegisterOp::Refused { old: other(old), new },
    }
}

/// With neighbours that could change places in their order.
fn in_order(digits: impl Iterator<Item = usize>, twin: &[bool]) -> Vec<usize> {
    let mut digits: Vec<usize> = digits.collect();
    let mut start = 0;
    for at in 1..=digits.len() {
        if at == digits.len() || !twin[at] {
            digits[start..at].sort_unstable();
            start = at;
        }
    }
    digits
}
