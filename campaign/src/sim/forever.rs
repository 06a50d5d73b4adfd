//! `rashomon sim --forever`: seed after seed, protocol by turns, until somebody says stop; what is found is shrunk and kept,
//! each kind once ([`corpus`](super::corpus)).
//!
//! Of a check that fires often the 1st, 2nd, 4th, 8th … finding is shrunk: new faces of it are still met, and a bug that every
//! seed finds does not take all the time. A seed counts as done when what it found has been dealt with; one that an
//! interruption cut short is the first of the next session.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rashomon_simulator::protocols;
use serde::Serialize;

use crate::arena::interrupts::Interrupts;
use crate::cli::SimArgs;
use crate::exit::Outcome;
use crate::replay::pinned::Pinned;
use crate::shrink::simulated::shrink_until;
use crate::sim::corpus::{Added, Bounds, Corpus, Kind, Tally};
use crate::sim::plan::SimPlan;
use crate::sim::seed::{self, Ran};
use crate::sim::swath::{self, Swath};

/// How often progress is written down.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// Findings of a session that are kept for its summary.
const FINDINGS_MAX: usize = 10;

/// One plan's seeds.
struct Line {
    plan: SimPlan,
    /// Seeds to take first: an earlier session did not finish them.
    pending: VecDeque<u64>,
    /// The first seed that nobody has taken.
    next: u64,
}

struct Session {
    lines: Vec<Line>,
    /// Whose turn it is.
    turn: usize,
    end: u64,
    corpus: Corpus,
    swath: Swath,
    /// Seeds of this session that found something.
    found: u64,
    saved: Instant,
}

/// How a session ended, for machines.
#[derive(Serialize)]
struct Summary<'a> {
    seeds: u64,
    found: u64,
    undecided: u64,
    differing: &'a [String],
    took_ms: u64,
    corpus: PathBuf,
    kinds: &'a [Kind],
}

/// Goes on until the seeds or the time given are over, or it is asked to stop.
///
/// # Errors
/// [`crate::exit::BadInput`] for a plan that cannot be, or a corpus that cannot be read; else when that cannot be written.
#[allow(clippy::disallowed_methods, reason = "how long a session lasts is real time")]
pub fn command(args: &SimArgs, seeds: Option<Range<u64>>) -> anyhow::Result<Outcome> {
    let names: Vec<&str> = match &args.protocol {
        Some(name) => vec![name],
        None => protocols::REGISTRY.iter().map(|entry| entry.name).collect(),
    };
    let plans: Vec<SimPlan> =
        names.into_iter().map(|name| SimPlan::resolve(args, name)).collect::<Result<_, _>>()?;
    let bounds = Bounds { cases: args.corpus_cases as usize, bytes: u64::from(args.corpus_mib) << 20 };
    let folder = args.store.join("corpus");
    let mut session = Session::new(plans, seeds.unwrap_or(0..u64::MAX), Corpus::open(&folder, bounds)?)?;
    session.tell_start();
    let interrupts = Interrupts::listen()?;
    let started = Instant::now();
    let failed = AtomicBool::new(false);
    let is_over = || {
        failed.load(Ordering::Relaxed)
            || interrupts.count() > 0
            || args.minutes.is_some_and(|minutes| started.elapsed() >= minutes)
    };
    session.saved = started;
    let session = Mutex::new(session);
    let done = AtomicBool::new(false);
    let work = || {
        let worked = work(&session, args.within, &is_over);
        failed.fetch_or(worked.is_err(), Ordering::Relaxed);
        worked
    };
    let line = |seconds: f64| {
        let session = session.lock().expect("no thread panics with the lock");
        let kinds = session.corpus.kinds().len();
        format!("{}, {kinds} kinds in the corpus", swath::progress(&session.swath, session.found, seconds))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..swath::jobs(args)).map(|_| scope.spawn(work)).collect();
        scope.spawn(|| swath::tell(&done, started, line));
        let ended: anyhow::Result<Vec<()>> =
            threads.into_iter().map(|thread| thread.join().expect("a world's panics are caught")).collect();
        done.store(true, Ordering::Relaxed);
        ended
    })?;
    let mut session = session.into_inner().expect("no thread panics with the lock");
    session.swath.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    session.save()?;
    session.show(args, folder)
}

/// Takes seed after seed, until there is none left or it is over.
fn work(
    session: &Mutex<Session>,
    within: Duration,
    is_over: &(dyn Fn() -> bool + Sync),
) -> anyhow::Result<()> {
    let lock = || session.lock().expect("no thread panics with the lock");
    while !is_over() {
        let Some((line, plan, seed)) = lock().take()? else { break };
        let ran = seed::run(&plan, seed, false)?;
        let repeated = seed.is_multiple_of(swath::TWICE_ONE_IN);
        let differs = if repeated { swath::differs(&plan, &ran)? } else { None };
        let shrinks = lock().is_to_be_shrunk(&plan, &ran)?;
        if let (true, Some(outcome)) = (shrinks, &ran.outcome) {
            let pinned = Pinned::of(&plan.protocol, &plan.setup(seed)?, outcome);
            let shrunk = shrink_until(pinned, None, within, is_over)?;
            if is_over() {
                // What is left may be larger than it need be: the seed is for the next session.
                break;
            }
            match shrunk {
                Some(shrunk) => lock().keep(&plan, seed, &shrunk.case)?,
                None => eprintln!("seed {seed} of {}: it cannot be shrunk", plan.protocol),
            }
        }
        lock().finish(line, ran, repeated, differs)?;
    }
    Ok(())
}

