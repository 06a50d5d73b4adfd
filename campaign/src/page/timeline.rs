//! The run over time as one SVG: who led and what was broken, throughput, latency of successes, latency of the rest.
//!
//! A pure function of the traces. All panels share one time axis; faults stand behind them as bands, so that a dip
//! and its cause are seen together. Next: [`panels`], what each panel holds.

mod panels;

use std::collections::BTreeMap;

use maud::{Markup, html};
use rashomon_histories::Nanos;

use super::traces::{Stretch, Traces};
use crate::drawing::scale::Scale;
use crate::drawing::spans::{FaultSpan, Lead};
use crate::drawing::text::{coordinate, grouped, legible, significant, span};

/// The style of every timeline in a document; a page includes it once.
pub const STYLE: &str = include_str!("timeline.css");

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
/// Height of a row of faults.
const ROW: f64 = 18.0;
/// Most rows of faults that stand below each other; more overlap in the last.
const ROWS_MAX: usize = 8;
/// Most faults, and most leaders, that are drawn one by one with their names.
const DRAWN_MAX: usize = 250;
/// Height of the words above a panel.
const HEAD: f64 = 26.0;
/// Width of a small character.
const SMALL: f64 = 6.0;

/// Moments to be marked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    /// The longest time without a success: when it began and how long it was.
    pub gap: Option<(Nanos, Nanos)>,
    /// When the first violation was complete.
    pub violation: Option<Nanos>,
}

/// A panel's borders.
#[derive(Clone, Copy, Debug)]
struct Panel {
    top: f64,
    bottom: f64,
}

struct Timeline<'a> {
    traces: &'a Traces,
    marks: Marks,
    time: Scale,
    /// Each fault with its row.
    faults: Vec<(usize, &'a FaultSpan)>,
    strip: Panel,
    throughput: Panel,
    latency: Panel,
    rest: Panel,
}

/// Draws the run.
pub fn timeline(traces: &Traces, marks: Marks) -> Markup {
    let timeline = Timeline::of(traces, marks);
    let height = timeline.rest.bottom + 36.0;
    html! {
        svg class="time" viewBox={ "0 0 " (WIDTH) " " (coordinate(height)) } role="img"
            aria-label="Faults, throughput and latency over time" {
            (timeline.bands())
            (timeline.strip())
            (timeline.throughput())
            (timeline.latency())
            (timeline.rest())
            (timeline.axis())
            (timeline.marks())
            (timeline.tooltips())
        }
    }
}

impl<'a> Timeline<'a> {
    fn of(traces: &'a Traces, marks: Marks) -> Self {
        let time = Scale::linear((0.0, traces.end.as_secs_f64()), (LEFT, WIDTH - RIGHT));
        let faults = rows(&traces.spans.faults);
        let rows = faults.iter().map(|(row, _)| row + 1).max().unwrap_or(0)
            + usize::from(!traces.spans.leads.is_empty());
        let strip = Panel { top: 4.0, bottom: 4.0 + ROW * rows as f64 };
        let below = |above: Panel, height: f64| {
            let top = above.bottom + HEAD;
            Panel { top, bottom: top + height }
        };
        let throughput = below(strip, 150.0);
        let latency = below(throughput, 150.0);
        let rest = below(latency, 90.0);
        Timeline { traces, marks, time, faults, strip, throughput, latency, rest }
    }

    fn at(&self, time: Nanos) -> f64 {
        self.time.place(time.as_secs_f64())
    }

    /// From where to where a fault reaches.
    fn reach(&self, fault: &FaultSpan) -> (f64, f64) {
        let from = self.at(fault.begun);
        let to = self.at(fault.ended.unwrap_or(self.traces.end));
        (from, to.max(from + 1.5))
    }

    /// What was broken, behind the panels: each colour once, however many faults there were.
    fn bands(&self) -> Markup {
        let panel = Panel { top: self.strip.bottom, bottom: self.rest.bottom };
        let installed = |fault: &&FaultSpan| fault.outcome != "skipped";
        html! {
            @for (colour, path) in self.merged(installed, |_| panel) {
                path d=(path) fill=(colour) fill-opacity="0.10" {}
            }
        }
    }

