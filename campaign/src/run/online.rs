//! Judges a run while it goes: what was recorded so far is judged once a second, key by key.
//!
//! **Idea.** Linearizability is closed under prefixes: cut a history anywhere, count what is open as unknown, and a
//! linearizable one stays so. So a prefix without an order convicts the whole run, and the run can stop there. Only
//! keys that changed since are judged again, so at the end all but the last second is settled already.
//! **Cost.** Keys live for a bounded number of operations; judging one again costs no more than its length times the
//! logarithm, once a second. Memory: forty bytes an operation.
//!
//! It reads no clock: the events' own times say when a second is over.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::Context as _;
use rashomon_checker::decode::decode_one;
use rashomon_checker::{Call, Decode, Judgement, KeyJudgement, Options, Verdict, judge_key};
use rashomon_histories::{Event, Header, Kind, Nanos, Operation, Process, Sink};
use rayon::prelude::*;
use smol_str::SmolStr;
use tokio::sync::watch;

use crate::page::traces::Traces;
use crate::run::judge::with_model;
use crate::run::measure::{Measurer, Measures};

/// How much of the run's time passes between two judgements.
const JUDGE_EVERY: Nanos = Nanos::from_secs(1);

/// How many events are handed over at once.
const BATCH: usize = 512;

/// What following a run came to.
pub struct Followed {
    /// Key by key, with witnesses; an error when the history could not be decoded.
    pub judgement: anyhow::Result<Judgement>,
    /// The figures.
    pub measures: Measures,
    /// The run over time, for its page.
    pub traces: Traces,
}

/// A judge that follows a run from a thread of its own.
pub struct Online {
    thread: JoinHandle<Followed>,
}

/// Where the recorder puts events for it.
#[derive(Debug)]
pub struct Feed {
    batch: Vec<Event>,
    events: Sender<Vec<Event>>,
}

/// Starts a judge by the model of this name. The receiver turns true at the first violation.
///
/// # Errors
/// When there is no such model, or no thread to be had.
pub fn start(model: &str) -> anyhow::Result<(Online, Feed, watch::Receiver<bool>)> {
    let (events, received) = channel();
    let (alarm, alarmed) = watch::channel(false);
    let follow = with_model(model, Start)?;
    let thread =
        std::thread::Builder::new().name("judge".to_owned()).spawn(move || follow(received, alarm))?;
    Ok((Online { thread }, Feed { batch: Vec::with_capacity(BATCH), events }, alarmed))
}

impl Online {
    /// Waits for the judge to settle what is open, once its [`Feed`] is gone.
    ///
    /// # Errors
    /// When the judge panicked.
    pub fn finish(self) -> anyhow::Result<Followed> {
        self.thread.join().ok().context("the online judge panicked; its message is above")
    }
}

impl Feed {
    fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
            // A judge that is gone has panicked, which shows when it is waited for; the recording goes on.
            let _ = self.events.send(batch);
        }
    }
}

impl Sink for Feed {
    fn header(&mut self, _header: &Header) -> std::io::Result<()> {
        Ok(())
    }

    fn event(&mut self, event: &Event) -> std::io::Result<()> {
        self.batch.push(event.clone());
        if self.batch.len() == BATCH {
            self.hand_over();
        }
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.hand_over();
        Ok(())
    }
}

type Follow = Box<dyn FnOnce(Receiver<Vec<Event>>, watch::Sender<bool>) -> Followed + Send>;

struct Start;

impl crate::run::judge::ForModel for Start {
    type Output = Follow;

    fn run<M: Decode + Send + 'static>(self, model: M) -> Follow {
        Box::new(move |events, alarm| Follower::new(model).follow(&events, &alarm))
    }
}

/// One key as far as it is known.
struct Key<O> {
    calls: Vec<Call<O>>,
    judged: Option<KeyJudgement>,
}

struct Follower<M: Decode> {
    model: M,
    keys: BTreeMap<SmolStr, Key<M::Operation>>,
    open: BTreeMap<u64, Event>,
    measurer: Measurer,
    traces: Traces,
    judged_at: Nanos,
    failure: Option<anyhow::Error>,
}

