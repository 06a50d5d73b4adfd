//! One counterexample as data to be drawn: its operations, the order that held so far, the step that cannot be, and
//! what was broken meanwhile.
//!
//! It knows events, not models: an operation is shown as what was asked and answered, whatever the model. The
//! sentences are the checker's. Next: [`super::table`] and [`super::picture`].

use rashomon_checker::{Counterexample, Verdict};
use rashomon_histories::{Event, Kind, Nanos, Process, Value};
use serde::Serialize;
use serde_json::json;

use crate::drawing::spans::{FaultSpan, Lead, Spans};
use crate::drawing::text::legible;
use crate::source::{Record, Recorded};

/// Longest label of an operation, in characters.
const LABEL_MAX: usize = 32;

/// The error of an operation that was refused because the state was not what it asked for: an answer all the same.
const REFUSED: &str = "precondition";

/// What part an operation plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It has this place, from 1 on, in an order that is consistent so far.
    Placed(usize),
    /// It has no place in that order, nor in any other.
    Impossible,
    /// It is among those that have no order, and nothing more is known of it.
    Among,
}

/// One operation, told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// The index of its invocation in the history.
    pub id: u64,
    /// Who asked.
    pub process: u64,
    /// Which node was asked.
    pub node: Option<String>,
    /// What was asked, and what was answered.
    pub label: String,
    /// When it was asked.
    pub invoked: Nanos,
    /// When it was answered; none: its outcome is unknown, it may take effect at any later time or never.
    pub returned: Option<Nanos>,
    /// Its part.
    pub part: Part,
}

/// A counterexample, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The key.
    pub key: String,
    /// The first says what broke; the others tell it.
    pub sentences: Vec<String>,
    /// In the order of their invocations.
    pub operations: Vec<Told>,
    /// The state that the consistent order leads to.
    pub state: Option<String>,
    /// Faults that were in force meanwhile.
    pub faults: Vec<FaultSpan>,
    /// Changes of leader meanwhile.
    pub leads: Vec<Lead>,
}

impl Case {
    /// The case of this key. Operations that the record lacks are left out; without any there is nothing to draw, and
    /// the sentences are all there is.
    pub fn new(
        key: &str,
        sentences: &[String],
        found: &Counterexample,
        record: &Record,
        spans: &Spans,
    ) -> Case {
        let prefix = found.prefixes.iter().max_by_key(|prefix| prefix.order_tail.len());
        let order: Vec<u32> = prefix
            .map(|prefix| {
                prefix.order_tail.iter().copied().filter(|id| found.operations.contains(id)).collect()
            })
            .unwrap_or_default();
        let part = |id: u32| {
            let place = order.iter().position(|other| *other == id);
            match (found.impossible, place) {
                (Some(impossible), _) if impossible == id => Part::Impossible,
                (_, Some(place)) => Part::Placed(place + 1),
                (None, None) if found.cycle.contains(&id) => Part::Impossible,
                _ => Part::Among,
            }
        };
        let told = |id: &u32| Told::new(record.get(&u64::from(*id))?, part(*id));
        let mut operations: Vec<Told> = found.operations.iter().filter_map(told).collect();
        operations.sort_by_key(|told| told.id);
        let mut case = Case {
            key: legible(key, 80),
            sentences: sentences.iter().map(|sentence| legible(sentence, 1_000)).collect(),
            operations,
            state: prefix.map(|prefix| legible(&prefix.state, 80)),
            faults: Vec::new(),
            leads: Vec::new(),
        };
        if let Some((from, to)) = case.window() {
            case.faults = spans.faults.iter().filter(|fault| fault.overlaps(from, to)).cloned().collect();
            case.leads =
                spans.leads.iter().filter(|lead| (from..=to).contains(&lead.from)).cloned().collect();
        }
        case
    }

    /// From the first invocation to the last event; none when there are no operations.
    pub fn window(&self) -> Option<(Nanos, Nanos)> {
        let times = || {
            let events = |told: &Told| [Some(told.invoked), told.returned];
            self.operations.iter().flat_map(events).flatten()
        };
        Some((times().min()?, times().max()?))
    }

