//! The port through which a system is asked.
//!
//! A client belongs to one process and one node. It is opened with the process, carries one operation at a time,
//! and is dropped after `info`, when its process retires, or when its process goes on at another node ([`crate::whereabouts`]). It connects when it is first called, connects again
//! after a definite failure, never retries an operation on its own, and bounds every call by a deadline. The port
//! knows no runtime: a future is all it asks for.

use std::future::Future;
use std::pin::Pin;

use rashomon_histories::{Completion, Invocation, Value};

use crate::error::CallError;

/// What the system answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The result; none where the answer is no more than "done".
    pub value: Option<Value>,
}

impl Reply {
    /// It is done, and that is all there is to say.
    pub fn done() -> Self {
        Reply { value: None }
    }

    /// It is done, with this result. A read of an absent key has the result [`Value::Null`].
    pub fn value(value: impl Into<Value>) -> Self {
        Reply { value: Some(value.into()) }
    }
}

/// How a call ended.
pub type Outcome = Result<Reply, CallError>;

/// Carries operations of one process to one node.
pub trait Client: Send {
    /// Asks, and waits for the answer no longer than the client's deadline.
    ///
    /// The error's `definite` bit must be true only where the operation surely did not happen and never will.
    fn call(&mut self, operation: &Invocation) -> impl Future<Output = Outcome> + Send;
}

/// A future on the heap, for clients that are chosen at run time.
pub type BoxedFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The object-safe form of [`Client`], which every client has.
pub trait DynClient: Send {
    /// [`Client::call`].
    fn call_dyn<'a>(&'a mut self, operation: &'a Invocation) -> BoxedFuture<'a, Outcome>;
}

impl<C: Client> DynClient for C {
    fn call_dyn<'a>(&'a mut self, operation: &'a Invocation) -> BoxedFuture<'a, Outcome> {
        Box::pin(self.call(operation))
    }
}

/// A client chosen at run time. Dropping it closes it.
pub type BoxedClient = Box<dyn DynClient>;

/// Opens clients; what a system hands to the run.
pub trait Connector: Send + Sync {
    /// A client of `process`, pinned to the node of this name. Nothing is sent yet: a node that cannot be
    /// reached shows at the first call.
    fn open(&self, process: u64, node: &str) -> BoxedClient;
}

/// What the history says about an operation that ended so. Nothing but the error's `definite` bit decides between
/// `fail` and `info`.
pub fn completion(outcome: &Outcome) -> Completion {
    match outcome {
        Ok(Reply { value: Some(value) }) => Completion::ok_with(value.clone()),
        Ok(Reply { value: None }) => Completion::ok(),
        Err(error) if error.definite => Completion::fail(error.code.clone()),
        Err(error) => Completion::info(error.code.clone()),
    }
}

#[cfg(test)]
mod tests {
    use rashomon_histories::Kind;

    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn only_the_definite_bit_decides_between_fail_and_info() {
        for code in ErrorCode::ALL {
            for definite in [false, true] {
                let error = CallError { definite, ..code.with("as told") };
                let kind = completion(&Err(error)).kind();
                assert_eq!(kind, if definite { Kind::Fail } else { Kind::Info }, "{code}");
            }
        }
        assert_eq!(completion(&Ok(Reply::done())), Completion::ok());
        assert_eq!(completion(&Ok(Reply::value(Value::Null))), Completion::ok_with(Value::Null));
    }
}
