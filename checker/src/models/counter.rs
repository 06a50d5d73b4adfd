//! A number that is added to and read.
//!
//! `add` carries the amount (which may be negative), `read` completes with the sum.

use rashomon_histories::Operation;

use crate::decode::{Decode, Evidence, by_outcome, number};
use crate::model::{Effect, Model};

/// Starts at zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

/// One operation on a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterOp {
    /// Added this much.
    Add(i64),
    /// Saw this sum.
    Read(i64),
}

impl Model for Counter {
    type State = i64;
    type Operation = CounterOp;

    fn init(&self) -> i64 {
        0
    }

    fn step(&self, sum: &i64, operation: &CounterOp) -> Option<i64> {
        match operation {
            CounterOp::Add(amount) => sum.checked_add(*amount),
            CounterOp::Read(seen) => (seen == sum).then_some(*sum),
        }
    }

    fn describe(&self, operation: &CounterOp) -> String {
        match operation {
            CounterOp::Add(amount) => format!("added {amount}"),
            CounterOp::Read(seen) => format!("saw the sum {seen}"),
        }
    }

    fn effect(&self, operation: &CounterOp) -> Effect {
        match operation {
            CounterOp::Add(0) | CounterOp::Read(_) => Effect::None,
            CounterOp::Add(_) => Effect::Any,
        }
    }

    /// Every amount is in every later sum; and an addition that would go beyond what a counter can hold may need what was
    /// added the other way.
    fn needs(&self, operation: &CounterOp, earlier: &CounterOp) -> bool {
        match (operation, earlier) {
            (CounterOp::Read(_), CounterOp::Add(amount)) => *amount != 0,
            (CounterOp::Add(one), CounterOp::Add(other)) => one.signum() * other.signum() < 0,
            (_, CounterOp::Read(_)) => false,
        }
    }

    fn leaves(&self, operation: &CounterOp) -> Option<i64> {
        match operation {
            CounterOp::Read(seen) => Some(*seen),
            CounterOp::Add(_) => None,
        }
    }

    fn restore(&self, sum: &i64) -> Option<CounterOp> {
        Some(CounterOp::Add(*sum))
    }
}

impl Decode for Counter {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<CounterOp>, String> {
        match operation.invoke.f.as_str() {
            "add" => {
                let add = CounterOp::Add(number(&operation.invoke.value)?);
                by_outcome(operation, |_| Ok(add), None, Some(add))
            }
            "read" => by_outcome(operation, |ok| Ok(CounterOp::Read(number(&ok.value)?)), None, None),
            f => Err(format!("a counter has no operation {f:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing::check;

    #[test]
    fn accepts_and_refuses() {
        use CounterOp::{Add, Read};
        check(
            &Counter,
            &[&[Read(0), Add(2), Add(-3), Read(-1)], &[Add(0), Read(0)]],
            &[&[Read(1)], &[Add(1), Read(0)], &[Add(i64::MAX), Add(1)]],
        );
    }
}
