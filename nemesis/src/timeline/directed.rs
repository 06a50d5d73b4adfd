//! The machine that follows a time line: begins each entry when its moment has come and its condition is met.
//!
//! A target that needs a leader while none is known is waited for, up to [`LEADER_WAIT`], a condition up to
//! [`CONDITION_WAIT`], both less where the time line is impatient: a directed schedule that misses its aim is worth nothing. When that does not help, or a fault
//! declines, the entry is left out, and [`Directed::missed`] says so.

use std::collections::{BTreeMap, BTreeSet};

use rashomon_histories::Nanos;

use super::condition::Watch;
use super::deed::Deed;
use super::{Condition, Entry, Observation, Timeline, TimelineError};
use crate::capability::Capability;
use crate::fault::Scene;
use crate::node::NodeId;
use crate::random::stream;
use crate::schedule::in_force::{Broken, InForce};
use crate::schedule::{Instance, InstanceId, Step, Steps};
use crate::view::View;

/// How long an entry that needs a leader waits for one.
pub const LEADER_WAIT: Nanos = Nanos::from_secs(3);

/// How long an entry waits for its condition, where the time line does not say.
pub const CONDITION_WAIT: Nanos = Nanos::from_secs(5);

/// How often the view is looked at while something is waited for.
pub(super) const LOOK_EVERY: Nanos = Nanos::from_millis(20);

/// A time line being followed.
#[derive(Clone, Debug)]
pub struct Directed {
    nodes: BTreeSet<NodeId>,
    seed: u64,
    heal_at: Nanos,
    entries: Vec<Prepared>,
    rounds: u32,
    rest: Nanos,
    patience: Nanos,
    broken: Broken,
    place: Place,
    /// The node that the last condition was about.
    it: Option<NodeId>,
    in_force: InForce,
    /// Faults in force that end when something is seen.
    ends: BTreeMap<InstanceId, Watch>,
    /// Those of them for which it has been.
    ended: BTreeSet<InstanceId>,
    view: View,
    missed: Vec<String>,
    healed: bool,
}

/// An entry that has been checked.
#[derive(Clone, Debug)]
struct Prepared {
    at: Nanos,
    after: Nanos,
    when: Option<Condition>,
    lasts: Nanos,
    until: Option<Condition>,
    deed: Deed,
}

/// Where in the time line it is.
#[derive(Clone, Debug)]
struct Place {
    round: u32,
    round_began: Nanos,
    /// The entry ahead.
    entry: usize,
    /// When the entry before it began.
    last_began: Nanos,
    watch: Option<Watch>,
    /// When the condition was met.
    met: Option<Nanos>,
    begun_count: u64,
}

/// Whether the condition of the entry ahead is met.
enum Met {
    /// Since then.
    Since(Nanos),
    NotYet,
    /// It was waited for in vain; the entry is left out.
    Missed,
}

/// What came of an entry.
enum Begun {
    Fault(Instance),
    /// It had nothing to do.
    Nothing,
    /// It needs a leader, and none is known yet.
    Waits,
}

impl Directed {
    /// Checks the time line against the nodes. `seed` decides where an entry leaves a choice; the final heal is at
    /// `duration`, and what would begin later is never begun. Whether all that it waits for can be seen is for
    /// [`Timeline::check_sight`].
    pub fn new(
        timeline: &Timeline,
        nodes: BTreeSet<NodeId>,
        seed: u64,
        duration: Nanos,
    ) -> Result<Self, TimelineError> {
        if let Some(needs) = timeline.nodes.filter(|needs| *needs as usize != nodes.len()) {
            return Err(TimelineError::OtherNodes { needs, has: nodes.len() });
        }
        let prepared = (1..).zip(&timeline.fault).map(|(number, entry)| Prepared::new(number, entry, &nodes));
        let mut entries: Vec<Prepared> = prepared.collect::<Result<_, _>>()?;
        if !timeline.is_story() {
            entries.sort_by_key(|entry| entry.at);
        }
        let broken = Broken::by(entries.iter().flat_map(|entry| entry.deed.class().needs()));
        let watch = entries.first().and_then(|entry| entry.when.clone()).map(Watch::new);
        let place = Place {
            round: 1,
            round_began: Nanos(0),
            entry: 0,
            last_began: Nanos(0),
            watch,
            met: None,
            begun_count: 0,
        };
        Ok(Directed {
            seed,
            heal_at: duration,
            entries,
            rounds: timeline.rounds.max(1),
            rest: Nanos::from_millis(timeline.rest_ms),
            patience: match timeline.patience_ms {
                0 => CONDITION_WAIT,
                patience_ms => Nanos::from_millis(patience_ms),
            },
            broken,
            place,
            it: None,
            in_force: InForce::default(),
            ends: BTreeMap::new(),
            ended: BTreeSet::new(),
            view: nodes.iter().map(|node| (*node, Default::default())).collect(),
            missed: Vec::new(),
            healed: false,
            nodes,
        })
    }

