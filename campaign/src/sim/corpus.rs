//! What sessions of `sim --forever` have found so far: a folder with one shrunk case per kind of finding, and how far the
//! seeds of each plan are.
//!
//! A case is told from another by its [`Shape`], which is read off the case itself: files may be taken out or put in by
//! hand. Both the number of cases and their size are bounded: beyond it the largest case of the check that has most of
//! them goes, so that a bug with many faces does not push out the others. Files are written under another name and
//! renamed; a file that cannot be read is refused with its line and field, never skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::exit::BadInput;
use crate::replay::pinned::Pinned;
use crate::run::folder::Folder;
use crate::shrink::case::{Case, Signature, Subject};
use crate::sim::plan::SimPlan;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Plans whose progress is kept.
const PLANS_MAX: usize = 1_000;

/// How large a corpus may become.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Cases at most.
    pub cases: usize,
    /// Bytes of these at most.
    pub bytes: u64,
}

/// What two findings of one kind have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Shape {
    /// Protocol and check.
    #[serde(flatten)]
    pub signature: Signature,
    /// Planted bugs.
    pub defects: Vec<String>,
    /// The kinds of faults that are left.
    pub faults: BTreeSet<String>,
    /// The kinds of operations that are left.
    pub operations: BTreeSet<String>,
}

/// One kind of finding.
#[derive(Clone, Debug, Serialize)]
pub struct Kind {
    /// What it is.
    #[serde(flatten)]
    pub shape: Shape,
    /// Faults and operations that are left.
    pub size: (usize, usize),
    /// Its case.
    pub path: PathBuf,
    /// Size of that file.
    pub bytes: u64,
}

/// How far the seeds of a plan are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The plan.
    pub plan: SimPlan,
    /// The first seed that nobody has taken.
    pub next: u64,
    /// Seeds before it that were not finished.
    pub pending: BTreeSet<u64>,
    /// Seeds that were.
    pub seeds: u64,
    /// What they found, by check.
    pub found: BTreeMap<String, Tally>,
}

/// How often a check fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Seeds.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
}

/// `progress.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    plans: Vec<Progress>,
}

/// A case's file, strictly: the corpus holds nothing but runs of the simulator.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    story: Vec<String>,
    signature: Signature,
    #[allow(dead_code, reason = "its one value is checked by being read")]
    world: OnlyWorld,
    run: Box<Pinned>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnlyWorld {
    Simulator,
}

/// What became of a case that was offered.
#[derive(Debug, PartialEq, Eq)]
pub enum Added {
    /// It is of a kind that was not there.
    New(PathBuf),
    /// There is one of its kind.
    Known,
}

/// A corpus, held by one process at a time.
#[derive(Debug)]
pub struct Corpus {
    folder: PathBuf,
    bounds: Bounds,
    kinds: Vec<Kind>,
    ledger: Ledger,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Corpus {
    /// The corpus in this folder, which is made if it is missing.
    ///
    /// # Errors
    /// [`BadInput`] when another process holds it, or a file of it cannot be read as what it must be.
    pub fn open(folder: &Path, bounds: Bounds) -> anyhow::Result<Corpus> {
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let lock = File::create(folder.join("lock"))
            .with_context(|| format!("{}: cannot be locked", folder.display()))?;
        if lock.try_lock().is_err() {
            return Err(
                BadInput(format!("{}: another process works on this corpus", folder.display())).into()
            );
        }
        let path = folder.join("progress.json");
        let ledger = if path.exists() { read(&path)? } else { Ledger::default() };
        let mut kinds = Vec::new();
        let entries =
            fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("case-") && name.ends_with(".json") {
                kinds.push(Kind::load(path)?);
            }
        }
        kinds.sort_by(|a, b| a.path.cmp(&b.path));
        let mut corpus = Corpus { folder: folder.to_owned(), bounds, kinds, ledger, _lock: lock };
        corpus.keep_bounds()?;
        Ok(corpus)
    }

    /// The kinds of findings, by path.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// How far this plan is; from `first` on when it is new.
    ///
    /// # Errors
    /// [`BadInput`] when the progress of too many plans is kept already.
    pub fn progress(&mut self, plan: &SimPlan, first: u64) -> Result<&mut Progress, BadInput> {
        let plans = &mut self.ledger.plans;
        let position = match plans.iter().position(|progress| progress.plan == *plan) {
            Some(position) => position,
            None if plans.len() >= PLANS_MAX => {
                return Err(BadInput(format!(
                    "{}: it holds the progress of {PLANS_MAX} plans; give another --store",
                    self.folder.display()
                )));
            }
            None => {
                plans.push(Progress {
                    plan: plan.clone(),
                    next: first,
                    pending: BTreeSet::new(),
                    seeds: 0,
                    found: BTreeMap::new(),
                });
                plans.len() - 1
            }
        };
        Ok(&mut plans[position])
    }

