//! `rashomon shrink`: the fewest faults, operations and nodes that still show a violation, saved as a case.
//!
//! A candidate counts when it fails *in the same way* ([`case::Signature`]): another bug found on the way is another bug.
//! Real processes fail more often or less, so a candidate is run several times, and what is left at the end is told
//! with its rate and the rate's confidence interval. Next: [`ddmin`], [`processes`], [`case`].

pub mod case;
pub mod ddmin;
mod processes;
pub mod rate;
pub mod simulated;

use crate::cli::ShrinkArgs;
use crate::exit::{BadInput, Outcome};
use crate::replay;

/// `rashomon shrink`. Passes when what is left was saved.
///
/// # Errors
/// [`BadInput`] when there is no violation at the path to shrink.
pub fn command(args: &ShrinkArgs) -> anyhow::Result<Outcome> {
    if args.fails > args.runs {
        return Err(BadInput(format!(
            "--fails {}: expected at most --runs, which is {}",
            args.fails, args.runs
        ))
        .into());
    }
    let found = match replay::find_simulated(&args.path)? {
        Some((run, expected)) => simulated::shrink(*run, expected, args.within)?.map(|shrunk| shrunk.case),
        None => processes::shrink(replay::load(&args.path)?, args)?,
    };
    let Some(case) = found else { return Ok(Outcome::BarMissed) };
    let path = case.save(&args.bugbase)?;
    if args.json {
        println!("{}", serde_json::to_string(&case)?);
    } else {
        for line in &case.story {
            println!("{line}");
        }
    }
    eprintln!("saved      {}\nreplay     rashomon replay {}", path.display(), path.display());
    Ok(Outcome::Passed)
}