    /// What an executor must offer to follow it.
    pub fn needs(&self) -> BTreeSet<Capability> {
        self.entries.iter().flat_map(|entry| entry.deed.class().needs()).copied().collect()
    }

    /// The entries that found nothing to do, in words.
    pub fn missed(&self) -> &[String] {
        &self.missed
    }

    /// From when on the entry ahead may begin, its condition apart.
    fn due(&self) -> Option<Nanos> {
        let entry = self.entries.get(self.place.entry)?;
        Some(self.place.round_began.plus(entry.at).max(self.place.last_began.plus(entry.after)))
    }

    /// Goes on to the next entry; after the last one, when nothing is in force, to the next round.
    fn advance(&mut self, now: Nanos) {
        self.place.entry += 1;
        self.arm(now);
    }

    fn arm(&mut self, now: Nanos) {
        self.place.last_began = now;
        self.place.met = None;
        let when = self.entries.get(self.place.entry).and_then(|entry| entry.when.clone());
        self.place.watch = when.map(Watch::new);
    }

    /// Begins the next round if this one is over and another is due.
    fn turn(&mut self, now: Nanos) {
        let over = self.place.entry >= self.entries.len() && self.in_force.instances().is_empty();
        if over && self.place.round < self.rounds && !self.entries.is_empty() {
            self.place.round += 1;
            self.place.round_began = now.plus(self.rest);
            self.place.entry = 0;
            self.it = None;
            self.arm(now.plus(self.rest));
        }
    }

    /// What has been seen of the entry ahead, which is due.
    fn met(&mut self, now: Nanos, due: Nanos) -> Met {
        let Some(watch) = &self.place.watch else { return Met::Since(due) };
        if self.place.met.is_none()
            && let Some(node) = watch.look(&self.view, self.it)
        {
            (self.place.met, self.it) = (Some(now), Some(node));
        }
        if self.place.met.is_none() && now.since(due) >= self.patience {
            let entry = &self.entries[self.place.entry];
            self.missed.push(format!(
                "{} in round {}: its condition was not met from {due} on",
                entry.deed.name(),
                self.place.round
            ));
            self.advance(now);
            return Met::Missed;
        }
        self.place.met.map_or(Met::NotYet, Met::Since)
    }

    /// Begins the entry ahead, which could have begun `since` then.
    fn begin(&mut self, now: Nanos, since: Nanos) -> Begun {
        let Prepared { lasts, until, deed, .. } = self.entries[self.place.entry].clone();
        let overlaid = self.in_force.overlay(&self.nodes, &self.view);
        if deed.needs_leader()
            && overlaid.leader().is_none()
            && now.since(since) < LEADER_WAIT.min(self.patience)
        {
            return Begun::Waits;
        }
        let number = self.place.begun_count;
        self.place.begun_count += 1;
        let scene = Scene { view: &overlaid, cut: self.in_force.cut() };
        let decided = deed.decide(&scene, self.it, &mut stream(self.seed, "directed", number));
        self.advance(now);
        match decided {
            Ok(decision) => {
                let instance = self.in_force.begin(deed.name(), deed.class(), decision, now.plus(lasts));
                if let Some(until) = until {
                    self.ends.insert(instance.id, Watch::new(until));
                }
                Begun::Fault(instance)
            }
            Err(declined) => {
                self.missed.push(format!("{} at {now}: {declined}", deed.name()));
                Begun::Nothing
            }
        }
    }

