//! From a run's folder, or any history, to its cases.
//!
//! What a run found out stands in its folder and is not judged again; a history of anybody's making is judged first.

use std::collections::BTreeSet;
use std::path::Path;

use rashomon_checker::outcome::Prefix;
use rashomon_checker::{Counterexample, Finding, Judgement};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use smol_str::SmolStr;

use super::case::Case;
use crate::drawing::spans::Spans;
use crate::exit::BadInput;
use crate::run::folder::Folder;
use crate::run::judge::{self, Spending, safety};
use crate::run::report::Violation;
use crate::run::tell::tell;
use crate::run::verdict::{Axes, Safety};
use crate::source::{Record, Source, torn};

/// Largest verdict or witness file that is read, in bytes.
const JSON_BYTES_MAX: u64 = 1 << 30;

/// The cases of a history, the earliest first.
pub struct Loaded {
    /// What the judge said.
    pub safety: Safety,
    /// One per key that no order explains.
    pub cases: Vec<Case>,
    /// What is to be known beside: torn lines, files that could not be read.
    pub remarks: Vec<String>,
}

/// A key that no order explains: the sentences and, if it could be read, what proves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The key.
    pub key: String,
    /// The first says what broke.
    pub sentences: Vec<String>,
    /// The operations that have no order.
    pub counterexample: Counterexample,
}

/// Of a run's `verdict.json`, what this needs.
#[derive(Deserialize)]
struct Verdict {
    axes: Axes,
    violations: Vec<Violation>,
}

/// Of a run's `witness.json`, what this needs: orders of valid keys are skipped, they are long.
#[derive(Deserialize)]
struct Witness {
    keys: Vec<KeyWitness>,
}

#[derive(Deserialize)]
struct KeyWitness {
    key: SmolStr,
    #[serde(default)]
    operations: Vec<u32>,
    #[serde(default)]
    trusted: Vec<u32>,
    #[serde(default)]
    cycle: Vec<u32>,
    #[serde(default)]
    impossible: Option<u32>,
    #[serde(default)]
    prefixes: Vec<Prefix>,
}

/// The cases of the run in this folder, or of the history in this file; `model` wins over what its header names.
///
/// # Errors
/// [`BadInput`] when there is no such thing, or it cannot be read.
pub fn load(path: &Path, model: Option<&str>) -> anyhow::Result<Loaded> {
    if !path.is_dir() {
        return judged(path, model);
    }
    let folder = Folder::at(path);
    if !folder.history().exists() {
        return Err(not_a_run(path).into());
    }
    match read_json::<Verdict>(&folder.verdict()) {
        Ok(verdict) if model.is_none() && verdict.axes.safety != Safety::Unjudged => told(&folder, verdict),
        _ => judged(&folder.history(), model),
    }
}

/// Why a folder is not a run's.
pub fn not_a_run(path: &Path) -> BadInput {
    let problem = match path.is_dir() {
        true => "is not the folder of a run: it holds neither history.jsonl nor plan.json",
        false => "there is no such folder",
    };
    BadInput(format!("{}: {problem}", path.display()))
}

/// What a run found out, from its folder.
fn told(folder: &Folder, verdict: Verdict) -> anyhow::Result<Loaded> {
    let mut remarks = Vec::new();
    let found = found(&verdict.violations, &folder.witness(), &mut remarks);
    let mut spans = Spans::default();
    let source = Source::recorded(&folder.history())?;
    let (record, tail) = source.record(&wanted(&found), |event| spans.admit(event))?;
    remarks.extend(torn(tail));
    let cases = found.iter().map(|found| found.case(&record, &spans)).collect();
    Ok(Loaded { safety: verdict.axes.safety, cases, remarks })
}

fn judged(path: &Path, model: Option<&str>) -> anyhow::Result<Loaded> {
    let source = Source::open(path)?;
    let named = source.header().model.clone();
    let model = model.map(SmolStr::new).or(named).ok_or_else(|| {
        BadInput(format!("{}: its header names no model; name one with --model", path.display()))
    })?;
    let judgement = judge::judge(&source, &model, Spending::default())?.judgement;
    let violations = tell(&source, &model, &judgement)?.violations;
    let found = of_judgement(&violations, &judgement);
    let mut spans = Spans::default();
    let (record, tail) = source.record(&wanted(&found), |event| spans.admit(event))?;
    let remarks = source.notes().iter().cloned().chain(torn(tail)).collect();
    let cases = found.iter().map(|found| found.case(&record, &spans)).collect();
    Ok(Loaded { safety: safety(&judgement), cases, remarks })
}

impl Found {
    /// Ready to be drawn.
    pub fn case(&self, record: &Record, spans: &Spans) -> Case {
        Case::new(&self.key, &self.sentences, &self.counterexample, record, spans)
    }
}

/// The violations with what proves them, from a judgement at hand.
pub fn of_judgement(violations: &[Violation], judgement: &Judgement) -> Vec<Found> {
    let proof = |key: &str| {
        let judged = judgement.keys.iter().find(|judged| judged.key == key)?;
        match &judged.finding {
            Finding::Invalid(found) => Some(found.clone()),
            _ => None,
        }
    };
    violations.iter().map(|violation| Found::new(violation, proof(&violation.key))).collect()
}

/// The violations with what proves them, from a witness file; what cannot be read is remarked upon.
pub fn found(violations: &[Violation], witness: &Path, remarks: &mut Vec<String>) -> Vec<Found> {
    if violations.is_empty() {
        return Vec::new();
    }
    let witness = read_json::<Witness>(witness).unwrap_or_else(|error| {
        remarks.push(format!("the counterexamples cannot be drawn: {error}"));
        Witness { keys: Vec::new() }
    });
    let proof = |key: &str| {
        let found = witness.keys.iter().find(|found| found.key == key)?;
        Some(Counterexample {
            operations: found.operations.clone(),
            trusted: found.trusted.clone(),
            cycle: found.cycle.clone(),
            impossible: found.impossible,
            prefixes: found.prefixes.clone(),
        })
    };
    violations.iter().map(|violation| Found::new(violation, proof(&violation.key))).collect()
}

impl Found {
    fn new(violation: &Violation, proof: Option<Counterexample>) -> Found {
        Found {
            key: violation.key.clone(),
            sentences: violation.sentences.clone(),
            counterexample: proof.unwrap_or_default(),
        }
    }
}

/// The indexes of all operations that these name.
pub fn wanted(found: &[Found]) -> BTreeSet<u64> {
    found.iter().flat_map(|found| &found.counterexample.operations).map(|id| u64::from(*id)).collect()
}

/// Reads a JSON file of bounded size. The error is a sentence for people that begins with the file's name.
///
/// # Errors
/// When it cannot be read, is too large, or is something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    serde_json::from_slice(&read_bytes(path)?).map_err(|error| format!("{}: {error}", name_of(path)))
}

/// Reads a file of bounded size, as [`read_json`] does.
///
/// # Errors
/// When it cannot be read or is too large.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let refuse = |problem: &dyn std::fmt::Display| format!("{}: {problem}", name_of(path));
    let size = std::fs::metadata(path).map_err(|error| refuse(&error))?.len();
    if size > JSON_BYTES_MAX {
        return Err(refuse(&format!("{size} bytes; expected at most {JSON_BYTES_MAX}")));
    }
    std::fs::read(path).map_err(|error| refuse(&error))
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
