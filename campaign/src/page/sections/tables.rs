//! What was broken, with its evidence, and what was counted.

use std::collections::BTreeMap;

use maud::{Markup, html};
use smol_str::SmolStr;

use crate::drawing::spans::FaultSpan;
use crate::drawing::text::{counted, grouped, legible, span};
use crate::page::Page;
use crate::page::traces::Latencies;
use crate::run::measure::Counts;

/// Most faults that are listed one by one.
const FAULTS_MAX: usize = 200;

impl Page {
    pub(super) fn faults(&self) -> Markup {
        let faults = &self.traces.spans.faults;
        html! {
            h2 { "What was broken" }
            @if faults.is_empty() {
                p { "No fault was begun." }
            } @else {
                div class="scroll" { table {
                    tr {
                        th class="n" { "#" } th { "fault" } th { "whom it hit" } th class="n" { "from" }
                        th class="n" { "for" } th { "bit" } th { "evidence" }
                    }
                    @for (index, fault) in faults.iter().take(FAULTS_MAX).enumerate() { (row(index, fault)) }
                } }
                @if faults.len() > FAULTS_MAX {
                    p class="small soft" { "And " (counted((faults.len() - FAULTS_MAX) as u64, "fault")) " more, in history.jsonl." }
                }
            }
            @if let Some(report) = self.report.as_ref().filter(|report| !report.doubts.is_empty()) {
                details {
                    summary class="small" { "Why some were skipped or are in doubt" }
                    ul class="small" { @for doubt in report.doubts.iter().take(30) { li { (legible(doubt, 400)) } } }
                }
            }
        }
    }

    pub(super) fn counts(&self) -> Markup {
        let traces = &self.traces;
        html! {
            @if traces.counts.total() > 0 {
                h2 { "What was counted" }
                div class="tables" {
                    (table("operation", &traces.by_f))
                    @if !traces.by_node.is_empty() { (table("node asked", &traces.by_node)) }
                    @if !traces.errors.is_empty() { (table("error", &traces.errors)) }
                    (self.latencies())
                }
            }
        }
    }

    fn latencies(&self) -> Markup {
        let total = &self.traces.total;
        let kinds = [("ok", &total.ok), ("fail", &total.fail), ("info", &total.info)];
        html! {
            div class="scroll" { table {
                tr {
                    th { "latency" } th class="n" { "p50" } th class="n" { "p95" } th class="n" { "p99" } th class="n" { "longest" }
                }
                @for (name, latencies) in kinds.iter().filter(|(_, latencies)| latencies.count() > 0) {
                    tr {
                        td { (name) }
                        @for share in [0.5, 0.95, 0.99, 1.0] { td class="n" { (quantile(latencies, share)) } }
                    }
                }
            } }
        }
    }
}

fn quantile(latencies: &Latencies, share: f64) -> String {
    span(rashomon_histories::Nanos((latencies.quantile_ms(share) * 1e6) as u64))
}

fn row(index: usize, fault: &FaultSpan) -> Markup {
    let lasted = fault.ended.map_or("to the end".to_owned(), |ended| span(ended.since(fault.begun)));
    let number = fault.id.unwrap_or(index as i64 + 1);
    let is_installed = fault.outcome == "installed";
    html! {
        tr {
            td class="n" { (number) }
            td class="nowrap" { span class="swatch" style={ "background:" (fault.colour()) } {} (fault.name) }
            td { (fault.story) }
            td class="n" { (fault.begun) }
            td class="n" { (lasted) }
            td { @if is_installed { "yes" } @else { span class="doubt" { (fault.outcome) } } }
            td {
                @if let Some(reason) = &fault.reason { div class="doubt" { (reason) } }
                @if let Some(doubt) = &fault.heal_doubt { div class="doubt" { "heal: " (doubt) } }
                (evidence(fault))
            }
        }
    }
}

/// The first measurement at once, the others on demand.
fn evidence(fault: &FaultSpan) -> Markup {
    let Some((first, rest)) = fault.evidence.split_first() else { return html! {} };
    html! {
        @if rest.is_empty() && fault.heal.is_empty() { (first) } @else {
            details {
                summary { (first) }
                @for line in rest { div { (line) } }
                @for line in &fault.heal { div { "then " (line) } }
            }
        }
    }
}

fn table(of: &str, names: &BTreeMap<SmolStr, Counts>) -> Markup {
    let mut rows: Vec<(&SmolStr, &Counts)> = names.iter().collect();
    rows.sort_by_key(|(name, counts)| (std::cmp::Reverse(counts.total()), (*name).clone()));
    html! {
        div class="scroll" { table {
            tr { th { (of) } th class="n" { "ok" } th class="n" { "fail" } th class="n" { "info" } }
            @for (name, counts) in rows {
                tr {
                    td { (legible(name, 60)) }
                    td class="n" { (grouped(counts.ok)) }
                    td class="n" { (grouped(counts.fail)) }
                    td class="n" { (grouped(counts.info)) }
                }
            }
        } }
    }
}