    /// The stretches of time that faults of each colour cover, as one path per colour; `panel` says where a colour,
    /// by its place among them, stands.
    fn merged(
        &self,
        pick: impl Fn(&&FaultSpan) -> bool,
        panel: impl Fn(usize) -> Panel,
    ) -> Vec<(&'static str, String)> {
        let mut reaches: BTreeMap<&'static str, Vec<(f64, f64)>> = BTreeMap::new();
        for fault in self.faults.iter().map(|(_, fault)| *fault).filter(pick) {
            let (from, to) = self.reach(fault);
            let reaches = reaches.entry(fault.colour()).or_default();
            match reaches.last_mut().filter(|last| from <= last.1 + 0.5) {
                Some(last) => last.1 = last.1.max(to),
                None => reaches.push((from, to)),
            }
        }
        let mut paths = Vec::new();
        for (place, (colour, reaches)) in reaches.into_iter().enumerate() {
            let Panel { top, bottom } = panel(place);
            let pieces = reaches.into_iter().map(|(from, to)| {
                let [from, to, top, bottom] = [from, to, top, bottom].map(coordinate);
                format!("M{from} {top}H{to}V{bottom}H{from}Z")
            });
            paths.push((colour, pieces.collect()));
        }
        paths
    }

    /// The row of leaders, and the rows of faults.
    fn strip(&self) -> Markup {
        let leads = &self.traces.spans.leads;
        let first = self.strip.top + if leads.is_empty() { 0.0 } else { ROW };
        html! {
            @if !leads.is_empty() {
                text class="soft end" x=(LEFT - 8.0) y=(coordinate(self.strip.top + 12.5)) { "leader" }
            }
            @for (index, lead) in leads.iter().enumerate() {
                @let to = leads.get(index + 1).map_or(WIDTH - RIGHT, |next| self.at(next.from));
                @if leads.len() <= DRAWN_MAX || to - self.at(lead.from) >= 2.0 { (self.lead(lead, to)) }
            }
            @if !self.faults.is_empty() {
                text class="soft end" x=(LEFT - 8.0) y=(coordinate(first + 12.5)) { "faults" }
            }
            @if self.faults.len() <= DRAWN_MAX {
                @for (row, fault) in &self.faults { (self.fault(fault, first + ROW * *row as f64)) }
            } @else {
                @for (colour, path) in self.merged(|_| true, |row| row_panel(first, row)) {
                    path d=(path) fill=(colour) fill-opacity="0.5" {}
                }
            }
        }
    }

    fn lead(&self, lead: &Lead, to: f64) -> Markup {
        let (from, y) = (self.at(lead.from), self.strip.top);
        let term = lead.term.map(|term| format!(" in term {term}")).unwrap_or_default();
        html! {
            g {
                title { (lead.node) " leads" (term) ", as first seen at " (lead.from) }
                rect class="lead" x=(coordinate(from)) y=(coordinate(y + 1.0))
                    width=(coordinate((to - from).max(1.0))) height=(ROW - 3.0) {}
                @if to - from > SMALL * lead.node.chars().count() as f64 + 8.0 {
                    text class="soft" x=(coordinate(from + 4.0)) y=(coordinate(y + 12.5)) { (lead.node) }
                }
            }
        }
    }

    fn fault(&self, fault: &FaultSpan, y: f64) -> Markup {
        let (from, to) = self.reach(fault);
        let name = self.name_of(fault, ((to - from - 8.0) / SMALL).max(0.0) as usize);
        let opacity = if fault.outcome == "installed" { "0.5" } else { "0.15" };
        let lasted = fault.ended.map_or("to the end of the record".to_owned(), |ended| {
            format!("for {}", span(ended.since(fault.begun)))
        });
        html! {
            g {
                title { (fault.title()) " (" (fault.outcome) "), from " (fault.begun) " on " (lasted) }
                rect x=(coordinate(from)) y=(coordinate(y + 1.0)) width=(coordinate(to - from)) height=(ROW - 3.0)
                    rx="2" fill=(fault.colour()) fill-opacity=(opacity) {}
                @if let Some(name) = name {
                    text class="soft" x=(coordinate(from + 4.0)) y=(coordinate(y + 12.5)) style="fill:var(--ink)" { (name) }
                }
            }
        }
    }

    /// As much of its title as has room, but never less than its name.
    fn name_of(&self, fault: &FaultSpan, room: usize) -> Option<String> {
        let least = fault.name.chars().count();
        let title = fault.title();
        match room {
            _ if room < least => None,
            _ if room >= title.chars().count().min(least + 8) => Some(legible(&title, room)),
            _ => Some(fault.name.clone()),
        }
    }

    fn axis(&self) -> Markup {
        let y = self.rest.bottom;
        html! {
            line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(coordinate(y)) y2=(coordinate(y)) {}
            @for tick in self.time.ticks(10) {
                @let x = self.time.place(tick);
                line class="grid" x1=(coordinate(x)) x2=(coordinate(x)) y1=(coordinate(y)) y2=(coordinate(y + 5.0)) {}
                text class="soft mid" x=(coordinate(x)) y=(coordinate(y + 18.0)) {
                    (significant(tick)) @if tick == 0.0 { " s" }
                }
            }
            text class="soft end" x=(WIDTH - RIGHT) y=(coordinate(y + 32.0)) { "seconds since the start of the run" }
        }
    }

