//! Shrinking a run on real processes: first the time after the violation, then the faults, then the nodes.
//!
//! Each candidate is a plan of its own, run by a process of its own, up to `--runs` times, until `--fails` of them fail in
//! the same way. That is a statement about rates, not a proof: what is left is told with how often it failed. The
//! operations of real clients are not replayed one by one; the judge's counterexample already names those that matter.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use rashomon_nemesis::{NodeId, Script};

use super::case::{Case, Signature, Subject};
use super::ddmin::{Trial, minimise};
use super::rate::Rate;
use crate::cli::ShrinkArgs;
use crate::exit::BadInput;
use crate::explain::load::read_json;
use crate::plan::Plan;
use crate::replay::given::Given;
use crate::run::folder::Folder;
use crate::run::report::Report;

/// What is left after the violation so that the judge sees it, in milliseconds.
const AFTER_MS: u64 = 1_500;

/// Shrinks the plan of a run whose folder says that it found a violation; `None` when it does not come back.
pub(super) fn shrink(plan: Plan, args: &ShrinkArgs) -> anyhow::Result<Option<Case>> {
    let Some(Given::Script { script, .. }) = &plan.schedule else {
        return Err(BadInput(format!("{}: there is no script in it to shrink", args.path.display())).into());
    };
    let script = script.clone();
    let signature = expected(&plan, &args.path)?;
    let mut trials = Trials::new(signature, args)?;
    let plan = Plan { faults: Vec::new(), ..plan };
    let Some(latest_ms) = trials.best(&plan, &script)? else {
        let over =
            if trials.is_over() { "; the time for decisions is over, --within gives more" } else { "" };
        eprintln!("the violation did not come back: {}{over}", trials.last);
        return Ok(None);
    };
    let plan = Plan { duration_ms: (latest_ms + AFTER_MS).min(plan.duration_ms), ..plan };

    let mut failure = None;
    let kept = minimise(&script.faults, |faults| {
        let candidate = Script { faults: faults.to_vec(), ..Script::default() };
        trials.trial(&plan, &candidate, &mut failure)
    });
    if let Some(error) = failure.take() {
        return Err(error);
    }
    let script = Script { faults: kept.items, ..Script::default() };
    let (plan, script) = fewer_nodes(plan, script, &mut trials)?;
    if trials.is_over() {
        eprintln!(
            "the time for decisions is over: each of the {} faults left may be needed or not",
            script.faults.len()
        );
    }
    let reproduced = trials.measure(&plan, &script)?;
    let plan = with(&plan, &script, "this case");
    Ok(Some(case(plan, script, trials.signature, reproduced)))
}

/// What the run found, from its folder, or what the case says.
fn expected(plan: &Plan, path: &Path) -> Result<Signature, BadInput> {
    if !path.is_dir() {
        return Case::load(path).map(|case| case.signature);
    }
    let report: Report = read_json(&Folder::at(path).verdict()).map_err(BadInput)?;
    Signature::of(plan, &report.axes.safety)
        .ok_or_else(|| BadInput(format!("{}: the run found no violation", path.display())))
}

/// Leaves out nodes, one at a time, down to three.
fn fewer_nodes(
    mut plan: Plan,
    mut script: Script,
    trials: &mut Trials<'_>,
) -> anyhow::Result<(Plan, Script)> {
    'fewer: while plan.nodes > 3 {
        for node in (1..=plan.nodes).rev().map(NodeId) {
            if trials.is_over() {
                break 'fewer;
            }
            let less = Plan { nodes: plan.nodes - 1, ..plan.clone() };
            let candidate = script.without_node(node);
            if candidate.faults.len() == script.faults.len() && trials.best(&less, &candidate)?.is_some() {
                (plan, script) = (less, candidate);
                continue 'fewer;
            }
        }
        break;
    }
    Ok((plan, script))
}

fn with(plan: &Plan, script: &Script, source: &str) -> Plan {
    let given = Given::Script { source: source.to_owned(), script: script.clone() };
    Plan { schedule: Some(given), ..plan.clone() }
}

