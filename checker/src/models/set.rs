//! A set that is added to and read as a whole.
//!
//! `add` carries the element, `read` completes with the list of all elements.

use std::collections::BTreeSet;

use rashomon_histories::{Operation, Value};

use super::growing::{self, Grows};
use crate::budget::Poll;
use crate::decode::{Decode, Evidence, by_outcome, list, number};
use crate::model::{Call, Effect, Model};
use crate::outcome::Shortcut;

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

    fn can_follow(&self, state: &BTreeSet<i64>, operation: &SetOp) -> bool {
        match operation {
            SetOp::Add(_) => true,
            SetOp::Read(seen) => state.is_subset(seen),
        }
    }

    fn leaves(&self, operation: &SetOp) -> Option<BTreeSet<i64>> {
        match operation {
            SetOp::Read(seen) => Some(seen.clone()),
            SetOp::Add(_) => None,
        }
    }

    fn shortcut(&self, calls: &[Call<SetOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
        let mut seen: Vec<Vec<i64>> = Vec::with_capacity(calls.len());
        for call in calls {
            if poll.go_on().is_err() {
                return Some(Shortcut::Stopped);
            }
            seen.push(match &call.operation {
                SetOp::Read(seen) => seen.iter().copied().collect(),
                SetOp::Add(_) => Vec::new(),
            });
        }
        let grows = calls.iter().zip(&seen).map(|(call, seen)| match call.operation {
            SetOp::Add(element) => Grows::Adds(element),
            SetOp::Read(_) => Grows::Sees(seen),
        });
        growing::judge(calls, &grows.collect::<Vec<_>>(), false, poll)
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