    /// Writes down how far the plans are.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> anyhow::Result<()> {
        Folder::write_json(&self.folder.join("progress.json"), &self.ledger)
    }

    /// Takes a case in, if there is none of its kind.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, case: &Case) -> anyhow::Result<Added> {
        let Subject::Simulator { run } = &case.subject else { return Ok(Added::Known) };
        let shape = Shape::of(&case.signature, run);
        if self.kinds.iter().any(|kind| kind.shape == shape) {
            return Ok(Added::Known);
        }
        let digest = Sha256::digest(serde_json::to_vec(&shape)?);
        let digest: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.join(format!("case-{}-{digest}.json", case.name()));
        let text = case.to_text();
        let partial = path.with_extension("json.partial");
        fs::write(&partial, &text)
            .and_then(|()| fs::rename(&partial, &path))
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        let bytes = text.len() as u64;
        self.kinds.push(Kind { shape, size: size(run), path: path.clone(), bytes });
        self.kinds.sort_by(|a, b| a.path.cmp(&b.path));
        self.keep_bounds()?;
        Ok(Added::New(path))
    }

    /// Lets the largest case of the check with the most cases go, until what is left is within bounds.
    fn keep_bounds(&mut self) -> anyhow::Result<()> {
        while self.kinds.len() > self.bounds.cases
            || self.kinds.iter().map(|kind| kind.bytes).sum::<u64>() > self.bounds.bytes
        {
            let of_check = |kind: &Kind| {
                self.kinds.iter().filter(|other| other.shape.signature == kind.shape.signature).count()
            };
            let worst = (0..self.kinds.len())
                .max_by_key(|index| (of_check(&self.kinds[*index]), self.kinds[*index].bytes));
            let Some(worst) = worst else { break };
            let gone = self.kinds.remove(worst);
            fs::remove_file(&gone.path)
                .with_context(|| format!("{}: cannot be removed", gone.path.display()))?;
        }
        Ok(())
    }
}

impl Shape {
    fn of(signature: &Signature, run: &Pinned) -> Shape {
        let operations = run.operations.iter().flatten();
        Shape {
            signature: signature.clone(),
            defects: run.planted(),
            faults: run.script.faults.iter().map(|fault| fault.name.to_string()).collect(),
            operations: operations.map(|operation| operation.f.to_string()).collect(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &BTreeSet<String>| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let (faults, operations) = (list(&self.faults), list(&self.operations));
        write!(f, "{}; faults: {faults}; operations: {operations}", self.signature)
    }
}

impl Kind {
    fn load(path: PathBuf) -> anyhow::Result<Kind> {
        let Kept { story, signature, run, .. } = read(&path)?;
        let refuse = |problem: String| BadInput(format!("{}: {problem}", path.display()));
        if story.is_empty() {
            return Err(refuse("field story: it is empty".to_owned()).into());
        }
        run.setup().map_err(|error| refuse(format!("field run: {error}")))?;
        let bytes = fs::metadata(&path).with_context(|| path.display().to_string())?.len();
        Ok(Kind { shape: Shape::of(&signature, &run), size: size(&run), path, bytes })
    }

    /// The command that repeats it.
    pub fn replay(&self) -> String {
        format!("rashomon replay {}", self.path.display())
    }
}

fn size(run: &Pinned) -> (usize, usize) {
    (run.script.faults.len(), run.operations.as_ref().map_or(0, Vec::len))
}

/// A file of the corpus; what is wrong with it is told with line and field.
fn read<T: DeserializeOwned>(path: &Path) -> Result<T, BadInput> {
    let refuse = |problem: &dyn fmt::Display| BadInput(format!("{}: {problem}", path.display()));
    let bytes = fs::metadata(path).map_err(|error| refuse(&error))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(refuse(&format!("{bytes} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    let bytes = fs::read(path).map_err(|error| refuse(&error))?;
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| refuse(&format!("field {}: {}", error.path(), error.inner())))?;
    json.end().map_err(|error| refuse(&error))?;
    Ok(value)
}

#[cfg(test)]
mod tests;
