//! The page's words: the verdict, its axes, the figures, the counterexamples, and how to have it all again.
//!
//! Next: [`tables`], what was counted and what was broken.

mod tables;

use maud::{Markup, html};
use rashomon_histories::Nanos;
use serde_json::Value;

use super::Page;
use super::timeline::{Marks, timeline};
use crate::drawing::text::{counted, grouped, legible, span};
use crate::exit::Outcome;
use crate::explain::case::Case;
use crate::explain::picture;
use crate::run::report::{LOCAL_READS, Report};
use crate::run::verdict::Safety;

/// Most counterexamples that are drawn.
const CASES_DRAWN: usize = 5;

/// Most violations that are told beyond those.
const CASES_TOLD: usize = 40;

/// What the page says first.
pub(super) struct Verdict {
    /// In capitals.
    pub(super) word: &'static str,
    /// `good`, `bad` or `unsure`.
    mood: &'static str,
    /// The sentence that says what broke first, or that nothing did.
    sentence: String,
}

impl Page {
    pub(super) fn sections(&self) -> Markup {
        html! {
            (self.opening())
            @if let Some(report) = &self.report { (axes(report)) }
            (self.figures())
            @if self.traces.counts.total() > 0 || !self.traces.spans.faults.is_empty() {
                h2 { "The run over time" }
                div class="picture" { (timeline(&self.traces, self.marks())) }
            }
            (self.counterexamples())
            (self.faults())
            (self.counts())
            (self.again())
            (self.closing())
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        let Some(report) = &self.report else {
            let sentence = "The run left no verdict. `rashomon check` judges what was recorded.".to_owned();
            return Verdict { word: "NOT JUDGED", mood: "unsure", sentence };
        };
        let axes = &report.axes;
        let passed = report.code == Outcome::Passed.code();
        let first = |problems: &[&[String]], otherwise: &str| {
            problems
                .iter()
                .flat_map(|problems| problems.iter())
                .next()
                .cloned()
                .unwrap_or(otherwise.to_owned())
        };
        let (word, mood, sentence) = match &axes.safety {
            Safety::Invalid => {
                let violation = report.violations.first().and_then(|violation| violation.sentences.first());
                let otherwise = "No order of events explains what the clients saw.".to_owned();
                ("VIOLATION", "bad", violation.cloned().unwrap_or(otherwise))
            }
            Safety::Diverged { story } | Safety::Unsound { story, .. } => ("VIOLATION", "bad", story.clone()),
            Safety::Valid if passed => {
                ("PASSED", "good", "One order of events explains what every client saw.".to_owned())
            }
            Safety::Valid => {
                let missed = [&axes.harness.failures[..], &axes.recovery.missed, &axes.coverage.missed];
                ("NOT PASSED", "unsure", first(&missed, "The run was cut short."))
            }
            Safety::Undecided { reason } => {
                ("UNDECIDED", "unsure", format!("The judge ran out of its budget: {reason}."))
            }
            Safety::Unjudged => {
                ("NOT JUDGED", "unsure", first(&[&axes.harness.failures], "There was nothing to judge."))
            }
        };
        Verdict { word, mood, sentence: legible(&capitalised(&sentence), 1_200) }
    }

    fn opening(&self) -> Markup {
        let Verdict { word, mood, sentence } = self.verdict();
        html! {
            div class="top" {
                span { strong { "Rashomon" } " · " (legible(&self.name, 120)) }
                span { (self.subject()) }
            }
            section class={ "verdict " (mood) } {
                div class="word" { (word) }
                h1 { (sentence) }
                @if let Some(report) = &self.report {
                    @if report.violations.len() > 1 {
                        p { "So it is on " (counted(report.violations.len() as u64, "key")) " of "
                            (grouped(report.keys_judged as u64)) "; this was the first." }
                    }
                    @if report.reads_locally { p { (capitalised(LOCAL_READS)) "." } }
                    @if !report.defects.is_empty() {
                        p { "Planted bugs were on: " strong { (report.defects.join(", ")) } "." }
                    }
                    @if report.axes.harness.interrupted {
                        p { "A person ended the run early; what was recorded until then was judged." }
                    }
                }
                @for remark in &self.remarks { p class="remark" { (legible(remark, 600)) } }
            }
        }
    }

    /// What was tested, in a line.
    fn subject(&self) -> String {
        let text = |name: &str| self.plan.get(name).and_then(Value::as_str).map(|text| legible(text, 60));
        let number = |name: &str| self.plan.get(name).and_then(Value::as_u64);
        let mut words = Vec::new();
        if let Some(system) = text("system") {
            let protocol = text("protocol").map(|protocol| format!(" ({protocol})")).unwrap_or_default();
            let nodes = number("nodes").map(|nodes| format!("{nodes} × ")).unwrap_or_default();
            words.push(format!("{nodes}{system}{protocol}"));
        }
        words.extend(text("workload").map(|workload| format!("workload {workload}")));
        words.extend(number("clients").map(|clients| counted(clients, "client")));
        words.extend(number("seed").map(|seed| format!("seed {seed}")));
        words.join(" · ")
    }

    fn marks(&self) -> Marks {
        let Some(report) = &self.report else { return Marks::default() };
        Marks {
            gap: Some((report.measures.gap_at, report.measures.gap_ns_max)),
            violation: report.violations.first().map(|violation| violation.at),
        }
    }

    fn figures(&self) -> Markup {
        let traces = &self.traces;
        let counts = &traces.counts;
        let latency = |share: f64| span(Nanos((traces.total.ok.quantile_ms(share) * 1e6) as u64));
        let report = self.report.as_ref();
        html! {
            div class="figures" {
                (figure("operations", &grouped(counts.total()), &format!(
                    "{} ok, {} fail, {} info", grouped(counts.ok), grouped(counts.fail), grouped(counts.info)
                )))
                @if let Some(report) = report {
                    (figure("a second", &grouped(report.measures.operations_per_second.round() as u64), "completed, over the whole run"))
                }
                @if counts.ok > 0 {
                    (figure("latency of successes", &latency(0.5), &format!(
                        "p50; p95 {}, p99 {}, longest {}", latency(0.95), latency(0.99), latency(1.0)
                    )))
                }
                @if let Some(report) = report {
                    (figure("longest gap", &span(report.measures.gap_ns_max), &format!(
                        "without a success, from {} on", report.measures.gap_at
                    )))
                    @if let Some(recovery) = report.measures.recovery_ns {
                        (figure("recovery", &span(recovery), "from the last heal to the first success"))
                    }
                    (figure("judged", &counted(report.keys_judged as u64, "key"), &format!(
                        "verdict {} after the last operation", span(Nanos::from_millis(report.judged_ms))
                    )))
                }
            }
        }
    }

    fn counterexamples(&self) -> Markup {
        let told = self.cases.iter().skip(CASES_DRAWN).take(CASES_TOLD);
        let untold = self.cases.len().saturating_sub(CASES_DRAWN + CASES_TOLD);
        html! {
            @if let Some((first, others)) = self.cases.split_first() {
                h2 { "Why no order explains it" }
                (case(first))
                @if !others.is_empty() { h3 { "The other keys" } }
                @for other in others.iter().take(CASES_DRAWN - 1) {
                    details { summary { (headline(other)) } (case(other)) }
                }
                @for other in told { p class="small" { (headline(other)) } }
                @if untold > 0 { p class="small soft" { "And " (counted(untold as u64, "key")) " more, in verdict.json." } }
            }
        }
    }

    fn again(&self) -> Markup {
        html! {
            @if let Some(report) = &self.report {
                h2 { "Run it again" }
                pre { (legible(&report.command, 4_000)) }
                p class="small soft" {
                    "The plan and the seed decide what is asked and what breaks; processes and networks decide when. "
                    code { "rashomon check" } " on this folder judges the same history again, "
                    code { "rashomon explain" } " tells a counterexample, "
                    code { "rashomon report" } " writes this page."
                }
            }
            @if !self.plan.is_empty() {
                h2 { "The plan" }
                div class="scroll" { table class="plan" {
                    @for (name, value) in &self.plan {
                        tr { td { (legible(&name.replace('_', " "), 60)) } td class="mono" { (setting(value)) } }
                    }
                } }
            }
        }
    }

    fn closing(&self) -> Markup {
        html! {
            footer {
                "Written by rashomon " (env!("CARGO_PKG_VERSION"))
                @if let Some(report) = &self.report {
                    "; verdict of format " (report.format) ", plan " code { (legible(&report.plan_hash, 12)) }
                }
                ". The figures are of this one run. Everything on this page is in this one file."
            }
        }
    }
}

fn axes(report: &Report) -> Markup {
    let axes = &report.axes;
    let harness_is_sound = axes.harness.failures.is_empty();
    let safety = match &axes.safety {
        Safety::Valid => ("good", "valid", vec!["A linearization of every key was found.".to_owned()]),
        Safety::Invalid => (
            "bad",
            "invalid",
            vec![format!("{} without an order.", counted(report.violations.len() as u64, "key"))],
        ),
        Safety::Diverged { story } => ("bad", "diverged", vec![story.clone()]),
        Safety::Unsound { story, .. } => ("bad", "unsound", vec![story.clone()]),
        Safety::Undecided { reason } => ("unsure", "undecided", vec![reason.clone()]),
        Safety::Unjudged => ("unsure", "not judged", Vec::new()),
    };
    let harness = match harness_is_sound {
        true => ("good", "sound", vec!["What was measured can be believed.".to_owned()]),
        false => ("bad", "failed", axes.harness.failures.clone()),
    };
    // A run that ended before its time is not held against the plan's bars.
    let cut_short = axes.harness.interrupted || axes.safety == Safety::Invalid || !harness_is_sound;
    let bar = |missed: &[String], met: &str| match (missed, cut_short) {
        ([], true) => {
            ("soft", "not held against the plan", vec!["The run ended before its time.".to_owned()])
        }
        ([], false) => ("good", "met", vec![met.to_owned()]),
        _ => ("unsure", "missed", missed.to_vec()),
    };
    let covered = match report.measures.faults.is_empty() {
        true => "The plan names no fault.",
        false => "Every fault of the plan was measured to bite.",
    };
    let coverage = bar(&axes.coverage.missed, covered);
    let recovery = bar(&axes.recovery.missed, "The system came back within the plan's bar.");
    html! {
        div class="axes" {
            (axis("Safety", &safety))
            (axis("Coverage", &coverage))
            (axis("Recovery", &recovery))
            (axis("Harness", &harness))
        }
    }
}

fn axis(name: &str, (mood, state, words): &(&str, &str, Vec<String>)) -> Markup {
    html! {
        div class={ "card " (mood) } {
            div class="name" { (name) }
            div class="state" { (state) }
            @for sentence in words.iter().take(4) { p { (legible(&capitalised(sentence), 500)) } }
            @if words.len() > 4 { p class="soft" { "and " (words.len() - 4) " more" } }
        }
    }
}

fn figure(name: &str, number: &str, note: &str) -> Markup {
    html! {
        div class="card" {
            div class="name" { (name) }
            div class="number" { (number) }
            p class="soft" { (note) }
        }
    }
}

fn case(case: &Case) -> Markup {
    html! {
        @if !case.operations.is_empty() {
            div class="picture" { (picture::within(case)) }
            @if let Some(caption) = case.caption() { p class="small soft" { (caption) " Time is stretched where much happens." } }
        }
        ul class="story" {
            @for sentence in case.sentences.iter().skip(1) { li { (sentence) } }
        }
    }
}

fn headline(case: &Case) -> String {
    let sentence = case.sentences.first().map_or("no order of its operations exists", String::as_str);
    format!("{}: {sentence}", case.key)
}

fn setting(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(members) if members.is_empty() => "none".to_owned(),
        Value::Array(members) => members.iter().map(setting).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    legible(&text, 400)
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
