//! `rashomon check`: judges recorded histories again, whether of a run or of anybody's making.
//!
//! One history is told with its violations; a folder of histories is a table ([`folder`]).

mod folder;
pub mod kept;

use kept::Kept;
use rashomon_checker::{Budget, Exhausted, Finding, Judgement, Verdict};
use serde::Serialize;

use crate::cli::CheckArgs;
use crate::exit::{BadInput, Outcome};
use crate::run::folder::Folder;
use crate::run::judge::{self, Judged, Spending, safety};
use crate::run::junit;
use crate::run::report::Violation;
use crate::run::tell::tell;
use crate::run::verdict::{Axes, Coverage, Harness, Recovery};
use crate::source::{Source, torn};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    verdict: Verdict,
    model: &'a str,
    operations: u64,
    keys: usize,
    progress: String,
    undecided: Vec<Open<'a>>,
    violations: &'a [Violation],
}

/// How far the judge got with a key that it could not settle.
#[derive(Debug, Serialize)]
struct Open<'a> {
    key: &'a str,
    operations: usize,
    exhausted: Exhausted,
    consistent_until: u32,
}

/// `rashomon check`.
///
/// # Errors
/// [`BadInput`] when the history cannot be used.
pub fn command(args: &CheckArgs) -> anyhow::Result<Outcome> {
    if args.path.is_dir() && !Folder::at(&args.path).history().exists() {
        return folder::command(args);
    }
    let path = if args.path.is_dir() { Folder::at(&args.path).history() } else { args.path.clone() };
    let source = Source::open(&path)?;
    source.notes().iter().for_each(|note| eprintln!("{}: {note}", path.display()));
    let model = model_of(args, &source)?;
    let judged = judged(args, &source, &model)?;
    if let Some(torn) = torn(judged.tail) {
        eprintln!("{}: {torn}", path.display());
    }
    if let Some(keep) = &args.keep {
        Folder::write_json(keep, &Kept::of(&judged.judgement, &path)?)?;
    }
    if args.verify {
        match verify(&source, &model, &judged.judgement)? {
            0 => eprintln!("every witness was re-checked by the verifier"),
            too_large => {
                eprintln!("every witness was re-checked by the verifier but {too_large}, too large for that")
            }
        }
    }
    show(args, &source, &model, &judged)
}

/// The model that was named, or else the one that the header names.
fn model_of(args: &CheckArgs, source: &Source) -> Result<String, BadInput> {
    let named = source.header().model.as_ref().map(ToString::to_string);
    args.model.clone().or(named).ok_or_else(|| {
        BadInput(format!("{}: its header names no model; name one with --model", source.path().display()))
    })
}

fn spending(args: &CheckArgs) -> Spending {
    let mut budget = Budget::default();
    if let Some(states) = args.states_max {
        budget.states_max = states;
    }
    if let Some(mib) = args.memory_max_mib {
        budget.bytes_max = mib.saturating_mul(1 << 20);
    }
    Spending { budget, deadline: args.deadline, engine: args.engine }
}

fn judged(args: &CheckArgs, source: &Source, model: &str) -> Result<Judged, BadInput> {
    let Some(kept) = &args.resume else { return judge::judge(source, model, spending(args)) };
    let before = kept::read(kept, source.path())?;
    let judgement = judge::resume(source, model, before, spending(args))?;
    let operations = judgement.keys.iter().map(|key| key.operation_count as u64).sum();
    Ok(Judged { judgement, operations, tail: Default::default() })
}

fn verify(source: &Source, model: &str, judgement: &Judgement) -> anyhow::Result<usize> {
    judge::verify(source, model, judgement)?
        .map_err(|unproven| anyhow::anyhow!("a witness does not prove its verdict: {unproven}"))
}

fn open(judgement: &Judgement) -> Vec<Open<'_>> {
    let open = |judged: &'_ rashomon_checker::KeyJudgement| match judged.finding {
        Finding::Undecided { exhausted, consistent_until } => Some((exhausted, consistent_until)),
        Finding::Valid { .. } | Finding::Invalid(_) => None,
    };
    let keys = judgement.keys.iter().filter_map(|judged| Some((judged, open(judged)?)));
    keys.map(|(judged, (exhausted, consistent_until))| Open {
        key: &judged.key,
        operations: judged.operation_count,
        exhausted,
        consistent_until,
    })
    .collect()
}

fn show(args: &CheckArgs, source: &Source, model: &str, judged: &Judged) -> anyhow::Result<Outcome> {
    let judgement = &judged.judgement;
    let told = tell(source, model, judgement)?;
    let axes = Axes {
        safety: safety(judgement),
        coverage: Coverage::default(),
        recovery: Recovery::default(),
        harness: Harness::default(),
    };
    let checked = Checked {
        verdict: judgement.verdict,
        model,
        operations: judged.operations,
        keys: judgement.keys.len(),
        progress: judgement.progress(),
        undecided: open(judgement),
        violations: &told.violations,
    };
    if args.json {
        println!("{}", serde_json::to_string(&checked)?);
    } else {
        println!(
            "{}: {} operations, {}, model {model}",
            checked.verdict, checked.operations, checked.progress
        );
        for open in &checked.undecided {
            println!("  key {:?}: {} operations, {}", open.key, open.operations, why(open, args));
        }
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

fn why(open: &Open<'_>, args: &CheckArgs) -> String {
    let until = open.consistent_until;
    match open.exhausted {
        Exhausted::Engine => {
            let condition = args.engine.map(|engine| engine.condition()).unwrap_or_default();
            format!("the engine that was asked for does not settle it: {condition}")
        }
        Exhausted::States => format!("an order exists up to event {until}; --states-max ended the search"),
        Exhausted::Bytes => format!("an order exists up to event {until}; --memory-max-mib ended the search"),
        Exhausted::Deadline => format!("an order exists up to event {until}; --deadline ended the search"),
    }
}
