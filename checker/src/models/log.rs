//! An append-only log with offsets, and a list that is read as a whole.
//!
//! [`Log`]: `append` carries the value and completes with `[offset, value]`; `read` carries the offset and completes with
//! `[offset, value]`, the value null when there was nothing yet. [`ListAppend`]: `append` carries the value; `read` completes with
//! the list.

use rashomon_histories::{Operation, Value};

use super::growing::{self, Grows};
use crate::budget::Poll;
use crate::decode::{Decode, Evidence, by_outcome, list, number};
use crate::model::{Call, Effect, Model};
use crate::outcome::Shortcut;

/// A log that tells where things went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

/// A list on one key that is appended to and read as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListAppend;

/// One operation on a log or list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogOp {
    /// Put this value at the end, which was there, when the answer is known.
    Append {
        /// What was put.
        value: i64,
        /// Where, counted from 0.
        offset: Option<u64>,
    },
    /// Looked at one place and saw this, or nothing.
    ReadAt {
        /// Where, counted from 0.
        offset: u64,
        /// What was there.
        value: Option<i64>,
    },
    /// Saw exactly these.
    ReadAll(Vec<i64>),
}

fn step(state: &[i64], operation: &LogOp) -> Option<Vec<i64>> {
    match operation {
        LogOp::Append { offset: Some(offset), .. } if *offset != state.len() as u64 => None,
        LogOp::Append { value, .. } => {
            let mut after = state.to_vec();
            after.push(*value);
            Some(after)
        }
        LogOp::ReadAt { offset, value } => {
            let there = usize::try_from(*offset).ok().and_then(|at| state.get(at));
            (there == value.as_ref()).then(|| state.to_vec())
        }
        LogOp::ReadAll(seen) => (seen == state).then(|| state.to_vec()),
    }
}

fn describe(operation: &LogOp) -> String {
    match operation {
        LogOp::Append { value, offset: Some(offset) } => format!("appended {value} at {offset}"),
        LogOp::Append { value, offset: None } => format!("appended {value}"),
        LogOp::ReadAt { offset, value: Some(value) } => format!("read {value} at {offset}"),
        LogOp::ReadAt { offset, value: None } => format!("found nothing at {offset}"),
        LogOp::ReadAll(seen) => format!("saw {seen:?}"),
    }
}

fn effect(operation: &LogOp) -> Effect {
    match operation {
        LogOp::Append { .. } => Effect::Any,
        LogOp::ReadAt { .. } | LogOp::ReadAll(_) => Effect::None,
    }
}

/// Offsets count everything before them; a list shows what it is made of.
fn needs(operation: &LogOp, earlier: &LogOp) -> bool {
    match (operation, earlier) {
        (LogOp::ReadAll(seen), LogOp::Append { value, .. }) => seen.contains(value),
        (LogOp::Append { offset, .. }, _) => offset.is_some(),
        (LogOp::ReadAt { value, .. }, _) => value.is_some(),
        _ => false,
    }
}

/// What stands at a place stands there for good.
fn can_follow(state: &[i64], operation: &LogOp) -> bool {
    match operation {
        LogOp::Append { offset, .. } => offset.is_none_or(|offset| offset >= state.len() as u64),
        LogOp::ReadAt { offset, value: None } => *offset >= state.len() as u64,
        LogOp::ReadAt { offset, value: Some(value) } => {
            let there = usize::try_from(*offset).ok().and_then(|at| state.get(at));
            there.is_none_or(|there| there == value)
        }
        LogOp::ReadAll(seen) => seen.starts_with(state),
    }
}

