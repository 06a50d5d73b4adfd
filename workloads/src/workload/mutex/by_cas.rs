//! A lock made of a register: free while it was never written or holds 0, else held by the owner whose number it holds.
//!
//! To acquire is a cas from 0 to the owner and, where that is refused, one from nothing to the owner. When both are
//! refused the lock was held at some moment in between: the first found it never written or held, the second found it
//! written; and from never written to 0 the only way leads through an owner. To release is a cas from the owner
//! to 0. An owner's number is used for one acquisition only, so a release that happens late frees nobody else's lock.

use std::sync::Arc;

use rashomon_histories::{Invocation, Value};
use smol_str::SmolStr;

use super::{ACQUIRE, RELEASE};
use crate::client::{BoxedClient, Client, Connector, Outcome};
use crate::error::{CallError, ErrorCode};
use crate::workload::register::CAS;

/// What the register of a lock that was let go holds.
const FREE: Value = Value::Int(0);

/// Opens clients of locks over clients of registers.
pub struct Locks {
    registers: Arc<dyn Connector>,
}

impl Locks {
    /// Locks on a system that keeps registers.
    pub fn new(registers: Arc<dyn Connector>) -> Self {
        Locks { registers }
    }
}

impl Connector for Locks {
    fn open(&self, process: u64, node: &str) -> BoxedClient {
        Box::new(LockClient { registers: self.registers.open(process, node) })
    }
}

struct LockClient {
    registers: BoxedClient,
}

impl Client for LockClient {
    async fn call(&mut self, operation: &Invocation) -> Outcome {
        let owner = match operation.value {
            Value::Int(owner) if owner != 0 => Value::Int(owner),
            _ => return Err(unsupported(operation)),
        };
        match &operation.f {
            f if *f == ACQUIRE => match self.cas(operation, FREE, owner.clone()).await {
                Err(error) if error.is_refusal() => self.cas(operation, Value::Null, owner).await,
                outcome => outcome,
            },
            f if *f == RELEASE => self.cas(operation, owner, FREE).await,
            _ => Err(unsupported(operation)),
        }
    }
}

impl LockClient {
    async fn cas(&mut self, operation: &Invocation, old: Value, new: Value) -> Outcome {
        let cas = Invocation { f: CAS, value: Value::List(vec![old, new]), ..operation.clone() };
        self.registers.call_dyn(&cas).await
    }
}

fn unsupported(operation: &Invocation) -> CallError {
    let f: &SmolStr = &operation.f;
    ErrorCode::Unsupported.with(format!("a lock has no operation {f} with the value {}", operation.value))
}
