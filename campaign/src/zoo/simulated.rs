//! The zoo in the simulator. A visit looks at world after world, each with a seed of its own, until a check fires.
//!
//! Drawn schedules and, where the library has one of the bug's name, directed ones. Times are of one thread: what a
//! person would wait on one core.

use std::path::Path;
use std::time::{Duration, Instant};

use rashomon_histories::Nanos;
use rashomon_nemesis::timeline::library;
use rashomon_node::defect::Defect;
use rashomon_simulator::protocols;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::GROUP;
use super::habitat::Habitat;
use super::{expected, record};
use crate::cli::{Schedules, ZooArgs};
use crate::exit::{BadInput, Outcome};
use crate::replay::given::Given;
use crate::replay::pinned::Pinned;
use crate::run::folder::Folder;
use crate::shrink::simulated::{Size, shrink};
use crate::sim::seed::{self, Ran};

/// Seeds of one visit's worlds are this far from those of the next.
const SEED_STRIDE: u64 = 1_000_000;

/// How long shrinking one finding may take.
const SHRINK_WITHIN: Duration = Duration::from_secs(60);

/// All that was seen, as written with `--json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Zoo {
    /// How long clients ask in each world, in simulated milliseconds.
    pub duration_ms: u64,
    /// A row per planted bug and way of breaking.
    pub cages: Vec<Cage>,
    /// The control group, under each protocol.
    pub controls: Vec<Calm>,
}

/// The visits to one planted bug.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cage {
    /// Its name.
    pub defect: String,
    /// What it is.
    pub title: String,
    /// The protocol under which it was looked for.
    pub protocol: String,
    /// Whether the schedule was directed at it.
    pub directed: bool,
    /// One per seed.
    pub visits: Vec<Visit>,
    /// How small one of its findings became.
    #[serde(default)]
    pub shrunk: Option<Size>,
}

/// A visit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// The seed of its first world.
    pub seed: u64,
    /// The check that fired first; none: the visit gave up.
    pub check: Option<String>,
    /// Whether a client saw it, in the world where it was found.
    pub visible: bool,
    /// Worlds looked at.
    pub worlds: u64,
    /// Simulated time until it was found.
    pub simulated: Nanos,
    /// Real time, in milliseconds.
    pub took_ms: u64,
}

/// The visits to one member of the control group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calm {
    /// Its name.
    pub name: String,
    /// What is unusual about it.
    pub about: String,
    /// The protocol.
    pub protocol: String,
    /// Worlds looked at.
    pub worlds: u64,
    /// Of these, what accused it: seed and check.
    pub alarms: Vec<String>,
    /// Histories that the judge could not decide.
    pub undecided: u64,
}

/// Passes when nothing sound was accused and everything expected was found.
pub(super) fn command(args: &ZooArgs) -> anyhow::Result<Outcome> {
    let table = args.expected.as_deref().map(expected::load).transpose()?;
    args.record.as_deref().map(record::check).transpose()?;
    let mut zoo = Zoo { duration_ms: u64::try_from(args.duration.as_millis())?, ..Zoo::default() };
    for defect in super::chosen(args)? {
        let ways: &[bool] = match args.schedules {
            Schedules::Drawn => &[false],
            Schedules::Directed => &[true],
            Schedules::Both => &[false, true],
        };
        for directed in ways.iter().copied() {
            if let Some(cage) = visit_cage(args, defect, directed)? {
                eprintln!("{}", record::line(&cage));
                zoo.cages.push(cage);
            }
        }
    }
    for entry in protocols::REGISTRY.iter().filter(|_| args.clean > 0) {
        for control in GROUP.iter().filter(|control| control.is_of(entry.name)) {
            let calm = visit_control(args, entry.name, control)?;
            eprintln!("control {}: {} worlds, {} alarms", calm.name, calm.worlds, calm.alarms.len());
            zoo.controls.push(calm);
        }
    }
    let text = record::markdown(&zoo);
    println!("{text}");
    if let Some(path) = &args.json {
        Folder::write_json(path, &zoo)?;
    }
    if let Some(path) = &args.markdown {
        std::fs::write(path, &text)?;
    }
    if let Some(path) = &args.record {
        record::replace(path, &text)?;
    }
    let lost = table.map(|table| table.lost(&zoo)).unwrap_or_default();
    for lost in &lost {
        eprintln!("LOST  {lost}");
    }
    let alarms: Vec<_> = zoo.controls.iter().flat_map(|calm| &calm.alarms).collect();
    for alarm in &alarms {
        eprintln!("FALSE ALARM  {alarm}");
    }
    Ok(match (alarms.is_empty(), lost.is_empty()) {
        (false, _) => Outcome::Violation,
        (true, false) => Outcome::BarMissed,
        (true, true) => Outcome::Passed,
    })
}