    /// The fault whose end has come.
    fn ending(&mut self, now: Nanos) -> Option<InstanceId> {
        for (id, watch) in &self.ends {
            if watch.look(&self.view, self.it).is_some() {
                self.ended.insert(*id);
            }
        }
        let over = self.in_force.ends_first().filter(|running| running.end <= now);
        let over = over.map(|running| running.instance.id);
        let in_force: Vec<_> = self.in_force.instances().iter().map(|instance| instance.id).collect();
        over.or_else(|| self.ended.iter().copied().find(|id| in_force.contains(id)))
    }
}

impl Steps for Directed {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        if self.healed {
            return Step::Done;
        }
        self.view = view.clone();
        if now >= self.heal_at {
            let step = self.in_force.wind_down(&self.nodes, view, &self.broken);
            self.healed = matches!(step, Step::Heal { .. });
            return step;
        }
        loop {
            self.turn(now);
            let due = self.due();
            let first_end = self.in_force.ends_first().map(|running| running.end);
            // At one moment beginnings come first: a cut that coincides with the end of another replaces it.
            let mut waits = false;
            if let Some(due) = due.filter(|due| *due <= now && first_end.is_none_or(|end| *due <= end)) {
                match self.met(now, due) {
                    Met::Missed => continue,
                    Met::NotYet => {}
                    Met::Since(since) => match self.begin(now, since) {
                        Begun::Fault(instance) => return Step::Begin(instance),
                        Begun::Nothing => continue,
                        Begun::Waits => {}
                    },
                }
                // It waits for a leader or a condition: others may end meanwhile.
                waits = true;
            }
            if let Some(id) = self.ending(now) {
                self.ends.remove(&id);
                self.ended.remove(&id);
                return Step::End(self.in_force.end(id).expect("it was just found in force"));
            }
            let soon = (waits || !self.ends.is_empty()).then(|| now.plus(LOOK_EVERY));
            let due = due.filter(|due| *due > now);
            let next = due.into_iter().chain(first_end).chain(soon).min();
            return Step::Wait { until: next.unwrap_or(self.heal_at).min(self.heal_at) };
        }
    }

    fn observe(&mut self, now: Nanos, observed: &Observation<'_>) -> bool {
        let mut met = false;
        let is_due = self.due().is_some_and(|due| due <= now);
        if let Some(watch) = self.place.watch.as_mut().filter(|_| is_due && self.place.met.is_none())
            && let Some(node) = watch.observe(observed, &self.view, self.it)
        {
            (self.place.met, self.it) = (Some(now), Some(node));
            met = true;
        }
        for (id, watch) in &mut self.ends {
            if watch.observe(observed, &self.view, self.it).is_some() {
                met |= self.ended.insert(*id);
            }
        }
        met
    }

    fn stop(&mut self) {
        self.heal_at = Nanos(0);
    }

    fn in_force(&self) -> Vec<&Instance> {
        self.in_force.instances()
    }
}

impl Prepared {
    fn new(number: usize, entry: &Entry, nodes: &BTreeSet<NodeId>) -> Result<Self, TimelineError> {
        let deed = Deed::of(number, entry)?;
        if let Deed::Fault(fault) = &deed
            && nodes.len() < fault.nodes_min()
        {
            let (fault, needs, has) = (fault.name(), fault.nodes_min(), nodes.len());
            return Err(TimelineError::TooFewNodes { entry: number, fault, needs, has });
        }
        if let Some(node) = deed.nodes().difference(nodes).next() {
            return Err(TimelineError::UnknownNode { entry: number, node: *node });
        }
        for condition in entry.when.iter().chain(&entry.until) {
            condition.check(number, nodes)?;
        }
        Ok(Prepared {
            at: Nanos::from_millis(entry.at_ms),
            after: Nanos::from_millis(entry.after_ms),
            when: entry.when.clone(),
            lasts: Nanos::from_millis(entry.for_ms),
            until: entry.until.clone(),
            deed,
        })
    }
}