fn case(plan: Plan, script: Script, signature: Signature, reproduced: Rate) -> Case {
    let defects = if plan.defects.is_empty() { "no planted bug".into() } else { plan.defects.join(", ") };
    let mut story =
        vec![format!("{signature}, {} nodes, {defects}; faults left: {}", plan.nodes, script.faults.len())];
    story.extend(script.faults.iter().map(|fault| format!("  {}", fault.tell())));
    story.push(format!("It came back in {reproduced} runs."));
    Case { story, signature, subject: Subject::Processes { reproduced, plan: Box::new(plan) } }
}

/// Runs candidates.
struct Trials<'a> {
    signature: Signature,
    args: &'a ShrinkArgs,
    deadline: Instant,
    /// The rate of the candidate tried last.
    last: Rate,
}

impl<'a> Trials<'a> {
    #[allow(clippy::disallowed_methods, reason = "the time that a person allows is wall time")]
    fn new(signature: Signature, args: &'a ShrinkArgs) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&args.store)
            .with_context(|| format!("--store {}: cannot be made", args.store.display()))?;
        Ok(Trials { signature, args, deadline: Instant::now() + args.within, last: Rate::default() })
    }

    #[allow(clippy::disallowed_methods, reason = "the time that a person allows is wall time")]
    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// A trial of [`minimise`]; an error is kept and ends it.
    fn trial(&mut self, plan: &Plan, script: &Script, failure: &mut Option<anyhow::Error>) -> Trial {
        if self.is_over() {
            return Trial::OutOfTime;
        }
        match self.best(plan, script) {
            Ok(Some(_)) => Trial::Fails,
            // Perhaps not all of its runs were made.
            Ok(None) if self.is_over() => Trial::OutOfTime,
            Ok(None) => Trial::Passes,
            Err(error) => {
                *failure = Some(error);
                Trial::OutOfTime
            }
        }
    }

    /// Whether enough runs of it fail: then, when the latest of them did, in milliseconds.
    fn best(&mut self, plan: &Plan, script: &Script) -> anyhow::Result<Option<u64>> {
        let (runs, fails) = (u64::from(self.args.runs), u64::from(self.args.fails));
        let (mut rate, mut latest) = (Rate::default(), 0);
        while rate.of < runs && rate.hits < fails && rate.hits + (runs - rate.of) >= fails {
            if rate.of > 0 && self.is_over() {
                break;
            }
            let failed = self.run(plan, script)?;
            rate.count(failed.is_some());
            latest = latest.max(failed.unwrap_or_default());
        }
        eprintln!("{} faults on {} nodes: failed {rate}", script.faults.len(), plan.nodes);
        self.last = rate;
        Ok((rate.hits >= fails).then_some(latest))
    }

    /// All runs of it, whatever they show; fewer, if they take longer than half of the time that decisions had.
    #[allow(clippy::disallowed_methods, reason = "the time that a person allows is wall time")]
    fn measure(&mut self, plan: &Plan, script: &Script) -> anyhow::Result<Rate> {
        let (mut rate, started) = (Rate::default(), Instant::now());
        for _ in 0..self.args.runs.max(5) {
            rate.count(self.run(plan, script)?.is_some());
            if started.elapsed() > self.args.within / 2 {
                break;
            }
        }
        Ok(rate)
    }

    /// One run: when it failed in the way that is looked for, in milliseconds.
    fn run(&self, plan: &Plan, script: &Script) -> anyhow::Result<Option<u64>> {
        let path = self.args.store.join("candidate.json");
        Folder::write_json(&path, &with(plan, script, &path.display().to_string()))?;
        let report = replay(&path, &self.args.store)?;
        std::fs::remove_file(&path).with_context(|| format!("{}: cannot be removed", path.display()))?;
        let failed = Signature::of(plan, &report.axes.safety).as_ref() == Some(&self.signature);
        std::fs::remove_dir_all(&report.folder)
            .with_context(|| format!("{}: cannot be removed", report.folder.display()))?;
        let at = report.violations.first().map_or(report.ran_ms, |violation| violation.at.0 / 1_000_000);
        Ok(failed.then_some(at))
    }
}

/// Runs `rashomon replay` on this plan.
fn replay(plan: &Path, store: &Path) -> anyhow::Result<Report> {
    let mut command = Command::new("/proc/self/exe");
    command.arg("replay").arg("--json").arg("--store").arg(store).arg(plan);
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::piped()).output().context("a run cannot be started")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!("the run gave no report; it said\n{}", String::from_utf8_lossy(&output.stderr))
    })
}
