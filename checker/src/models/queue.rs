//! First in, first out.
//!
//! `enqueue` carries the value; `dequeue` completes with the value, or with null when it found nothing.

mod line;

use std::collections::VecDeque;

use rashomon_histories::Operation;

use crate::budget::Poll;
use crate::decode::{Decode, Evidence, by_outcome, number};
use crate::model::{Call, Effect, Model};
use crate::outcome::Shortcut;

/// A queue without bound.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue;

/// One operation on a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueOp {
    /// Put this at the end.
    Enqueue(i64),
    /// Took this from the front, or found nothing.
    Dequeue(Option<i64>),
    /// Took whatever was at the front, if anything: the answer is not known.
    DequeueAny,
}

impl Model for Queue {
    type State = VecDeque<i64>;
    type Operation = QueueOp;

    fn init(&self) -> VecDeque<i64> {
        VecDeque::new()
    }

    fn step(&self, state: &VecDeque<i64>, operation: &QueueOp) -> Option<VecDeque<i64>> {
        let mut after = state.clone();
        match operation {
            QueueOp::Enqueue(value) => after.push_back(*value),
            QueueOp::Dequeue(value) if after.pop_front() != *value => return None,
            QueueOp::Dequeue(_) => {}
            QueueOp::DequeueAny => {
                after.pop_front();
            }
        }
        Some(after)
    }

    fn describe(&self, operation: &QueueOp) -> String {
        match operation {
            QueueOp::Enqueue(value) => format!("enqueued {value}"),
            QueueOp::Dequeue(Some(value)) => format!("dequeued {value}"),
            QueueOp::Dequeue(None) => "found the queue empty".into(),
            QueueOp::DequeueAny => "dequeued something".into(),
        }
    }

    fn effect(&self, operation: &QueueOp) -> Effect {
        match operation {
            QueueOp::Dequeue(None) => Effect::None,
            _ => Effect::Any,
        }
    }

    /// What a dequeue finds depends on what was taken before it, and, where it is said what that was, on no other element.
    fn needs(&self, operation: &QueueOp, earlier: &QueueOp) -> bool {
        match (operation, earlier) {
            (QueueOp::Enqueue(_), _) | (_, QueueOp::Dequeue(None)) => false,
            (QueueOp::Dequeue(Some(taken)), QueueOp::Enqueue(value)) => taken == value,
            (QueueOp::Dequeue(None), QueueOp::Enqueue(_)) => false,
            (QueueOp::DequeueAny, _) | (_, QueueOp::Dequeue(Some(_)) | QueueOp::DequeueAny) => true,
        }
    }

    fn leaves(&self, operation: &QueueOp) -> Option<VecDeque<i64>> {
        matches!(operation, QueueOp::Dequeue(None)).then(VecDeque::new)
    }

    fn restore(&self, state: &VecDeque<i64>) -> Option<QueueOp> {
        state.is_empty().then_some(QueueOp::Dequeue(None))
    }

    fn shortcut(&self, calls: &[Call<QueueOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
        line::judge(calls, poll)
    }
}

impl Decode for Queue {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<QueueOp>, String> {
        match operation.invoke.f.as_str() {
            "enqueue" => {
                let enqueue = QueueOp::Enqueue(number(&operation.invoke.value)?);
                by_outcome(operation, |_| Ok(enqueue), None, Some(enqueue))
            }
            "dequeue" => {
                let took = |ok: &rashomon_histories::Event| {
                    let found = if ok.value.is_null() { None } else { Some(number(&ok.value)?) };
                    Ok(QueueOp::Dequeue(found))
                };
                by_outcome(operation, took, None, Some(QueueOp::DequeueAny))
            }
            f => Err(format!("a queue has no operation {f:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing::check;

    #[test]
    fn accepts_and_refuses() {
        use QueueOp::{Dequeue, DequeueAny, Enqueue};
        check(
            &Queue,
            &[
                &[Dequeue(None), Enqueue(1), Enqueue(2), Dequeue(Some(1)), Dequeue(Some(2)), Dequeue(None)],
                &[Enqueue(1), Enqueue(1), DequeueAny, Dequeue(Some(1)), DequeueAny],
            ],
            &[
                &[Dequeue(Some(1))],
                &[Enqueue(1), Dequeue(None)],
                &[Enqueue(1), Enqueue(2), Dequeue(Some(2))],
                &[Enqueue(1), Dequeue(Some(1)), Dequeue(Some(1))],
            ],
        );
    }
}
