//! What a judge answers: a verdict per key with the witness that a stranger can re-check, and the worst of them.
//!
//! A finding is never an `Err`. Nothing here knows how a verdict was reached. Next: [`crate::verify`], which re-checks
//! a witness, and [`crate::explain`], which tells it.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Is there one order of the operations that makes every answer true? In the order of gravity, so that the worst of
/// several is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// There is, and the witness shows it.
    Valid,
    /// The budget or the caller's deadline ended before it was settled.
    Undecided,
    /// There is none.
    Invalid,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Valid => "valid",
            Verdict::Undecided => "undecided",
            Verdict::Invalid => "invalid",
        })
    }
}

/// One order that explains why a history could be followed so far and no further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The last operations of the order, by id, the latest last; at most [`Prefix::TAIL`] of them.
    pub order_tail: Vec<u32>,
    /// The state that the order leads to, described by the model.
    pub state: String,
}

impl Prefix {
    /// How many operations of a prefix are kept.
    pub const TAIL: usize = 16;
}

/// Why no order exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterexample {
    /// Operations, by id and in the order of invocation, for which no order exists. Every operation of the key that
    /// one of them could owe its answer to is among them ([`crate::Model::needs`]) or had to come before another
    /// one that is, so that the whole history has no order either; and none of them can be left out.
    pub operations: Vec<u32>,
    /// Those of them of which only the effect is needed, not the answer ([`crate::Model::trusted`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<u32>,
    /// The operations that must precede each other in a circle, when the judge knows one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<u32>,
    /// The operation at whose return the last consistent order died, when the judge knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impossible: Option<u32>,
    /// Some of the orders that were consistent until then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<Prefix>,
}

/// Why a key was not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// `states_max` configurations were made.
    States,
    /// `bytes_max` bytes were in use.
    Bytes,
    /// The caller's deadline passed.
    Deadline,
    /// The only engine that was asked for does not apply, or leaves the key open ([`crate::Options::engine`]).
    Engine,
}

/// The verdict of one key and what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Finding {
    /// An order exists.
    Valid {
        /// All operations that took effect, by id, in such an order; those of unknown outcome only where they are needed.
        order: Vec<u32>,
    },
    /// No order exists.
    Invalid(Counterexample),
    /// Not settled.
    Undecided {
        /// What ran out.
        exhausted: Exhausted,
        /// The furthest event index up to which an order is known to exist.
        consistent_until: u32,
    },
}

impl Finding {
    /// The bare verdict.
    pub fn verdict(&self) -> Verdict {
        match self {
            Finding::Valid { .. } => Verdict::Valid,
            Finding::Invalid(_) => Verdict::Invalid,
            Finding::Undecided { .. } => Verdict::Undecided,
        }
    }
}

/// What a model's own judge found out ([`crate::Model::shortcut`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// An order, as in [`Finding::Valid`].
    Valid(Vec<u32>),
    /// It could not settle the key; the trouble is around this event.
    Open(u32),
    /// The caller's deadline passed.
    Stopped,
    /// Operations that cannot all be ordered and are closed under [`crate::Model::needs`], and a circle among them.
    Invalid {
        /// As in [`Counterexample::operations`], but not necessarily minimal.
        operations: Vec<u32>,
        /// As in [`Counterexample::cycle`].
        cycle: Vec<u32>,
    },
}

/// Which judge settled a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The model's own, near-linear judge ([`crate::Model::shortcut`]).
    Shortcut,
    /// The general search over configurations.
    Search,
}

impl Engine {
    /// What it asks of a key, in a sentence's end.
    pub fn condition(self) -> &'static str {
        match self {
            Engine::Shortcut => {
                "it needs a model that has such a judge, and values that are each written once"
            }
            Engine::Search => "it applies to all",
        }
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Engine::Shortcut => "shortcut",
            Engine::Search => "search",
        })
    }
}

/// No engine has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no engine {0:?}: there are \"shortcut\" and \"search\"")]
pub struct NoEngine(pub String);

impl std::str::FromStr for Engine {
    type Err = NoEngine;

    fn from_str(name: &str) -> Result<Self, NoEngine> {
        let known = [Engine::Shortcut, Engine::Search].into_iter().find(|engine| engine.to_string() == name);
        known.ok_or_else(|| NoEngine(name.to_owned()))
    }
}

/// One key, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyJudgement {
    /// Its name.
    pub key: SmolStr,
    /// How many operations on it were evidence.
    pub operation_count: usize,
    /// Who settled it.
    pub engine: Engine,
    /// How many configurations the search made; zero where there was none.
    pub configuration_count: u64,
    /// The verdict and its proof.
    #[serde(flatten)]
    pub finding: Finding,
}

/// All keys, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The worst of the keys' verdicts; valid when there is no key.
    pub verdict: Verdict,
    /// Each key, in the order given.
    pub keys: Vec<KeyJudgement>,
}

impl Judgement {
    /// Puts keys together; the worst verdict is the verdict.
    pub fn of(keys: Vec<KeyJudgement>) -> Self {
        let verdict = keys.iter().map(|key| key.finding.verdict()).max().unwrap_or(Verdict::Valid);
        Judgement { verdict, keys }
    }

    /// How far it got, in a line: `keys decided 41 of 42; key x consistent up to event 88120`.
    pub fn progress(&self) -> String {
        let decided = self.keys.iter().filter(|key| key.finding.verdict() != Verdict::Undecided).count();
        let mut line = format!("keys decided {decided} of {}", self.keys.len());
        for key in &self.keys {
            if let Finding::Undecided { consistent_until, .. } = key.finding {
                line.push_str(&format!("; key {} consistent up to event {consistent_until}", key.key));
            }
        }
        line
    }
}

/// Why a witness was not found to prove its verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It proves nothing: a failure of the harness, whatever the verdict was.
    #[error("the witness proves nothing: {0}")]
    Refuted(String),
    /// It has too many orders to try them all; nothing speaks against it.
    #[error("the witness has too many orders to try them all")]
    TooLarge,
}
