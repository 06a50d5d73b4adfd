//! `rashomon sim`: many seeds of the simulated world, or one to be looked at.
//!
//! [`plan`] says what all seeds have in common, [`seed`] runs one, [`swath`] many of them on all cores, [`forever`] ever
//! more of them with a [`corpus`] of what they find, [`keep`] writes a seed's run folder. It decides nothing: what breaks, what is asked and what is allowed are other crates'.

pub mod columns;
pub mod corpus;
pub mod diagram;
pub mod forever;
pub mod keep;
pub mod plan;
pub mod seed;
pub mod swath;

use rashomon_simulator::protocols;

use crate::cli::SimArgs;
use crate::exit::{BadInput, Outcome};
use crate::sim::plan::SimPlan;
use crate::sim::swath::Swath;

/// Seeds that are run if none are given.
const SEEDS: std::ops::Range<u64> = 0..1_000;

/// `rashomon sim`.
///
/// # Errors
/// [`BadInput`] when the plan is not usable; anything else is the harness's own failure.
pub fn command(args: &SimArgs) -> anyhow::Result<Outcome> {
    let seeds = args.seeds.as_deref().map(parse_seeds).transpose()?;
    if args.forever {
        return forever::command(args, seeds);
    }
    let plan = SimPlan::resolve(args, args.protocol.as_deref().unwrap_or(protocols::REGISTRY[0].name))?;
    if let Some(seed) = args.seed {
        let ran = seed::run(&plan, seed, args.trace)?;
        return keep::show(&plan, args, ran);
    }
    let swath = Swath::run(&plan, seeds.unwrap_or(SEEDS), args)?;
    swath.show(args, &plan)?;
    let Some(first) = swath.findings.first() else { return Ok(swath.outcome()) };
    let ran = seed::run(&plan, first.seed, true)?;
    keep::show(&plan, args, ran)
}

/// `0..100`, or a single number.
fn parse_seeds(text: &str) -> Result<std::ops::Range<u64>, BadInput> {
    let refuse = || BadInput(format!("--seeds {text}: expected FROM..TO, with FROM below TO"));
    let (from, to) = text.split_once("..").ok_or_else(refuse)?;
    let (from, to) = (from.parse().map_err(|_| refuse())?, to.parse().map_err(|_| refuse())?);
    if from < to { Ok(from..to) } else { Err(refuse()) }
}
