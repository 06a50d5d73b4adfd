//! A whole run in bounded memory: what happened in each stretch of time, by how it ended.
//!
//! Fed event by event, in one pass, without knowing how long the run will be: time is cut into equal stretches, and
//! when there are too many of them neighbours are merged, so that each then covers twice the time. Cost: constant per
//! event; memory: [`STRETCHES_MAX`] histograms, whatever the length of the run.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use rashomon_histories::{Event, Kind, Nanos, Process};
use smol_str::SmolStr;

use crate::drawing::spans::Spans;
use crate::run::measure::Counts;

/// Most stretches of time; a picture shows no more.
const STRETCHES_MAX: usize = 300;

/// The first width of a stretch. Doubled, it passes 125 ms, 250 ms, 500 ms and whole seconds.
const FIRST_WIDTH: Nanos = Nanos(15_625_000);

/// Longest latency that is told apart, in microseconds: an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// Most names (of operations, errors, nodes) that are counted apart; what comes later is counted as "others".
const NAMES_MAX: usize = 40;

/// Latencies in microseconds, to two significant digits.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies(Histogram<u32>);

impl Default for Latencies {
    fn default() -> Self {
        Latencies(Histogram::new(2).expect("two significant digits are supported"))
    }
}

impl Latencies {
    fn add(&mut self, latency: Nanos) {
        let micros = (latency.0 / 1_000).min(LATENCY_US_MAX);
        self.0.record(micros).expect("a histogram that grows takes any value up to an hour");
    }

    fn merge(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("a histogram that grows takes any other");
    }

    /// So many were measured.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that this share of them does not exceed, in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e3
    }
}

/// Latencies by how the operation ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByKind {
    /// Of those that happened.
    pub ok: Latencies,
    /// Of those that surely did not.
    pub fail: Latencies,
    /// Of those that may have: until the client gave up.
    pub info: Latencies,
}

impl ByKind {
    fn of(&mut self, kind: Kind) -> &mut Latencies {
        match kind {
            Kind::Ok => &mut self.ok,
            Kind::Fail => &mut self.fail,
            Kind::Info | Kind::Invoke => &mut self.info,
        }
    }

    fn merge(&mut self, other: &ByKind) {
        self.ok.merge(&other.ok);
        self.fail.merge(&other.fail);
        self.info.merge(&other.info);
    }
}

/// A stretch of time: what completed in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// How many.
    pub counts: Counts,
    /// How long they took.
    pub latencies: ByKind,
}

/// A run, in stretches.
#[derive(Clone, Debug)]
pub struct Traces {
    /// How much time each stretch covers.
    pub width: Nanos,
    /// From the start of the run on, without gaps.
    pub stretches: Vec<Stretch>,
    /// All of it.
    pub total: ByKind,
    /// All of it, with operations still open at the end as info.
    pub counts: Counts,
    /// By name of the operation.
    pub by_f: BTreeMap<SmolStr, Counts>,
    /// By the node that was asked.
    pub by_node: BTreeMap<SmolStr, Counts>,
    /// How often each error was given.
    pub errors: BTreeMap<SmolStr, Counts>,
    /// What the nemesis did, and who led.
    pub spans: Spans,
    /// When the last event was.
    pub end: Nanos,
    open: BTreeMap<u64, Open>,
}

#[derive(Clone, Debug)]
struct Open {
    invoked: Nanos,
    f: SmolStr,
    node: Option<SmolStr>,
}

impl Default for Traces {
    fn default() -> Self {
        Traces {
            width: FIRST_WIDTH,
            stretches: Vec::new(),
            total: ByKind::default(),
            counts: Counts::default(),
            by_f: BTreeMap::new(),
            by_node: BTreeMap::new(),
            errors: BTreeMap::new(),
            spans: Spans::default(),
            end: Nanos(0),
            open: BTreeMap::new(),
        }
    }
}

impl Traces {
    /// The next event.
    pub fn admit(&mut self, event: &Event) {
        self.end = self.end.max(event.time);
        let Process::Client(process) = event.process else {
            self.spans.admit(event);
            return;
        };
        if event.kind == Kind::Invoke {
            let open = Open { invoked: event.time, f: event.f.clone(), node: event.node.clone() };
            self.open.insert(process, open);
            return;
        }
        let Some(open) = self.open.remove(&process) else { return };
        let latency = event.time.since(open.invoked);
        self.count(&open, event.kind);
        if let Some(error) = &event.error {
            entry(&mut self.errors, error).add(event.kind);
        }
        self.total.of(event.kind).add(latency);
        let stretch = self.stretch_at(event.time);
        stretch.counts.add(event.kind);
        stretch.latencies.of(event.kind).add(latency);
    }

