//! Locks over a register, one call at a time, and interleaved with others.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex as Shared};
use std::task::{Context, Poll, Waker};

use rashomon_histories::Process;

use super::by_cas::Locks;
use super::*;
use crate::client::{BoxedClient, Client, Connector, Reply};
use crate::error::ErrorCode;

/// Registers of this process, and what is to happen before the next call.
#[derive(Default)]
struct Registers {
    values: BTreeMap<SmolStr, i64>,
    asked: Vec<Invocation>,
    /// The outcome of the next calls, where it is not the registers' own.
    scripted: Vec<Outcome>,
}

struct Local(Arc<Shared<Registers>>);

impl Connector for Local {
    fn open(&self, _: u64, _: &str) -> BoxedClient {
        Box::new(Local(Arc::clone(&self.0)))
    }
}

impl Client for Local {
    async fn call(&mut self, operation: &Invocation) -> Outcome {
        let mut registers = self.0.lock().unwrap();
        registers.asked.push(operation.clone());
        if !registers.scripted.is_empty() {
            return registers.scripted.remove(0);
        }
        let key = operation.key.clone().unwrap();
        let [old, new] = operation.value.as_list().unwrap() else { panic!("{operation:?}") };
        if registers.values.get(&key).copied() != old.as_int() {
            return Err(ErrorCode::Precondition.with("another value"));
        }
        registers.values.insert(key, new.as_int().unwrap());
        Ok(Reply::done())
    }
}

fn call(registers: &Arc<Shared<Registers>>, f: SmolStr, value: impl Into<Value>) -> Outcome {
    let mut client = Locks::new(Arc::new(Local(Arc::clone(registers)))).open(0, "n1");
    let operation = Invocation::new(Process::client(0), f).key("x").value(value).node("n1");
    let mut future = pin!(client.call_dyn(&operation));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("nothing to wait for"),
    }
}

fn is_refused(outcome: &Outcome) -> bool {
    outcome.as_ref().is_err_and(|error| error.is_refusal())
}

#[test]
fn a_lock_is_held_by_one_owner_and_released_by_that_one_only() {
    let registers = Arc::default();
    assert!(is_refused(&call(&registers, RELEASE, 7)), "never acquired");
    assert_eq!(call(&registers, ACQUIRE, 7), Ok(Reply::done()), "never written");
    assert!(is_refused(&call(&registers, ACQUIRE, 8)));
    assert!(is_refused(&call(&registers, RELEASE, 8)));
    assert_eq!(call(&registers, RELEASE, 7), Ok(Reply::done()));
    assert!(is_refused(&call(&registers, RELEASE, 7)));
    assert_eq!(call(&registers, ACQUIRE, 8), Ok(Reply::done()), "let go");
}

#[test]
fn only_a_refusal_leads_to_the_second_cas() {
    for (first, definite) in [(ErrorCode::Timeout, false), (ErrorCode::NoLeader, true)] {
        let registers: Arc<Shared<Registers>> = Arc::default();
        registers.lock().unwrap().scripted = vec![Err(first.with("first"))];
        let outcome = call(&registers, ACQUIRE, 7);
        assert_eq!(outcome.unwrap_err().definite, definite);
        assert_eq!(registers.lock().unwrap().asked.len(), 1);
    }
}

#[test]
fn an_unknown_second_cas_is_an_unknown_acquisition() {
    let registers: Arc<Shared<Registers>> = Arc::default();
    let scripted = vec![Err(ErrorCode::Precondition.with("held")), Err(ErrorCode::Timeout.with("lost"))];
    registers.lock().unwrap().scripted = scripted;
    let error = call(&registers, ACQUIRE, 7).unwrap_err();
    assert!(!error.definite);
}

#[test]
fn what_is_no_operation_of_a_lock_is_not_sent() {
    let registers: Arc<Shared<Registers>> = Arc::default();
    for (f, value) in [(ACQUIRE, 0.into()), (ACQUIRE, Value::Null), (SmolStr::new("read"), Value::Null)] {
        let error = call(&registers, f, value).unwrap_err();
        assert_eq!((&*error.code, error.definite), (ErrorCode::Unsupported.name(), true));
    }
    assert!(registers.lock().unwrap().asked.is_empty());
}
