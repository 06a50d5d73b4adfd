//! Several registers that are read and written together.
//!
//! `write` carries `[[register, value], …]` and writes all at once; `read` carries `[[register, null], …]` and completes with the
//! values, null where nothing was written.

use std::collections::BTreeMap;

use rashomon_histories::{Operation, Value};

use crate::decode::{Decode, Evidence, by_outcome, list, number};
use crate::model::{Effect, Model};

/// Any number of registers, each null at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct MultiRegister;

/// One operation on several registers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MultiRegisterOp {
    /// Saw these values at one moment.
    Read(Vec<(i64, Option<i64>)>),
    /// Wrote these values at one moment; of two for one register the last.
    Write(Vec<(i64, i64)>),
}

impl Model for MultiRegister {
    type State = BTreeMap<i64, i64>;
    type Operation = MultiRegisterOp;

    fn init(&self) -> BTreeMap<i64, i64> {
        BTreeMap::new()
    }

    fn step(&self, state: &BTreeMap<i64, i64>, operation: &MultiRegisterOp) -> Option<BTreeMap<i64, i64>> {
        match operation {
            MultiRegisterOp::Read(seen) => {
                let holds = seen.iter().all(|(register, value)| state.get(register) == value.as_ref());
                holds.then(|| state.clone())
            }
            MultiRegisterOp::Write(written) => {
                let mut state = state.clone();
                state.extend(written.iter().copied());
                Some(state)
            }
        }
    }

    fn describe(&self, operation: &MultiRegisterOp) -> String {
        match operation {
            MultiRegisterOp::Read(seen) => {
                let seen = seen.iter().map(|(register, value)| match value {
                    Some(value) => format!("{register}: {value}"),
                    None => format!("{register}: null"),
                });
                format!("read {}", seen.collect::<Vec<_>>().join(", "))
            }
            MultiRegisterOp::Write(written) => {
                let written = written.iter().map(|(register, value)| format!("{register}: {value}"));
                format!("wrote {}", written.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn effect(&self, operation: &MultiRegisterOp) -> Effect {
        match operation {
            MultiRegisterOp::Read(_) => Effect::None,
            MultiRegisterOp::Write(_) => Effect::Any,
        }
    }

    fn needs(&self, operation: &MultiRegisterOp, earlier: &MultiRegisterOp) -> bool {
        match (operation, earlier) {
            (MultiRegisterOp::Read(seen), MultiRegisterOp::Write(written)) => {
                written.iter().any(|(register, value)| seen.contains(&(*register, Some(*value))))
            }
            _ => false,
        }
    }
}

impl Decode for MultiRegister {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<MultiRegisterOp>, String> {
        let pairs = |value: &Value| {
            let pairs = list(value)?.iter().map(|pair| match list(pair)? {
                [register, Value::Null] => Ok((number(register)?, None)),
                [register, value] => Ok((number(register)?, Some(number(value)?))),
                _ => Err(format!("[register, value] is wanted, not {pair:?}")),
            });
            pairs.collect::<Result<Vec<_>, String>>()
        };
        match operation.invoke.f.as_str() {
            "write" => {
                let written = pairs(&operation.invoke.value)?.into_iter().map(|(register, value)| {
                    value.map(|value| (register, value)).ok_or_else(|| "nobody writes null".to_owned())
                });
                let write = MultiRegisterOp::Write(written.collect::<Result<_, _>>()?);
                by_outcome(operation, |_| Ok(write.clone()), None, Some(write.clone()))
            }
            "read" => by_outcome(operation, |ok| Ok(MultiRegisterOp::Read(pairs(&ok.value)?)), None, None),
            f => Err(format!("a multi-register has no operation {f:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing::check;

    #[test]
    fn accepts_and_refuses() {
        let read = |seen: &[(i64, Option<i64>)]| MultiRegisterOp::Read(seen.to_vec());
        let write = |written: &[(i64, i64)]| MultiRegisterOp::Write(written.to_vec());
        check(
            &MultiRegister,
            &[
                &[
                    read(&[(1, None), (2, None)]),
                    write(&[(1, 5), (2, 6)]),
                    read(&[(2, Some(6))]),
                    write(&[(2, 7)]),
                ],
                &[write(&[(1, 5)]), write(&[(1, 6), (1, 7)]), read(&[(1, Some(7)), (3, None)])],
            ],
            &[
                &[read(&[(1, Some(5))])],
                &[write(&[(1, 5), (2, 6)]), read(&[(1, Some(5)), (2, None)])],
                &[write(&[(1, 5)]), write(&[(1, 6)]), read(&[(1, Some(5))])],
            ],
        );
    }
}
