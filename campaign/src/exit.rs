//! The one place that maps outcomes to exit codes. Jepsen's codes where it has them.

use std::process::ExitCode;

/// How a command ended, as far as a shell or CI cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was asked for holds.
    Passed,
    /// The history contradicts the model.
    Violation,
    /// The judge ran out of budget.
    Undecided,
    /// Safe as far as seen, but a fault that the plan names never bit, or recovery took longer than the plan allows.
    BarMissed,
    /// Arguments, plan or input file are not usable; nothing was run.
    BadArguments,
    /// The harness itself failed; nothing can be concluded about the system.
    HarnessFailure,
}

impl Outcome {
    /// Every outcome, for documentation.
    pub const ALL: [Outcome; 6] = [
        Outcome::Passed,
        Outcome::Violation,
        Outcome::Undecided,
        Outcome::BarMissed,
        Outcome::BadArguments,
        Outcome::HarnessFailure,
    ];

    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Outcome::Passed => 0,
            Outcome::Violation => 1,
            Outcome::Undecided => 2,
            Outcome::BarMissed => 3,
            Outcome::BadArguments => 254,
            Outcome::HarnessFailure => 255,
        }
    }

    /// The outcome of this code; a code that is nobody's means that the harness failed.
    pub fn from_code(code: u8) -> Outcome {
        Outcome::ALL.into_iter().find(|outcome| outcome.code() == code).unwrap_or(Outcome::HarnessFailure)
    }

    /// What the code says, in words.
    pub const fn doc(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Violation => "violation: no order of events explains the history",
            Outcome::Undecided => "undecided: the judge ran out of its budget",
            Outcome::BarMissed => "a coverage or recovery bar was missed",
            Outcome::BadArguments => "bad arguments, plan or input file; nothing was run",
            Outcome::HarnessFailure => "the harness failed; nothing can be concluded",
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(outcome.code())
    }
}

/// An error that is the user's to mend: exit code 254 rather than 255.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// The outcome that an error stands for: [`BadInput`] anywhere in its chain, else the harness failed.
pub fn outcome_of(error: &anyhow::Error) -> Outcome {
    match error.chain().any(|cause| cause.is::<BadInput>()) {
        true => Outcome::BadArguments,
        false => Outcome::HarnessFailure,
    }
}
