//! Operations given one by one, each at its moment: what a run asked once, asked again, whole or in part.
//!
//! Each operation belongs to a thread, so to a node. A thread that is still waiting for an answer at the moment of its
//! next operation asks it as soon as it is free. Drawn from nothing, it forgets nothing: keys are those of the list.

use std::collections::{BTreeMap, VecDeque};

use rashomon_histories::{Invocation, Nanos, Process, Value};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Answer, Context, Generator};
use crate::client::Outcome;

/// One operation of a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedOperation {
    /// When it is asked, in nanoseconds since the start of the run; of the last ones, since the first of them.
    pub at: Nanos,
    /// By which thread of the [layout](super::Layout).
    pub thread: u64,
    /// What is asked.
    pub f: SmolStr,
    /// Of which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SmolStr>,
    /// With which argument.
    #[serde(default)]
    pub value: Value,
    /// Whether it belongs to what is asked after the final heal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
}

/// Asks what it was given.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// What each thread has yet to ask, in order.
    ahead: BTreeMap<u64, VecDeque<ScriptedOperation>>,
    keys: Vec<SmolStr>,
    /// What moments count from; none: from the first asking.
    since: Option<Nanos>,
}

impl Scripted {
    /// These operations, in any order; those of one thread are asked in the order of their moments.
    pub fn new(operations: impl IntoIterator<Item = ScriptedOperation>) -> Self {
        Scripted { since: Some(Nanos(0)), ..Scripted::from_first_asking(operations) }
    }

    /// The same, their moments counted from the first asking.
    pub fn from_first_asking(operations: impl IntoIterator<Item = ScriptedOperation>) -> Self {
        let mut sorted: Vec<_> = operations.into_iter().collect();
        sorted.sort_by_key(|operation| operation.at);
        let mut keys: Vec<SmolStr> = Vec::new();
        let mut ahead = BTreeMap::<u64, VecDeque<_>>::new();
        for operation in sorted {
            keys.extend(operation.key.clone().filter(|key| !keys.contains(key)));
            ahead.entry(operation.thread).or_default().push_back(operation);
        }
        Scripted { ahead, keys, since: None }
    }
}

impl Generator for Scripted {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        self.ahead.retain(|_, operations| !operations.is_empty());
        if self.ahead.is_empty() {
            return Answer::Done;
        }
        let since = *self.since.get_or_insert(context.now);
        let next = |process: &u64| {
            let thread = context.layout.thread_of(*process);
            Some((since.plus(self.ahead.get(&thread)?.front()?.at), *process, thread))
        };
        let Some((at, process, thread)) = context.free.iter().filter_map(next).min() else {
            return Answer::Pending { until: None };
        };
        if at > context.now {
            return Answer::Pending { until: Some(at) };
        }
        let operation = self.ahead.get_mut(&thread).and_then(VecDeque::pop_front);
        let ScriptedOperation { f, key, value, .. } = operation.expect("its moment was just read");
        let mut invocation = Invocation::new(Process::client(process), f)
            .node(context.layout.node_of(process).clone())
            .value(value);
        if let Some(key) = key {
            invocation = invocation.key(key);
        }
        Answer::Operation(invocation)
    }

    fn update(&mut self, _now: Nanos, _operation: &Invocation, _outcome: &Outcome) {}

    fn keys_recent(&self) -> Vec<SmolStr> {
        self.keys.clone()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Reply;
    use crate::generator::Layout;
    use crate::generator::simulate::simulate;

    fn operation(at_ms: u64, thread: u64, value: i64) -> ScriptedOperation {
        let at = Nanos::from_millis(at_ms);
        let (f, key, value) = ("write".into(), Some("x".into()), Value::Int(value));
        ScriptedOperation { at, thread, f, key, value, last: false }
    }

    #[test]
    fn each_is_asked_at_its_moment_or_when_its_thread_is_free() {
        let script = [operation(10, 0, 1), operation(30, 1, 3), operation(12, 0, 2)];
        let layout = Layout::new(2, ["n1", "n2"]).unwrap();
        let done = simulate(&mut Scripted::new(script), &layout, 10, |_, _| {
            (Nanos::from_millis(5), Ok(Reply::done()))
        });
        let asked: Vec<_> = done
            .invocations()
            .map(|event| (event.time.0 / 1_000_000, event.process, event.value.clone()))
            .collect();
        let expected = [(10, 0, 1), (15, 0, 2), (30, 1, 3)];
        assert_eq!(
            asked,
            expected.map(|(at, process, value)| (at, Process::client(process), Value::Int(value)))
        );
    }
}
