//! A process under load: it handles what comes in late and in batches. Slow is worse than dead: others still count on it
//! (Gunawi et al., "Fail-Slow at Scale", FAST 2018). For simulated worlds.

use rand::RngExt;

use super::{Class, Decision, Declined, Fault, Scene};
use crate::action::{Action, Hindrance};
use crate::random::Stream;
use crate::target::Target;

/// Longest that a slow process is busy at a stretch.
const BUSY_MS_MAX: u64 = 60;

/// A slow process.
#[derive(Debug)]
pub struct Load;

impl Fault for Load {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn doc(&self) -> &'static str {
        "one node, every other time the leader, handles what comes in only every few milliseconds"
    }

    fn class(&self) -> Class {
        Class::Load
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        let target = if rng.random_bool(0.5) { Target::Leader } else { Target::One };
        let aimed = target.resolve(scene, rng)?;
        let with = Hindrance::Load { busy_ms: rng.random_range(2..=BUSY_MS_MAX) };
        let actions = aimed.nodes.into_iter().map(|node| Action::Hamper { node, with }).collect();
        Ok(Decision::until_undone(actions, aimed.story))
    }
}
