//! What can be typed about the simulated world.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::sim::plan::ANY_WORKLOAD;

/// Which seeds of which world.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// Protocol of the simulated nodes: raft, if none is named; with --forever all of them by turns.
    #[arg(long)]
    pub protocol: Option<String>,
    /// Seeds to run, the last one excluded: 0..1000 if none are given, without end with --forever.
    #[arg(long, value_name = "FROM..TO")]
    pub seeds: Option<String>,
    /// One seed, to be looked at.
    #[arg(long, conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Print what happens to each node in columns, and keep a run folder.
    #[arg(long, requires = "seed")]
    pub trace: bool,
    /// Planted bugs to switch on, separated by commas (see `rashomon list defects`).
    #[arg(long, value_delimiter = ',')]
    pub defect: Option<Vec<String>>,
    /// What may break, separated by commas (see `rashomon list faults`), or `none`.
    #[arg(long, value_delimiter = ',')]
    pub faults: Option<Vec<String>>,
    /// A directed schedule instead of drawn faults: a ready-made one (see `rashomon list timelines`) or a TOML file.
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["faults", "forever"])]
    pub timeline: Option<String>,
    /// How many nodes; by default each seed chooses.
    #[arg(long)]
    pub nodes: Option<u32>,
    /// What is asked (see `rashomon list workloads`); any: each seed chooses.
    #[arg(long, default_value = ANY_WORKLOAD)]
    pub workload: String,
    /// How nodes read, if that is not each seed's to choose: read-index, lease, log; or local (zab), where clients roam, and are judged only by whether any
    /// sees the past after the present.
    #[arg(long, value_name = "HOW")]
    pub reads: Option<String>,
    /// Entries after which a log is compacted; by default each seed chooses.
    #[arg(long, value_name = "N")]
    pub snapshot_entries: Option<u64>,
    /// Operations asked per second, which seeds vary.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// How long clients ask while things break, in simulated time.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "30s")]
    pub duration: Duration,
    /// Longest time from the last heal until there is progress and rest, in simulated time.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "10s")]
    pub recovery: Duration,
    /// The same sizes, timings and faults for every seed.
    #[arg(long)]
    pub no_swarm: bool,
    /// Stop after so many minutes of real time.
    #[arg(long, value_parser = minutes)]
    pub minutes: Option<Duration>,
    /// Threads; all cores when not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub jobs: Option<u32>,
    /// Go on after the first seed that finds something.
    #[arg(long)]
    pub all: bool,
    /// Go on until Ctrl-C, from where an earlier session stopped, and keep each kind of finding once, shrunk, in the
    /// folder `corpus` of the store.
    #[arg(long, conflicts_with_all = ["seed", "all"])]
    pub forever: bool,
    /// Cases that the corpus holds at most; beyond it the largest of the check with the most cases goes.
    #[arg(long, value_name = "N", requires = "forever", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub corpus_cases: u32,
    /// Size of these cases at most, in MiB.
    #[arg(long, value_name = "MIB", requires = "forever", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub corpus_mib: u32,
    /// With --forever: shrink a finding for so long at most.
    #[arg(long, requires = "forever", value_parser = humantime::parse_duration, default_value = "60s")]
    pub within: Duration,
    /// Folder that run folders are made in.
    #[arg(long, value_name = "DIR", default_value = "runs/sim")]
    pub store: PathBuf,
    /// Print the figures as JSON.
    #[arg(long)]
    pub json: bool,
}

/// So many minutes, or parts of one.
fn minutes(text: &str) -> Result<Duration, String> {
    const MAX: f64 = 1e6;
    let minutes: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match (0.0..=MAX).contains(&minutes) {
        true => Ok(Duration::from_secs_f64(60.0 * minutes)),
        false => Err(format!("expected 0 to {MAX} minutes")),
    }
}
