//! Histories out of a seed: of an object that worked, or that once did not.
//!
//! A simulated object ([`Object`]) serves clients on a simulated clock ([`Generated`]); each operation takes effect at one moment
//! between its ends, so what comes out is valid by construction. A [`Flaw`] spoils one answer. Streamed: memory is in
//! proportion to clients, keys and what the objects hold. Knows nothing of how histories are judged, so that judges can be
//! measured and tested with it.

mod object;
mod simulation;

use rand::{Rng, RngExt};

pub use object::Object;
pub use simulation::{Generated, generate};

/// What is wrong with a generated history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: it is valid.
    None,
    /// One read (of a queue: dequeue) in the last twentieth returns what was replaced long before: invalid where values are distinct, and
    /// nearly always where they are not and few outcomes are unknown.
    Stale,
    /// One read, anywhere, returns some value that was lately there: often invalid, and if so only just.
    Mutated,
}

/// How operations overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Think times and durations are exponential, and the effect comes anywhere in between.
    Even,
    /// A few operations last very long, and effects come at the very beginning or end, so that the order in which operations
    /// took effect is hidden as well as it can be.
    Hidden,
}

/// What to generate; equal plans give equal histories.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// What is asked.
    pub object: Object,
    /// How many operations are invoked.
    pub operations: u64,
    /// How many clients ask, each one operation at a time.
    pub clients: u32,
    /// How many keys there are, named `0` and so on.
    pub keys: u32,
    /// The share of operations whose outcome stays unknown; half of these take effect, some much later.
    pub unknown: f64,
    /// How many values there are; none: every write has its own.
    pub values: Option<u32>,
    /// What is wrong with it.
    pub flaw: Flaw,
    /// How operations overlap.
    pub overlap: Overlap,
    /// The seed.
    pub seed: u64,
}

impl Default for Plan {
    /// Ten thousand operations of twenty clients on one cas-register, distinct values, all outcomes known.
    fn default() -> Self {
        Plan {
            object: Object::CasRegister,
            operations: 10_000,
            clients: 20,
            keys: 1,
            unknown: 0.0,
            values: None,
            flaw: Flaw::None,
            overlap: Overlap::Even,
            seed: 0,
        }
    }
}

/// A shuffled copy of a seed, for drawing many plans from one number.
pub fn random_plan(rng: &mut impl Rng, operations_max: u64) -> Plan {
    Plan {
        object: Object::CasRegister,
        operations: rng.random_range(1..=operations_max),
        clients: rng.random_range(1..=12),
        keys: 1,
        unknown: [0.0, 0.02, 0.1, 0.3][rng.random_range(0..4)],
        values: [None, Some(2), Some(3), Some(5)][rng.random_range(0..4)],
        flaw: [Flaw::None, Flaw::Stale, Flaw::Mutated][rng.random_range(0..3)],
        overlap: if rng.random_bool(0.5) { Overlap::Even } else { Overlap::Hidden },
        seed: rng.random_range(0..u64::MAX),
    }
}
