//! Many seeds: on as many threads as asked for, some of them twice to prove that nothing ambient leaks in.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rashomon_histories::Nanos;
use rashomon_simulator::Outcome;
use serde::Serialize;

use crate::cli::SimArgs;
use crate::exit::{self, BadInput};
use crate::sim::SEEDS;
use crate::sim::plan::SimPlan;
use crate::sim::seed::{self, Finding, Ran};

/// One in so many seeds is run twice.
pub(super) const TWICE_ONE_IN: u64 = 100;

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What many seeds came to.
#[derive(Debug, Default, Serialize)]
pub struct Swath {
    /// Seeds that ran.
    pub seeds: u64,
    /// Those that were run twice, with equal bytes.
    pub repeated: u64,
    /// Seeds with findings, in order.
    pub findings: Vec<Found>,
    /// Seeds whose second run differed from the first, and where.
    pub differing: Vec<String>,
    /// Simulated time in all.
    pub simulated: Nanos,
    /// Operations that happened.
    pub operations: u64,
    /// Faults that began.
    pub faults: u64,
    /// Histories that the judge could not decide within its budget.
    pub undecided: u64,
    /// Real time, in milliseconds.
    pub took_ms: u64,
}

/// A seed that found something.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// What, the check that fired first first.
    pub findings: Vec<Finding>,
    /// Real time from the beginning of all, in milliseconds.
    pub found_ms: u64,
}

impl Swath {
    /// Runs these seeds, to the first finding unless told otherwise.
    ///
    /// # Errors
    /// As [`seed::run`].
    #[allow(
        clippy::disallowed_methods,
        reason = "figures of speed are of real time; nothing is decided by them"
    )]
    pub fn run(plan: &SimPlan, seeds: Range<u64>, args: &SimArgs) -> Result<Swath, BadInput> {
        plan.setup(seeds.start)?;
        let started = Instant::now();
        let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
        let swath = Mutex::new(Swath::default());
        let work = || -> Result<(), BadInput> {
            while !stop.load(Ordering::Relaxed)
                && args.minutes.is_none_or(|minutes| started.elapsed() < minutes)
            {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    break;
                }
                let ran = seed::run(plan, seed, false)?;
                let repeated = seed % TWICE_ONE_IN == seeds.start % TWICE_ONE_IN;
                let differs = if repeated { differs(plan, &ran)? } else { None };
                let found_ms = millis(started.elapsed());
                let mut swath = swath.lock().expect("no thread panics with the lock");
                if !ran.findings.is_empty() && !args.all {
                    stop.store(true, Ordering::Relaxed);
                }
                swath.add(ran, found_ms, repeated, differs);
            }
            Ok(())
        };
        let done = AtomicBool::new(false);
        let line = |seconds: f64| {
            let swath = swath.lock().expect("no thread panics with the lock");
            progress(&swath, swath.findings.len() as u64, seconds)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs(args)).map(|_| scope.spawn(work)).collect();
            scope.spawn(|| tell(&done, started, line));
            let ended: Result<Vec<()>, BadInput> = threads
                .into_iter()
                .map(|thread| thread.join().expect("a world's panics are caught"))
                .collect();
            done.store(true, Ordering::Relaxed);
            ended
        })?;
        let mut swath = swath.into_inner().expect("no thread panics with the lock");
        swath.findings.sort_by_key(|found| found.seed);
        swath.took_ms = millis(started.elapsed());
        Ok(swath)
    }

    pub(super) fn add(&mut self, ran: Ran, found_ms: u64, repeated: bool, differs: Option<String>) {
        self.seeds += 1;
        if let Some(outcome) = &ran.outcome {
            self.simulated = self.simulated.plus(outcome.simulated);
            self.operations += outcome.counts.ok + outcome.counts.fail + outcome.counts.info;
            self.faults += outcome.faults.len() as u64;
        }
        let undecided =
            ran.judgement.is_some_and(|judged| judged.verdict == rashomon_checker::Verdict::Undecided);
        self.undecided += u64::from(undecided);
        self.repeated += u64::from(repeated && differs.is_none());
        self.differing.extend(differs);
        if !ran.findings.is_empty() {
            self.findings.push(Found { seed: ran.seed, findings: ran.findings, found_ms });
        }
    }

    /// Seeds a second, and simulated per real time.
    fn speed(&self) -> (f64, f64) {
        let seconds = (self.took_ms as f64 / 1e3).max(1e-3);
        (self.seeds as f64 / seconds, self.simulated.as_secs_f64() / seconds)
    }

    /// The outcome of all of it.
    pub fn outcome(&self) -> exit::Outcome {
        match () {
            () if !self.findings.is_empty() => exit::Outcome::Violation,
            () if !self.differing.is_empty() => exit::Outcome::HarnessFailure,
            () if self.undecided > 0 => exit::Outcome::Undecided,
            () => exit::Outcome::Passed,
        }
    }

    /// Tells it: for people, or as JSON.
    ///
    /// # Errors
    /// When standard output does not take it.
    pub fn show(&self, args: &SimArgs, plan: &SimPlan) -> anyhow::Result<()> {
        if args.json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        self.show_figures();
        for found in self.findings.iter().take(10) {
            let first = &found.findings[0];
            println!("seed {}: {} at {}: {}", found.seed, first.check, first.at, first.detail);
        }
        if self.findings.is_empty() {
            let seeds = args.seeds.clone().unwrap_or_else(|| format!("{}..{}", SEEDS.start, SEEDS.end));
            println!("nothing was found; again: {}", plan.command(&format!("--seeds {seeds}")));
        }
        Ok(())
    }

    /// What the seeds came to, whatever they found.
    pub(super) fn show_figures(&self) {
        let (seeds, ratio) = self.speed();
        println!(
            "{} seeds, {seeds:.1} a second; {:.0} s simulated, {ratio:.0} times real time; {} operations, {} faults",
            self.seeds,
            self.simulated.as_secs_f64(),
            self.operations,
            self.faults
        );
        println!("{} seeds were run twice and gave the same bytes", self.repeated);
        for differing in &self.differing {
            println!("NOT DETERMINISTIC  {differing}");
        }
        if self.undecided > 0 {
            println!("UNDECIDED  {} histories: the judge ran out of its budget", self.undecided);
        }
    }
}

