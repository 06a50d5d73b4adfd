//! The panels of the timeline: completed operations a second, how long successes took, how long the others took.

use maud::{Markup, html};

use super::{LEFT, Panel, RIGHT, Timeline, WIDTH};
use crate::drawing::scale::Scale;
use crate::drawing::text::{coordinate, grouped, significant};
use crate::page::traces::{Latencies, Stretch};
use crate::run::measure::Counts;

/// An entry of a panel's legend: class of its mark, and its name.
type Entry = (&'static str, &'static str);

impl Timeline<'_> {
    /// Stacked: successes at the bottom, then failures, then unknown outcomes.
    pub(super) fn throughput(&self) -> Markup {
        let panel = self.throughput;
        let most = self.rates(|counts| counts.total()).fold(0.0, f64::max);
        let scale = Scale::linear((0.0, most * 1.08), (panel.bottom, panel.top));
        let legend = [("ok", "ok"), ("fail", "fail (surely not done)"), ("info", "info (unknown)")];
        html! {
            (head(panel, "Operations completed a second", &legend))
            @for tick in scale.ticks(4) { (grid(panel, scale, tick, &grouped(tick as u64))) }
            path class="area info" d=(self.area(scale, |counts| counts.ok + counts.fail, |counts| counts.total())) {}
            path class="area fail" d=(self.area(scale, |counts| counts.ok, |counts| counts.ok + counts.fail)) {}
            path class="area ok" d=(self.area(scale, |_| 0, |counts| counts.ok)) {}
        }
    }

    /// p50, p95 and p99 of successes, on decades.
    pub(super) fn latency(&self) -> Markup {
        let panel = self.latency;
        let scale = self.decades(panel, |stretch| [&stretch.latencies.ok, &stretch.latencies.ok]);
        let legend = [("ok", "p50, p95 and p99: thick to thin")];
        html! {
            (head(panel, "Latency of successes", &legend))
            @for (tick, label) in decades(scale) { (grid(panel, scale, tick, &label)) }
            path class="range" d=(self.range(scale)) {}
            path class="p99" d=(self.line(scale, 0.99)) {}
            path class="p95" d=(self.line(scale, 0.95)) {}
            path class="p50" d=(self.line(scale, 0.5)) {}
        }
    }

    /// From p50 to p99 of failures and of unknown outcomes, apart.
    pub(super) fn rest(&self) -> Markup {
        let panel = self.rest;
        let scale = self.decades(panel, |stretch| [&stretch.latencies.fail, &stretch.latencies.info]);
        let legend = [("fail", "fail"), ("info", "info, until the client gave up")];
        html! {
            (head(panel, "Latency of the others, from p50 (dot) to p99", &legend))
            @for (tick, label) in decades(scale) { (grid(panel, scale, tick, &label)) }
            @for (index, stretch) in self.traces.stretches.iter().enumerate() {
                (self.whisker("fail", index, -1.2, scale, &stretch.latencies.fail))
                (self.whisker("info", index, 1.2, scale, &stretch.latencies.info))
            }
        }
    }

    fn whisker(&self, class: &str, index: usize, aside: f64, scale: Scale, latencies: &Latencies) -> Markup {
        let x = coordinate(self.middle(index) + aside);
        let [low, high] = [0.5, 0.99].map(|share| scale.place(latencies.quantile_ms(share)));
        html! {
            @if latencies.count() > 0 {
                @if low - high > 1.0 {
                    line class={ "whisker " (class) } x1=(x) x2=(x) y1=(coordinate(low)) y2=(coordinate(high)) {}
                }
                circle class=(class) cx=(x) cy=(coordinate(low)) r="1.8" {}
            }
        }
    }

    /// A scale that holds p50 and p99 of these latencies in every stretch.
    fn decades(&self, panel: Panel, pick: for<'s> fn(&'s Stretch) -> [&'s Latencies; 2]) -> Scale {
        let stretches = self.traces.stretches.iter().flat_map(pick).filter(|latencies| latencies.count() > 0);
        let bounds = stretches.map(|latencies| (latencies.quantile_ms(0.5), latencies.quantile_ms(0.99)));
        let (low, high) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((1.0, 10.0));
        Scale::decades((low.max(0.01), high), (panel.bottom, panel.top))
    }

    /// Completed a second, stretch by stretch. The last one is as long as the run reaches into it.
    fn rates(&self, pick: fn(&Counts) -> u64) -> impl Iterator<Item = f64> {
        let traces = self.traces;
        let width = traces.width.as_secs_f64();
        traces.stretches.iter().enumerate().map(move |(index, stretch)| {
            let lasted = traces.end.since(traces.begins(index)).as_secs_f64().clamp(width / 4.0, width);
            pick(&stretch.counts) as f64 / lasted
        })
    }

    /// The area between two counts, in steps: forth along the upper, back along the lower.
    fn area(&self, scale: Scale, lower: fn(&Counts) -> u64, upper: fn(&Counts) -> u64) -> String {
        let edge = |index: usize| coordinate(self.at(self.traces.begins(index).min(self.traces.end)));
        let places = |pick| self.rates(pick).map(|rate| coordinate(scale.place(rate))).collect::<Vec<_>>();
        let (floor, ceiling) = (places(lower), places(upper));
        let forth = ceiling.iter().enumerate().map(|(index, y)| format!("V{y}H{}", edge(index + 1)));
        let back = floor.iter().enumerate().rev().map(|(index, y)| format!("V{y}H{}", edge(index)));
        let bottom = coordinate(scale.place(0.0));
        format!("M{} {bottom}{}{}Z", coordinate(LEFT), forth.collect::<String>(), back.collect::<String>())
    }

    /// A line through the middles of the stretches, broken where nothing succeeded.
    fn line(&self, scale: Scale, share: f64) -> String {
        let mut path = String::new();
        let mut is_broken = true;
        for (index, stretch) in self.traces.stretches.iter().enumerate() {
            let latencies = &stretch.latencies.ok;
            if latencies.count() > 0 {
                let y = coordinate(scale.place(latencies.quantile_ms(share)));
                path.push_str(&format!(
                    "{}{} {y}",
                    if is_broken { "M" } else { "L" },
                    coordinate(self.middle(index))
                ));
            }
            is_broken = latencies.count() == 0;
        }
        path
    }

    /// The area between p50 and p99, a piece for each run of stretches with successes.
    fn range(&self, scale: Scale) -> String {
        let point = |index: usize, share: f64| {
            let latencies = &self.traces.stretches[index].latencies.ok;
            format!(
                "{} {}",
                coordinate(self.middle(index)),
                coordinate(scale.place(latencies.quantile_ms(share)))
            )
        };
        let succeeds = |index: &usize| self.traces.stretches[*index].latencies.ok.count() > 0;
        let indexes: Vec<usize> = (0..self.traces.stretches.len()).filter(succeeds).collect();
        let pieces = indexes.chunk_by(|a, b| a + 1 == *b).map(|piece| {
            let there = piece.iter().map(|index| point(*index, 0.99));
            let back = piece.iter().rev().map(|index| point(*index, 0.5));
            format!("M{}Z", there.chain(back).collect::<Vec<_>>().join("L"))
        });
        pieces.collect()
    }

    fn middle(&self, index: usize) -> f64 {
        let traces = self.traces;
        let end = traces.begins(index + 1).min(traces.end);
        (self.at(traces.begins(index)) + self.at(end)) / 2.0
    }
}

