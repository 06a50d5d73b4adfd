//! Between the words of a history and those of the reference node: operations, replies, errors.
//!
//! Both worlds speak through this file: the campaign's client over TCP, and the simulated one. Nothing here decides what
//! an outcome means: the definite bit is the node's own claim.

use rashomon_histories::{Invocation, Value};
use rashomon_node::api::{
    self, CounterOperation, ListOperation, Operation, QueueOperation, RefusalCode, RegisterOperation,
    SetOperation,
};
use rashomon_workloads::{CallError, ErrorCode, Objects, Outcome, Reply};

/// What a node that keeps these objects is asked for.
///
/// # Errors
/// When the node has no such operation: it was not sent.
pub fn translate(objects: Objects, operation: &Invocation) -> Result<Operation, CallError> {
    let unsupported =
        || ErrorCode::Unsupported.with(format!("no such operation on {objects}: {operation:?}"));
    let key = operation.key.clone().ok_or_else(unsupported)?;
    Ok(match (objects, &*operation.f, &operation.value) {
        (Objects::Registers, "read", _) => Operation::read(key),
        (Objects::Registers, "write", Value::Int(value)) => Operation::write(key, *value),
        (Objects::Registers, "cas", Value::List(pair)) => match pair[..] {
            [Value::Int(old), Value::Int(new)] => Operation::cas(key, old, new),
            [Value::Null, Value::Int(new)] => Operation::Register(key, RegisterOperation::Create(new)),
            _ => return Err(unsupported()),
        },
        (Objects::Sets, "read", _) => Operation::Set(key, SetOperation::Read),
        (Objects::Sets, "add", Value::Int(element)) => Operation::Set(key, SetOperation::Add(*element)),
        (Objects::Counters, "read", _) => Operation::Counter(key, CounterOperation::Read),
        (Objects::Counters, "add", Value::Int(n)) => Operation::Counter(key, CounterOperation::Add(*n)),
        (Objects::Lists, "read", _) => Operation::List(key, ListOperation::Read),
        (Objects::Lists, "append", Value::Int(n)) => Operation::List(key, ListOperation::Append(*n)),
        (Objects::Queues, "enqueue", Value::Int(n)) => Operation::Queue(key, QueueOperation::Enqueue(*n)),
        (Objects::Queues, "dequeue", _) => Operation::Queue(key, QueueOperation::Dequeue),
        _ => return Err(unsupported()),
    })
}

/// How a call ended; `is_late` when its time was up.
///
/// # Errors
/// As the history will have it.
pub fn outcome(called: Result<api::Reply, &api::CallError>, is_late: bool) -> Outcome {
    match called {
        Ok(reply) => answer(reply),
        Err(error) => Err(call_error(error, is_late)),
    }
}

/// Whether a connection is of further use: only where the node itself answered.
pub fn keeps_connection<T>(called: &Result<T, api::CallError>) -> bool {
    matches!(called, Ok(_) | Err(api::CallError::Refused(_)))
}

fn answer(reply: api::Reply) -> Outcome {
    match reply {
        api::Reply::Value(value) => Ok(Reply::value(value)),
        api::Reply::Written | api::Reply::Swapped => Ok(Reply::done()),
        api::Reply::Mismatch { found } => {
            Err(ErrorCode::Precondition.with(format!("the register held {}", Value::from(found))))
        }
        api::Reply::Added => Ok(Reply::done()),
        api::Reply::Sum(sum) => Ok(Reply::value(sum)),
        api::Reply::Taken(element) => Ok(Reply::value(element)),
        api::Reply::Elements(elements) => {
            Ok(Reply::value(elements.into_iter().map(Value::Int).collect::<Vec<Value>>()))
        }
        api::Reply::Opened(_) | api::Reply::Done | api::Reply::NotApplied(_) => {
            Err(ErrorCode::MalformedReply.with(format!("{reply:?}")))
        }
    }
}

/// The definite bit is the node's own claim, whatever the code usually means: a node that lies is what defect R36 is.
fn call_error(error: &api::CallError, is_late: bool) -> CallError {
    let code = match error {
        api::CallError::Refused(refusal) => match refusal.code {
            RefusalCode::NoLeader | RefusalCode::Behind => ErrorCode::NoLeader,
            RefusalCode::Overloaded => ErrorCode::Overloaded,
            RefusalCode::TooLarge
            | RefusalCode::BadRequest
            | RefusalCode::Unsupported
            | RefusalCode::Conflict => ErrorCode::Unsupported,
            RefusalCode::Timeout => ErrorCode::Timeout,
            RefusalCode::SessionUnknown | RefusalCode::Superseded => ErrorCode::SessionLost,
            RefusalCode::Deposed => ErrorCode::LeaderChanged,
            RefusalCode::Stopping => ErrorCode::Stopping,
        },
        api::CallError::NoSession(_) | api::CallError::NeverSent(_) => ErrorCode::NotSent,
        api::CallError::NoReply(_) | api::CallError::EarlierAttempt(_) => match is_late {
            true => ErrorCode::Timeout,
            false => ErrorCode::ConnectionLost,
        },
        api::CallError::Unexpected(_) => ErrorCode::MalformedReply,
    };
    CallError { definite: error.is_definite(), ..code.with(error.to_string()) }
}
