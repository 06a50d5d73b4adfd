//! What comes out of a simulated run.

use rashomon_histories::{History, Nanos};
use rashomon_nemesis::Script;
use rashomon_nemesis::schedule::Instance;

use crate::invariants::Broken;
use crate::trace::Happening;

/// What came out of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What clients saw and the nemesis did, sealed.
    pub history: History,
    /// The invariants that did not hold, in order of time; a cluster that does not come back is among them.
    pub broken: Vec<Broken>,
    /// Hash of everything that happened.
    pub trace_hash: u64,
    /// How many things happened.
    pub steps: u64,
    /// Simulated time at the end.
    pub simulated: Nanos,
    /// Operations that ended, of each kind.
    pub counts: Counts,
    /// The faults that began, in order.
    pub faults: Vec<Instance>,
    /// The same as a script: follow it, and the same happens again.
    pub script: Script,
    /// Everything that happened, if the setup asked for it.
    pub happenings: Vec<Happening>,
}

/// Operations by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They happened.
    pub ok: u64,
    /// They surely did not.
    pub fail: u64,
    /// Nobody knows.
    pub info: u64,
}
