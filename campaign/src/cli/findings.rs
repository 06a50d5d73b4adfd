//! What can be typed about findings: repeating, shrinking and counting them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// What to repeat.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The folder of a run, its plan.json, or a saved case.
    pub path: PathBuf,
    /// Folder that run folders are made in.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub store: PathBuf,
    /// Print the verdict as JSON on standard output; everything else goes to standard error.
    #[arg(long)]
    pub json: bool,
}

/// What to shrink, and how long to try.
#[derive(Debug, Args)]
pub struct ShrinkArgs {
    /// The folder of a run that found a violation, or a saved case.
    pub path: PathBuf,
    /// Real processes: repeat each candidate so often at most.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: u32,
    /// Real processes: a candidate still fails when so many of its runs do.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub fails: u32,
    /// Try no further candidate after this long.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "60s")]
    pub within: Duration,
    /// Folder that the shrunk case is saved in.
    #[arg(long, value_name = "DIR", default_value = "histories/bugbase")]
    pub bugbase: PathBuf,
    /// Folder for the runs of candidates; each is removed once it has been looked at.
    #[arg(long, value_name = "DIR", default_value = "runs/shrink")]
    pub store: PathBuf,
    /// Print what was found as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where the zoo is visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum World {
    /// Simulated worlds, one after another until the bug shows.
    Simulator,
    /// Real processes, one run a visit.
    Real,
}

/// Which schedules the zoo follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Schedules {
    /// Those drawn from the seed.
    Drawn,
    /// Those directed at the planted bug, where there is one.
    Directed,
    /// Both.
    Both,
}

/// Which planted bugs, and how often.
#[derive(Debug, Args)]
pub struct ZooArgs {
    /// Where.
    #[arg(long, value_enum, default_value_t = World::Simulator)]
    pub world: World,
    /// Planted bugs, separated by commas, or `none`; all that there are when not given.
    #[arg(long, value_delimiter = ',')]
    pub defects: Option<Vec<String>>,
    /// Visits per planted bug, each with a seed of its own.
    #[arg(long, default_value_t = 20)]
    pub seeds: u64,
    /// Runs of the sound node; in the simulator, of each member of the control group.
    #[arg(long, default_value_t = 20)]
    pub clean: u64,
    /// The first seed; the others count up from it.
    #[arg(long, default_value_t = 1)]
    pub first_seed: u64,
    /// How long each run lasts at most.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "30s")]
    pub duration: Duration,
    /// Simulator: which schedules are followed.
    #[arg(long, value_enum, default_value_t = Schedules::Both)]
    pub schedules: Schedules,
    /// Simulator: worlds that a visit looks at before it gives up.
    #[arg(long, default_value_t = 100)]
    pub worlds: u64,
    /// Simulator: shrink one finding of each planted bug, and save it as a case in this folder.
    #[arg(long, value_name = "DIR")]
    pub bugbase: Option<PathBuf>,
    /// Simulator: the table of what must be found, in TOML; a planted bug that is found less often fails.
    #[arg(long, value_name = "FILE")]
    pub expected: Option<PathBuf>,
    /// Simulator: write the tables into this Markdown file, between its markers.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Real processes: share of its runs in which a planted bug must be found.
    #[arg(long, default_value_t = 0.9)]
    pub share_min: f64,
    /// Folder for the runs; those that went as expected are removed.
    #[arg(long, value_name = "DIR", default_value = "runs/zoo")]
    pub store: PathBuf,
    /// Write every figure as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the table as Markdown.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Real processes: further arguments of every run, after `--`; they win over those that a bug needs (`list defects`).
    #[arg(last = true)]
    pub run: Vec<String>,
}
