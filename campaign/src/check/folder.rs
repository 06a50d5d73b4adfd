//! A folder of histories, judged one after the other: a table of verdicts and times, and the worst of them as the
//! exit code. Of a run's folder only its history counts.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use super::{judged, model_of, verify};
use crate::cli::CheckArgs;
use crate::exit::{BadInput, Outcome, outcome_of};
use crate::run::folder::Folder;
use crate::source::Source;

/// How the names of histories end, before `.zst`.
const ENDINGS: [&str; 5] = ["jsonl", "edn", "json", "log", "txt"];

/// One history.
#[derive(Debug, Serialize)]
struct Row {
    file: PathBuf,
    /// A verdict, or `refused` when the file could not be used.
    verdict: String,
    /// From opening the file to the verdict: reading and judging go together.
    seconds: f64,
    operations: u64,
    keys: usize,
    model: String,
    format: String,
    /// Why it was refused, or what keys are open.
    #[serde(skip_serializing_if = "String::is_empty")]
    problem: String,
    #[serde(skip)]
    outcome: Outcome,
}

/// All of them.
#[derive(Debug, Serialize)]
struct Table {
    histories: Vec<Row>,
    operations: u64,
    seconds: f64,
}

/// Judges every history below the folder.
pub(super) fn command(args: &CheckArgs) -> anyhow::Result<Outcome> {
    if args.resume.is_some() || args.keep.is_some() || args.junit.is_some() {
        return Err(
            BadInput("--resume, --keep and --junit are for one history, not for a folder".into()).into()
        );
    }
    let mut files = Vec::new();
    find(&args.path, &mut files).map_err(|error| BadInput(format!("{error:#}")))?;
    if files.is_empty() {
        let endings = ENDINGS.join(", .");
        return Err(BadInput(format!(
            "{}: no history in it; their names end in .{endings}, or these and .zst",
            args.path.display()
        ))
        .into());
    }
    let mut table = Table { histories: Vec::new(), operations: 0, seconds: 0.0 };
    if !args.json {
        println!(
            "{:>10} {:>9} {:>10} {:>6}  {:14} {:10}  file",
            "verdict", "seconds", "operations", "keys", "model", "format"
        );
    }
    for file in files {
        let row = row(args, &file);
        if !args.json {
            row.print();
        }
        table.operations += row.operations;
        table.seconds += row.seconds;
        table.histories.push(row);
    }
    if args.json {
        println!("{}", serde_json::to_string(&table)?);
    } else {
        println!("{}", table.totals());
    }
    let worst = table.histories.iter().map(|row| row.outcome).max_by_key(|outcome| gravity(*outcome));
    Ok(worst.unwrap_or(Outcome::Passed))
}

/// A violation is never masked.
fn gravity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::BarMissed => 1,
        Outcome::Undecided => 2,
        Outcome::BadArguments => 3,
        Outcome::HarnessFailure => 4,
        Outcome::Violation => 5,
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let history = Folder::at(folder).history();
    if history.exists() {
        files.push(history);
        return Ok(());
    }
    let read =
        || std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut entries = read().with_context(|| folder.display().to_string())?;
    entries.sort();
    for entry in entries {
        // A link may lead around in a circle.
        if entry.is_dir() && !entry.is_symlink() {
            find(&entry, files)?;
        } else if entry.is_file() && is_history(&entry) {
            files.push(entry);
        }
    }
    Ok(())
}

fn is_history(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

#[allow(clippy::disallowed_methods, reason = "the table says how long each took")]
fn now() -> Instant {
    Instant::now()
}

fn row(args: &CheckArgs, file: &Path) -> Row {
    let start = now();
    let mut row = Row {
        file: file.to_owned(),
        verdict: "refused".into(),
        seconds: 0.0,
        operations: 0,
        keys: 0,
        model: "-".into(),
        format: "-".into(),
        problem: String::new(),
        outcome: Outcome::BadArguments,
    };
    let result = row.judge(args, file, start);
    if let Err(error) = result {
        row.outcome = outcome_of(&error);
        row.problem = format!("{error:#}");
    }
    row
}

impl Row {
    fn judge(&mut self, args: &CheckArgs, file: &Path, start: Instant) -> anyhow::Result<()> {
        let source = Source::open(file)?;
        self.format = source.format().to_string();
        self.model = model_of(args, &source)?;
        let judged = judged(args, &source, &self.model)?;
        self.seconds = start.elapsed().as_secs_f64();
        self.operations = judged.operations;
        self.keys = judged.judgement.keys.len();
        self.outcome = match judged.judgement.verdict {
            rashomon_checker::Verdict::Valid => Outcome::Passed,
            rashomon_checker::Verdict::Undecided => Outcome::Undecided,
            rashomon_checker::Verdict::Invalid => Outcome::Violation,
        };
        self.verdict = judged.judgement.verdict.to_string();
        if self.outcome == Outcome::Undecided {
            self.problem = judged.judgement.progress();
        }
        match args.verify {
            true => verify(&source, &self.model, &judged.judgement).map(|_| ()),
            false => Ok(()),
        }
    }

    fn print(&self) {
        let Row { file, verdict, seconds, operations, keys, model, format, problem, .. } = self;
        println!(
            "{verdict:>10} {seconds:>9.3} {operations:>10} {keys:>6}  {model:14} {format:10}  {}",
            file.display()
        );
        if !problem.is_empty() {
            println!("{:>10} {problem}", "");
        }
    }
}

impl Table {
    fn totals(&self) -> String {
        let count = |verdict: &str| self.histories.iter().filter(|row| row.verdict == verdict).count();
        let counts: Vec<String> = ["valid", "invalid", "undecided", "refused"]
            .into_iter()
            .filter(|verdict| count(verdict) > 0)
            .map(|verdict| format!("{} {verdict}", count(verdict)))
            .collect();
        format!(
            "{} histories: {}; {} operations in {:.3} s",
            self.histories.len(),
            counts.join(", "),
            self.operations,
            self.seconds
        )
    }
}
