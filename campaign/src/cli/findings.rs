//! What can be typed about findings: repeating, shrinking and counting them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

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