/// The decades of a latency scale with their names, as many as have room.
fn decades(scale: Scale) -> Vec<(f64, String)> {
    let mut last = f64::MAX;
    let mut named = Vec::new();
    for tick in scale.ticks(0) {
        let y = scale.place(tick);
        let has_room = last - y >= 15.0;
        last = if has_room { y } else { last };
        named.push((tick, if has_room { millis(tick) } else { String::new() }));
    }
    named
}

/// A latency beside an axis.
fn millis(tick: f64) -> String {
    if tick >= 1e3 { format!("{} s", significant(tick / 1e3)) } else { format!("{} ms", significant(tick)) }
}

fn grid(panel: Panel, scale: Scale, tick: f64, label: &str) -> Markup {
    let y = scale.place(tick);
    // The name of the lowest line would touch the axis below, that of the highest the words above.
    let y_label = (y + 4.0).min(panel.bottom).max(panel.top + 8.0);
    html! {
        line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(coordinate(y)) y2=(coordinate(y)) {}
        text class="soft end" x=(LEFT - 8.0) y=(coordinate(y_label)) { (label) }
    }
}

fn head(panel: Panel, name: &str, legend: &[Entry]) -> Markup {
    let y = panel.top - 8.0;
    let mut at = LEFT + 7.1 * name.chars().count() as f64 + 22.0;
    let mut entries = Vec::new();
    for (class, name) in legend {
        entries.push((at, *class, *name));
        at += 5.7 * name.chars().count() as f64 + 32.0;
    }
    html! {
        text class="head" x=(LEFT) y=(coordinate(y)) { (name) }
        @for (x, class, name) in entries {
            rect class=(class) x=(coordinate(x)) y=(coordinate(y - 9.0)) width="10" height="10" rx="2" {}
            text class="soft" x=(coordinate(x + 14.0)) y=(coordinate(y)) { (name) }
        }
    }
}