/// For lists: appends whose places are not told, and reads of everything.
fn shortcut(calls: &[Call<LogOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
    let grows = calls.iter().map(|call| match &call.operation {
        LogOp::Append { value, offset: None } => Some(Grows::Adds(*value)),
        LogOp::ReadAll(seen) => Some(Grows::Sees(seen)),
        LogOp::Append { .. } | LogOp::ReadAt { .. } => None,
    });
    growing::judge(calls, &grows.collect::<Option<Vec<_>>>()?, true, poll)
}

macro_rules! log_model {
    ($name:ident) => {
        impl Model for $name {
            type State = Vec<i64>;
            type Operation = LogOp;

            fn init(&self) -> Vec<i64> {
                Vec::new()
            }

            fn step(&self, state: &Vec<i64>, operation: &LogOp) -> Option<Vec<i64>> {
                step(state, operation)
            }

            fn describe(&self, operation: &LogOp) -> String {
                describe(operation)
            }

            fn effect(&self, operation: &LogOp) -> Effect {
                effect(operation)
            }

            fn needs(&self, operation: &LogOp, earlier: &LogOp) -> bool {
                needs(operation, earlier)
            }

            fn can_follow(&self, state: &Vec<i64>, operation: &LogOp) -> bool {
                can_follow(state, operation)
            }

            fn shortcut(&self, calls: &[Call<LogOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
                shortcut(calls, poll)
            }

            fn leaves(&self, operation: &LogOp) -> Option<Vec<i64>> {
                match operation {
                    LogOp::ReadAll(seen) => Some(seen.clone()),
                    LogOp::Append { .. } | LogOp::ReadAt { .. } => None,
                }
            }
        }
    };
}

log_model!(Log);
log_model!(ListAppend);

fn offset(value: &Value) -> Result<u64, String> {
    u64::try_from(number(value)?).map_err(|_| format!("an offset is not negative, as {value:?} is"))
}

impl Decode for Log {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<LogOp>, String> {
        let pair = |value: &Value| match list(value)? {
            [at, value] => Ok((offset(at)?, value.clone())),
            _ => Err(format!("completes with [offset, value], not {value:?}")),
        };
        match operation.invoke.f.as_str() {
            "append" => {
                let value = number(&operation.invoke.value)?;
                let appended = |ok: &rashomon_histories::Event| {
                    Ok(LogOp::Append { value, offset: Some(pair(&ok.value)?.0) })
                };
                by_outcome(operation, appended, None, Some(LogOp::Append { value, offset: None }))
            }
            "read" => {
                let read = |ok: &rashomon_histories::Event| {
                    let (offset, value) = pair(&ok.value)?;
                    let value = if value.is_null() { None } else { Some(number(&value)?) };
                    Ok(LogOp::ReadAt { offset, value })
                };
                by_outcome(operation, read, None, None)
            }
            f => Err(format!("a log has no operation {f:?}")),
        }
    }
}

impl Decode for ListAppend {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<LogOp>, String> {
        match operation.invoke.f.as_str() {
            "append" => {
                let append = LogOp::Append { value: number(&operation.invoke.value)?, offset: None };
                by_outcome(operation, |_| Ok(append.clone()), None, Some(append.clone()))
            }
            "read" => {
                let seen = |value: &Value| match value {
                    Value::Null => Ok(Vec::new()),
                    value => list(value)?.iter().map(number).collect::<Result<Vec<_>, _>>(),
                };
                by_outcome(operation, |ok| Ok(LogOp::ReadAll(seen(&ok.value)?)), None, None)
            }
            f => Err(format!("a list has no operation {f:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing::check;

    #[test]
    fn accepts_and_refuses() {
        let append = |value, offset| LogOp::Append { value, offset };
        let read = |offset, value| LogOp::ReadAt { offset, value };
        check(
            &Log,
            &[&[append(7, Some(0)), append(8, None), append(7, Some(2)), read(1, Some(8)), read(3, None)]],
            &[
                &[append(7, Some(1))],
                &[append(7, Some(0)), append(8, Some(0))],
                &[append(7, None), read(0, None)],
                &[append(7, None), read(0, Some(8))],
            ],
        );
        let all = |values: &[i64]| LogOp::ReadAll(values.to_vec());
        check(
            &ListAppend,
            &[&[all(&[]), append(1, None), append(2, None), all(&[1, 2])]],
            &[&[all(&[1])], &[append(1, None), append(2, None), all(&[2, 1])], &[append(1, None), all(&[])]],
        );
    }
}
