//! The port `Fault`: one thing that may break, deciding purely what to do to whom.
//!
//! Given the scene and a random stream, a fault yields actions as data: those that start it and those that stop
//! it. It never performs anything, never reads a clock, and never learns which system is being broken. A new fault
//! is one new file and one line in [`registry`]; the contract test loops over that list.
//! Next: [`registry`], then [`outage`] and [`partition`].

pub mod clock;
pub mod disk;
pub mod load;
pub mod members;
pub mod messages;
pub mod outage;
pub mod partition;
pub mod registry;
pub mod scene;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::capability::Capability;
use crate::node::NodeId;
use crate::random::Stream;

pub use registry::{ALL, DEFAULT, SIMULATED, UnknownFault, find};
pub use scene::Scene;

/// What faults of one kind share: their rhythm, their band in a plot, and whether two may be in force at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Processes killed and started again.
    Kill,
    /// Processes stopped and let go on.
    Pause,
    /// Links cut; one at a time.
    Partition,
    /// Disks that stall, fail or rot; one at a time.
    Disk,
    /// Clocks that run wrong; one at a time.
    Clock,
    /// Processes under load; one at a time.
    Load,
    /// Messages lost, repeated, delayed; one such weather at a time.
    Messages,
    /// Leadership handed over; one at a time.
    Leadership,
    /// Members that leave and come back; one change at a time.
    Members,
}

/// How a fault is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legend {
    /// A word for the band.
    pub label: &'static str,
    /// Its colour, `#rrggbb`.
    pub colour: &'static str,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 9] = [
        Class::Kill,
        Class::Pause,
        Class::Partition,
        Class::Disk,
        Class::Clock,
        Class::Load,
        Class::Messages,
        Class::Leadership,
        Class::Members,
    ];

    /// Whether only one fault of this class may be in force at a time.
    pub fn is_exclusive(self) -> bool {
        !matches!(self, Class::Kill | Class::Pause)
    }

    /// What executors must offer for faults of this class.
    pub fn needs(self) -> &'static [Capability] {
        match self {
            Class::Kill | Class::Pause => &[Capability::Signals],
            Class::Partition => &[Capability::Links],
            Class::Disk => &[Capability::Disks],
            Class::Clock => &[Capability::Clocks],
            Class::Load => &[Capability::Load],
            Class::Messages => &[Capability::Messages],
            Class::Leadership => &[Capability::Leadership],
            Class::Members => &[Capability::Members],
        }
    }

    /// How faults of this class are drawn.
    pub fn legend(self) -> Legend {
        match self {
            Class::Kill => Legend { label: "killed", colour: "#d1495b" },
            Class::Pause => Legend { label: "paused", colour: "#edae49" },
            Class::Partition => Legend { label: "cut off", colour: "#00798c" },
            Class::Disk => Legend { label: "disk", colour: "#7d5a9e" },
            Class::Clock => Legend { label: "clock", colour: "#5b8c5a" },
            Class::Load => Legend { label: "slow", colour: "#b08968" },
            Class::Messages => Legend { label: "messages", colour: "#4a6fa5" },
            Class::Leadership => Legend { label: "handed over", colour: "#c17c9b" },
            Class::Members => Legend { label: "members", colour: "#3d8f83" },
        }
    }
}

/// What a fault decided: what begins it, what ends it, and the story in a few words.
///
/// Every start action is undone by a stop action; the contract test sees to it. Actions are performed in order. Where one
/// asks the system for something, those after it wait until it is so, and are left out where it is not so in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// To begin it, in order.
    pub start: Vec<Action>,
    /// To end it, in order.
    pub stop: Vec<Action>,
    /// Whom it hits and why, for people: `the leader n3 alone`.
    pub story: String,
}

impl Decision {
    /// These actions, ended by their undoing in the same order.
    pub fn until_undone(start: Vec<Action>, story: impl Into<String>) -> Self {
        let stop = start.iter().filter_map(Action::undo).collect();
        Decision { start, stop, story: story.into() }
    }

    /// The nodes taken out of service while it lasts.
    pub fn taken_out(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.start.iter().filter_map(Action::takes_out)
    }
}

/// Why a fault had nothing to do in this scene. Not an error: the schedule tries another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Declined {
    /// Why.
    pub reason: String,
}

impl Declined {
    /// Nothing to do, because …
    pub fn because(reason: impl Into<String>) -> Self {
        Declined { reason: reason.into() }
    }
}

/// One thing that may break.
pub trait Fault: Debug + Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it does, in a sentence or two.
    fn doc(&self) -> &'static str;

    /// Its kind.
    fn class(&self) -> Class;

    /// What an executor must be able to do for it.
    fn needs(&self) -> &'static [Capability] {
        self.class().needs()
    }

    /// How it is drawn.
    fn legend(&self) -> Legend {
        self.class().legend()
    }

    /// The fewest nodes for which it makes sense.
    fn nodes_min(&self) -> usize {
        1
    }

    /// What to do to whom, as a function of the arguments alone.
    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined>;
}
