//! A seed that is looked at: its columns on the terminal, and the folder that a run leaves, for the commands that read
//! such folders.

use std::time::SystemTime;

use anyhow::Context as _;
use rashomon_checker::Verdict;
use rashomon_histories::{Nanos, jsonl};
use sha2::{Digest as _, Sha256};

use crate::check::kept::Kept;
use crate::cli::SimArgs;
use crate::exit::Outcome;
use crate::page;
use crate::replay::pinned::Pinned;
use crate::run::folder::Folder;
use crate::run::judge::safety;
use crate::run::measure::measure;
use crate::run::report::Report;
use crate::run::tell::{Told, tell};
use crate::run::verdict::{Axes, Coverage, Harness, Recovery, Safety};
use crate::sim::columns::columns;
use crate::sim::diagram::diagram;
use crate::sim::plan::SimPlan;
use crate::sim::seed::{Finding, Ran};
use crate::source::Source;

/// Tells what came of a seed, and keeps it.
///
/// # Errors
/// When the folder cannot be written.
pub fn show(plan: &SimPlan, args: &SimArgs, ran: Ran) -> anyhow::Result<Outcome> {
    let seed = ran.seed;
    if let Some(outcome) = ran.outcome.as_ref().filter(|_| args.trace) {
        print!("{}", columns(&outcome.happenings, nodes(outcome), until(&ran)));
    }
    for finding in &ran.findings {
        let whose = if finding.visible { "a client saw it" } else { "not yet visible to a client" };
        println!("seed {seed}, {}: {} ({whose})\n    {}", finding.at, finding.check, finding.detail);
    }
    let code = if ran.findings.is_empty() { Outcome::Passed } else { Outcome::Violation };
    if ran.outcome.is_some() && (args.trace || !ran.findings.is_empty()) {
        let folder = keep(plan, args, &ran)?;
        println!("folder     {}", folder.path().display());
    }
    if ran.findings.is_empty() {
        println!("seed {seed}: nothing was found");
    }
    println!("reproduce  {}", plan.command(&format!("--seed {seed} --trace")));
    Ok(code)
}

fn keep(plan: &SimPlan, args: &SimArgs, ran: &Ran) -> anyhow::Result<Folder> {
    let (Some(outcome), Some(judgement)) = (&ran.outcome, &ran.judgement) else {
        anyhow::bail!("seed {} ended in a panic: there is nothing to keep", ran.seed)
    };
    #[allow(
        clippy::disallowed_methods,
        reason = "the folder is named after the moment: a heading, not a decision"
    )]
    let folder =
        Folder::create(&args.store, SystemTime::now(), &format!("sim-{}-seed{}", plan.protocol, ran.seed))?;
    Folder::write_json(&folder.plan(), plan)?;
    Folder::write_json(&folder.schedule(), &outcome.script)?;
    let pinned = Pinned::of(&plan.protocol, &plan.setup(ran.seed)?, outcome);
    Folder::write_json(&folder.pinned(), &pinned)?;
    jsonl::write_file(&folder.history(), outcome.history.header(), outcome.history.events())
        .with_context(|| format!("{}: cannot be written", folder.history().display()))?;
    Folder::write_json(&folder.witness(), &Kept::of(judgement, &folder.history())?)?;
    Folder::write_json(&folder.path().join("findings.json"), &ran.findings)?;
    let svg = diagram(&outcome.happenings, nodes(outcome), until(ran));
    let path = folder.path().join("spacetime.svg");
    std::fs::write(&path, svg).with_context(|| format!("{}: cannot be written", path.display()))?;
    let mut told = Told::default();
    if judgement.verdict == Verdict::Invalid {
        let model = plan.workload(ran.seed)?.model();
        told = tell(&Source::recorded(&folder.history())?, model, judgement)?;
        let (header, events) = told.as_history(outcome.history.header());
        jsonl::write_file(&folder.counterexample(), &header, &events)
            .with_context(|| format!("{}: cannot be written", folder.counterexample().display()))?;
    }
    let report = report(plan, ran, &folder, told, outcome, judgement)?;
    Folder::write_json(&folder.verdict(), &report)?;
    page::gather::gather(folder.path())?.write(folder.path())?;
    Ok(folder)
}

fn report(
    plan: &SimPlan,
    ran: &Ran,
    folder: &Folder,
    told: Told,
    outcome: &rashomon_simulator::Outcome,
    judgement: &rashomon_checker::Judgement,
) -> anyhow::Result<Report> {
    let internal = ran.findings.iter().find(|finding| !finding.visible);
    let safety = match (safety(judgement), internal) {
        (Safety::Valid | Safety::Undecided { .. }, Some(finding)) => {
            Safety::Unsound { invariant: finding.check.clone(), story: story(finding) }
        }
        (safety, _) => safety,
    };
    let axes = Axes {
        safety,
        coverage: Coverage::default(),
        recovery: Recovery::default(),
        harness: Harness::default(),
    };
    let code = axes.outcome();
    Ok(Report {
        format: 1,
        plan_hash: hash(plan)?,
        code: code.code(),
        outcome: code.doc().to_owned(),
        axes,
        violations: told.violations,
        keys_judged: judgement.keys.len(),
        judged_ms: 0,
        ran_ms: plan.duration_ms,
        measures: measure(&outcome.history),
        doubts: Vec::new(),
        reads_locally: false,
        defects: plan.defects.clone(),
        command: plan.command(&format!("--seed {} --trace", ran.seed)),
        folder: folder.path().to_owned(),
    })
}

/// How far the run is worth looking at: to its first finding, or to its end.
fn until(ran: &Ran) -> Nanos {
    ran.findings.first().map_or(Nanos(u64::MAX / 2), |finding| finding.at)
}

fn nodes(outcome: &rashomon_simulator::Outcome) -> usize {
    outcome.happenings.iter().map(|happening| happening.node + 1).max().unwrap_or(1)
}

fn story(finding: &Finding) -> String {
    format!("At {}: {}: {}", finding.at, finding.check, finding.detail)
}

fn hash(plan: &SimPlan) -> anyhow::Result<String> {
    let digest = Sha256::digest(serde_json::to_vec(plan)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
