//! Directed time lines: at this moment, this fault, for so long. Plain data, TOML-able.
//!
//! For what a random schedule meets too seldom: one paper's counterexample, a shrunk finding. It yields the same steps
//! as [`crate::Schedule`], so drivers do not know which one they follow. A target that needs a leader while none is
//! known is waited for, up to [`LEADER_WAIT`]: a directed schedule that misses its aim is worth nothing. When that
//! does not help, or a fault declines, the entry is left out, and [`Directed::missed`] says so.
//!
//! ```toml
//! [[fault]]
//! at_ms = 2000
//! for_ms = 2500
//! isolate = "leader"
//!
//! [[fault]]
//! at_ms = 4500            # coincides with the end above: the new cut takes the place of the old one
//! for_ms = 3000
//! cut = { n1 = ["n2"] }
//!
//! [[fault]]
//! at_ms = 6000
//! for_ms = 300
//! kill = "deposed"        # or pause = "n3", or fault = "partition-ring"
//! ```

use std::collections::{BTreeSet, VecDeque};

use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use crate::action::{Action, Capability};
use crate::fault::{Class, Decision, Declined, Fault, Scene, UnknownFault, find};
use crate::grudge::Grudge;
use crate::node::NodeId;
use crate::random::stream;
use crate::schedule::in_force::InForce;
use crate::schedule::{Instance, Step, Steps};
use crate::target::Target;
use crate::view::View;

/// How long an entry that needs a leader waits for one.
pub const LEADER_WAIT: Nanos = Nanos::from_secs(3);

/// Entries in any order; they are sorted by time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// The entries.
    #[serde(default)]
    pub fault: Vec<Entry>,
}

/// At this moment, for so long, exactly one of the deeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When it begins, in milliseconds since the start of the run.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// A fault of the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Kill these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<Target>,
    /// Pause these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Target>,
    /// Cut these off from all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolate: Option<Target>,
    /// Drop exactly these packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Grudge>,
}

#[derive(Clone, Debug)]
enum Deed {
    Fault(&'static dyn Fault),
    Kill(Target),
    Pause(Target),
    Isolate(Target),
    Cut(Grudge),
}

/// A time line that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimelineError {
    /// An entry with no deed, or with several.
    #[error(
        "the entry at {at_ms} ms has {count} of fault, kill, pause, isolate and cut; it needs exactly one"
    )]
    NotOneDeed {
        /// Its time.
        at_ms: u64,
        /// How many it has.
        count: usize,
    },
    /// An entry that names no known fault.
    #[error("the entry at {at_ms} ms: {source}")]
    UnknownFault {
        /// Its time.
        at_ms: u64,
        /// The known ones.
        source: UnknownFault,
    },
    /// A fault that needs more nodes.
    #[error("the entry at {at_ms} ms: {fault} needs at least {needs} nodes, there are {has}")]
    TooFewNodes {
        /// Its time.
        at_ms: u64,
        /// The fault.
        fault: &'static str,
        /// The fewest.
        needs: usize,
        /// The nodes there are.
        has: usize,
    },
    /// An entry about a node that does not exist.
    #[error("the entry at {at_ms} ms is about {node}, which does not exist")]
    UnknownNode {
        /// Its time.
        at_ms: u64,
        /// The node.
        node: NodeId,
    },
}

/// A time line being followed.
#[derive(Clone, Debug)]
pub struct Directed {
    nodes: BTreeSet<NodeId>,
    seed: u64,
    heal_at: Nanos,
    ahead: VecDeque<(u64, Nanos, Nanos, Deed)>,
    in_force: InForce,
    missed: Vec<String>,
    links: bool,
    healed: bool,
}

