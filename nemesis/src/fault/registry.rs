//! The list of all faults: one line each. It feeds the command line, `list` and the contract tests.

use super::clock::ClockFault;
use super::disk::DiskFault;
use super::load::Load;
use super::members::{ChangeMembers, TransferLeadership};
use super::messages::Weather;
use super::outage::Outage;
use super::partition::Partition;
use super::{Capability, Fault};
use crate::capability::Capabilities;

/// Every fault, in the order it is listed for people.
pub const ALL: &[&dyn Fault] = &[
    &Outage::KILL,
    &Outage::KILL_LEADER,
    &Outage::KILL_FOLLOWER,
    &Outage::KILL_MINORITY,
    &Outage::KILL_MAJORITY,
    &Outage::KILL_ALL,
    &Outage::PAUSE,
    &Outage::PAUSE_LEADER,
    &Outage::PAUSE_FOLLOWER,
    &Outage::PAUSE_MINORITY,
    &Outage::PAUSE_MAJORITY,
    &Outage::PAUSE_ALL,
    &Partition::ANY,
    &Partition::LEADER,
    &Partition::ONE,
    &Partition::MINORITY,
    &Partition::HALVES,
    &Partition::BRIDGE,
    &Partition::RING,
    &Partition::ONE_WAY,
    &Partition::SHIFT,
    &Outage::POWER_LOSS,
    &Outage::POWER_LOSS_MAJORITY,
    &Outage::POWER_LOSS_ALL,
    &Outage::WIPE,
    &DiskFault::SLOW,
    &DiskFault::FAILING,
    &DiskFault::ROT,
    &ClockFault::DRIFT,
    &ClockFault::JUMP,
    &Load,
    &Weather::LOSSY,
    &Weather::REPEATING,
    &Weather::REORDERING,
    &TransferLeadership,
    &ChangeMembers::CHANGE,
    &ChangeMembers::REPLACE,
];

/// The faults of a run that names none, as far as arena and system offer what they need.
pub const DEFAULT: &[&str] = &["kill", "pause", "partition", "transfer-leadership", "change-members"];

/// The faults of a simulated run that names none, as far as the protocol offers what they need: all that a sound node has to bear. A disk that comes back empty is not
/// among them, as no protocol here promises anything then.
pub const SIMULATED: &[&str] = &[
    "kill",
    "kill-all",
    "pause",
    "partition",
    "power-loss",
    "power-loss-all",
    "slow-disk",
    "failing-disk",
    "clock-drift",
    "clock-jump",
    "slow",
    "lossy",
    "repeating",
    "reordering",
    "transfer-leadership",
    "change-members",
    "replace-member",
];

/// Those of these names for which all is on offer.
///
/// # Panics
/// When no fault has one of these names: for the lists above.
pub fn offered<'a>(names: &[&'a str], offered: &Capabilities) -> Vec<&'a str> {
    let is_offered = |name: &&&str| missing(find(name).expect("the lists name faults"), offered).is_none();
    names.iter().filter(is_offered).copied().collect()
}

/// A name that no fault has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called {name:?}{}; the faults are {}", nearest(.name), names())]
pub struct UnknownFault {
    /// What was asked for, cut to a bounded length.
    pub name: String,
}

/// The fault of this name.
pub fn find(name: &str) -> Result<&'static dyn Fault, UnknownFault> {
    let unknown = || UnknownFault { name: name.chars().take(64).collect() };
    ALL.iter().copied().find(|fault| fault.name() == name).ok_or_else(unknown)
}

/// The first need of the fault that is not among what is offered.
pub fn missing(fault: &dyn Fault, offered: &Capabilities) -> Option<Capability> {
    offered.missing(fault.needs())
}

fn names() -> String {
    ALL.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(", ")
}

/// `; did you mean …?` when a name is near enough to be a slip of the keyboard.
fn nearest(name: &str) -> String {
    let distance = |fault: &&&dyn Fault| strsim::damerau_levenshtein(fault.name(), name);
    match ALL.iter().min_by_key(distance) {
        Some(fault) if distance(&fault) <= 3 => format!("; did you mean {}?", fault.name()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_the_known_and_the_nearest() {
        let error = find("partiton").unwrap_err().to_string();
        assert!(error.contains("did you mean partition?"), "{error}");
        assert!(error.contains("kill-majority, kill-all"), "{error}");
        assert!(!find("earthquake").unwrap_err().to_string().contains("did you mean"));
        assert!(find(&"x".repeat(1 << 20)).unwrap_err().to_string().len() < 1000);
    }

    #[test]
    fn the_defaults_exist() {
        for name in DEFAULT.iter().chain(SIMULATED) {
            assert_eq!(find(name).unwrap().name(), *name);
        }
    }
}
