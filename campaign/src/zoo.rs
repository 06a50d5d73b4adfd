//! `rashomon zoo`: how often and how fast each planted bug is found, and whether sound systems stay green.
//!
//! In the simulator ([`simulated`]) a visit runs world after world ([`habitat`]) until the bug shows; the control group ([`control`]) never
//! may. What must be found is a table in the repository ([`expected`]); what was found becomes the tables of
//! `TRACK_RECORD.md` ([`record`]). On real processes ([`processes`]) a visit is one run.

pub mod control;
pub mod expected;
pub mod habitat;
pub mod processes;
pub mod record;
pub mod simulated;

use rashomon_node::defect::Defect;

use crate::cli::{World, ZooArgs};
use crate::exit::{BadInput, Outcome};

/// `rashomon zoo`.
///
/// # Errors
/// [`BadInput`] for an unknown defect; else when a run cannot be started or its report not be read.
pub fn command(args: &ZooArgs) -> anyhow::Result<Outcome> {
    match args.world {
        World::Simulator => simulated::command(args),
        World::Real => processes::command(args),
    }
}

/// The planted bugs asked for.
fn chosen(args: &ZooArgs) -> Result<Vec<Defect>, BadInput> {
    let Some(names) = &args.defects else { return Ok(Defect::ALL.to_vec()) };
    let names = names.iter().filter(|name| *name != "none");
    names.map(|name| name.parse().map_err(|error| BadInput(format!("--defects: {error}")))).collect()
}