    fn marks(&self) -> Markup {
        let (top, bottom) = (self.throughput.top, self.rest.bottom);
        let line = |class: &str, time: Nanos| {
            let x = coordinate(self.at(time));
            html! { line class=(class) x1=(x) x2=(x) y1=(coordinate(top)) y2=(coordinate(bottom)) {} }
        };
        html! {
            @for time in self.changes() { (line("change", time)) }
            @if let Some(healed) = self.traces.spans.healed {
                (line("healed", healed))
                text class="soft healed end" x=(coordinate(self.at(healed) - 4.0)) y=(coordinate(self.rest.top + 12.0)) {
                    "all healed"
                }
            }
            @if let Some((from, length)) = self.marks.gap.filter(|(_, length)| length.0 > 0) { (self.gap(from, length)) }
            @if let Some(violation) = self.marks.violation {
                @let x = self.at(violation);
                @let is_left = x > WIDTH / 2.0;
                (line("violation", violation))
                text class=(if is_left { "violation end" } else { "violation" })
                    x=(coordinate(if is_left { x - 5.0 } else { x + 5.0 })) y=(coordinate(self.latency.top + 12.0)) {
                    "violation"
                }
            }
        }
    }

    /// When the leader changed, no two of them in one place.
    fn changes(&self) -> Vec<Nanos> {
        let mut times: Vec<Nanos> = self.traces.spans.leads.iter().skip(1).map(|lead| lead.from).collect();
        times.dedup_by_key(|time| self.at(*time) as i64);
        times
    }

    fn gap(&self, from: Nanos, length: Nanos) -> Markup {
        let (x, to) = (self.at(from), self.at(from.plus(length)));
        let (top, bottom) = (self.throughput.top, self.throughput.bottom);
        let is_left = x > WIDTH * 0.75;
        html! {
            g {
                title { "longest time without a success: " (span(length)) ", from " (from) " on" }
                rect class="gap" x=(coordinate(x)) y=(coordinate(top)) width=(coordinate((to - x).max(1.0)))
                    height=(coordinate(bottom - top)) {}
                path class="gap-edge" d={ "M" (coordinate(x)) " " (coordinate(top + 5.0)) "V" (coordinate(top))
                    "H" (coordinate(to.max(x + 1.0))) "v5" } {}
                text class=(if is_left { "gap-name end" } else { "gap-name" })
                    x=(coordinate(if is_left { x - 5.0 } else { to + 5.0 })) y=(coordinate(top + 10.0)) {
                    "longest gap " (span(length))
                }
            }
        }
    }

    /// One transparent bar per stretch that tells its figures.
    fn tooltips(&self) -> Markup {
        let traces = self.traces;
        html! {
            @for (index, stretch) in traces.stretches.iter().enumerate().filter(|(_, s)| s.counts.total() > 0) {
                @let from = self.at(traces.begins(index));
                @let to = self.at(traces.begins(index + 1));
                rect class="hit" x=(coordinate(from)) y=(coordinate(self.throughput.top)) width=(coordinate(to - from))
                    height=(coordinate(self.rest.bottom - self.throughput.top)) {
                    title { (traces.begins(index)) ": " (figures(stretch)) }
                }
            }
        }
    }
}

fn figures(stretch: &Stretch) -> String {
    let kinds =
        [("ok", &stretch.latencies.ok), ("fail", &stretch.latencies.fail), ("info", &stretch.latencies.info)];
    let told = kinds.iter().filter(|(_, latencies)| latencies.count() > 0).map(|(name, latencies)| {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| significant(latencies.quantile_ms(share)));
        format!("{} {name} (p50 {p50} ms, p95 {p95} ms, p99 {p99} ms)", grouped(latencies.count()))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// The borders of a row of faults.
fn row_panel(first: f64, row: usize) -> Panel {
    let top = first + ROW * row as f64 + 1.0;
    Panel { top, bottom: top + ROW - 3.0 }
}

/// Each fault in the first row that is free when it begins.
fn rows(faults: &[FaultSpan]) -> Vec<(usize, &FaultSpan)> {
    let mut ends: Vec<Nanos> = Vec::new();
    let mut sorted: Vec<&FaultSpan> = faults.iter().collect();
    sorted.sort_by_key(|fault| fault.begun);
    let place = |fault: &'_ FaultSpan| {
        let end = fault.ended.unwrap_or(Nanos(u64::MAX));
        let row = ends.iter().position(|taken| *taken <= fault.begun).unwrap_or(ends.len()).min(ROWS_MAX - 1);
        ends.resize(ends.len().max(row + 1), end);
        ends[row] = end;
        row
    };
    let rows: Vec<usize> = sorted.iter().copied().map(place).collect();
    rows.into_iter().zip(sorted).collect()
}
