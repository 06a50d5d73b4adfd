//! A saved case: one finding, shrunk, as a file that can be repeated for as long as the project lives.
//!
//! `histories/bugbase/` holds them; a test repeats each that belongs to the simulator. A file is JSON, one fault or
//! operation a line, and begins with its story.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rate::Rate;
use crate::exit::BadInput;
use crate::explain::load::read_json;
use crate::plan::Plan;
use crate::replay::pinned::Pinned;
use crate::run::verdict::Safety;

/// What broke: two findings of one signature are taken for the same bug.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The protocol, or the system.
    pub protocol: String,
    /// The check that failed: `linearizability`, `divergence`, or the name of an invariant.
    pub check: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// For people: what happens, fault by fault.
    pub story: Vec<String>,
    /// How it must fail.
    pub signature: Signature,
    /// What to repeat.
    #[serde(flatten)]
    pub subject: Subject,
}

/// What to repeat, and in which world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "world", rename_all = "lowercase")]
pub enum Subject {
    /// Real processes.
    Processes {
        /// How often it failed when it was saved.
        reproduced: Rate,
        /// The plan, with the faults as a script.
        plan: Box<Plan>,
    },
    /// The simulated world.
    Simulator {
        /// All of it.
        run: Box<Pinned>,
    },
}

impl Signature {
    /// Of a run on real processes; `None` where nothing was violated.
    pub fn of(plan: &Plan, safety: &Safety) -> Option<Signature> {
        let check = match safety {
            Safety::Invalid => "linearizability",
            Safety::Diverged { .. } => "divergence",
            Safety::Unsound { invariant, .. } => invariant,
            Safety::Valid | Safety::Undecided { .. } | Safety::Unjudged => return None,
        };
        let protocol = plan.protocol.clone().unwrap_or_else(|| plan.system.clone());
        Some(Signature { protocol, check: check.to_owned() })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.check, self.protocol)
    }
}

impl Case {
    /// The case in this file.
    ///
    /// # Errors
    /// [`BadInput`] when it cannot be read as one.
    pub fn load(path: &Path) -> Result<Case, BadInput> {
        read_json(path).map_err(BadInput)
    }

    /// Saves it in this folder, under a name made of what it is; answers the path. An equal name is replaced: it
    /// is the same defect, check and seed, shrunk again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let path = folder.join(format!("{}.json", self.name()));
        std::fs::write(&path, self.to_text())
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(path)
    }

    /// A short name: protocol, defects, check, seed.
    pub fn name(&self) -> String {
        let (defects, seed) = match &self.subject {
            Subject::Processes { plan, .. } => (plan.defects.join("-"), plan.seed),
            Subject::Simulator { run } => (run.planted().join("-"), run.seed),
        };
        let Signature { protocol, check } = &self.signature;
        let defects = if defects.is_empty() { "sound".to_owned() } else { defects };
        let world = self.subject.world();
        let words = format!("{protocol}-{defects}-{check}-{world}-seed{seed}");
        words.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    }

    /// As it stands in the file.
    pub fn to_text(&self) -> String {
        let value = serde_json::to_value(self).expect("a case is plain data with text keys");
        let mut text = String::new();
        write_value(&mut text, &value, 0);
        text.push('\n');
        text
    }
}

impl Subject {
    fn world(&self) -> &'static str {
        match self {
            Subject::Processes { .. } => "processes",
            Subject::Simulator { .. } => "simulator",
        }
    }
}

/// The fields that a file begins with.
const FIRST: [&str; 2] = ["signature", "story"];

/// JSON for people and for diffs: what fits a line is on one line.
fn write_value(text: &mut String, value: &Value, depth: usize) {
    const LINE: usize = 160;
    let compact = value.to_string();
    let (open, close, parts): (_, _, Vec<(Option<&String>, &Value)>) = match value {
        Value::Object(fields) if compact.len() + depth > LINE || depth == 0 => {
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| (Some(name), value)).collect();
            fields.sort_by_key(|(name, _)| !FIRST.iter().any(|first| name.is_some_and(|name| name == first)));
            ('{', '}', fields)
        }
        Value::Array(items) if compact.len() + depth > LINE => {
            ('[', ']', items.iter().map(|value| (None, value)).collect())
        }
        _ => return text.push_str(&compact),
    };
    text.push(open);
    for (index, (name, value)) in parts.into_iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(depth + 1));
        if let Some(name) = name {
            text.push_str(&format!("{}: ", Value::from(name.as_str())));
        }
        write_value(text, value, depth + 1);
    }
    text.push('\n');
    text.push_str(&" ".repeat(depth));
    text.push(close);
}
