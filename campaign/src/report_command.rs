//! `rashomon report`: writes a run's page again, from its folder, years later if need be.

use crate::cli::ReportArgs;
use crate::exit::Outcome;
use crate::page::gather::gather;

/// `rashomon report`.
///
/// # Errors
/// [`crate::exit::BadInput`] when it is not the folder of a run; anything else when the page cannot be written.
pub fn command(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let page = gather(&args.path)?;
    for remark in &page.remarks {
        eprintln!("{}: {remark}", args.path.display());
    }
    eprintln!("written to {}", page.write(&args.path)?.display());
    Ok(Outcome::Passed)
}
