//! A run: one execution of a plan and the folder that it leaves.
//!
//! In order: [`crate::plan`] is resolved and printed, the arena made, the nodes started ([`nodes`]), the nemesis
//! started ([`control`]); clients ask ([`drive`]) while the schedule breaks things ([`faults`]) and a watch looks on
//! ([`watch`]); all is healed, every key read from every node, the history sealed, judged ([`online`], [`judge`]), measured
//! ([`measure`]), and told ([`tell`], [`report`]). It decides nothing.

pub mod control;
pub mod convergence;
pub mod drive;
pub mod errands;
pub mod faults;
pub mod folder;
pub mod judge;
pub mod junit;
pub mod measure;
pub mod nodes;
pub mod online;
pub mod progress;
pub mod report;
pub mod tell;
pub mod verdict;
pub mod watch;

mod conclude;
mod execute;
mod look;

use std::io::Read as _;

use anyhow::Context as _;

use crate::arena::reexec::{self, EnterError, Entered};
use crate::cli::RunArgs;
use crate::exit::{BadInput, Outcome};
use crate::plan::Plan;

/// `rashomon run`.
///
/// # Errors
/// [`BadInput`] when the plan is not usable; anything else is the harness's own failure.
pub fn command(args: &RunArgs) -> anyhow::Result<Outcome> {
    play(Plan::resolve(args, fresh_seed()?)?, args)
}

/// Runs this plan; of the arguments only those count that say where it is stored and how it is shown.
///
/// # Errors
/// As [`command`].
pub fn play(plan: Plan, args: &RunArgs) -> anyhow::Result<Outcome> {
    match reexec::enter(plan.arena).map_err(refused)? {
        Entered::Outside { exit_code } => Ok(Outcome::from_code(exit_code)),
        Entered::Inside(inside) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let tasks = tokio::task::LocalSet::new();
            runtime.block_on(tasks.run_until(execute::execute(plan, args, inside.interrupts)))
        }
    }
}

/// What the machine refuses is for the user to mend; what breaks on the way is not.
fn refused(error: EnterError) -> anyhow::Error {
    match error {
        EnterError::Refused { .. } => BadInput(error.to_string()).into(),
        EnterError::Mount(_) | EnterError::Process { .. } => error.into(),
    }
}

/// A seed that people can read and type.
fn fresh_seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("/dev/urandom: no seed can be drawn; give one with --seed")?;
    Ok(u64::from(u32::from_le_bytes(bytes) % 1_000_000))
}
