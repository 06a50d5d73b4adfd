//! Evidence as data, and the one pure judgement of it: did the action take effect?
//!
//! Faults silently do nothing more often than one thinks: a pattern that matched no process, a rule for the wrong
//! address family, a pause of the dead. So an executor only *measures*, and [`judge`] decides from the measurements
//! alone; a stored run can be judged again. Knows no system calls. Next: [`crate::executor`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::node::NodeId;
use crate::view::majority;

/// A process that cannot be confused with another: pids are used again, a pid with its start time is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessIdentity {
    /// Its process id, in the PID namespace of whoever performs.
    pub pid: u32,
    /// Its start time in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub started: u64,
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (started at tick {})", self.pid, self.started)
    }
}

/// What `/proc` showed of a pid at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSeen {
    /// The start time found under the pid; `None` when there is no such process.
    pub started: Option<u64>,
    /// Threads counted by state letter (R running, S sleeping, T stopped, Z dead, …): its own, and those of its
    /// descendants, which share its fate.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub threads: BTreeMap<char, u32>,
}

impl ProcessSeen {
    /// Threads in this state.
    fn in_state(&self, state: char) -> u32 {
        self.threads.get(&state).copied().unwrap_or(0)
    }

    /// Threads that can still do something: all but the dead ones.
    fn living(&self) -> u32 {
        self.threads
            .iter()
            .filter(|(state, _)| !matches!(state, 'Z' | 'X' | 'x'))
            .map(|(_, count)| count)
            .sum()
    }

    /// No such process, or only its remains; and no descendant either.
    pub fn is_gone(&self) -> bool {
        self.living() == 0
    }

    /// Alive, and no living thread is running: every one is in state T.
    pub fn is_stopped(&self) -> bool {
        !self.is_gone() && self.in_state('T') == self.living()
    }
}

impl fmt::Display for ProcessSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.threads.is_empty() {
            return f.write_str("gone");
        }
        let threads: Vec<_> = self.threads.iter().map(|(state, count)| format!("{count}{state}")).collect();
        write!(f, "threads {}", threads.join("+"))
    }
}

/// Signals: the process before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEvidence {
    /// The process that was meant.
    pub process: ProcessIdentity,
    /// What stood under its pid just before.
    pub before: ProcessSeen,
    /// What stood there when the wait ended.
    pub after: ProcessSeen,
}

/// One directed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}", self.from, self.to)
    }
}

/// What was seen of a link that should be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutLink {
    /// The link.
    #[serde(flatten)]
    pub link: Link,
    /// Packets that the rule of this very link had dropped when the probe was over (the rule was new: from 0).
    pub dropped_count: u64,
    /// Whether a probe arrived all the same.
    pub arrived: bool,
}

/// Links: a probe sent along every ordered pair of nodes, and the rules' own counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEvidence {
    /// The links that should be cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<CutLink>,
    /// How many other links there are.
    pub open_count: u32,
    /// Those of them on which no probe arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_lost: Vec<Link>,
    /// Rules of the nemesis in force beyond those of the grudge.
    pub rules_left: u32,
    /// The longest that a probe took to arrive.
    pub arrived_ns_max: Nanos,
}

/// What those who own the nodes know after an action: the books of a simulated world, the files of a real one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldEvidence {
    /// Whether anything changed.
    pub changed: bool,
    /// What, in words.
    pub seen: String,
}

/// What came of asking the system for something, by its own word and by what its nodes say of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedEvidence {
    /// Whether it said that it is done.
    pub done: bool,
    /// Whether it refused, and what was asked for will surely not come to pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub definite: bool,
    /// What it said, or that it said nothing.
    pub answer: String,
    /// Who leads, as far as the nodes say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<NodeId>,
    /// Whom each node names as members; nodes that name nobody are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

/// What was measured around one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Around a signal.
    Process(ProcessEvidence),
    /// Around a change of rules.
    Links(LinkEvidence),
    /// From whoever owns the nodes, and knows.
    World(WorldEvidence),
    /// Around a request to the system.
    Asked(AskedEvidence),
}

/// Whether an action took effect. `Installed` is the field's word for a fault in force; of a healing action it says
/// that the heal is proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// Measured to have taken effect.
    Installed,
    /// Surely had no effect.
    Skipped {
        /// Why.
        reason: String,
    },
    /// May have taken effect, wholly or in part, or not.
    Indeterminate {
        /// What is in doubt.
        reason: String,
    },
}

impl Outcome {
    /// Surely no effect, because …
    pub fn skipped(reason: impl Into<String>) -> Self {
        Outcome::Skipped { reason: reason.into() }
    }

    /// Not known, because …
    pub fn indeterminate(reason: impl Into<String>) -> Self {
        Outcome::Indeterminate { reason: reason.into() }
    }

