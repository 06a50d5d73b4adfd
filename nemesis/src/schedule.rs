//! Schedules: which fault begins when, on whom, and when it ends. Pure state machines on virtual time.
//!
//! Its driver asks `next(now, view)` and does what it is told: begin a fault, end one, heal everything, or wait.
//! Nothing here waits, performs or reads a clock, so the same machine drives real processes and the simulator, and a
//! minute of faults is tested in microseconds.
//!
//! This file is the vocabulary between a schedule and its driver. Next: [`Schedule`], the seeded one;
//! [`crate::timeline`], the directed one.

pub(crate) mod in_force;
mod seeded;

use std::fmt;

use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::fault::{Class, Decision};
use crate::rhythm::RhythmError;
use crate::timeline::Observation;
use crate::view::View;

pub use seeded::{SLIP_TOLERANCE, Schedule};

/// One fault of a run, counted from 1 in order of beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub u64);

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A fault that begins: what was decided, and under which number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its number.
    pub id: InstanceId,
    /// The fault's name.
    pub name: String,
    /// Its class.
    pub class: Class,
    /// What to do, what undoes it, and the story. What each action must show: [`Action::must_show`].
    #[serde(flatten)]
    pub decision: Decision,
    /// The fault in force that ends with this one's beginning, without an action of its own: the new cut takes the
    /// place of the old one, and the evidence of the new (every link outside its grudge open) heals the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<InstanceId>,
}

/// A fault that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Which.
    pub id: InstanceId,
    /// The fault's name.
    pub name: String,
    /// What undoes it.
    pub actions: Vec<Action>,
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Perform `decision.start`, record the evidence, ask again.
    Begin(Instance),
    /// Perform the actions, record the evidence, ask again.
    End(Ending),
    /// Nothing before this moment: ask again then (earlier is harmless).
    Wait {
        /// When.
        until: Nanos,
    },
    /// All faults have ended. Heal whatever is broken all the same and prove it healed; then ask again.
    Heal {
        /// Mend, and resume or start whatever the view shows paused or down. Each is harmless where nothing is amiss.
        actions: Vec<Action>,
    },
    /// The end.
    Done,
}

/// A source of steps: the seeded [`Schedule`], a [`crate::Directed`] time line, or a [`crate::Script`] that is repeated.
pub trait Steps {
    /// The next step at this moment. `now` never goes back.
    fn next(&mut self, now: Nanos, view: &View) -> Step;

    /// Something was seen. Answers whether the next step may be another now: ask again at once. Who draws or repeats
    /// waits for nothing.
    fn observe(&mut self, _now: Nanos, _observed: &Observation<'_>) -> bool {
        false
    }

    /// Begins the final heal at once: the run is being cut short.
    fn stop(&mut self);

    /// The faults in force, in order of beginning.
    fn in_force(&self) -> Vec<&Instance>;
}

impl<S: Steps + ?Sized> Steps for &mut S {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        (**self).next(now, view)
    }

    fn observe(&mut self, now: Nanos, observed: &Observation<'_>) -> bool {
        (**self).observe(now, observed)
    }

    fn stop(&mut self) {
        (**self).stop();
    }

    fn in_force(&self) -> Vec<&Instance> {
        (**self).in_force()
    }
}

impl<S: Steps + ?Sized> Steps for Box<S> {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        (**self).next(now, view)
    }

    fn observe(&mut self, now: Nanos, observed: &Observation<'_>) -> bool {
        (**self).observe(now, observed)
    }

    fn stop(&mut self) {
        (**self).stop();
    }

    fn in_force(&self) -> Vec<&Instance> {
        (**self).in_force()
    }
}

/// A plan that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A fault that needs more nodes than there are.
    #[error("the fault {fault} needs at least {needs} nodes, there are {has}")]
    TooFewNodes {
        /// The fault.
        fault: &'static str,
        /// The fewest it works with.
        needs: usize,
        /// The nodes there are.
        has: usize,
    },
    /// No nodes at all.
    #[error("there are no nodes to break")]
    NoNodes,
    /// A fault whose class the rhythm never draws.
    #[error("the fault {fault} would never begin: the rhythm gives its class no weight")]
    NeverDrawn {
        /// The fault.
        fault: &'static str,
    },
    /// The rhythm contradicts itself.
    #[error("the rhythm: {0}")]
    Rhythm(#[from] RhythmError),
}
