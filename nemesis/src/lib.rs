//! What may break, when, and how it is mended: faults, grudges, schedules, the nemesis process.
//!
//! Two halves that never mix. The first **decides**, purely, from a seed and a [`View`] of the nodes: which
//! [`Fault`] begins, on whom, and when it ends; its product is [`Action`]s as data. The second **performs**: an
//! [`Executor`] carries an action out on the processes and links handed to it, the only things it may touch, and
//! returns the measured [`Evidence`]; [`evidence::judge`] says, purely again, whether the fault bit.
//!
//! This crate never knows about protocols, workloads, or how a node is started: [`Action::Start`] is for whoever
//! owns the nodes. It has no async runtime; the performing half is threads, bounded waits and system calls.
//!
//! Read in the order of the `mod` lines.

// Who there is, and what is known of them.
pub mod node;
pub mod random;
pub mod view;

// What may be done, and to whom.
pub mod action;
pub mod capability;
pub mod grudge;
pub mod handling;
pub mod target;

// Which fault begins, when, and until when.
pub mod fault;
pub mod rhythm;
pub mod schedule;
pub mod timeline;

// What it asks the system for.
pub mod errands;

// Performing it, and proving that it bit.
pub mod evidence;
pub mod executor;
pub mod record;

// The nemesis as a process of its own.
pub mod agent;
pub mod protocol;

pub use action::Action;
pub use capability::{Capabilities, Capability};
pub use evidence::{Evidence, Outcome, ProcessIdentity};
pub use executor::{Executor, Report};
pub use fault::{Decision, Declined, Fault};
pub use grudge::{Grudge, GrudgeError};
pub use node::NodeId;
pub use rhythm::Rhythm;
pub use schedule::{InstanceId, Schedule, Step, Steps};
pub use timeline::{Directed, Recording, Script, Timeline};
pub use view::{NodeView, Role, View};
