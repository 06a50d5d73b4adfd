//! From what was played to what is told: stops the nodes, judges and measures the sealed history, holds the figures
//! against the plan's bars.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Context as _;
use rashomon_checker::Judgement;
use rashomon_checker::online::Followed;
use rashomon_histories::{Nanos, jsonl};

use crate::check::kept::Kept;
use crate::explain::load::{Found, of_judgement};
use crate::page::AtHand;
use crate::plan::Plan;
use crate::run::drive::Clock;
use crate::run::folder::Folder;
use crate::run::judge::{self, safety};
use crate::run::nodes::Nodes;
use crate::run::online::{Following, Settled};
use crate::run::report::Report;
use crate::run::tell::{Told, tell};
use crate::run::verdict::{Axes, Harness, Recovery, Safety, coverage, recovery};
use crate::source::Source;

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
    /// Whether nodes said that their reads are not meant to be linearizable.
    pub(super) reads_locally: bool,
    pub(super) deaths: Vec<String>,
    pub(super) not_recovered: Option<String>,
    /// How the nodes' states differ, if they do.
    pub(super) divergence: Option<String>,
    pub(super) online: Following,
}

impl Played {
    pub(super) fn new(nodes: Rc<RefCell<Nodes>>, clock: Clock, online: Following) -> Self {
        Played {
            nodes,
            clock,
            ran: Nanos(0),
            end: Nanos(0),
            harness: Harness::default(),
            doubts: Vec::new(),
            reads_locally: false,
            deaths: Vec::new(),
            not_recovered: None,
            divergence: None,
            online,
        }
    }
}

/// Settles what the judge has open while the nodes stop.
pub(super) async fn conclude(
    plan: &Plan,
    folder: &Folder,
    played: Played,
) -> anyhow::Result<(Report, AtHand)> {
    let Played {
        nodes,
        clock,
        ran,
        end,
        mut harness,
        doubts,
        reads_locally,
        deaths,
        not_recovered,
        divergence,
        online,
    } = played;
    let settling =
        tokio::task::spawn_blocking(move || online.finish().map(|followed| (followed, clock.now())));
    let stopping = async {
        let nodes = Rc::try_unwrap(nodes).ok().context("the nodes are still in use")?;
        nodes.into_inner().stop().await
    };
    let (settled, stopped) = tokio::join!(settling, stopping);
    if let Err(error) = stopped {
        harness.failures.push(format!("the arena could not be torn down: {error:#}"));
    }
    let (Settled { followed, measures, traces }, judged_at) = settled.context("the judge failed")??;
    let (safety, told, found, keys_judged) = match settle(plan, folder, followed) {
        Ok(settled) => settled,
        Err(error) => {
            harness.failures.push(format!("the history could not be judged: {error:#}"));
            (Safety::Unjudged, Told::default(), Vec::new(), 0)
        }
    };
    let safety = match (safety, divergence) {
        (Safety::Valid | Safety::Undecided { .. }, Some(story)) => Safety::Diverged { story },
        (safety, _) => safety,
    };
    let cut_short = harness.interrupted || safety == Safety::Invalid || !harness.failures.is_empty();
    let late = recovery(plan, &measures, cut_short).missed;
    let recovery = Recovery { missed: [not_recovered.into_iter().collect(), deaths, late].concat() };
    let axes = Axes { coverage: coverage(plan, &measures, cut_short), recovery, harness, safety };
    if axes.safety == Safety::Valid {
        forget_data(folder)?;
    }
    let outcome = axes.outcome();
    let report = Report {
        format: 1,
        plan_hash: plan.hash(),
        code: outcome.code(),
        outcome: outcome.doc().to_owned(),
        axes,
        violations: told.violations,
        keys_judged,
        judged_ms: judged_at.since(end).0 / 1_000_000,
        ran_ms: ran.0 / 1_000_000,
        measures,
        doubts,
        reads_locally,
        defects: plan.defects.clone(),
        command: plan.command(),
        folder: folder.path().to_owned(),
    };
    Ok((report, AtHand { traces, found, events: told.events }))
}

/// Keeps the witnesses and, of a violation, the counterexample, told in words.
fn settle(
    plan: &Plan,
    folder: &Folder,
    followed: anyhow::Result<Followed>,
) -> anyhow::Result<(Safety, Told, Vec<Found>, usize)> {
    let (source, model) = (Source::recorded(&folder.history())?, plan.workload()?.model());
    let judgement = judge::settle(&source, model, followed?)?;
    keep_witnesses(folder, &judgement)?;
    let told = tell(&source, model, &judgement)?;
    if !told.violations.is_empty() {
        let (header, events) = told.as_history(source.header());
        let path = folder.counterexample();
        jsonl::write_file(&path, &header, &events)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    let found = of_judgement(&told.violations, &judgement);
    Ok((safety(&judgement), told, found, judgement.keys.len()))
}

fn keep_witnesses(folder: &Folder, judgement: &Judgement) -> anyhow::Result<()> {
    let path = folder.witness();
    let file = std::fs::File::create(&path).with_context(|| format!("{}: cannot be made", path.display()))?;
    let mut file = std::io::BufWriter::new(file);
    serde_json::to_writer(&mut file, &Kept::of(judgement, &folder.history())?)
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
