//! The dumb twin of every judge: tries all orders. And the histories it is tried on.

pub(crate) mod bytes;
pub(crate) mod every;

use rand::{Rng, RngExt};
use rashomon_checker::model::NEVER;
use rashomon_checker::models::register::Value;
use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::{Call, Model};

/// Whether some order of the operations is legal and keeps real time.
pub(crate) fn has_order<M: Model>(model: &M, calls: &[Call<M::Operation>]) -> bool {
    let mut rest: Vec<&Call<M::Operation>> = calls.iter().collect();
    extend(model, &model.init(), &mut rest)
}

fn extend<M: Model>(model: &M, state: &M::State, rest: &mut Vec<&Call<M::Operation>>) -> bool {
    if rest.iter().all(|call| call.is_unknown()) {
        return true;
    }
    for at in 0..rest.len() {
        let call = rest[at];
        if rest.iter().any(|other| other.returned < call.invoked) {
            continue;
        }
        if let Some(next) = model.step(state, &call.operation) {
            rest.remove(at);
            let found = extend(model, &next, rest);
            rest.insert(at, call);
            if found {
                return true;
            }
        }
    }
    false
}

/// Whether `order` is an order of all operations that took effect, legal and keeping real time.
pub(crate) fn is_order<M: Model>(model: &M, calls: &[Call<M::Operation>], order: &[u32]) -> bool {
    let placed: Vec<_> = order
        .iter()
        .map(|id| calls.iter().find(|call| call.id == *id).expect("an order names calls"))
        .collect();
    let mut state = model.init();
    for (at, call) in placed.iter().enumerate() {
        if placed[at + 1..].iter().any(|later| later.returned < call.invoked || later.id == call.id) {
            return false;
        }
        match model.step(&state, &call.operation) {
            Some(next) => state = next,
            None => return false,
        }
    }
    calls.iter().all(|call| call.is_unknown() || order.contains(&call.id))
}

/// Operations over the values 0 (null) to `values`.
pub(crate) fn alphabet(values: i64) -> Vec<RegisterOp> {
    let value = |number: i64| if number == 0 { Value::NULL } else { Value::number(number) };
    let mut operations = Vec::new();
    for a in 0..=values {
        operations.push(RegisterOp::Read(value(a)));
        operations.push(RegisterOp::Refused { old: value(a), new: value(1) });
        if a > 0 {
            operations.push(RegisterOp::Write(value(a)));
            operations.extend((0..=values).map(|old| RegisterOp::Cas { old: value(old), new: value(a) }));
        }
    }
    operations
}

pub(crate) fn calls<O: Copy>(spans: &[(u32, u32)], operations: impl Iterator<Item = O>) -> Vec<Call<O>> {
    let calls = spans.iter().zip(operations).enumerate();
    calls
        .map(|(at, (&(invoked, returned), operation))| Call {
            id: invoked,
            process: at as u32,
            invoked,
            returned,
            operation,
        })
        .collect()
}

/// A random overlap of `count` operations of which up to `wide` are pending at once.
pub(crate) fn random_overlap(rng: &mut impl Rng, count: usize, wide: usize, unknown: f64) -> Vec<(u32, u32)> {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    let mut pending: Vec<usize> = Vec::new();
    let mut event = 0;
    while spans.len() < count || !pending.is_empty() {
        let invoke =
            spans.len() < count && (pending.is_empty() || pending.len() < wide && rng.random_bool(0.55));
        if invoke {
            if !rng.random_bool(unknown) {
                pending.push(spans.len());
            }
            spans.push((event, NEVER));
        } else {
            let at = rng.random_range(0..pending.len());
            spans[pending.swap_remove(at)].1 = event;
        }
        event += 1;
    }
    spans
}

/// Operations that some real order produced, at most one of them changed afterwards: most such histories are valid, the
/// others only just invalid.
pub(crate) fn nearly_valid(
    rng: &mut impl Rng,
    spans: &[(u32, u32)],
    alphabet: &[RegisterOp],
) -> Vec<Call<RegisterOp>> {
    // Each takes effect at a moment between its ends; an unknown one perhaps not at all.
    let end = spans.len() as u32 * 2;
    let mut moments: Vec<(f64, usize)> = spans
        .iter()
        .enumerate()
        .map(|(at, &(from, to))| {
            let from = f64::from(from);
            let to = f64::from(to.min(end));
            (from + rng.random_range(0.0..1.0) * (to - from), at)
        })
        .collect();
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut operations = vec![alphabet[0]; spans.len()];
    let mut state = CasRegister.init();
    for (_, at) in moments {
        let wanted = alphabet[rng.random_range(0..alphabet.len())];
        let operation = match wanted {
            RegisterOp::Read(_) => RegisterOp::Read(state),
            RegisterOp::Cas { old, new } | RegisterOp::Refused { old, new } if old != state => {
                if rng.random_bool(0.3) {
                    RegisterOp::Cas { old: state, new }
                } else {
                    RegisterOp::Refused { old, new }
                }
            }
            RegisterOp::Refused { old, new } => RegisterOp::Cas { old, new },
            other => other,
        };
        operations[at] = operation;
        if spans[at].1 != NEVER || rng.random_bool(0.5) {
            state = CasRegister.step(&state, &operation).expect("made to be legal");
        }
    }
    if rng.random_bool(0.6) {
        let at = rng.random_range(0..operations.len());
        operations[at] = alphabet[rng.random_range(0..alphabet.len())];
    }
    calls(spans, operations.into_iter())
}

/// The same overlap and kinds of operations with a value of its own for every write; reads and cas follow a real order, then
/// one or two answers may be changed.
pub(crate) fn distinct(rng: &mut impl Rng, spans: &[(u32, u32)]) -> Vec<Call<RegisterOp>> {
    let end = spans.len() as u32 * 2;
    let mut moments: Vec<(f64, usize)> = Vec::new();
    for (at, &(from, to)) in spans.iter().enumerate() {
        let (from, to) = (f64::from(from), f64::from(to.min(end)));
        moments.push((from + rng.random_range(0.0..1.0) * (to - from), at));
    }
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut operations = vec![RegisterOp::Read(Value::NULL); spans.len()];
    let mut state = Value::NULL;
    let mut written = vec![Value::NULL];
    for (_, at) in moments {
        let new = Value::number(at as i64 + 1);
        let happened = spans[at].1 != NEVER || rng.random_bool(0.5);
        let any = written[rng.random_range(0..written.len())];
        operations[at] = match rng.random_range(0..5) {
            0 | 1 => RegisterOp::Read(state),
            2 => RegisterOp::Write(new),
            3 if any != state && rng.random_bool(0.7) => RegisterOp::Refused { old: any, new },
            _ => RegisterOp::Cas { old: state, new },
        };
        if let (true, Some(value)) = (happened, operations[at].written()) {
            state = value;
        }
        written.extend(operations[at].written());
    }
    for _ in 0..rng.random_range(0..=2) {
        let at = rng.random_range(0..operations.len());
        let any = written[rng.random_range(0..written.len())];
        match &mut operations[at] {
            RegisterOp::Read(value) => *value = any,
            RegisterOp::Refused { old, .. } | RegisterOp::Cas { old, .. } => *old = any,
            RegisterOp::Write(_) => {}
        }
    }
    calls(spans, operations.into_iter())
}