impl Directed {
    /// Checks the time line against the nodes. `seed` decides where an entry leaves a choice; the final heal is at
    /// `duration`, and what would begin later is never begun.
    pub fn new(
        timeline: &Timeline,
        nodes: BTreeSet<NodeId>,
        seed: u64,
        duration: Nanos,
    ) -> Result<Self, TimelineError> {
        let mut entries: Vec<_> = timeline.fault.iter().collect();
        entries.sort_by_key(|entry| entry.at_ms);
        let mut ahead = VecDeque::new();
        for (number, entry) in (0..).zip(entries) {
            let deed = entry.deed(&nodes)?;
            ahead.push_back((
                number,
                Nanos::from_millis(entry.at_ms),
                Nanos::from_millis(entry.for_ms),
                deed,
            ));
        }
        let links = ahead.iter().any(|(_, _, _, deed)| deed.needs() == Capability::Links);
        let (in_force, missed) = (InForce::default(), Vec::new());
        Ok(Directed { nodes, seed, heal_at: duration, ahead, in_force, missed, links, healed: false })
    }

    /// What an executor must offer to follow it.
    pub fn needs(&self) -> BTreeSet<Capability> {
        self.ahead.iter().map(|(_, _, _, deed)| deed.needs()).collect()
    }

    /// The entries that found nothing to do, in words.
    pub fn missed(&self) -> &[String] {
        &self.missed
    }

    /// Begins the first entry ahead; `None` when it has to wait for a leader or had nothing to do.
    fn begin(&mut self, now: Nanos, view: &View) -> Option<Instance> {
        let (number, at, lasts, deed) = self.ahead.front()?.clone();
        let overlaid = self.in_force.overlay(&self.nodes, view);
        if deed.needs_leader() && overlaid.leader().is_none() && now.since(at) < LEADER_WAIT {
            return None;
        }
        self.ahead.pop_front();
        let scene = Scene { view: &overlaid, cut: self.in_force.cut() };
        match deed.decide(&scene, self.seed, number) {
            Ok(decision) => Some(self.in_force.begin(deed.name(), deed.class(), decision, now.plus(lasts))),
            Err(declined) => {
                self.missed.push(format!("{} at {at}: {declined}", deed.name()));
                None
            }
        }
    }
}

impl Steps for Directed {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        if self.healed {
            return Step::Done;
        }
        if now >= self.heal_at {
            let step = self.in_force.wind_down(&self.nodes, view, self.links);
            self.healed = matches!(step, Step::Heal { .. });
            return step;
        }
        loop {
            let begins = self.ahead.front().map(|(_, at, _, _)| *at);
            let ends = self.in_force.ends_first().map(|running| (running.end, running.instance.id));
            // At one moment beginnings come first: a cut that coincides with the end of another replaces it.
            if let Some(at) = begins.filter(|at| *at <= now && ends.is_none_or(|(end, _)| *at <= end)) {
                let ahead_count = self.ahead.len();
                match self.begin(now, view) {
                    Some(instance) => return Step::Begin(instance),
                    None if self.ahead.len() < ahead_count => continue,
                    // It waits for a leader: others may end meanwhile; ask again soon.
                    None => debug_assert!(now.since(at) < LEADER_WAIT),
                }
            }
            if let Some((_, id)) = ends.filter(|(end, _)| *end <= now) {
                return Step::End(self.in_force.end(id).expect("it was just found in force"));
            }
            let soon = now.plus(Nanos::from_millis(20));
            let next = begins.map(|at| at.max(soon)).into_iter().chain(ends.map(|(end, _)| end)).min();
            return Step::Wait { until: next.unwrap_or(self.heal_at).min(self.heal_at) };
        }
    }

    fn stop(&mut self) {
        self.heal_at = Nanos(0);
    }

    fn in_force(&self) -> Vec<&Instance> {
        self.in_force.instances()
    }
}