    /// The processes with the node that each asked, in the order of their first operations.
    pub fn lanes(&self) -> Vec<(u64, Option<String>)> {
        let mut lanes: Vec<(u64, Option<String>)> = Vec::new();
        for told in &self.operations {
            if !lanes.iter().any(|(process, _)| *process == told.process) {
                lanes.push((told.process, told.node.clone()));
            }
        }
        lanes
    }

    /// What the numbers and the cross mean, in a sentence; none when the judge knows no order and no impossible step.
    pub fn caption(&self) -> Option<String> {
        let impossible: Vec<&Told> =
            self.operations.iter().filter(|told| told.part == Part::Impossible).collect();
        let placed = self.operations.iter().filter(|told| matches!(told.part, Part::Placed(_))).count();
        let numbers = match placed {
            0 => String::new(),
            1 => "1: an order".to_owned(),
            _ => format!("1 to {placed}: an order"),
        };
        match (impossible.as_slice(), &self.state) {
            ([], _) => None,
            ([one], Some(state)) if placed > 0 => Some(format!(
                "{numbers} that is consistent so far. It leaves {state}, where “{}” (✗) has no place before it returned.",
                one.label
            )),
            ([one], Some(state)) => {
                Some(format!("At the start the state is {state}, where “{}” (✗) has no place.", one.label))
            }
            ([one], None) => Some(format!("“{}” (✗) has no place in any order.", one.label)),
            _ => Some("Those marked ✗ would each have to come before the next, in a circle.".to_owned()),
        }
    }

    /// The case as JSON, for machines.
    pub fn json(&self) -> serde_json::Value {
        let fault = |fault: &FaultSpan| {
            json!({ "fault": fault.name, "story": fault.story, "outcome": fault.outcome,
                    "begun": fault.begun, "ended": fault.ended })
        };
        json!({
            "verdict": Verdict::Invalid,
            "key": self.key,
            "sentences": self.sentences,
            "operations": self.operations,
            "state": self.state,
            "faults": self.faults.iter().map(fault).collect::<Vec<_>>(),
        })
    }
}

impl Told {
    fn new(recorded: &Recorded, part: Part) -> Option<Told> {
        let Recorded { invoke, completion } = recorded;
        let Process::Client(process) = invoke.process else { return None };
        let known = completion.as_ref().filter(|event| event.kind != Kind::Info);
        Some(Told {
            id: invoke.index,
            process,
            node: invoke.node.as_ref().map(|node| legible(node, 24)),
            label: label(invoke, known),
            invoked: invoke.time,
            returned: known.map(|event| event.time),
            part,
        })
    }
}

/// `write 7`, `read → 7`, `cas 7→8 refused`, `write 7 ?` when nobody knows.
pub(super) fn label(invoke: &Event, completion: Option<&Event>) -> String {
    let asked = match (&invoke.value, completion.map(|event| &event.value)) {
        (Value::Null, None) => String::new(),
        (Value::Null, Some(answer)) => format!(" → {}", shown(answer)),
        (Value::List(pair), _) if invoke.f == "cas" && pair.len() == 2 => {
            format!(" {}→{}", shown(&pair[0]), shown(&pair[1]))
        }
        (asked, Some(answer)) if !answer.is_null() && answer != asked => {
            format!(" {} → {}", shown(asked), shown(answer))
        }
        (asked, _) => format!(" {}", shown(asked)),
    };
    let end = match completion {
        None => " ?",
        Some(event) if event.kind == Kind::Fail && event.error.as_deref() == Some(REFUSED) => " refused",
        Some(event) if event.kind == Kind::Fail => " failed",
        Some(_) => "",
    };
    let room = LABEL_MAX - end.len();
    format!("{}{end}", legible(&format!("{}{asked}", invoke.f), room))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Text(text) => text.to_string(),
        other => other.to_string(),
    }
}
