//! `rashomon replay`: does again what a run did, from what its folder or a saved case says.
//!
//! Its fault schedule is followed as it happened instead of drawn from the seed. In the simulator that gives the same
//! bytes. Real processes have no such determinism: whom a fault hit by leading is re-aimed at who leads now, and how
//! often the violation comes back is for [`crate::shrink`] to count. Next: [`given`], [`tailing`].

pub mod given;
pub mod pinned;
mod simulated;
mod tailing;

use std::collections::BTreeSet;
use std::path::Path;

use rashomon_nemesis::schedule::Steps;
use rashomon_nemesis::timeline::Sight;
use rashomon_nemesis::{Directed, NodeId, Rhythm, Schedule, Script};

use crate::cli::{ReplayArgs, RunArgs};
use crate::exit::{BadInput, Outcome};
use crate::explain::load::{not_a_run, read_bytes, read_json};
use crate::plan::{self, Plan};
use crate::run::{self, folder::Folder};
use crate::shrink::case::{Case, Subject};
use given::Given;
pub use simulated::find as find_simulated;
use tailing::Tailing;

/// What can be seen of real processes.
pub const SEEN: [Sight; 2] = [Sight::Roles, Sight::Notes];

/// `rashomon replay`.
///
/// # Errors
/// [`BadInput`] when there is nothing to repeat at the path; else as `rashomon run`.
pub fn command(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    if let Some((run, expected)) = simulated::find(&args.path)? {
        return simulated::replay(&run, expected.as_ref(), args);
    }
    let plan = load(&args.path)?;
    let output = RunArgs { store: args.store.clone(), json: args.json, ..RunArgs::default() };
    run::play(plan, &output)
}

/// The plan that repeats what is at this path: a run's folder, or a plan of its own.
///
/// # Errors
/// [`BadInput`] when there is none, or it cannot be followed.
pub fn load(path: &Path) -> Result<Plan, BadInput> {
    let refuse = |problem: String| BadInput(format!("{}: {problem}", path.display()));
    let plan = match path.is_dir() {
        false => {
            let text = read_bytes(path).map_err(BadInput)?;
            match serde_json::from_slice::<Case>(&text) {
                Ok(Case { subject: Subject::Processes { plan, .. }, .. }) => *plan,
                Ok(_) => return Err(refuse("it is a case of the simulator".to_owned())),
                Err(not_a_case) => serde_json::from_slice::<Plan>(&text).map_err(|not_a_plan| {
                    refuse(format!("neither a case ({not_a_case}) nor a plan ({not_a_plan})"))
                })?,
            }
        }
        true => {
            let folder = Folder::at(path);
            if !folder.plan().exists() {
                return Err(not_a_run(path));
            }
            let plan = read_json::<Plan>(&folder.plan()).map_err(refuse)?;
            let script = read_json::<Script>(&folder.schedule()).map_err(refuse)?;
            Plan { schedule: Some(Given::Script { source: path.display().to_string(), script }), ..plan }
        }
    };
    plan::check(&plan)?;
    Ok(plan)
}

/// The steps of a run on real processes: given, or drawn from the seed.
///
/// # Errors
/// When the plan was not checked, and cannot be.
pub fn steps(plan: &Plan, nodes: BTreeSet<NodeId>, folder: &Folder) -> anyhow::Result<Box<dyn Steps>> {
    let duration = plan.duration().into();
    Ok(match &plan.schedule {
        None => Box::new(Schedule::new(plan.fault_set()?, nodes, Rhythm::default(), plan.seed, duration)?),
        Some(Given::Script { script, .. }) => Box::new(script.follow(nodes, duration)?.re_aimed()),
        Some(Given::Timeline { timeline, .. }) => {
            let directed = Directed::new(timeline, nodes.clone(), plan.seed, duration)?;
            match timeline.sights().any(|(_, sight)| sight == Sight::Notes) {
                true => Box::new(Tailing::new(directed, nodes.into_iter(), folder)),
                false => Box::new(directed),
            }
        }
    })
}
