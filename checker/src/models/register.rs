//! One value that is read, written and compared-and-set.
//!
//! [`Register`] knows reads and writes, [`CasRegister`] both and cas; they share their operations and their judges, and
//! differ only in what a history may ask of them. A *refused* cas is not a failure to know: it saw something other than
//! its old value, and is kept as the evidence that it is.

mod clusters;
mod schedule;
mod tenures;
mod windows;
mod zones;

use std::fmt;

use rashomon_histories as histories;
use rashomon_histories::Operation;

use crate::budget::Poll;
use crate::decode::{Decode, Evidence, by_outcome};
use crate::model::{Call, Effect, Model};
use crate::outcome::Shortcut;

/// What a register holds: a number, or null before anything was written. Eight bytes, because histories are long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(i64);

impl Value {
    /// Nothing was ever written.
    pub const NULL: Value = Value(i64::MIN);

    /// This number.
    ///
    /// # Panics
    /// For `i64::MIN`, which stands for null.
    pub fn number(number: i64) -> Self {
        assert!(number != i64::MIN, "the least number stands for null");
        Value(number)
    }

    /// The number, or none for null.
    pub fn get(self) -> Option<i64> {
        (self != Value::NULL).then_some(self.0)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::number(number)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("null"),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One operation on a register, asked and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegisterOp {
    /// Read this value.
    Read(Value),
    /// Wrote this value.
    Write(Value),
    /// Found `old` and replaced it by `new`.
    Cas {
        /// What it found.
        old: Value,
        /// What it left.
        new: Value,
    },
    /// Found something other than `old`, and so did not write `new`.
    Refused {
        /// What it did not find.
        old: Value,
        /// What it would have left.
        new: Value,
    },
}

impl RegisterOp {
    /// The value that it leaves behind, when it changes the register.
    pub fn written(&self) -> Option<Value> {
        match *self {
            RegisterOp::Write(value) | RegisterOp::Cas { new: value, .. } => Some(value),
            RegisterOp::Read(_) | RegisterOp::Refused { .. } => None,
        }
    }

    /// The value that it found, when its answer tells.
    pub fn found(&self) -> Option<Value> {
        match *self {
            RegisterOp::Read(value) | RegisterOp::Cas { old: value, .. } => Some(value),
            RegisterOp::Write(_) | RegisterOp::Refused { .. } => None,
        }
    }
}

fn step(value: Value, operation: &RegisterOp) -> Option<Value> {
    match *operation {
        RegisterOp::Read(read) => (read == value).then_some(value),
        RegisterOp::Write(written) => Some(written),
        RegisterOp::Cas { old, new } => (old == value).then_some(new),
        RegisterOp::Refused { old, .. } => (old != value).then_some(value),
    }
}

fn describe(operation: &RegisterOp) -> String {
    match operation {
        RegisterOp::Read(value) => format!("read {value}"),
        RegisterOp::Write(value) => format!("wrote {value}"),
        RegisterOp::Cas { old, new } => format!("replaced {old} by {new}"),
        RegisterOp::Refused { old, new } => format!("was refused to replace {old} by {new}"),
    }
}

fn effect(operation: &RegisterOp) -> Effect {
    match operation {
        RegisterOp::Read(_) | RegisterOp::Refused { .. } => Effect::None,
        RegisterOp::Write(_) => Effect::Overwrite,
        RegisterOp::Cas { .. } => Effect::Replace,
    }
}

/// Whatever took effect last before an operation makes it legal: that alone it may need.
fn needs(operation: &RegisterOp, earlier: &RegisterOp) -> bool {
    let Some(written) = earlier.written() else { return false };
    match *operation {
        RegisterOp::Read(value) | RegisterOp::Cas { old: value, .. } => written == value,
        RegisterOp::Refused { old, .. } => written != old,
        RegisterOp::Write(_) => false,
    }
}

macro_rules! register_model {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;

        impl Model for $name {
            type State = Value;
            type Operation = RegisterOp;

            fn init(&self) -> Value {
                Value::NULL
            }

            fn step(&self, state: &Value, operation: &RegisterOp) -> Option<Value> {
                step(*state, operation)
            }

            fn describe(&self, operation: &RegisterOp) -> String {
                describe(operation)
            }

            fn describe_state(&self, state: &Value) -> String {
                state.to_string()
            }

            fn effect(&self, operation: &RegisterOp) -> Effect {
                effect(operation)
            }

            fn needs(&self, operation: &RegisterOp, earlier: &RegisterOp) -> bool {
                needs(operation, earlier)
            }

            /// Whether the register holds the value that `about` found: all others are null.
            fn blurred(&self, operation: &RegisterOp, about: &RegisterOp) -> Option<RegisterOp> {
                let told = match *about {
                    RegisterOp::Read(told) | RegisterOp::Cas { old: told, .. } if told != Value::NULL => told,
                    _ => return None,
                };
                let blur = |value: Value| if value == told { value } else { Value::NULL };
                match *operation {
                    RegisterOp::Read(value) => Some(RegisterOp::Read(blur(value))),
                    RegisterOp::Write(value) => Some(RegisterOp::Write(blur(value))),
                    RegisterOp::Cas { old, new } => Some(RegisterOp::Cas { old: blur(old), new: blur(new) }),
                    RegisterOp::Refused { old, new } if old == told => {
                        Some(RegisterOp::Refused { old, new: blur(new) })
                    }
                    RegisterOp::Refused { .. } => None,
                }
            }

            fn trusted(&self, operation: &RegisterOp) -> Option<RegisterOp> {
                match *operation {
                    RegisterOp::Cas { new, .. } => Some(RegisterOp::Write(new)),
                    _ => None,
                }
            }

            fn leaves(&self, operation: &RegisterOp) -> Option<Value> {
                match *operation {
                    RegisterOp::Read(value) => Some(value),
                    _ => operation.written(),
                }
            }

            fn restore(&self, state: &Value) -> Option<RegisterOp> {
                Some(RegisterOp::Write(*state))
            }

            fn shortcut(&self, calls: &[Call<RegisterOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
                zones::judge(calls, poll)
            }
        }
    };
}

register_model! {
    /// Reads and writes.
    Register
}

register_model! {
    /// Reads, writes, and cas that succeeds or is refused.
    CasRegister
}

/// `read` completes with the value, `write` carries it, `cas` carries `[old, new]` and is refused by `fail` with the error
/// `precondition`.
fn decode(operation: &Operation<'_>, with_cas: bool) -> Result<Evidence<RegisterOp>, String> {
    let invoke = operation.invoke;
    match invoke.f.as_str() {
        "read" => by_outcome(operation, |ok| Ok(RegisterOp::Read(value(&ok.value)?)), None, None),
        "write" => {
            let write = RegisterOp::Write(value(&invoke.value)?);
            by_outcome(operation, |_| Ok(write), None, Some(write))
        }
        "cas" if with_cas => {
            let Some([old, new]) = invoke.value.as_list() else {
                return Err(format!("a cas has the value [old, new], not {:?}", invoke.value));
            };
            let (old, new) = (value(old)?, value(new)?);
            let cas = RegisterOp::Cas { old, new };
            by_outcome(operation, |_| Ok(cas), Some(RegisterOp::Refused { old, new }), Some(cas))
        }
        f => Err(format!("a {} has no operation {f:?}", if with_cas { "cas-register" } else { "register" })),
    }
}

fn value(value: &histories::Value) -> Result<Value, String> {
    match value {
        histories::Value::Null => Ok(Value::NULL),
        histories::Value::Int(number) if *number != i64::MIN => Ok(Value(*number)),
        other => Err(format!("a register holds a whole number above {} or null, not {other:?}", i64::MIN)),
    }
}

impl Decode for Register {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<RegisterOp>, String> {
        decode(operation, false)
    }
}

impl Decode for CasRegister {
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<RegisterOp>, String> {
        decode(operation, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing::check;

    fn read(value: i64) -> RegisterOp {
        RegisterOp::Read(value.into())
    }
    fn write(value: i64) -> RegisterOp {
        RegisterOp::Write(value.into())
    }
    fn cas(old: i64, new: i64) -> RegisterOp {
        RegisterOp::Cas { old: old.into(), new: new.into() }
    }
    fn refused(old: i64, new: i64) -> RegisterOp {
        RegisterOp::Refused { old: old.into(), new: new.into() }
    }

    #[test]
    fn accepts_and_refuses() {
        let null = RegisterOp::Read(Value::NULL);
        check(
            &CasRegister,
            &[
                &[],
                &[null, write(1), read(1), read(1)],
                &[write(1), cas(1, 2), read(2), refused(1, 3)],
                &[refused(1, 2), null],
                &[RegisterOp::Cas { old: Value::NULL, new: 4.into() }, read(4)],
                &[write(1), cas(1, 1), read(1)],
            ],
            &[
                &[read(1)],
                &[write(1), null],
                &[write(1), write(2), read(1)],
                &[cas(1, 2)],
                &[write(1), refused(1, 2)],
                &[write(1), cas(1, 2), cas(1, 3)],
            ],
        );
    }
}
