//! Judging while the history is still being recorded.
//!
//! Events go in one by one; each key is judged again when it has grown by a share of itself, so that all these verdicts
//! together cost a constant times the last one. An operation that is pending then counts as one of unknown outcome: what a
//! prefix cannot explain, no continuation can (linearizability is prefix-closed), so a violation is reported as soon as it
//! is found and is final. Memory is in proportion to the operations of the keys that are not retired. Knows nothing of
//! clocks: the caller decides when to stop.

use std::collections::BTreeMap;

use rashomon_histories::{Event, Kind, Operation, Process};
use smol_str::SmolStr;

use crate::decode::{Decode, DecodeError, decode_one};
use crate::judge::{Options, judge_key};
use crate::model::Call;
use crate::outcome::{Judgement, KeyJudgement, Verdict};

struct Key<O> {
    calls: Vec<Call<O>>,
    /// Judge again when there are so many.
    next: usize,
}

/// A judge that is fed event by event.
pub struct Online<'a, M: Decode> {
    model: &'a M,
    options: Options<'a>,
    keys: BTreeMap<SmolStr, Key<M::Operation>>,
    pending: BTreeMap<Process, Event>,
    retired: Vec<KeyJudgement>,
}

/// A key is first judged at so many operations, and then whenever it has grown by an eighth.
const FIRST: usize = 32;
const GROWTH: usize = 8;

impl<'a, M: Decode> Online<'a, M> {
    /// A judge that has seen nothing.
    pub fn new(model: &'a M, options: Options<'a>) -> Self {
        Online { model, options, keys: BTreeMap::new(), pending: BTreeMap::new(), retired: Vec::new() }
    }

    /// Takes the next event. A key's judgement comes back when it is a violation.
    ///
    /// # Errors
    /// When an operation cannot be decoded; it is then left out.
    pub fn observe(&mut self, event: &Event) -> Result<Option<KeyJudgement>, DecodeError> {
        if event.process == Process::Nemesis {
            return Ok(None);
        }
        if event.kind == Kind::Invoke {
            self.pending.insert(event.process, event.clone());
            return Ok(None);
        }
        let Some(invoke) = self.pending.remove(&event.process) else { return Ok(None) };
        let operation = Operation { invoke: &invoke, completion: Some(event) };
        let Some((name, call)) = decode_one(self.model, &operation)? else { return Ok(None) };
        let key = self.keys.entry(name.clone()).or_insert_with(|| Key { calls: Vec::new(), next: FIRST });
        key.calls.push(call);
        if key.calls.len() < key.next {
            return Ok(None);
        }
        key.next = key.calls.len() + key.calls.len().div_ceil(GROWTH).max(FIRST);
        let judged = self.judge(&name)?;
        Ok(Some(judged).filter(|judged| judged.finding.verdict() == Verdict::Invalid))
    }

    /// Judges what is known of one key now.
    ///
    /// # Errors
    /// When a pending operation cannot be decoded.
    pub fn judge(&self, name: &str) -> Result<KeyJudgement, DecodeError> {
        let mut calls = self.keys.get(name).map(|key| key.calls.clone()).unwrap_or_default();
        for invoke in self.pending.values() {
            let operation = Operation { invoke, completion: None };
            if let Some((key, call)) = decode_one(self.model, &operation)?
                && key == name
            {
                calls.push(call);
            }
        }
        calls.sort_by_key(|call| call.invoked);
        Ok(judge_key(self.model, name, &calls, &self.options))
    }

    /// Judges a key that will not be used again and forgets its operations.
    ///
    /// # Errors
    /// As [`Online::judge`].
    pub fn retire(&mut self, name: &str) -> Result<KeyJudgement, DecodeError> {
        let judged = self.judge(name)?;
        self.keys.remove(name);
        self.retired.push(judged.clone());
        Ok(judged)
    }

    /// Judges everything that is not retired and puts all together.
    ///
    /// # Errors
    /// As [`Online::judge`].
    pub fn finish(mut self) -> Result<Judgement, DecodeError> {
        // A key whose operations are all still pending is judged as well.
        for invoke in self.pending.values() {
            if let Some((name, _)) = decode_one(self.model, &Operation { invoke, completion: None })? {
                self.keys.entry(name).or_insert_with(|| Key { calls: Vec::new(), next: FIRST });
            }
        }
        let names: Vec<SmolStr> = self.keys.keys().cloned().collect();
        let mut judged = std::mem::take(&mut self.retired);
        for name in names {
            judged.push(self.judge(&name)?);
        }
        judged.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Judgement::of(judged))
    }
}
