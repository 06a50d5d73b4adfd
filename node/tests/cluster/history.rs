//! What clients saw, and the judge that decides whether it is linearizable: the project's own checker, which has its own tests.

use rashomon_checker::models::register::Value;
use rashomon_checker::models::{CasRegister, RegisterOp};
use rashomon_checker::{Call, Finding, Options, judge_key};

/// Operations on registers, per key. A moment is the index of an event: asked, or answered.
#[derive(Debug)]
pub(crate) struct History {
    moments: u32,
    calls: Vec<Vec<Call<RegisterOp>>>,
}

impl History {
    pub(crate) fn new(keys: usize) -> Self {
        Self { moments: 0, calls: vec![Vec::new(); keys] }
    }

    /// The next moment: later than all before.
    pub(crate) fn moment(&mut self) -> u32 {
        self.moments += 1;
        self.moments
    }

    /// Acknowledged now.
    pub(crate) fn wrote(&mut self, key: usize, asked: u32, value: i64) {
        self.complete(key, asked, RegisterOp::Write(value.into()));
    }

    /// Of unknown outcome, for ever.
    pub(crate) fn wrote_perhaps(&mut self, key: usize, asked: u32, value: i64) {
        self.calls[key].push(Call::unknown(asked, asked, RegisterOp::Write(value.into())));
    }

    /// Answered now.
    pub(crate) fn read(&mut self, key: usize, asked: u32, value: Option<i64>) {
        self.complete(key, asked, RegisterOp::Read(value.map_or(Value::NULL, Value::from)));
    }

    /// Each operation is a process of its own: a client that was left without an answer retires.
    fn complete(&mut self, key: usize, asked: u32, operation: RegisterOp) {
        let now = self.moment();
        self.calls[key].push(Call::completed(asked, asked, now, operation));
    }

    /// What the judge has to say, unless all of it is linearizable.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let judge = |(key, calls): (usize, &Vec<Call<RegisterOp>>)| {
            let mut calls = calls.clone();
            calls.sort_unstable_by_key(|call| call.invoked);
            match judge_key(&CasRegister, "", &calls, &Options::default()).finding {
                Finding::Valid { .. } => None,
                finding => Some(format!("k{key} is not linearizable: {finding:?}")),
            }
        };
        self.calls.iter().enumerate().filter_map(judge).collect()
    }
}
