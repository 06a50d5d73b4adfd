//! The page that every run leaves: `report.html`, one file that needs nothing else, no script and no network.
//!
//! In order: [`gather`] collects from the run's folder, [`traces`] holds the run in bounded memory, [`timeline`]
//! draws it, [`sections`] write the words. A pure function of what was found out: it decides nothing, and a verdict
//! never depends on it.

pub mod gather;
pub mod sections;
pub mod timeline;
pub mod traces;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use maud::{DOCTYPE, PreEscaped, html};
use rashomon_histories::Event;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::drawing::palette;
use crate::drawing::text::legible;
use crate::explain::case::Case;
use crate::explain::load::Found;
use crate::explain::picture;
use crate::page::traces::Traces;
use crate::run::report::Report;
use crate::source::record_of;

/// Name of the page in a run's folder.
pub const FILE: &str = "report.html";

/// All that a page shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// Name of the run's folder.
    pub name: String,
    /// The plan, as its file has it: a plan of another version is shown too.
    pub plan: Map<String, Value>,
    /// What was found out; none when the run did not get that far.
    pub report: Option<Report>,
    /// The run over time.
    pub traces: Traces,
    /// The counterexamples, the earliest first.
    pub cases: Vec<Case>,
    /// What could not be read or shown, in sentences.
    pub remarks: Vec<String>,
}

/// What a run has at hand for its page when the verdict is out, so that its history need not be read again.
#[derive(Debug, Default)]
pub struct AtHand {
    /// The run over time.
    pub traces: Traces,
    /// The keys that no order explains, with what proves it.
    pub found: Vec<Found>,
    /// The events of the operations that those name, with their indexes in the history.
    pub events: Vec<Event>,
}

/// Writes the page of a run that has just ended. It is the last thing that a run does: whatever goes wrong here is
/// told, and changes nothing of what was said and written before.
pub fn write_quietly(folder: &Path, plan: &impl Serialize, report: &Report, at_hand: AtHand) {
    let write = || Page::of_run(folder, plan, report, at_hand)?.write(folder).map(drop);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(write)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("rashomon: the page was not written: {error:#}"),
        Err(_) => eprintln!("rashomon: the page was not written: it panicked, see above"),
    }
}

impl Page {
    fn of_run(
        folder: &Path,
        plan: &impl Serialize,
        report: &Report,
        at_hand: AtHand,
    ) -> anyhow::Result<Page> {
        let AtHand { mut traces, found, events } = at_hand;
        traces.finish();
        let record = record_of(events);
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let plan = serde_json::from_value(serde_json::to_value(plan)?)?;
        let cases = found.iter().map(|found| found.case(&record, &traces.spans)).collect();
        Ok(Page { name, plan, report: Some(report.clone()), traces, cases, remarks: Vec::new() })
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        let style =
            [palette::variables().as_str(), include_str!("page/style.css"), timeline::STYLE, picture::STYLE]
                .concat();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    // Nothing is loaded and nothing runs, whatever a history tries to smuggle in.
                    meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                    title { (self.verdict().word) " · " (legible(&self.name, 120)) }
                    style { (PreEscaped(style)) }
                }
                body { main { (self.sections()) } }
            }
        };
        page.into_string()
    }

    /// Writes the page into the run's folder: to a temporary file that takes the name when it is whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let path = folder.join(FILE);
        let partial = folder.join(format!("{FILE}.partial"));
        std::fs::write(&partial, self.html())
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
