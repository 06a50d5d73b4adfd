//! Registers: one integer per key, or none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{Key, RegisterOperation, Reply};
use crate::machine::digest::{self, Digest};

/// All registers of the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Registers {
    values: BTreeMap<Key, i64>,
    digest: Digest,
}

impl Registers {
    /// Carries out an operation on one register.
    pub fn operate(&mut self, key: &Key, operation: RegisterOperation) -> Reply {
        match operation {
            RegisterOperation::Read => Reply::Value(self.values.get(key).copied()),
            RegisterOperation::Write(value) => {
                self.set(key, value);
                Reply::Written
            }
            RegisterOperation::Cas { old, new } => match self.values.get(key).copied() {
                Some(found) if found == old => {
                    self.set(key, new);
                    Reply::Swapped
                }
                found => Reply::Mismatch { found },
            },
            RegisterOperation::Create(value) => match self.values.get(key).copied() {
                None => {
                    self.set(key, value);
                    Reply::Swapped
                }
                found => Reply::Mismatch { found },
            },
        }
    }

    /// Answers a read without a place in the log; `None` if the operation is not a read.
    pub fn read(&self, key: &Key, operation: &RegisterOperation) -> Option<Reply> {
        match operation {
            RegisterOperation::Read => Some(Reply::Value(self.values.get(key).copied())),
            RegisterOperation::Write(_) | RegisterOperation::Cas { .. } | RegisterOperation::Create(_) => {
                None
            }
        }
    }

    /// Digest of all keys and values.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same, from the values as they are.
    pub fn digest_anew(&self) -> Digest {
        Digest::of(self.values.iter().map(|(key, value)| digest_of(digest::named(key.as_bytes()), *value)))
    }

    fn set(&mut self, key: &Key, value: i64) {
        let name = digest::named(key.as_bytes());
        self.digest.add(digest_of(name, value));
        match self.values.get_mut(key) {
            Some(held) => self.digest.remove(digest_of(name, std::mem::replace(held, value))),
            None => drop(self.values.insert(key.clone(), value)),
        }
    }
}

fn digest_of(name: u64, value: i64) -> u64 {
    digest::with(name, &[value.cast_unsigned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_needs_the_value_it_names() {
        let mut registers = Registers::default();
        let key = Key::new("x");
        let cas = |old, new| RegisterOperation::Cas { old, new };
        assert_eq!(registers.operate(&key, cas(0, 1)), Reply::Mismatch { found: None });
        assert_eq!(registers.operate(&key, RegisterOperation::Write(1)), Reply::Written);
        assert_eq!(registers.operate(&key, cas(2, 3)), Reply::Mismatch { found: Some(1) });
        assert_eq!(registers.operate(&key, cas(1, 3)), Reply::Swapped);
        assert_eq!(registers.operate(&key, RegisterOperation::Read), Reply::Value(Some(3)));
    }

    #[test]
    fn the_digest_depends_on_the_values_and_not_on_how_they_came_about() {
        let write = |registers: &mut Registers, key: &str, value| {
            registers.operate(&Key::new(key), RegisterOperation::Write(value));
        };
        let (mut one, mut two) = (Registers::default(), Registers::default());
        write(&mut one, "x", 1);
        write(&mut one, "y", 2);
        write(&mut two, "y", 9);
        write(&mut two, "x", 1);
        assert_ne!(one.digest(), two.digest());
        write(&mut two, "y", 2);
        assert_eq!(one.digest(), two.digest());
    }

    #[test]
    fn swapped_values_have_another_digest() {
        let write = |registers: &mut Registers, key: &str, value| {
            registers.operate(&Key::new(key), RegisterOperation::Write(value));
        };
        let (mut one, mut two) = (Registers::default(), Registers::default());
        write(&mut one, "x", 1);
        write(&mut one, "y", 2);
        write(&mut two, "x", 2);
        write(&mut two, "y", 1);
        assert_ne!(one.digest(), two.digest());
    }

    #[test]
    fn only_an_absent_register_is_created() {
        let mut registers = Registers::default();
        let key = Key::new("x");
        assert_eq!(registers.operate(&key, RegisterOperation::Create(0)), Reply::Swapped);
        assert_eq!(registers.operate(&key, RegisterOperation::Create(0)), Reply::Mismatch { found: Some(0) });
    }
}
