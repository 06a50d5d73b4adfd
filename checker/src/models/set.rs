//! A set that is added to and read as a whole.
//!
//! `add` carries the element, `read` completes with the list of all elements.

use std::collections::BTreeSet;

use rashomon_histories::{Operation, Value};

use crate::decode::{Decode, Evidence, by_outcome, list, number};
use crate::model::{Effect, Model};

/// Elements only ever come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

/// One operation on a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// Added this element, whether or not it was there.
    Add(i64),
    /// Saw exactly these.
    Read(BTreeSet<i64>),
}

impl Model for Set {
    type State = BTreeSet<i64>;
    type Operation = SetOp;

    fn init(&self) -> BTreeSet<i64> {
        BTreeSet::new()
    }

    fn step(&self, state: &BTreeSet<i64>, operation: &SetOp) -> Option<BTreeSet<i64>> {
        match operation {
            SetOp::Add(element) => {
                let mut state = state.clone();
                state.insert(*element);
                Some(state)
            }
            SetOp::Read(seen) => (seen == state).then(|| state.clone()),
        }
    }

    fn describe(&self, operation: &SetOp) -> String {
        match operation {
            SetOp::Add(element) => format!("added {element}"),
            SetOp::Read(seen) => format!("saw {seen:?}"),
        }
    }

    fn effect(&self, operation: &SetOp) -> Effect {
        match operation {
            SetOp::Add(_) => Effect::Any,
            SetOp::Read(_) => Effect::None,
        }
    }

    fn needs(&self, operation: &SetOp, earlier: &SetOp) -> bool {
        matches!((operation, earlier), (SetOp::Read(seen), SetOp::Add(element)) if seen.contains(element))
    }

    fn leaves(&self, operation: &SetOp) -> Option<BTreeSet<i64>> {
        match operation {
            SetOp::Read(seen) => Some(seen.clone()),
            SetOp::Add(_) => None,
        }
    }
}

impl Decode for Set {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<SetOp>, String> {
        match operation.invoke.f.as_str() {
            "add" => {
                let add = SetOp::Add(number(&operation.invoke.value)?);
                by_outcome(operation, |_| Ok(add.clone()), None, Some(add.clone()))
            }
            "read" => {
                let seen =
                    |value: &Value| list(value)?.iter().map(number).collect::<Result<BTreeSet<_>, _>>();
                by_outcome(operation, |ok| Ok(SetOp::Read(seen(&ok.value)?)), None, None)
            }
            f => Err(format!("a set has no operation {f:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing::check;

    #[test]
    fn accepts_and_refuses() {
        let read = |elements: &[i64]| SetOp::Read(elements.iter().copied().collect());
        check(
            &Set,
            &[
                &[read(&[]), SetOp::Add(1), SetOp::Add(1), read(&[1])],
                &[SetOp::Add(2), SetOp::Add(1), read(&[1, 2]), SetOp::Add(3), read(&[3, 2, 1])],
            ],
            &[&[read(&[1])], &[SetOp::Add(1), read(&[])], &[SetOp::Add(1), SetOp::Add(2), read(&[2])]],
        );
    }
}
