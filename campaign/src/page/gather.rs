//! Collects what a page shows from a run's folder, years later if need be.
//!
//! What cannot be read is remarked upon and left out: a page with a gap is better than none.

use std::path::Path;

use serde_json::{Map, Value};

use super::Page;
use super::traces::Traces;
use crate::exit::BadInput;
use crate::explain::load::{found, not_a_run, read_json, wanted};
use crate::run::folder::Folder;
use crate::run::report::Report;
use crate::source::{Source, torn};

/// The page of the run in this folder.
///
/// # Errors
/// [`BadInput`] when it is not the folder of a run.
pub fn gather(path: &Path) -> Result<Page, BadInput> {
    let folder = Folder::at(path);
    if !folder.plan().exists() && !folder.history().exists() {
        return Err(not_a_run(path));
    }
    let mut remarks = Vec::new();
    let mut keep = |error: String| remarks.push(error);
    let plan = read_json::<Map<String, Value>>(&folder.plan()).map_err(&mut keep).unwrap_or_default();
    let report = read_json::<Report>(&folder.verdict()).map_err(&mut keep).ok();
    let violations = report.as_ref().map(|report| report.violations.as_slice()).unwrap_or_default();
    let found = found(violations, &folder.witness(), &mut remarks);
    let mut traces = Traces::default();
    let read = Source::recorded(&folder.history())
        .and_then(|source| source.record(&wanted(&found), |event| traces.admit(event)));
    traces.finish();
    let record = match read {
        Ok((record, tail)) => {
            remarks.extend(torn(tail));
            record
        }
        Err(error) => {
            remarks.push(format!("the history is shown as far as it could be read: {error}"));
            Default::default()
        }
    };
    let cases = found.iter().map(|found| found.case(&record, &traces.spans)).collect();
    let name =
        path.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    Ok(Page { name: name.unwrap_or_default(), plan, report, traces, cases, remarks })
}
