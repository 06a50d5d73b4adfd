//! `rashomon check`: judges a recorded history again, whether of a run or of anybody's making.

use std::path::Path;

use anyhow::Context as _;
use rashomon_checker::{Budget, Judgement};
use rashomon_histories::{History, ReadError, Tail, formats};
use serde::Serialize;

use crate::cli::CheckArgs;
use crate::exit::{BadInput, Outcome};
use crate::run::folder::Folder;
use crate::run::judge::{self, Spending, Told, safety};
use crate::run::junit;
use crate::run::report::Violation;
use crate::run::verdict::{Axes, Coverage, Harness, Recovery};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    verdict: rashomon_checker::Verdict,
    model: &'a str,
    operations: usize,
    keys: usize,
    progress: String,
    violations: &'a [Violation],
}

/// `rashomon check`.
///
/// # Errors
/// [`BadInput`] when the history cannot be used.
pub fn command(args: &CheckArgs) -> anyhow::Result<Outcome> {
    let path = if args.path.is_dir() { Folder::at(&args.path).history() } else { args.path.clone() };
    let history = read(&path)?;
    if let Tail::Torn { line } = history.tail() {
        eprintln!("{}: line {line} is torn, as a killed writer leaves it; it was left out", path.display());
    }
    let header_model = history.header().model.clone();
    let model = args.model.clone().or(header_model.map(String::from)).ok_or_else(|| {
        BadInput(format!("{}: its header names no model; name one with --model", path.display()))
    })?;
    let mut budget = Budget::default();
    if let Some(states) = args.states_max {
        budget.states_max = states;
    }
    if let Some(mib) = args.memory_max_mib {
        budget.bytes_max = mib.saturating_mul(1 << 20);
    }
    let spending = Spending { budget, deadline: args.deadline };
    let judgement = judge::judge(&history, &model, spending).with_context(|| path.display().to_string())?;
    if args.verify {
        judge::verify(&history, &model, &judgement)?;
        eprintln!("every witness was re-checked by the verifier");
    }
    let told = judge::tell(&history, &model, &judgement)?;
    show(args, &history, &model, &judgement, &told)
}

/// A history of ours or of another tool's; how another's was read is told.
fn read(path: &Path) -> anyhow::Result<History> {
    // Whatever is wrong with a file that was named is the user's to mend.
    let refuse = |error: ReadError| BadInput(error.to_string());
    if formats::guess(path).map_err(refuse)?.format == formats::Format::Rashomon {
        return Ok(History::read(path).map_err(refuse)?);
    }
    let imported = formats::read(path, &formats::Options::default()).map_err(refuse)?;
    imported.notes.iter().for_each(|note| eprintln!("{}: {note}", path.display()));
    Ok(imported.history)
}

fn show(
    args: &CheckArgs,
    history: &History,
    model: &str,
    judgement: &Judgement,
    told: &Told,
) -> anyhow::Result<Outcome> {
    let axes = Axes {
        safety: safety(judgement),
        coverage: Coverage::default(),
        recovery: Recovery::default(),
        harness: Harness::default(),
    };
    let checked = Checked {
        verdict: judgement.verdict,
        model,
        operations: history.operations().count(),
        keys: judgement.keys.len(),
        progress: judgement.progress(),
        violations: &told.violations,
    };
    if args.json {
        println!("{}", serde_json::to_string(&checked)?);
    } else {
        println!(
            "{}: {} operations, {}, model {model}",
            checked.verdict, checked.operations, checked.progress
        );
        for violation in &told.violations {
            println!();
            for sentence in &violation.sentences {
                println!("{sentence}");
            }
        }
    }
    if let Some(junit_path) = &args.junit {
        let story = told.violations.first().map(|first| first.sentences.join("\n")).unwrap_or_default();
        junit::write(junit_path, &axes, &story, &format!("rashomon check {}", args.path.display()))?;
    }
    Ok(axes.outcome())
}