impl Entry {
    fn deed(&self, nodes: &BTreeSet<NodeId>) -> Result<Deed, TimelineError> {
        let at_ms = self.at_ms;
        let named = self.fault.as_deref().map(find).transpose();
        let named = named.map_err(|source| TimelineError::UnknownFault { at_ms, source })?;
        let deeds = [
            named.map(Deed::Fault),
            self.kill.map(Deed::Kill),
            self.pause.map(Deed::Pause),
            self.isolate.map(Deed::Isolate),
            self.cut.clone().map(Deed::Cut),
        ];
        let mut deeds: Vec<_> = deeds.into_iter().flatten().collect();
        let (1, Some(deed)) = (deeds.len(), deeds.pop()) else {
            let count =
                [self.fault.is_some(), self.kill.is_some(), self.pause.is_some(), self.isolate.is_some()];
            let count = count.iter().filter(|has| **has).count() + usize::from(self.cut.is_some());
            return Err(TimelineError::NotOneDeed { at_ms, count });
        };
        match &deed {
            Deed::Fault(fault) if nodes.len() < fault.nodes_min() => {
                let (fault, needs, has) = (fault.name(), fault.nodes_min(), nodes.len());
                return Err(TimelineError::TooFewNodes { at_ms, fault, needs, has });
            }
            _ => {}
        }
        match deed.nodes().difference(nodes).next() {
            Some(node) => Err(TimelineError::UnknownNode { at_ms, node: *node }),
            None => Ok(deed),
        }
    }
}

impl Deed {
    fn name(&self) -> &'static str {
        match self {
            Deed::Fault(fault) => fault.name(),
            Deed::Kill(_) => "kill",
            Deed::Pause(_) => "pause",
            Deed::Isolate(_) => "isolate",
            Deed::Cut(_) => "cut",
        }
    }

    fn class(&self) -> Class {
        match self {
            Deed::Fault(fault) => fault.class(),
            Deed::Kill(_) => Class::Kill,
            Deed::Pause(_) => Class::Pause,
            Deed::Isolate(_) | Deed::Cut(_) => Class::Partition,
        }
    }

    fn needs(&self) -> Capability {
        self.class().needs()[0]
    }

    fn needs_leader(&self) -> bool {
        match self {
            Deed::Fault(fault) => fault.name().ends_with("-leader"),
            Deed::Kill(target) | Deed::Pause(target) | Deed::Isolate(target) => {
                matches!(target, Target::Leader | Target::Deposed | Target::Follower | Target::Followers)
            }
            Deed::Cut(_) => false,
        }
    }

    /// The nodes it names.
    fn nodes(&self) -> BTreeSet<NodeId> {
        match self {
            Deed::Cut(grudge) => grudge.nodes(),
            Deed::Kill(Target::Node(node))
            | Deed::Pause(Target::Node(node))
            | Deed::Isolate(Target::Node(node)) => BTreeSet::from([*node]),
            _ => BTreeSet::new(),
        }
    }

    fn decide(&self, scene: &Scene<'_>, seed: u64, number: u64) -> Result<Decision, Declined> {
        let mut rng = stream(seed, "directed", number);
        let mut aimed = |target: &Target| target.resolve(scene, &mut rng);
        Ok(match self {
            Deed::Kill(target) => {
                let aimed = aimed(target)?;
                Decision::until_undone(
                    aimed.nodes.iter().map(|node| Action::Kill { node: *node }).collect(),
                    aimed.story,
                )
            }
            Deed::Pause(target) => {
                let aimed = aimed(target)?;
                let actions = aimed.nodes.iter().map(|node| Action::Pause { node: *node }).collect();
                Decision::until_undone(actions, aimed.story)
            }
            Deed::Isolate(target) => {
                let aimed = aimed(target)?;
                let grudge = Grudge::split(&scene.view.all(), &aimed.nodes);
                let grudge = grudge.map_err(|error| Declined::because(error.to_string()))?;
                Decision::until_undone(vec![Action::Cut { grudge }], format!("{} cut off", aimed.story))
            }
            Deed::Cut(grudge) => {
                Decision::until_undone(vec![Action::Cut { grudge: grudge.clone() }], format!("cut {grudge}"))
            }
            Deed::Fault(fault) => return fault.decide(scene, &mut rng),
        })
    }
}

#[cfg(test)]
#[path = "timeline/tests.rs"]
mod tests;
