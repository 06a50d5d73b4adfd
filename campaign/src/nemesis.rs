//! `rashomon nemesis`: the process that breaks and mends. It is the nemesis crate's agent on this process's pipes.

use rashomon_nemesis::agent;

use crate::exit::Outcome;

/// Serves the control side until its input ends, then heals and exits.
///
/// # Errors
/// When not all could be healed.
pub fn command() -> anyhow::Result<Outcome> {
    agent::run()?;
    Ok(Outcome::Passed)
}
