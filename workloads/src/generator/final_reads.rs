//! The end of a run: every key that matters, read once from every node.
//!
//! After everything is healed, a node that lost something, or that never learned of it, has to show it here. The
//! reads of a node go to the processes that are pinned to it. One that does not succeed is asked again, a bounded
//! number of times; what is then still unread stands in the history as such.

use std::collections::{BTreeMap, VecDeque};

use rashomon_histories::{Invocation, Nanos, Process, Value};
use smol_str::SmolStr;

use super::{Answer, Context, Generator};
use crate::client::Outcome;
use crate::error::CallError;

/// How often a read is tried before it is given up.
pub const READ_ATTEMPTS_MAX: u32 = 8;

/// Reads each of some keys from each node.
#[derive(Clone, Debug)]
pub struct FinalReads {
    f: SmolStr,
    /// The argument of each asking, from its number.
    argument: fn(u64) -> Value,
    asked_count: u64,
    keys: Vec<SmolStr>,
    /// Per node, the reads still to be asked. None before the first asking, which knows the nodes.
    queues: Option<Vec<VecDeque<Read>>>,
    open: BTreeMap<u64, (usize, Read)>,
}

#[derive(Clone, Debug)]
struct Read {
    key: SmolStr,
    attempts: u32,
}

impl FinalReads {
    /// The operation `f` on each of `keys`, from each node.
    pub fn new(f: impl Into<SmolStr>, keys: Vec<SmolStr>) -> Self {
        let argument = |_| Value::Null;
        FinalReads { f: f.into(), argument, asked_count: 0, keys, queues: None, open: BTreeMap::new() }
    }

    /// The same with an argument, a function of how many operations were asked before.
    pub fn with_arguments(mut self, argument: fn(u64) -> Value) -> Self {
        self.argument = argument;
        self
    }
}

impl Generator for FinalReads {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        let keys = &self.keys;
        let queues = self.queues.get_or_insert_with(|| {
            let queue: VecDeque<Read> =
                keys.iter().map(|key| Read { key: key.clone(), attempts: 0 }).collect();
            vec![queue; context.layout.nodes().len()]
        });
        for process in context.free {
            let node = context.layout.node_index_of(*process);
            if let Some(read) = queues[node].pop_front() {
                let operation = Invocation::new(Process::Client(*process), self.f.clone())
                    .key(read.key.clone())
                    .value((self.argument)(self.asked_count))
                    .node(context.layout.nodes()[node].clone());
                self.asked_count += 1;
                self.open.insert(*process, (node, read));
                return Answer::Operation(operation);
            }
        }
        let all_asked = queues.iter().all(VecDeque::is_empty);
        // An open read may yet come back to its queue.
        if all_asked && self.open.is_empty() { Answer::Done } else { Answer::Pending { until: None } }
    }

    fn update(&mut self, _now: Nanos, operation: &Invocation, outcome: &Outcome) {
        let Process::Client(process) = operation.process else { return };
        // Operations of an earlier phase may end in this one.
        let Some((node, mut read)) = self.open.remove(&process) else { return };
        read.attempts += 1;
        let is_answered = outcome.as_ref().err().is_none_or(CallError::is_refusal);
        if !is_answered && read.attempts < READ_ATTEMPTS_MAX {
            let queues = self.queues.as_mut().expect("a read is open, so it was asked");
            queues[node].push_back(read);
        }
    }

    fn keys_recent(&self) -> Vec<SmolStr> {
        self.keys.clone()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        Box::new(self.clone())
    }
}
