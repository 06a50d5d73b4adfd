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

/// Longest latency that is told apart, in microseconds: an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;

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
    let mut measurer = Measurer::default();
    history.events().iter().for_each(|event| measurer.admit(event));
    measurer.finish()
}

/// Measures event by event, in memory bounded by what is open.
#[derive(Debug)]
pub struct Measurer {
    measures: Measures,
    latency: Histogram<u64>,
    /// When each open operation was invoked, by process.
    open: BTreeMap<u64, Nanos>,
    first: Option<Nanos>,
    last: Nanos,
    last_ok: Option<Nanos>,
    healed: Option<Nanos>,
}

impl Default for Measurer {
    fn default() -> Self {
        Measurer {
            measures: Measures::default(),
            latency: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are in order"),
            open: BTreeMap::new(),
            first: None,
            last: Nanos(0),
            last_ok: None,
            healed: None,
        }
    }
}

impl Measurer {
    /// The next event.
    pub fn admit(&mut self, event: &Event) {
        match event.process {
            Process::Nemesis => self.admit_nemesis(event),
            Process::Client(process) => {
                self.first.get_or_insert(event.time);
                self.last = event.time;
                match event.kind {
                    Kind::Invoke => drop(self.open.insert(process, event.time)),
                    _ => self.admit_completion(process, event),
                }
            }
        }
    }

    fn admit_completion(&mut self, process: u64, event: &Event) {
        let invoked = self.open.remove(&process).unwrap_or(event.time);
        self.count(&event.f, event.kind);
        if event.kind != Kind::Ok {
            return;
        }
        self.latency.saturating_record(event.time.since(invoked).0 / 1_000);
        match self.healed {
            None => self.admit_success(event.time),
            Some(healed) if invoked >= healed => {
                self.measures.recovery_ns.get_or_insert(event.time.since(healed));
            }
            Some(_) => {}
        }
    }

    /// The pause between the main phase and the final reads is the harness's own, so gaps end with the heal.
    fn admit_success(&mut self, time: Nanos) {
        if let Some(last) = self.last_ok
            && time.since(last) > self.measures.gap_ns_max
        {
            (self.measures.gap_ns_max, self.measures.gap_at) = (time.since(last), last);
        }
        self.last_ok = Some(time);
    }

    fn admit_nemesis(&mut self, event: &Event) {
        if event.f == HEALED {
            self.healed = Some(event.time);
        }
        if event.value.get("phase").and_then(Value::as_text) != Some("begin") {
            return;
        }
        let bites = self.measures.faults.entry(event.f.clone()).or_default();
        match event.value.get("outcome").and_then(Value::as_text) {
            Some("installed") => bites.installed += 1,
            Some("skipped") => bites.skipped += 1,
            _ => bites.indeterminate += 1,
        }
    }

    fn count(&mut self, f: &SmolStr, kind: Kind) {
        self.measures.counts.add(kind);
        self.measures.by_f.entry(f.clone()).or_default().add(kind);
    }

    /// The figures; what is still open counts as unknown.
    pub fn finish(mut self) -> Measures {
        for _ in 0..self.open.len() {
            self.measures.counts.add(Kind::Info);
        }
        self.measures.latency_ok = Latency {
            p50_us: self.latency.value_at_quantile(0.50),
            p95_us: self.latency.value_at_quantile(0.95),
            p99_us: self.latency.value_at_quantile(0.99),
            max_us: self.latency.max(),
        };
        let span = self.last.since(self.first.unwrap_or(self.last));
        if span.0 > 0 {
            self.measures.operations_per_second = self.measures.counts.total() as f64 / span.as_secs_f64();
        }
        self.measures
    }
}
