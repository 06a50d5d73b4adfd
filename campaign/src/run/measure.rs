//! What a history shows beside its verdict: counts, latencies, gaps, recovery, and which faults bit.
//!
//! Pure: one pass over a sealed history. It refuses to judge; bars are held against these figures in
//! [`crate::run::verdict`].

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use rashomon_histories::{Event, History, Kind, Nanos, Process, Value};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Name of the nemesis event that marks the moment at which everything was measured to be healed.
pub const HEALED: &str = "healed";

/// Operations by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Happened.
    pub ok: u64,
    /// Surely did not happen.
    pub fail: u64,
    /// Unknown.
    pub info: u64,
}

impl Counts {
    /// One more that ended so.
    pub fn add(&mut self, kind: Kind) {
        match kind {
            Kind::Ok => self.ok += 1,
            Kind::Fail => self.fail += 1,
            Kind::Info | Kind::Invoke => self.info += 1,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.ok + self.fail + self.info
    }
}

/// Latency of completed operations, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half were faster.
    pub p50_us: u64,
    /// 95 of 100 were faster.
    pub p95_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
}

/// How often a fault was begun, by what the evidence says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bites {
    /// Measured to bite.
    pub installed: u64,
    /// Not applied, for a reason that the history gives.
    pub skipped: u64,
    /// Applied, and the evidence neither proves nor disproves it.
    pub indeterminate: u64,
}

/// The figures of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// All operations.
    pub counts: Counts,
    /// By name of the operation.
    pub by_f: BTreeMap<SmolStr, Counts>,
    /// Completed operations a second, from the first invocation to the last completion.
    pub operations_per_second: f64,
    /// Of those that happened.
    pub latency_ok: Latency,
    /// Longest time without a success between two successes of the main phase.
    pub gap_ns_max: Nanos,
    /// When the longest gap began.
    pub gap_at: Nanos,
    /// From the moment of the last heal to the first success of an operation invoked after it.
    pub recovery_ns: Option<Nanos>,
    /// Faults by name.
    pub faults: BTreeMap<SmolStr, Bites>,
}

/// Measures a history.
pub fn measure(history: &History) -> Measures {
    let mut measures = Measures::default();
    let mut latency = Histogram::<u64>::new(3).expect("three significant digits are supported");
    for operation in history.operations() {
        let outcome = operation.outcome();
        measures.counts.add(outcome);
        measures.by_f.entry(operation.invoke.f.clone()).or_default().add(outcome);
        if let (Kind::Ok, Some(completion)) = (outcome, operation.completion) {
            latency.saturating_record(completion.time.since(operation.invoke.time).0 / 1_000);
        }
    }
    measures.latency_ok = Latency {
        p50_us: latency.value_at_quantile(0.50),
        p95_us: latency.value_at_quantile(0.95),
        p99_us: latency.value_at_quantile(0.99),
        max_us: latency.max(),
    };
    let clients = || history.events().iter().filter(|event| event.process != Process::Nemesis);
    let span = match (clients().next(), clients().next_back()) {
        (Some(first), Some(last)) => last.time.since(first.time),
        _ => Nanos(0),
    };
    if span.0 > 0 {
        measures.operations_per_second = measures.counts.total() as f64 / span.as_secs_f64();
    }
    // The pause between the main phase and the final reads is the harness's own.
    let healed = history.nemesis().find(|event| event.f == HEALED).map_or(u64::MAX, |event| event.index);
    (measures.gap_ns_max, measures.gap_at) = longest_gap(clients().filter(|event| event.index < healed));
    measures.recovery_ns = recovery(history);
    measures.faults = bites(history);
    measures
}

fn longest_gap<'a>(events: impl Iterator<Item = &'a Event>) -> (Nanos, Nanos) {
    let mut longest = (Nanos(0), Nanos(0));
    let mut last: Option<Nanos> = None;
    for event in events.filter(|event| event.kind == Kind::Ok) {
        if let Some(last) = last
            && event.time.since(last) > longest.0
        {
            longest = (event.time.since(last), last);
        }
        last = Some(event.time);
    }
    longest
}

fn recovery(history: &History) -> Option<Nanos> {
    let healed = history.nemesis().filter(|event| event.f == HEALED).last()?;
    history
        .operations()
        .filter(|operation| operation.invoke.index > healed.index && operation.outcome() == Kind::Ok)
        .filter_map(|operation| operation.completion)
        .map(|completion| completion.time.since(healed.time))
        .min()
}

fn bites(history: &History) -> BTreeMap<SmolStr, Bites> {
    let mut faults: BTreeMap<SmolStr, Bites> = BTreeMap::new();
    for event in history.nemesis() {
        if event.value.get("phase").and_then(Value::as_text) != Some("begin") {
            continue;
        }
        let bites = faults.entry(event.f.clone()).or_default();
        match event.value.get("outcome").and_then(Value::as_text) {
            Some("installed") => bites.installed += 1,
            Some("skipped") => bites.skipped += 1,
            _ => bites.indeterminate += 1,
        }
    }
    faults
}
