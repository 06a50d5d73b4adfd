//! Clocks that run wrong, one node's at a time: leases and election timeouts rest on them. For simulated worlds: on one
//! machine all processes share a clock.

use rand::RngExt;

use super::{Class, Decision, Declined, Fault, Scene};
use crate::action::{Action, Hindrance};
use crate::random::Stream;
use crate::target::Target;

/// A fault of one node's clock.
#[derive(Debug)]
pub struct ClockFault {
    name: &'static str,
    doc: &'static str,
    jumps: bool,
}

/// Fastest or slowest that a clock runs, in parts per million: half of what leases allow for between two clocks.
const RATE_PPM_MAX: i32 = 40_000;
/// Farthest that a clock jumps.
const AHEAD_MS_MAX: u64 = 2_000;

impl ClockFault {
    /// Another rate.
    pub const DRIFT: Self = ClockFault {
        name: "clock-drift",
        doc: "the clock of one node runs up to 4 % too fast or too slow, which leases allow for",
        jumps: false,
    };
    /// A step ahead.
    pub const JUMP: Self = ClockFault {
        name: "clock-jump",
        doc: "the clock of one node jumps ahead by up to two seconds, which no lease allows for",
        jumps: true,
    };
}

impl Fault for ClockFault {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn class(&self) -> Class {
        Class::Clock
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        let target = if rng.random_bool(0.5) { Target::Leader } else { Target::One };
        let aimed = target.resolve(scene, rng)?;
        let ahead_ms = if self.jumps { rng.random_range(10..=AHEAD_MS_MAX) } else { 0 };
        let rate_ppm = if self.jumps { 0 } else { rng.random_range(-RATE_PPM_MAX..=RATE_PPM_MAX) };
        let with = Hindrance::Clock { ahead_ms, rate_ppm };
        let actions = aimed.nodes.into_iter().map(|node| Action::Hamper { node, with }).collect();
        Ok(Decision::until_undone(actions, aimed.story))
    }
}
