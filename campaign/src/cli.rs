//! The command line: what can be typed, and nothing of what it does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rashomon_checker::Engine;

mod findings;
mod simulated;

pub use findings::{ReplayArgs, Schedules, ShrinkArgs, World, ZooArgs};
pub use simulated::SimArgs;

/// Breaks a replicated store while clients use it, and judges whether one order of events explains what they saw.
#[derive(Debug, Parser)]
#[command(name = "rashomon", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one plan: start the system, drive it, break it, heal it, judge it.
    Run(Box<RunArgs>),
    /// Judge recorded histories: a file, the folder of a run, or any folder of histories.
    Check(CheckArgs),
    /// Make a history out of a seed: of an object that worked, or that once did not.
    Gen(GenArgs),
    /// Tell a counterexample in sentences, as a table, and as a picture.
    Explain(ExplainArgs),
    /// Write a run's report.html again, from its folder.
    Report(ReportArgs),
    /// Repeat what a run did, fault by fault.
    Replay(ReplayArgs),
    /// Find the fewest faults and operations that still show a violation, and save them as a case.
    Shrink(ShrinkArgs),
    /// Count how often and how fast each planted bug is found, and whether the sound node stays green.
    Zoo(ZooArgs),
    /// Run many seeds of the simulated world, or look at one.
    Sim(SimArgs),
    /// The nemesis process; started by `run`, it speaks JSON lines on its standard input and output.
    #[command(hide = true)]
    Nemesis,
    /// Say what this machine offers, fault by fault, and what to install.
    Doctor {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// List what there is to choose from.
    List(ListArgs),
}

/// Everything a run is a function of; what is not given comes from --config, else from the defaults.
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// System under test: a built-in one (see `rashomon list systems`) or the path of a TOML file.
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub system: Option<String>,
    /// Protocol of the reference node.
    #[arg(long)]
    pub protocol: Option<String>,
    /// What is asked of it (see `rashomon list workloads`).
    #[arg(long)]
    pub workload: Option<String>,
    /// How many nodes.
    #[arg(long)]
    pub nodes: Option<u32>,
    /// How many client processes at a time. Each belongs to one node; some go on at the next when they get no answer, a few
    /// of these now and then without a reason.
    #[arg(long)]
    pub clients: Option<u32>,
    /// Operations asked per second over all clients; 0: as fast as the clients get answers.
    #[arg(long)]
    pub rate: Option<f64>,
    /// How many keys are in use at a time.
    #[arg(long)]
    pub keys: Option<u32>,
    /// Operations on a key until a fresh one takes its place.
    #[arg(long)]
    pub key_operations: Option<u64>,
    /// What may break, separated by commas (see `rashomon list faults`), or `none`.
    #[arg(long, value_delimiter = ',')]
    pub faults: Option<Vec<String>>,
    /// A directed schedule instead of drawn faults: a ready-made one (see `rashomon list timelines`) or a TOML file.
    #[arg(long, value_name = "NAME|FILE.toml", conflicts_with = "faults")]
    pub timeline: Option<String>,
    /// Seed of everything that is drawn; a fresh one is drawn and printed when none is given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long clients ask while things break, such as 60s or 2m.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// How long a client waits for an answer; past that the outcome is unknown.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
    /// Where nodes live: `namespaces` or `loopback`.
    #[arg(long)]
    pub arena: Option<String>,
    /// Planted bugs to switch on, separated by commas (see `rashomon list defects`).
    #[arg(long, value_delimiter = ',')]
    pub defect: Option<Vec<String>>,
    /// Longest time from the last heal to the first success that still passes.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub recovery: Option<Duration>,
    /// Entries after which a node takes a snapshot and cuts its log.
    #[arg(long, value_name = "N")]
    pub snapshot_entries: Option<u64>,
    /// TOML file with any of these settings; flags win over it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder that run folders are made in.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub store: PathBuf,
    /// Print the verdict as JSON on standard output; everything else goes to standard error.
    #[arg(long)]
    pub json: bool,
    /// Write a JUnit report, for CI.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// What to judge and how.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A history (.jsonl, .jsonl.zst, Jepsen's EDN, Porcupine's logs, elle's JSON), the folder of a run, or a folder of
    /// histories, for a table of them all.
    pub path: PathBuf,
    /// Model to hold it against; by default the one that its header names.
    #[arg(long)]
    pub model: Option<String>,
    /// Re-check every witness by the independent verifier; one that proves nothing is a failure of the harness.
    #[arg(long)]
    pub verify: bool,
    /// The only judge to ask: `shortcut`, the near-linear one of the model, or `search`, which applies to all.
    #[arg(long)]
    pub engine: Option<Engine>,
    /// Most configurations that the judge may make per key.
    #[arg(long, visible_alias = "budget-states")]
    pub states_max: Option<u64>,
    /// Most memory, in MiB, that the judge may use per key.
    #[arg(long, visible_alias = "budget-mib")]
    pub memory_max_mib: Option<u64>,
    /// Stop after this long; what is open then is undecided.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub deadline: Option<Duration>,
    /// Keep the judgement with its witnesses in this file.
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
    /// Go on from a judgement that was kept (by --keep, or as a run's witness.json): only what is undecided there is
    /// judged, with what may be spent now.
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Print the verdict as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write a JUnit report, for CI.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// What kind of history to make. Equal arguments make equal histories.
#[derive(Debug, Args)]
pub struct GenArgs {
    /// How many operations are invoked.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub ops: u64,
    /// How many clients ask, each one operation at a time.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub clients: u32,
    /// How many keys there are.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub keys: u32,
    /// Share of operations whose outcome stays unknown; half of these take effect, some much later.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub unknown: f64,
    /// Every write has a value of its own; so it is when --values is not given.
    #[arg(long, conflicts_with = "values")]
    pub distinct: bool,
    /// Writes draw from so many values.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub values: Option<u32>,
    /// Plant one stale read in the last twentieth.
    #[arg(long, conflicts_with = "mutated")]
    pub invalid: bool,
    /// Spoil one read anywhere by a value that was lately there: often invalid, and if so only just.
    #[arg(long)]
    pub mutated: bool,
    /// Some operations last very long and take effect at their very ends, so that the order is hidden.
    #[arg(long)]
    pub hidden: bool,
    /// The object (see `rashomon list models`).
    #[arg(long, default_value = "cas-register")]
    pub model: String,
    /// The seed.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// File to write; zstd when its name ends in .zst.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Which counterexample, and how.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The folder of a run, or a history in any format that is read, which is judged first.
    pub path: PathBuf,
    /// The key whose counterexample to tell; by default the one that was complete first.
    #[arg(long)]
    pub key: Option<String>,
    /// Model to hold the history against, judging it again; by default what the run found is told.
    #[arg(long)]
    pub model: Option<String>,
    /// Draw the counterexample as SVG.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Print every counterexample as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which run's page.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The folder of a run.
    pub path: PathBuf,
}

/// What to list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// systems, workloads, faults, timelines, models, defects or codes; everything when not given.
    pub what: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
