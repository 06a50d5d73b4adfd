//! The end of a run with queues: what is left in them is taken out, until each says that it is empty.
//!
//! An element that was acknowledged and is not there shows only when the queue that should hold it has nothing more to
//! give. Each key is asked by one process at a time, of whichever node is free, so that its elements come out in
//! order. A key that does not answer is asked a bounded number of times; what is then still in it stands in the history as
//! never taken.

use std::collections::{BTreeMap, VecDeque};

use rashomon_histories::{Invocation, Nanos, Process, Value};
use smol_str::SmolStr;

use super::{Answer, Context, Generator, READ_ATTEMPTS_MAX};
use crate::client::Outcome;

/// Most elements that are taken out of one key.
pub const DRAINED_MAX: u32 = 10_000;

/// Takes everything out of some keys.
#[derive(Clone, Debug)]
pub struct Drain {
    f: SmolStr,
    keys: Vec<SmolStr>,
    waiting: VecDeque<Key>,
    open: BTreeMap<u64, Key>,
}

#[derive(Clone, Debug)]
struct Key {
    name: SmolStr,
    taken: u32,
    failures: u32,
}

impl Drain {
    /// Asks `f` of each of `keys` until it completes with null.
    pub fn new(f: impl Into<SmolStr>, keys: Vec<SmolStr>) -> Self {
        let waiting = keys.iter().map(|name| Key { name: name.clone(), taken: 0, failures: 0 }).collect();
        Drain { f: f.into(), keys, waiting, open: BTreeMap::new() }
    }
}

impl Generator for Drain {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        let Some(process) = context.free.first() else { return Answer::Pending { until: None } };
        let Some(key) = self.waiting.pop_front() else {
            let done = self.open.is_empty();
            return if done { Answer::Done } else { Answer::Pending { until: None } };
        };
        let operation = Invocation::new(Process::Client(*process), self.f.clone())
            .key(key.name.clone())
            .value(Value::Null)
            .node(context.layout.node_of(*process).clone());
        self.open.insert(*process, key);
        Answer::Operation(operation)
    }

    fn update(&mut self, _now: Nanos, operation: &Invocation, outcome: &Outcome) {
        let Process::Client(process) = operation.process else { return };
        // Operations of an earlier phase may end in this one.
        let Some(mut key) = self.open.remove(&process) else { return };
        match outcome {
            Ok(reply) if reply.value.as_ref().is_none_or(Value::is_null) => return,
            Ok(_) => key.taken += 1,
            Err(_) => key.failures += 1,
        }
        if key.taken < DRAINED_MAX && key.failures < READ_ATTEMPTS_MAX {
            self.waiting.push_back(key);
        }
    }

    fn keys_recent(&self) -> Vec<SmolStr> {
        self.keys.clone()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        Box::new(self.clone())
    }
}