    /// Whether it was proven to take effect.
    pub fn is_installed(&self) -> bool {
        matches!(self, Outcome::Installed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Installed => f.write_str("installed"),
            Outcome::Skipped { reason } => write!(f, "skipped: {reason}"),
            Outcome::Indeterminate { reason } => write!(f, "indeterminate: {reason}"),
        }
    }
}

/// Whether the evidence proves that the action took effect (see [`Action::must_show`]).
pub fn judge(action: &Action, evidence: &Evidence) -> Outcome {
    match (action, evidence) {
        (Action::Kill { .. } | Action::Pause { .. } | Action::Resume { .. }, Evidence::Process(seen)) => {
            judge_process(action, seen)
        }
        (Action::Cut { .. } | Action::Mend, Evidence::Links(seen)) => judge_links(action, seen),
        (Action::Lead { node, .. }, Evidence::Asked(seen)) => judge_asked(seen, seen.leader == Some(*node)),
        (Action::Members { of, .. }, Evidence::Asked(seen)) => {
            let names_them = |node: &&NodeId| seen.members.get(node) == Some(of);
            judge_asked(seen, seen.done && of.iter().filter(names_them).count() >= majority(of.len()))
        }
        (_, Evidence::World(seen)) if seen.changed => Outcome::Installed,
        (_, Evidence::World(seen)) => Outcome::skipped(seen.seen.clone()),
        _ => Outcome::indeterminate("the evidence is not about this action"),
    }
}

/// A system that has been asked may do it later, unless it has surely refused.
fn judge_asked(seen: &AskedEvidence, shows: bool) -> Outcome {
    match shows {
        true => Outcome::Installed,
        false if seen.done => Outcome::indeterminate("said to be done, but the nodes do not show it"),
        false if seen.definite => Outcome::skipped(seen.answer.clone()),
        false => Outcome::indeterminate(seen.answer.clone()),
    }
}

fn judge_process(action: &Action, seen: &ProcessEvidence) -> Outcome {
    let ProcessEvidence { process, before, after } = seen;
    match before.started {
        None => return Outcome::skipped(format!("{process} was already dead")),
        Some(started) if started != process.started => {
            return Outcome::skipped(format!(
                "{process} is gone: its pid belongs to another, started at tick {started}"
            ));
        }
        Some(_) if before.is_gone() => return Outcome::skipped(format!("{process} was already dead")),
        Some(_) => {}
    }
    if after.started.is_some_and(|started| started != process.started)
        && !matches!(action, Action::Kill { .. })
    {
        return Outcome::indeterminate(format!("{process} gave its pid to another meanwhile"));
    }
    match action {
        Action::Kill { .. } if after.is_gone() => Outcome::Installed,
        Action::Kill { .. } => Outcome::indeterminate(format!("{process} was still there ({after})")),
        _ if after.is_gone() => Outcome::indeterminate(format!("{process} died meanwhile")),
        Action::Pause { .. } if before.is_stopped() => {
            Outcome::skipped(format!("{process} was already stopped"))
        }
        Action::Pause { .. } if after.is_stopped() => Outcome::Installed,
        Action::Pause { .. } => Outcome::indeterminate(format!("{process} had not wholly stopped ({after})")),
        _ if before.in_state('T') == 0 => Outcome::skipped(format!("{process} was not stopped")),
        _ if after.in_state('T') == 0 => Outcome::Installed,
        _ => Outcome::indeterminate(format!("{process} was still stopped ({after})")),
    }
}

fn judge_links(action: &Action, seen: &LinkEvidence) -> Outcome {
    let mut doubts = Vec::new();
    let mut doubt = |links: Vec<String>, what: &str| {
        if !links.is_empty() {
            doubts.push(format!("{what}: {}", links.join(" ")));
        }
    };
    let cut = |bad: fn(&CutLink) -> bool| {
        seen.cut.iter().filter(|cut| bad(cut)).map(|cut| cut.link.to_string()).collect::<Vec<_>>()
    };
    doubt(cut(|cut| cut.arrived), "cut, yet a probe arrived");
    doubt(cut(|cut| cut.dropped_count == 0), "cut, yet the rule dropped nothing");
    doubt(seen.open_lost.iter().map(Link::to_string).collect(), "open, yet no probe arrived");
    if let Action::Cut { grudge } = action {
        let measured = |link: &Link| seen.cut.iter().any(|cut| cut.link == *link);
        let unmeasured = grudge.pairs().map(|(to, from)| Link { from, to }).filter(|link| !measured(link));
        doubt(unmeasured.map(|link| link.to_string()).collect(), "cut, yet not probed");
    } else {
        doubt(cut(|_| true), "mended, yet still held to be cut");
    }
    if seen.rules_left > 0 {
        doubts.push(format!("{} rules too many in force", seen.rules_left));
    }
    match doubts.is_empty() {
        true => Outcome::Installed,
        false => Outcome::indeterminate(doubts.join("; ")),
    }
}

#[cfg(test)]
mod tests;
