//! The zoo on real processes: how often and how fast each planted bug is found, and whether the sound node stays green.
//!
//! Every run is a process of its own, the same that a user would start; this only counts. Next: [`table`].

#[path = "processes_table.rs"]
mod table;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use rashomon_histories::Nanos;
use rashomon_node::defect::Defect;
use serde::{Deserialize, Serialize};

use crate::cli::ZooArgs;
use crate::exit::Outcome;
use crate::run::folder::Folder;
use crate::run::report::Report;
use crate::run::verdict::Safety;

/// One run of the zoo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Visit {
    /// Its seed.
    pub seed: u64,
    /// Its exit code.
    pub code: u8,
    /// Into the run, when the last operation of the earliest counterexample completed.
    pub found_at: Option<Nanos>,
    /// Operations recorded.
    pub operations: u64,
    /// Operations a second.
    pub operations_per_second: f64,
    /// From the last operation to the verdict, in milliseconds.
    pub judged_ms: u64,
    /// From the last heal to the first success.
    pub recovery: Option<Nanos>,
    /// What went wrong beside the history, if anything.
    pub troubles: Vec<String>,
}

/// All runs with one defect, or with none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cage {
    /// The defect; none: the sound system.
    pub defect: Option<String>,
    /// What it is.
    pub title: String,
    /// Whether real processes can show it.
    pub reachable: bool,
    /// The arguments that its runs had before those of every run.
    pub arguments: Vec<String>,
    /// Its runs.
    pub visits: Vec<Visit>,
}

/// The whole zoo, as written with `--json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Zoo {
    /// The arguments that every run had.
    pub arguments: Vec<String>,
    /// Sound runs first, then each defect.
    pub cages: Vec<Cage>,
}

/// Passes when every reachable defect was found in at least the share of seeds asked for and no
/// sound run was accused.
///
/// # Errors
/// [`crate::exit::BadInput`] for an unknown defect; else when a run cannot be started or its report not be read.
pub(super) fn command(args: &ZooArgs) -> anyhow::Result<Outcome> {
    let defects = super::chosen(args)?;
    let arguments = arguments(args);
    let mut zoo = Zoo { arguments, cages: Vec::new() };
    if args.clean > 0 {
        let mut cage = Cage {
            defect: None,
            title: "the sound node".to_owned(),
            reachable: true,
            arguments: Vec::new(),
            visits: Vec::new(),
        };
        for seed in args.first_seed..args.first_seed + args.clean {
            cage.visits.push(visit(&[], &zoo.arguments, "sound", seed, &args.store)?);
        }
        zoo.cages.push(cage);
    }
    for defect in defects {
        let description = defect.description();
        let mut cage = Cage {
            defect: Some(description.id.to_owned()),
            title: description.title.to_owned(),
            reachable: description.reachable,
            arguments: arguments_of(defect, &zoo.arguments),
            visits: Vec::new(),
        };
        let seeds = if description.reachable { args.seeds } else { 0 };
        for seed in args.first_seed..args.first_seed + seeds {
            cage.visits.push(visit(&cage.arguments, &zoo.arguments, defect.id(), seed, &args.store)?);
        }
        zoo.cages.push(cage);
    }
    let table = table::markdown(&zoo);
    println!("{table}");
    if let Some(path) = &args.json {
        Folder::write_json(path, &zoo)?;
    }
    if let Some(path) = &args.markdown {
        std::fs::write(path, &table)
            .with_context(|| format!("--markdown {}: cannot be written", path.display()))?;
    }
    Ok(zoo.outcome(args.share_min))
}

impl Cage {
    /// How many of its runs found a violation.
    pub fn found(&self) -> usize {
        self.visits.iter().filter(|visit| visit.code == Outcome::Violation.code()).count()
    }
}

impl Zoo {
    fn outcome(&self, share_min: f64) -> Outcome {
        let accused = |cage: &Cage| cage.defect.is_none() && cage.visits.iter().any(|visit| visit.code != 0);
        let lost = |cage: &Cage| {
            cage.defect.is_some() && (cage.found() as f64) < share_min * cage.visits.len() as f64
        };
        if self.cages.iter().any(accused) {
            Outcome::Violation
        } else if self.cages.iter().any(lost) {
            Outcome::BarMissed
        } else {
            Outcome::Passed
        }
    }
}

fn arguments(args: &ZooArgs) -> Vec<String> {
    let duration = format!("{}ms", args.duration.as_millis());
    ["--duration".to_owned(), duration].into_iter().chain(args.run.iter().cloned()).collect()
}