fn visit_cage(args: &ZooArgs, defect: Defect, directed: bool) -> anyhow::Result<Option<Cage>> {
    let description = defect.description();
    let protocol = defect.protocol().unwrap_or("raft");
    let duration_ms = u64::try_from(args.duration.as_millis())?;
    let mut habitat = Habitat::new(protocol, Some(defect), duration_ms);
    if directed {
        if library::text(description.id).is_err() {
            return Ok(None);
        }
        habitat = habitat.under(Given::timeline(description.id)?);
    }
    let seeds: Vec<u64> = (args.first_seed..).take(usize::try_from(args.seeds)?).collect();
    let visits = seeds.par_iter().map(|seed| visit(&habitat, seed * SEED_STRIDE, args.worlds));
    let visits: Vec<Visit> = visits.collect::<Result<_, BadInput>>()?;
    let shrunk = match &args.bugbase {
        Some(folder) => shrunk(&habitat, &visits, folder)?,
        None => None,
    };
    Ok(Some(Cage {
        defect: description.id.to_owned(),
        title: description.title.to_owned(),
        protocol: protocol.to_owned(),
        directed,
        visits,
        shrunk,
    }))
}

#[allow(clippy::disallowed_methods, reason = "how long a person waits is real time")]
fn visit(habitat: &Habitat, first: u64, worlds: u64) -> Result<Visit, BadInput> {
    let started = Instant::now();
    let mut simulated = Nanos(0);
    let mut visit = Visit { seed: first, check: None, visible: false, worlds: 0, simulated, took_ms: 0 };
    for seed in first..first + worlds {
        let Ran { outcome, findings, .. } = seed::of(habitat.plan().entry()?, &habitat.world(seed)?)?;
        visit.worlds += 1;
        let ended = outcome.map(|outcome| outcome.simulated).unwrap_or_default();
        if let Some(found) = findings.first() {
            visit.check = Some(found.check.clone());
            visit.visible = findings.iter().any(|finding| finding.visible);
            simulated = simulated.plus(found.at);
            break;
        }
        simulated = simulated.plus(ended);
    }
    visit.simulated = simulated;
    visit.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(visit)
}

/// Shrinks the finding of the first visit that has one, and saves it.
fn shrunk(habitat: &Habitat, visits: &[Visit], folder: &Path) -> anyhow::Result<Option<Size>> {
    let Some(found) = visits.iter().find(|visit| visit.check.is_some()) else { return Ok(None) };
    let setup = habitat.world(found.seed + found.worlds - 1)?;
    let Ran { outcome: Some(outcome), .. } = seed::of(habitat.plan().entry()?, &setup)? else {
        return Ok(None);
    };
    let run = Pinned::of(&habitat.plan().protocol, &setup, &outcome);
    let Some(shrunk) = shrink(run, None, SHRINK_WITHIN)? else { return Ok(None) };
    shrunk.case.save(folder)?;
    Ok(Some(shrunk.size))
}

fn visit_control(args: &ZooArgs, protocol: &str, control: &super::control::Control) -> anyhow::Result<Calm> {
    let habitat = Habitat::new(protocol, None, u64::try_from(args.duration.as_millis())?);
    let seeds: Vec<u64> = (args.first_seed..).take(usize::try_from(args.clean)?).collect();
    let ran = |seed: &u64| -> Result<(Option<String>, bool), BadInput> {
        let mut setup = habitat.world(*seed)?;
        (control.adjust)(&mut setup);
        let ran = seed::of(habitat.plan().entry()?, &setup)?;
        let undecided =
            ran.judgement.is_some_and(|judged| judged.verdict == rashomon_checker::Verdict::Undecided);
        let alarm = ran.findings.first();
        let alarm = alarm.map(|finding| {
            format!("{protocol} {} seed {seed}: {} ({})", control.name, finding.check, finding.detail)
        });
        Ok((alarm, undecided))
    };
    let all: Vec<(Option<String>, bool)> = seeds.par_iter().map(ran).collect::<Result<_, _>>()?;
    Ok(Calm {
        name: control.name.to_owned(),
        about: control.about.to_owned(),
        protocol: protocol.to_owned(),
        worlds: args.clean,
        undecided: all.iter().filter(|(_, undecided)| *undecided).count() as u64,
        alarms: all.into_iter().filter_map(|(alarm, _)| alarm).collect(),
    })
}

impl Cage {
    /// How many visits found it.
    pub fn found(&self) -> usize {
        self.visits.iter().filter(|visit| visit.check.is_some()).count()
    }
}
