//! The verdict of a run: four axes that are never mixed, and the one outcome that they amount to.
//!
//! A violation dominates everything: it is never masked by a failed heal or a missed bar.

use serde::{Deserialize, Serialize};

use crate::exit::Outcome;
use crate::plan::Plan;
use crate::run::measure::Measures;

/// Does one order of events explain the history?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Safety {
    /// Yes, and the judge has it.
    Valid,
    /// No.
    Invalid,
    /// An order explains what the clients saw, and yet the nodes hold different states at the same place of the log.
    Diverged {
        /// Which nodes, and where.
        story: String,
    },
    /// An order explains what the clients saw, and yet an invariant of the protocol did not hold inside the nodes.
    Unsound {
        /// Which.
        invariant: String,
        /// What was seen, and where.
        story: String,
    },
    /// The budget ran out.
    Undecided {
        /// How far the judge got.
        reason: String,
    },
    /// It was not judged: the harness failed before there was anything to judge.
    Unjudged,
}

/// Did what should break break?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Bars that were missed, in sentences; empty when all were met.
    pub missed: Vec<String>,
}

/// Did the system come back?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Bars that were missed, in sentences; empty when all were met.
    pub missed: Vec<String>,
}

/// Can the other axes be believed?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Harness {
    /// What went wrong in the harness, in sentences; empty when it was sound.
    pub failures: Vec<String>,
    /// Whether a person ended the run before its time.
    pub interrupted: bool,
}

/// The four axes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axes {
    /// What the judge says.
    pub safety: Safety,
    /// What the faults did.
    pub coverage: Coverage,
    /// How the system came back.
    pub recovery: Recovery,
    /// Whether the harness was sound.
    pub harness: Harness,
}

impl Axes {
    /// The one outcome that they amount to, the worst first.
    pub fn outcome(&self) -> Outcome {
        match &self.safety {
            Safety::Invalid | Safety::Diverged { .. } | Safety::Unsound { .. } => Outcome::Violation,
            Safety::Unjudged => Outcome::HarnessFailure,
            _ if !self.harness.failures.is_empty() => Outcome::HarnessFailure,
            Safety::Undecided { .. } => Outcome::Undecided,
            Safety::Valid if self.coverage.missed.is_empty() && self.recovery.missed.is_empty() => {
                Outcome::Passed
            }
            Safety::Valid => Outcome::BarMissed,
        }
    }
}

/// Holds the measured faults against the plan: each that it names must have bitten once. A run that was cut short
/// owes nothing.
pub fn coverage(plan: &Plan, measures: &Measures, cut_short: bool) -> Coverage {
    let mut missed = Vec::new();
    if cut_short {
        return Coverage { missed };
    }
    for fault in &plan.faults {
        let bites = measures.faults.get(fault.as_str()).copied().unwrap_or_default();
        if bites.installed == 0 {
            missed.push(format!(
                "fault {fault} never bit: begun {} times, of which {} were skipped and {} without conclusive evidence",
                bites.skipped + bites.indeterminate,
                bites.skipped,
                bites.indeterminate
            ));
        }
    }
    Coverage { missed }
}

/// Holds the measured recovery against the plan.
pub fn recovery(plan: &Plan, measures: &Measures, cut_short: bool) -> Recovery {
    let mut missed = Vec::new();
    match measures.recovery_ns {
        _ if cut_short => {}
        None => missed.push("no operation succeeded after everything was healed".to_owned()),
        Some(taken) if taken.0 / 1_000_000 > plan.recovery_ms_max => missed.push(format!(
            "the first success came {taken} after everything was healed; the plan allows {} ms",
            plan.recovery_ms_max
        )),
        Some(_) => {}
    }
    Recovery { missed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(safety: Safety) -> Axes {
        Axes {
            safety,
            coverage: Coverage::default(),
            recovery: Recovery::default(),
            harness: Harness::default(),
        }
    }

    #[test]
    fn a_violation_is_never_masked() {
        let mut worst = axes(Safety::Invalid);
        worst.coverage.missed.push("x".into());
        worst.recovery.missed.push("x".into());
        worst.harness.failures.push("x".into());
        assert_eq!(worst.outcome(), Outcome::Violation);
        worst.safety = Safety::Diverged { story: "n1 and n2".into() };
        assert_eq!(worst.outcome(), Outcome::Violation);
    }

    #[test]
    fn a_failed_harness_never_passes_and_never_says_undecided() {
        for safety in [Safety::Valid, Safety::Undecided { reason: "budget".into() }] {
            let mut failed = axes(safety);
            failed.harness.failures.push("the nemesis died".into());
            assert_eq!(failed.outcome(), Outcome::HarnessFailure);
        }
        assert_eq!(axes(Safety::Unjudged).outcome(), Outcome::HarnessFailure);
    }

    #[test]
    fn a_missed_bar_shows_only_where_the_history_is_valid() {
        let mut missed = axes(Safety::Valid);
        assert_eq!(missed.outcome(), Outcome::Passed);
        missed.recovery.missed.push("late".into());
        assert_eq!(missed.outcome(), Outcome::BarMissed);
        missed.safety = Safety::Undecided { reason: "budget".into() };
        assert_eq!(missed.outcome(), Outcome::Undecided);
    }
}