/// Runs a seed again; a sentence when anything came out differently.
pub(super) fn differs(plan: &SimPlan, first: &Ran) -> Result<Option<String>, BadInput> {
    let again = seed::run(plan, first.seed, false)?;
    let (Some(one), Some(two)) = (&first.outcome, &again.outcome) else { return Ok(None) };
    if (one.trace_hash, &one.history) == (two.trace_hash, &two.history) {
        return Ok(None);
    }
    let [one, two] = [seed::run(plan, first.seed, true)?, seed::run(plan, first.seed, true)?];
    let (Some(one), Some(two)) = (one.outcome, two.outcome) else { return Ok(None) };
    Ok(Some(format!("seed {} gave two different runs, {}", first.seed, divergence(&one, &two))))
}

/// The first place where two runs, recorded glyph by glyph, differ.
fn divergence(one: &Outcome, two: &Outcome) -> String {
    let mut pairs = one.happenings.iter().zip(&two.happenings);
    match pairs.find(|(a, b)| a != b) {
        Some((a, b)) => format!("first at {}: {a:?} the one time, {b:?} the other", a.at),
        None if one.happenings.len() != two.happenings.len() => {
            let lengths = [one.happenings.len(), two.happenings.len()];
            format!("{} things happened the one time, {} the other", lengths[0], lengths[1])
        }
        None => "but not what happened to the nodes: look at the two histories".to_owned(),
    }
}

/// Threads that are asked for.
pub(super) fn jobs(args: &SimArgs) -> u32 {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    args.jobs.unwrap_or_else(|| u32::try_from(cores()).unwrap_or(1))
}

/// How far it is after so many seconds.
pub(super) fn progress(swath: &Swath, found: u64, seconds: f64) -> String {
    format!(
        "{seconds:6.1} s  {} seeds, {:.1} a second, {:.0} times real time, {found} with findings",
        swath.seeds,
        swath.seeds as f64 / seconds,
        swath.simulated.as_secs_f64() / seconds,
    )
}

/// Tells every few seconds how far it is, until it is done.
#[allow(clippy::disallowed_methods, reason = "a progress line is told in real time")]
pub(super) fn tell(done: &AtomicBool, started: Instant, line: impl Fn(f64) -> String) {
    let mut told = Instant::now();
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            eprintln!("{}", line(started.elapsed().as_secs_f64()));
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rashomon_simulator::{Setup, protocols};

    use super::*;

    fn traced(seed: u64) -> Outcome {
        let raft = protocols::find("raft").expect("it is registered");
        (raft.run)(&Setup { duration: Nanos::from_secs(1), trace: true, ..Setup::new(seed) })
    }

    /// A world that is not a function of its seed is as one of two seeds: the first difference is told, with its time.
    #[test]
    fn where_two_runs_differ_first_is_told() {
        let (one, two) = (traced(1), traced(2));
        let first = one.happenings.iter().zip(&two.happenings).find(|(a, b)| a != b);
        let (a, b) = first.expect("two seeds differ");
        assert_eq!(divergence(&one, &two), format!("first at {}: {a:?} the one time, {b:?} the other", a.at));
    }

    #[test]
    fn a_run_that_ends_early_differs_by_what_is_missing() {
        let (one, mut two) = (traced(1), traced(1));
        two.happenings.pop();
        let (more, less) = (one.happenings.len(), two.happenings.len());
        assert_eq!(divergence(&one, &two), format!("{more} things happened the one time, {less} the other"));
    }

    #[test]
    fn the_same_seed_does_not_differ() {
        let (one, two) = (traced(3), traced(3));
        assert!(!one.happenings.is_empty());
        assert!(divergence(&one, &two).contains("not what happened to the nodes"));
    }
}
