//! `rashomon list`: what there is to choose from. Every list is fed by the registry that the program itself uses.

use rashomon_checker::models::REGISTRY;
use rashomon_nemesis::timeline::library;
use rashomon_node::defect::Defect;
use serde::Serialize;

use crate::cli::ListArgs;
use crate::exit::{BadInput, Outcome};
use crate::replay::given::Given;
use crate::systems::System;
use crate::zoo::processes::arguments_of;

/// One line of a list.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    doc: String,
}

impl Entry {
    fn new(name: impl Into<String>, doc: impl Into<String>) -> Self {
        Entry { name: name.into(), doc: doc.into() }
    }
}

type List = (&'static str, fn() -> Vec<Entry>);

const LISTS: [List; 7] = [
    ("systems", systems),
    ("workloads", workloads),
    ("faults", faults),
    ("timelines", timelines),
    ("models", models),
    ("defects", defects),
    ("codes", codes),
];

/// `rashomon list`.
///
/// # Errors
/// [`BadInput`] when there is no such list.
pub fn command(args: &ListArgs) -> anyhow::Result<Outcome> {
    let chosen: Vec<List> = match &args.what {
        None => LISTS.to_vec(),
        Some(what) => vec![*LISTS.iter().find(|(name, _)| name == what).ok_or_else(|| {
            let known = LISTS.map(|(name, _)| name).join(", ");
            BadInput(format!("there is no list of {what:?}; there are {known}"))
        })?],
    };
    if args.json {
        let lists: serde_json::Map<String, serde_json::Value> = chosen
            .iter()
            .map(|(name, entries)| Ok(((*name).to_owned(), serde_json::to_value(entries())?)))
            .collect::<Result<_, serde_json::Error>>()?;
        println!("{}", serde_json::to_string_pretty(&lists)?);
        return Ok(Outcome::Passed);
    }
    for (name, entries) in chosen {
        println!("{name}");
        for Entry { name, doc } in entries() {
            println!("  {name:<22} {doc}");
        }
        println!();
    }
    Ok(Outcome::Passed)
}

fn systems() -> Vec<Entry> {
    System::built_in().map(|system| Entry::new(system.name(), system.doc())).collect()
}

fn workloads() -> Vec<Entry> {
    rashomon_workloads::registry()
        .iter()
        .map(|workload| Entry::new(workload.name(), workload.doc()))
        .collect()
}

fn faults() -> Vec<Entry> {
    rashomon_nemesis::fault::ALL.iter().map(|fault| Entry::new(fault.name(), fault.doc())).collect()
}

fn timelines() -> Vec<Entry> {
    let about = |name| Given::timeline(name).map(|given| given.about()).unwrap_or_default();
    library::names().map(|name| Entry::new(name, about(name))).collect()
}

fn models() -> Vec<Entry> {
    REGISTRY.iter().map(|entry| Entry::new(entry.name, entry.about)).collect()
}

fn defects() -> Vec<Entry> {
    Defect::ALL
        .iter()
        .map(|defect| {
            let description = defect.description();
            let reach = match description.reachable {
                true => format!(" `{}`", command_for(*defect)),
                false => " Not within a minute of real processes: the simulated world's.".to_owned(),
            };
            let doc = format!(
                "{} ({}; shown by {}).{reach}",
                description.title,
                description.rule,
                description.faults.join(", ")
            );
            Entry::new(description.id, doc)
        })
        .collect()
}

/// The run that shows it.
fn command_for(defect: Defect) -> String {
    format!("rashomon run {}", arguments_of(defect, &[]).join(" "))
}

fn codes() -> Vec<Entry> {
    Outcome::ALL.iter().map(|outcome| Entry::new(outcome.code().to_string(), outcome.doc())).collect()
}
