//! All objects of the store, each kind in a name space of its own.

use serde::{Deserialize, Serialize};

use crate::api::{Operation, Reply};
use crate::machine::counters::Counters;
use crate::machine::digest::Digest;
use crate::machine::lists::Lists;
use crate::machine::queues::Queues;
use crate::machine::registers::Registers;
use crate::machine::sets::Sets;

/// The objects after some prefix of the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Objects {
    registers: Registers,
    sets: Sets,
    counters: Counters,
    lists: Lists,
    queues: Queues,
}

impl Objects {
    /// Carries out an operation on an object.
    ///
    /// # Panics
    /// When it concerns no object: sessions and the cluster are others' affair.
    pub fn operate(&mut self, operation: &Operation) -> Reply {
        match operation {
            Operation::Register(key, register) => self.registers.operate(key, *register),
            Operation::Set(key, set) => self.sets.operate(key, *set),
            Operation::Counter(key, counter) => self.counters.operate(key, *counter),
            Operation::List(key, list) => self.lists.operate(key, *list),
            Operation::Queue(key, queue) => self.queues.operate(key, *queue),
            Operation::OpenSession | Operation::Admin(_) => {
                unreachable!(
                    "sessions are opened by the machine, and the protocol keeps changes of the cluster to itself"
                )
            }
        }
    }

    /// Answers a read; `None` if the operation is not one.
    pub fn read(&self, operation: &Operation) -> Option<Reply> {
        match operation {
            Operation::Register(key, register) => self.registers.read(key, register),
            Operation::Set(key, set) => self.sets.read(key, *set),
            Operation::Counter(key, counter) => self.counters.read(key, *counter),
            Operation::List(key, list) => self.lists.read(key, *list),
            Operation::Queue(..) | Operation::OpenSession | Operation::Admin(_) => None,
        }
    }

    /// Digest of all objects.
    pub fn digest(&self) -> Digest {
        let rest = [self.sets.digest(), self.counters.digest(), self.lists.digest(), self.queues.digest()];
        rest.into_iter().fold(self.registers.digest(), Digest::union)
    }

    /// The same from scratch.
    pub fn digest_anew(&self) -> Digest {
        let rest = [
            self.sets.digest_anew(),
            self.counters.digest_anew(),
            self.lists.digest_anew(),
            self.queues.digest_anew(),
        ];
        rest.into_iter().fold(self.registers.digest_anew(), Digest::union)
    }
}
