//! What the nemesis did and who led, read back from the nemesis's events as spans of time.
//!
//! What is not understood (a record of another version, or of another tool) is shown as it stands, never dropped.

use rashomon_histories::{Event, Nanos, Process, Value};
use rashomon_nemesis::{Evidence, Report, fault};
use smol_str::SmolStr;

use super::text::{counted, legible, span};
use crate::run::measure::HEALED;

/// Name of the nemesis event that says which node leads from then on, as far as a probe saw.
pub const LEADER: &str = "leader";

/// Longest story, reason or evidence that is shown, in characters.
const WORDS_MAX: usize = 400;

/// One fault, from its first action to the proof of its heal.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpan {
    /// Its number in the run, when the record has one.
    pub id: Option<i64>,
    /// Its name.
    pub name: String,
    /// Whom it hit and why.
    pub story: String,
    /// `installed`, `skipped` or `indeterminate`.
    pub outcome: String,
    /// Why it was skipped or is in doubt.
    pub reason: Option<String>,
    /// When its first action was begun.
    pub begun: Nanos,
    /// When it was measured to bite.
    pub measured: Nanos,
    /// When its heal was measured, or another fault took its place; none: in force to the end of the record.
    pub ended: Option<Nanos>,
    /// What was measured when it began.
    pub evidence: Vec<String>,
    /// What was measured when it ended.
    pub heal: Vec<String>,
    /// How its heal came out, when it was not proven.
    pub heal_doubt: Option<String>,
}

impl FaultSpan {
    /// The colour of its band, `#rrggbb`.
    pub fn colour(&self) -> &'static str {
        fault::find(&self.name).map_or("#6b7280", |fault| fault.legend().colour)
    }

    /// A word for its band.
    pub fn label(&self) -> String {
        fault::find(&self.name).map_or_else(|_| self.name.clone(), |fault| fault.legend().label.to_owned())
    }

    /// Whether it was in force at some time between these moments, surely or perhaps.
    pub fn overlaps(&self, from: Nanos, to: Nanos) -> bool {
        self.outcome != "skipped" && self.begun <= to && self.ended.is_none_or(|ended| ended >= from)
    }

    /// The fault in a few words: `partition: the minority n1, n5`.
    pub fn title(&self) -> String {
        if self.story.is_empty() { self.name.clone() } else { format!("{}: {}", self.name, self.story) }
    }
}

/// Who led from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    /// From when on, as far as the probe saw.
    pub from: Nanos,
    /// The node.
    pub node: String,
    /// In which term; none when the system has no terms.
    pub term: Option<i64>,
}

/// All that the nemesis's events say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spans {
    /// The faults, in the order in which they were measured.
    pub faults: Vec<FaultSpan>,
    /// The leaders, in order.
    pub leads: Vec<Lead>,
    /// When everything was measured to be healed.
    pub healed: Option<Nanos>,
}

impl Spans {
    /// Takes one more event; those of clients say nothing here.
    pub fn admit(&mut self, event: &Event) {
        if event.process != Process::Nemesis {
            return;
        }
        match (event.f.as_str(), event.value.get("phase").and_then(Value::as_text)) {
            (HEALED, _) => self.heal_all(event.time),
            (LEADER, _) => self.lead(event),
            (_, Some("end")) => self.end(event),
            _ => self.begin(event),
        }
    }

    fn heal_all(&mut self, time: Nanos) {
        self.healed = Some(time);
        for fault in &mut self.faults {
            fault.ended.get_or_insert(time);
        }
    }

    fn lead(&mut self, event: &Event) {
        let Some(node) = event.value.get("node").and_then(Value::as_text) else { return };
        let term = event.value.get("term").and_then(Value::as_int);
        self.leads.push(Lead { from: event.time, node: legible(node, 40), term });
    }