    /// No event follows: what is open is of unknown outcome.
    pub fn finish(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            self.count(&open, Kind::Info);
        }
    }

    /// When the stretch of this place begins.
    pub fn begins(&self, index: usize) -> Nanos {
        Nanos(self.width.0.saturating_mul(index as u64))
    }

    fn count(&mut self, open: &Open, kind: Kind) {
        self.counts.add(kind);
        entry(&mut self.by_f, &open.f).add(kind);
        if let Some(node) = &open.node {
            entry(&mut self.by_node, node).add(kind);
        }
    }

    fn stretch_at(&mut self, time: Nanos) -> &mut Stretch {
        while time.0 / self.width.0 >= STRETCHES_MAX as u64 {
            self.halve();
        }
        let index = usize::try_from(time.0 / self.width.0).expect("less than the most there are");
        if index >= self.stretches.len() {
            self.stretches.resize(index + 1, Stretch::default());
        }
        &mut self.stretches[index]
    }

    fn halve(&mut self) {
        self.width = Nanos(self.width.0.saturating_mul(2));
        let merged = self.stretches.chunks(2).map(|pair| {
            let mut stretch = pair[0].clone();
            if let Some(other) = pair.get(1) {
                stretch.counts.ok += other.counts.ok;
                stretch.counts.fail += other.counts.fail;
                stretch.counts.info += other.counts.info;
                stretch.latencies.merge(&other.latencies);
            }
            stretch
        });
        self.stretches = merged.collect();
    }
}

fn entry<'a>(names: &'a mut BTreeMap<SmolStr, Counts>, name: &SmolStr) -> &'a mut Counts {
    let name = match names.len() >= NAMES_MAX && !names.contains_key(name) {
        true => SmolStr::new_static("others"),
        false => name.clone(),
    };
    names.entry(name).or_default()
}

#[cfg(test)]
mod tests {
    use rashomon_histories::Value;

    use super::*;

    fn event(time: u64, process: u64, kind: Kind) -> Event {
        Event {
            index: 0,
            time: Nanos(time),
            process: Process::Client(process),
            kind,
            f: "read".into(),
            key: None,
            value: Value::Null,
            node: None,
            error: None,
        }
    }

    fn run(count: u64, every: Nanos) -> Traces {
        let mut traces = Traces::default();
        for n in 0..count {
            let at = n * every.0;
            traces.admit(&event(at, n % 7, Kind::Invoke));
            traces.admit(&event(at + 5_000_000, n % 7, if n % 10 == 0 { Kind::Fail } else { Kind::Ok }));
        }
        traces.finish();
        traces
    }

    #[test]
    fn any_length_fits_and_nothing_is_lost() {
        for every in [Nanos(1_000), Nanos::from_millis(10), Nanos::from_secs(100), Nanos(u64::MAX / 2_000)] {
            let traces = run(1_000, every);
            assert!(traces.stretches.len() <= STRETCHES_MAX);
            let sum =
                |pick: fn(&Counts) -> u64| traces.stretches.iter().map(|s| pick(&s.counts)).sum::<u64>();
            assert_eq!((sum(|c| c.ok), sum(|c| c.fail)), (900, 100), "{every}");
            let latencies: u64 = traces.stretches.iter().map(|s| s.latencies.ok.count()).sum();
            assert_eq!(latencies, 900);
            assert!((4.9..5.1).contains(&traces.total.ok.quantile_ms(0.5)));
        }
    }

    #[test]
    fn long_latencies_are_not_cut_off() {
        let mut traces = Traces::default();
        traces.admit(&event(0, 1, Kind::Invoke));
        traces.admit(&event(90_000_000_000, 1, Kind::Ok));
        let longest = traces.total.ok.quantile_ms(0.99);
        assert!((89_000.0..91_000.0).contains(&longest), "{longest}");
    }

    #[test]
    fn what_is_open_at_the_end_is_unknown_and_names_are_bounded() {
        let mut traces = Traces::default();
        for n in 0..200 {
            let f = SmolStr::new(format!("f{n}"));
            traces.admit(&Event { f, ..event(n, n, Kind::Invoke) });
        }
        traces.finish();
        assert_eq!(traces.counts, Counts { ok: 0, fail: 0, info: 200 });
        assert_eq!(traces.by_f.len(), NAMES_MAX + 1);
        assert_eq!(traces.by_f["others"].info, 200 - NAMES_MAX as u64);
    }
}