impl Session {
    #[allow(clippy::disallowed_methods, reason = "progress is written down every few seconds of real time")]
    fn new(plans: Vec<SimPlan>, seeds: Range<u64>, mut corpus: Corpus) -> anyhow::Result<Session> {
        let mut lines = Vec::new();
        for plan in plans {
            plan.setup(seeds.start)?;
            let progress = corpus.progress(&plan, seeds.start)?;
            progress.next = progress.next.max(seeds.start);
            let pending = progress.pending.range(seeds.clone()).copied().collect();
            lines.push(Line { next: progress.next, pending, plan });
        }
        let (swath, saved) = (Swath::default(), Instant::now());
        Ok(Session { lines, turn: 0, end: seeds.end, corpus, swath, found: 0, saved })
    }

    /// The next seed of the next protocol that has one.
    fn take(&mut self) -> anyhow::Result<Option<(usize, SimPlan, u64)>> {
        for _ in 0..self.lines.len() {
            let index = self.turn % self.lines.len();
            self.turn += 1;
            let line = &mut self.lines[index];
            let seed = match line.pending.pop_front() {
                Some(seed) => seed,
                None if line.next < self.end => {
                    line.next += 1;
                    line.next - 1
                }
                None => continue,
            };
            let (next, plan) = (line.next, line.plan.clone());
            let progress = self.corpus.progress(&plan, next)?;
            progress.next = next;
            progress.pending.insert(seed);
            return Ok(Some((index, plan, seed)));
        }
        Ok(None)
    }

    fn is_to_be_shrunk(&mut self, plan: &SimPlan, ran: &Ran) -> anyhow::Result<bool> {
        let Some(first) = ran.findings.first() else { return Ok(false) };
        let tally = self.corpus.progress(plan, 0)?.found.get(&first.check);
        Ok((tally.map_or(0, |tally| tally.seeds) + 1).is_power_of_two())
    }

    fn keep(&mut self, plan: &SimPlan, seed: u64, case: &crate::shrink::case::Case) -> anyhow::Result<()> {
        if let Added::New(path) = self.corpus.add(case)? {
            eprintln!(
                "NEW  {} seed {seed}: {}\n     rashomon replay {}",
                plan.protocol,
                case.story.first().map_or("", String::as_str),
                path.display()
            );
        }
        Ok(())
    }

    fn finish(
        &mut self,
        line: usize,
        ran: Ran,
        repeated: bool,
        differs: Option<String>,
    ) -> anyhow::Result<()> {
        let plan = self.lines[line].plan.clone();
        let progress = self.corpus.progress(&plan, 0)?;
        progress.pending.remove(&ran.seed);
        progress.seeds += 1;
        if let Some(first) = ran.findings.first() {
            self.found += 1;
            let tally =
                progress.found.entry(first.check.clone()).or_insert(Tally { seeds: 0, first: ran.seed });
            tally.seeds += 1;
        }
        self.swath.add(ran, 0, repeated, differs);
        self.swath.findings.truncate(FINDINGS_MAX);
        self.swath.differing.truncate(FINDINGS_MAX);
        if self.saved.elapsed() >= SAVE_EVERY {
            self.save()?;
        }
        Ok(())
    }

    #[allow(clippy::disallowed_methods, reason = "progress is written down every few seconds of real time")]
    fn save(&mut self) -> anyhow::Result<()> {
        self.saved = Instant::now();
        self.corpus.save()
    }

    fn tell_start(&self) {
        for Line { plan, next, pending } in &self.lines {
            let left =
                if pending.is_empty() { String::new() } else { format!(", {} pending", pending.len()) };
            eprintln!("{}: from seed {next} on{left}", plan.protocol);
        }
        if !self.corpus.kinds().is_empty() {
            eprintln!("{} kinds of findings in the corpus", self.corpus.kinds().len());
        }
    }

    fn show(&mut self, args: &SimArgs, corpus: PathBuf) -> anyhow::Result<Outcome> {
        let Session { swath, found, .. } = self;
        let outcome = swath.outcome();
        let kinds = self.corpus.kinds();
        if args.json {
            let Swath { seeds, undecided, differing, took_ms, .. } = swath;
            let (seeds, undecided, took_ms, found) = (*seeds, *undecided, *took_ms, *found);
            let summary = Summary { seeds, found, undecided, differing, took_ms, corpus, kinds };
            println!("{}", serde_json::to_string(&summary)?);
            return Ok(outcome);
        }
        swath.show_figures();
        println!("{found} seeds found something; corpus {}: {} kinds", corpus.display(), kinds.len());
        for kind in kinds {
            let (faults, operations) = kind.size;
            println!("  {}\n    {faults} faults, {operations} operations: {}", kind.shape, kind.replay());
        }
        for Line { plan, .. } in &self.lines {
            let progress = self.corpus.progress(plan, 0)?;
            println!("{}: {} seeds so far, next {}", plan.protocol, progress.seeds, progress.next);
            for (check, tally) in &progress.found {
                let again = plan.command(&format!("--seed {} --trace", tally.first));
                println!("  {check}: {} seeds, first {again}", tally.seeds);
            }
        }
        Ok(outcome)
    }
}