    fn begin(&mut self, event: &Event) {
        if let Some(replaced) = number(&event.value, "replaces") {
            self.close(Some(replaced), &event.f, event.time);
        }
        self.faults.push(FaultSpan {
            id: number(&event.value, "id"),
            name: legible(&event.f, 60),
            story: text(&event.value, "story").unwrap_or_default(),
            outcome: text(&event.value, "outcome").unwrap_or_else(|| "indeterminate".to_owned()),
            reason: text(&event.value, "reason"),
            begun: since(event),
            measured: event.time,
            ended: None,
            evidence: evidence(&event.value),
            heal: Vec::new(),
            heal_doubt: None,
        });
    }

    fn end(&mut self, event: &Event) {
        let Some(fault) = self.close(number(&event.value, "id"), &event.f, event.time) else { return };
        fault.heal = evidence(&event.value);
        if event.value.get("outcome").and_then(Value::as_text) != Some("installed") {
            fault.heal_doubt = text(&event.value, "reason").or(Some("the heal is not proven".to_owned()));
        }
    }

    /// The latest open fault of this number; of this name where records have no numbers.
    fn close(&mut self, id: Option<i64>, name: &SmolStr, time: Nanos) -> Option<&mut FaultSpan> {
        let is_it = |fault: &&mut FaultSpan| match id {
            Some(_) => fault.id == id,
            None => fault.name == name.as_str(),
        };
        let fault = self.faults.iter_mut().rev().filter(|fault| fault.ended.is_none()).find(is_it)?;
        fault.ended = Some(time);
        Some(fault)
    }
}

fn number(value: &Value, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_int)
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_text).map(|text| legible(text, WORDS_MAX))
}

fn since(event: &Event) -> Nanos {
    let since = number(&event.value, "since").and_then(|since| u64::try_from(since).ok());
    since.map_or(event.time, Nanos).min(event.time)
}

/// A sentence per action: what was done and what was measured.
fn evidence(value: &Value) -> Vec<String> {
    let actions = value.get("actions").and_then(Value::as_list).unwrap_or_default();
    actions
        .iter()
        .map(|action| {
            let report = serde_json::to_value(action).and_then(serde_json::from_value::<Report>);
            match report {
                Ok(report) => told(&report),
                Err(_) => legible(&action.to_string(), WORDS_MAX),
            }
        })
        .collect()
}

fn told(report: &Report) -> String {
    let deed = legible(&report.action.to_string(), WORDS_MAX);
    let measured = match &report.evidence {
        None => String::new(),
        Some(Evidence::Process(seen)) => {
            format!(": process {}, {} before, {} after", seen.process.pid, seen.before, seen.after)
        }
        Some(Evidence::World(seen)) => format!(": {}", seen.seen),
        Some(Evidence::Asked(seen)) => {
            let leads = seen.leader.map(|leader| format!("; {leader} leads")).unwrap_or_default();
            format!(": {}{leads}", legible(&seen.answer, WORDS_MAX))
        }
        Some(Evidence::Links(seen)) => {
            let mut facts = Vec::new();
            if !seen.cut.is_empty() {
                let dropped = seen.cut.iter().map(|cut| cut.dropped_count).sum();
                let arrived = seen.cut.iter().filter(|cut| cut.arrived).count() as u64;
                facts.push(format!(
                    "{} cut, {} dropped there, {} arrived",
                    counted(seen.cut.len() as u64, "link"),
                    counted(dropped, "packet"),
                    if arrived == 0 { "no probe".to_owned() } else { counted(arrived, "probe") },
                ));
            }
            let lost = seen.open_lost.len() as u64;
            facts.push(format!(
                "{} open, {}",
                counted(seen.open_count.into(), "link"),
                match lost {
                    0 => format!("a probe arrived on each within {}", span(seen.arrived_ns_max)),
                    _ => format!("{} lost", counted(lost, "probe")),
                }
            ));
            format!(": {}", facts.join("; "))
        }
    };
    let doubt = if report.outcome.is_installed() { String::new() } else { format!(" ({})", report.outcome) };
    legible(&format!("{deed}{measured}{doubt}"), WORDS_MAX)
}

#[cfg(test)]
mod tests;
