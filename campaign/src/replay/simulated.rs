//! Repeating a simulated run: the same bytes, or the first place where they differ.

use std::path::Path;

use rashomon_histories::History;
use rashomon_simulator::protocols;

use super::pinned::Pinned;
use crate::cli::ReplayArgs;
use crate::exit::{BadInput, Outcome};
use crate::explain::load::read_json;
use crate::run::folder::Folder;
use crate::shrink::case::{Case, Signature, Subject};
use crate::sim::seed::{self, Finding, Ran};

/// A simulated run, and how it must fail, where that is known.
pub(crate) type Repeatable = (Box<Pinned>, Option<Signature>);

/// The simulated run at this path, a folder's or a case's, and of a case how it must fail; `None` when what is there
/// is of another world.
///
/// # Errors
/// [`BadInput`] when there is one and it cannot be read.
pub fn find(path: &Path) -> Result<Option<Repeatable>, BadInput> {
    if path.is_dir() {
        let pinned = Folder::at(path).pinned();
        return match pinned.exists() {
            true => read_json(&pinned)
                .map(|run| Some((run, None)))
                .map_err(|problem| BadInput(format!("{}: {problem}", path.display()))),
            false => Ok(None),
        };
    }
    Ok(match Case::load(path) {
        Ok(Case { subject: Subject::Simulator { run }, signature, .. }) => Some((run, Some(signature))),
        _ => None,
    })
}

impl Pinned {
    /// Runs it and judges what its clients saw.
    ///
    /// # Errors
    /// [`BadInput`] when it cannot be followed.
    pub fn run(&self) -> Result<Ran, BadInput> {
        let entry = protocols::find(&self.protocol).map_err(|error| BadInput(error.to_string()))?;
        seed::of(entry, &self.setup()?)
    }
}

/// Repeats it and tells what came of it. A case must fail as it says, a run must leave the same bytes.
pub(super) fn replay(
    run: &Pinned,
    expected: Option<&Signature>,
    args: &ReplayArgs,
) -> anyhow::Result<Outcome> {
    let ran = run.run()?;
    if args.json {
        println!("{}", serde_json::to_string(&ran.findings)?);
    } else {
        for Finding { check, detail, at, .. } in &ran.findings {
            println!("{at}: {check}\n    {detail}");
        }
    }
    let failed = !ran.findings.is_empty();
    match expected {
        Some(expected) if ran.findings.iter().any(|finding| finding.check == expected.check) => {
            eprintln!("it fails as the case says: {expected}");
        }
        Some(expected) => {
            eprintln!("it does not fail as the case says: {expected}");
            return Ok(Outcome::HarnessFailure);
        }
        None => {
            if let Some(difference) = difference(&args.path, &ran)? {
                eprintln!("the second run differs from the first: {difference}");
                return Ok(Outcome::HarnessFailure);
            }
            eprintln!("the same history, event by event");
        }
    }
    Ok(if failed { Outcome::Violation } else { Outcome::Passed })
}

/// Where the history of the run differs from the one in the folder.
fn difference(folder: &Path, ran: &Ran) -> anyhow::Result<Option<String>> {
    let path = Folder::at(folder).history();
    let before = History::read(&path)?;
    let Some(outcome) = &ran.outcome else {
        return Ok(Some("it ended in a panic".to_owned()));
    };
    let (before, now) = (before.events(), outcome.history.events());
    let first = before.iter().zip(now).position(|(before, now)| before != now);
    Ok(match first {
        Some(index) => Some(format!("event {index} was {:?}, it is {:?}", before[index], now[index])),
        None if before.len() != now.len() => {
            Some(format!("it has {} events, it had {}", now.len(), before.len()))
        }
        None => None,
    })
}