impl<M: Decode> Follower<M> {
    fn new(model: M) -> Self {
        Follower {
            model,
            keys: BTreeMap::new(),
            open: BTreeMap::new(),
            measurer: Measurer::default(),
            traces: Traces::default(),
            judged_at: Nanos(0),
            failure: None,
        }
    }

    fn follow(mut self, events: &Receiver<Vec<Event>>, alarm: &watch::Sender<bool>) -> Followed {
        let mut is_convicted = false;
        while let Ok(batch) = events.recv() {
            let now = batch.last().map_or(Nanos(0), |event| event.time);
            for event in batch {
                self.measurer.admit(&event);
                self.traces.admit(&event);
                if let Err(error) = self.admit(event) {
                    self.failure.get_or_insert(error);
                }
            }
            if !is_convicted && now.since(self.judged_at) >= JUDGE_EVERY {
                self.judged_at = now;
                is_convicted = self.judge() == Verdict::Invalid;
                alarm.send_if_modified(|alarm| std::mem::replace(alarm, is_convicted) != is_convicted);
            }
        }
        self.settle()
    }

    fn admit(&mut self, event: Event) -> anyhow::Result<()> {
        let Process::Client(process) = event.process else { return Ok(()) };
        if event.kind == Kind::Invoke {
            self.open.insert(process, event);
            return Ok(());
        }
        let invoke = self.open.remove(&process).context("a completion without an invocation was recorded")?;
        self.admit_call(&Operation { invoke: &invoke, completion: Some(&event) })
    }

    fn admit_call(&mut self, operation: &Operation<'_>) -> anyhow::Result<()> {
        if let Some((name, call)) = decode_one(&self.model, operation)? {
            let key = self.keys.entry(name).or_insert_with(|| Key { calls: Vec::new(), judged: None });
            key.calls.push(call);
            key.judged = None;
        }
        Ok(())
    }

    /// Judges every key that changed since it was judged last. What is open counts as unknown.
    fn judge(&mut self) -> Verdict {
        // What cannot be decoded is reported when it completes, or at the end.
        let open: Vec<(SmolStr, Call<M::Operation>)> = self
            .open
            .values()
            .filter_map(|invoke| {
                decode_one(&self.model, &Operation { invoke, completion: None }).ok().flatten()
            })
            .collect();
        let model = &self.model;
        self.keys.par_iter_mut().filter(|(_, key)| key.judged.is_none()).for_each(|(name, key)| {
            let settled = key.calls.len();
            key.calls.extend(open.iter().filter(|(on, _)| on == name).map(|(_, call)| call.clone()));
            // Judges take operations in the order of their invocations; they came in that of their completions.
            let mut calls = key.calls.clone();
            key.calls.truncate(settled);
            calls.sort_by_key(|call| call.invoked);
            key.judged = Some(judge_key(model, name, &calls, &Options::default()));
        });
        let verdicts = self.keys.values().filter_map(|key| key.judged.as_ref());
        let worst = verdicts.map(|judged| judged.finding.verdict()).max().unwrap_or(Verdict::Valid);
        for (name, _) in open {
            // A key with open operations is not settled, even if nothing more completes on it.
            if let Some(key) = self.keys.get_mut(&name) {
                key.judged = None;
            }
        }
        worst
    }

    fn settle(mut self) -> Followed {
        let measures = std::mem::take(&mut self.measurer).finish();
        let traces = std::mem::take(&mut self.traces);
        for invoke in std::mem::take(&mut self.open).into_values() {
            if let Err(error) = self.admit_call(&Operation { invoke: &invoke, completion: None }) {
                self.failure.get_or_insert(error);
            }
        }
        if let Some(error) = self.failure {
            return Followed { judgement: Err(error), measures, traces };
        }
        self.judge();
        let keys = self.keys.into_values().filter_map(|key| key.judged).collect();
        Followed { judgement: Ok(Judgement::of(keys)), measures, traces }
    }
}
