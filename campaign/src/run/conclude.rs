//! From what was played to what is told: stops the nodes, judges and measures the sealed history, holds the figures
//! against the plan's bars.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Context as _;
use rashomon_histories::{History, Nanos, jsonl};

use crate::plan::Plan;
use crate::run::drive::Clock;
use crate::run::folder::Folder;
use crate::run::judge::{Judged, Spending, judge};
use crate::run::measure::{Measures, measure};
use crate::run::nodes::Nodes;
use crate::run::report::Report;
use crate::run::verdict::{Axes, Harness, Recovery, Safety, coverage, recovery};

/// What was played.
pub(super) struct Played {
    pub(super) nodes: Rc<RefCell<Nodes>>,
    pub(super) clock: Clock,
    /// When the main phase was over.
    pub(super) ran: Nanos,
    /// When the last operation was.
    pub(super) end: Nanos,
    pub(super) harness: Harness,
    pub(super) doubts: Vec<String>,
    pub(super) deaths: Vec<String>,
    pub(super) not_recovered: Option<String>,
}

impl Played {
    pub(super) fn new(nodes: Rc<RefCell<Nodes>>, clock: Clock) -> Self {
        Played {
            nodes,
            clock,
            ran: Nanos(0),
            end: Nanos(0),
            harness: Harness::default(),
            doubts: Vec::new(),
            deaths: Vec::new(),
            not_recovered: None,
        }
    }
}

/// A history, read back, judged and measured.
struct Assessed {
    judged: Judged,
    measures: Measures,
}

/// Judges while the nodes stop.
pub(super) async fn conclude(plan: &Plan, folder: &Folder, played: Played) -> anyhow::Result<Report> {
    let Played { nodes, clock, ran, end, mut harness, doubts, deaths, not_recovered } = played;
    let (history, model) = (folder.clone(), plan.workload()?.model());
    let judging = tokio::task::spawn_blocking(move || {
        let assessed = assess(&history, model);
        (assessed, clock.now())
    });
    let stopping = async {
        let nodes = Rc::try_unwrap(nodes).ok().context("the nodes are still in use")?;
        nodes.into_inner().stop().await
    };
    let (judging, stopped) = tokio::join!(judging, stopping);
    if let Err(error) = stopped {
        harness.failures.push(format!("the arena could not be torn down: {error:#}"));
    }
    let (assessed, judged_at) = judging.context("the judge failed")?;
    let cut_short = harness.interrupted || !harness.failures.is_empty();
    let (safety, measures, judged) = match assessed {
        Ok(Assessed { judged, measures }) => (judged.safety(), measures, Some(judged)),
        Err(error) => {
            harness.failures.push(format!("the history could not be judged: {error:#}"));
            (Safety::Unjudged, Measures::default(), None)
        }
    };
    let recovery = Recovery {
        missed: [not_recovered.into_iter().collect(), deaths, recovery(plan, &measures, cut_short).missed]
            .concat(),
    };
    let axes = Axes { coverage: coverage(plan, &measures, cut_short), recovery, harness, safety };
    if let Some(judged) = &judged {
        keep_witnesses(folder, judged)?;
    }
    if axes.safety == Safety::Valid {
        forget_data(folder)?;
    }
    let outcome = axes.outcome();
    Ok(Report {
        format: 1,
        plan_hash: plan.hash(),
        code: outcome.code(),
        outcome: outcome.doc().to_owned(),
        axes,
        violations: judged.as_ref().map(|judged| judged.violations.clone()).unwrap_or_default(),
        keys_judged: judged.as_ref().map_or(0, |judged| judged.judgement.keys.len()),
        judged_ms: judged_at.since(end).0 / 1_000_000,
        ran_ms: ran.0 / 1_000_000,
        measures,
        doubts,
        defects: plan.defects.clone(),
        command: plan.command(),
        folder: folder.path().to_owned(),
    })
}

fn assess(folder: &Folder, model: &str) -> anyhow::Result<Assessed> {
    let history = History::read(&folder.history())?;
    let judged = judge(&history, model, Spending::default())?;
    let measures = measure(&history);
    if !judged.counterexample.is_empty() {
        let (header, events) = judged.counterexample_history(history.header());
        let path = folder.counterexample();
        jsonl::write_file(&path, &header, &events)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(Assessed { judged, measures })
}

fn keep_witnesses(folder: &Folder, judged: &Judged) -> anyhow::Result<()> {
    let path = folder.path().join("witness.json");
    let file = std::fs::File::create(&path).with_context(|| format!("{}: cannot be made", path.display()))?;
    let mut file = std::io::BufWriter::new(file);
    serde_json::to_writer(&mut file, &judged.judgement)
        .map_err(std::io::Error::from)
        .and_then(|()| std::io::Write::flush(&mut file))
        .with_context(|| format!("{}: cannot be written", path.display()))
}

/// The data of sound nodes is of no use any more; that of a violation is evidence.
fn forget_data(folder: &Folder) -> anyhow::Result<()> {
    let path = folder.path().join("data");
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}