/// What a run needs to show this bug, as it is typed: the bug, its protocol where that is not the default, and its own flags,
/// but for those that are `given` already.
pub fn arguments_of(defect: Defect, given: &[String]) -> Vec<String> {
    let protocol = defect.protocol().filter(|own| *own != "raft").map(|own| ["--protocol", own]);
    let flags: Vec<&str> = defect.flags().split_whitespace().collect();
    let is_given = |flag: &str| given.iter().any(|one| one.split('=').next() == Some(flag));
    let own = flags.chunks(2).filter(|flag| !is_given(flag[0]));
    let named = protocol.into_iter().chain([["--defect", defect.id()]]).flatten();
    named.chain(own.flatten().copied()).map(str::to_owned).collect()
}

fn visit(own: &[String], every: &[String], name: &str, seed: u64, store: &Path) -> anyhow::Result<Visit> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["run", "--json", "--seed", &seed.to_string(), "--store"]).arg(store).args(own).args(every);
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::piped()).output().context("a run cannot be started")?;
    let report: Report = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "{name}, seed {seed}: the run gave no report; it said\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    let axes = &report.axes;
    let troubles = [&axes.coverage.missed, &axes.recovery.missed, &axes.harness.failures];
    let visit = Visit {
        seed,
        code: report.code,
        found_at: found_at(&report),
        operations: report.measures.counts.total(),
        operations_per_second: report.measures.operations_per_second,
        judged_ms: report.judged_ms,
        recovery: report.measures.recovery_ns,
        troubles: troubles.into_iter().flatten().cloned().collect(),
    };
    eprintln!(
        "{name} seed {seed}: {}{}{}",
        report.outcome,
        visit.found_at.map(|at| format!(", after {at}")).unwrap_or_default(),
        visit.troubles.iter().fold(String::new(), |text, trouble| format!("{text}\n    {trouble}")),
    );
    forget(&report)?;
    Ok(visit)
}

/// A violation completes with the last operation of its counterexample; nodes that diverged show it at the very end.
fn found_at(report: &Report) -> Option<Nanos> {
    match report.axes.safety {
        Safety::Diverged { .. } | Safety::Unsound { .. } => Some(Nanos::from_millis(report.ran_ms)),
        _ => report.violations.first().map(|violation| violation.at),
    }
}

/// The folder of a run that did what it should is of no further use; the others stay to be looked at.
fn forget(report: &Report) -> anyhow::Result<()> {
    let as_expected = match report.defects.is_empty() {
        true => report.code == Outcome::Passed.code(),
        false => report.code == Outcome::Violation.code(),
    };
    if as_expected {
        std::fs::remove_dir_all(&report.folder)
            .with_context(|| format!("{}: cannot be removed", report.folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command as Typed};
    use crate::plan::Plan;

    /// The plan of a run in the zoo with this bug.
    fn plan(defect: Defect, given: &[&str]) -> Plan {
        let given: Vec<String> = given.iter().map(|one| (*one).to_owned()).collect();
        let typed = ["rashomon", "run"].map(str::to_owned).into_iter();
        let typed = typed.chain(arguments_of(defect, &given)).chain(given.iter().cloned());
        match Cli::try_parse_from(typed).unwrap().command {
            Typed::Run(args) => Plan::resolve(&args, 1).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_bug_that_real_processes_show_is_tried_with_its_own_flags() {
        for defect in Defect::ALL.into_iter().filter(|defect| defect.description().reachable) {
            let plan = plan(defect, &["--duration", "30s"]);
            assert_eq!(plan.defects, [defect.id()]);
            assert_eq!(plan.protocol.as_deref(), Some(defect.protocol().unwrap_or("raft")), "{defect}");
            assert_eq!(defect.flags().contains("--workload list"), plan.workload == "list", "{defect}");
            assert_eq!(defect.flags().contains("--faults kill "), plan.faults == ["kill"], "{defect}");
            let snapshots = defect.flags().contains("--snapshot-entries 10");
            assert_eq!(snapshots, plan.snapshot_entries == Some(10), "{defect}");
            assert_eq!(defect.flags().contains("--nodes 4"), plan.nodes == 4, "{defect}");
        }
        let with_flags = |defect: &Defect| defect.description().reachable && !defect.flags().is_empty();
        assert!(Defect::ALL.iter().filter(|defect| with_flags(defect)).count() >= 4);
    }

    #[test]
    fn what_is_given_wins_over_a_bugs_own_flags() {
        let given = plan(Defect::R32, &["--workload=set", "--snapshot-entries", "30"]);
        assert_eq!((given.workload.as_str(), given.snapshot_entries), ("set", Some(30)));
        let half = plan(Defect::R32, &["--workload", "set"]);
        assert_eq!((half.workload.as_str(), half.snapshot_entries), ("set", Some(10)));
    }
}
