//! Scripts: what a schedule did, fault by fault and to the nanosecond, and doing it again.
//!
//! A [`Schedule`](crate::Schedule) draws and a [`Directed`](crate::Directed) time line aims; both decide by what they see
//! on the way. A script has nothing left to decide: whom, when, until when. [`Recording`] writes it down beside any
//! [`Steps`]; [`Script::follow`] repeats it. So a finding is repeated without the luck that found it, and shrunk by
//! leaving faults out: what remains keeps its moments.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use super::Observation;
use crate::action::{Action, Capability};
use crate::fault::{Class, Decision};
use crate::node::NodeId;
use crate::schedule::in_force::InForce;
use crate::schedule::{Instance, InstanceId, Step, Steps};
use crate::view::View;

/// One fault as it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    /// The fault's name.
    pub name: String,
    /// Its class.
    pub class: Class,
    /// When it began, in nanoseconds since the start of the run.
    pub at: Nanos,
    /// When it ended; none: with the final heal, or the run ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Nanos>,
    /// Whether another took its place then, without an action of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// What began it.
    pub start: Vec<Action>,
    /// What ended it, or would have.
    pub stop: Vec<Action>,
    /// Whom it hit and why, for people.
    pub story: String,
}

/// A whole schedule as it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// When the final heal began; none: the run ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_at: Option<Nanos>,
    /// In order of beginning.
    #[serde(default)]
    pub faults: Vec<Scripted>,
}

/// A script that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// A fault about a node that is not there.
    #[error("the script's fault {name} at {at} is about {node}, which does not exist")]
    UnknownNode {
        /// The fault.
        name: String,
        /// When it begins.
        at: Nanos,
        /// The node.
        node: NodeId,
    },
    /// Faults that are not in order of beginning, or end before they begin.
    #[error("the script's fault {name} at {at} {problem}")]
    OutOfOrder {
        /// The fault.
        name: String,
        /// When it begins.
        at: Nanos,
        /// What is wrong with that.
        problem: &'static str,
    },
}

impl Script {
    /// Repeats it on these nodes. The final heal is at its own moment, or, where it has none, at `duration`.
    pub fn follow(&self, nodes: BTreeSet<NodeId>, duration: Nanos) -> Result<Follow, ScriptError> {
        let mut before = Nanos(0);
        for fault in &self.faults {
            let (name, at) = (fault.name.clone(), fault.at);
            if let Some(node) = fault.nodes().difference(&nodes).next() {
                return Err(ScriptError::UnknownNode { name, at, node: *node });
            }
            let problem = match (at < before, fault.until.is_some_and(|until| until < at)) {
                (true, _) => "begins before the one listed before it",
                (_, true) => "ends before it begins",
                _ => {
                    before = at;
                    continue;
                }
            };
            return Err(ScriptError::OutOfOrder { name, at, problem });
        }
        let heal_at = self.heal_at.unwrap_or(duration);
        let links = self.needs().contains(&Capability::Links);
        let (ahead, replaced) = (self.faults.clone().into(), BTreeSet::new());
        Ok(Follow { nodes, heal_at, ahead, in_force: InForce::default(), replaced, links, healed: false })
    }

    /// What an executor must offer to follow it.
    pub fn needs(&self) -> BTreeSet<Capability> {
        let actions = self.faults.iter().flat_map(|fault| fault.start.iter().chain(&fault.stop));
        actions.filter_map(Action::needs).collect()
    }
}

impl Scripted {
    /// The nodes that it touches.
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        let of = |action: &Action| match action {
            Action::Cut { grudge } => grudge.nodes(),
            other => other.node().into_iter().collect(),
        };
        self.start.iter().chain(&self.stop).flat_map(of).collect()
    }

    /// The fault in words: `1.200 s to 3.400 s: kill n3 (the leader n3)`.
    pub fn tell(&self) -> String {
        let until = self.until.map_or_else(|| "the end".to_owned(), |until| until.to_string());
        let actions: Vec<_> = self.start.iter().map(Action::to_string).collect();
        format!("{} to {until}: {} ({})", self.at, actions.join(", "), self.story)
    }
}

/// A script being followed.
#[derive(Clone, Debug)]
pub struct Follow {
    nodes: BTreeSet<NodeId>,
    heal_at: Nanos,
    ahead: VecDeque<Scripted>,
    in_force: InForce,
    /// Those in force whose place another is to take at their end.
    replaced: BTreeSet<InstanceId>,
    links: bool,
    healed: bool,
}

impl Steps for Follow {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        if self.healed {
            return Step::Done;
        }
        if now >= self.heal_at {
            let step = self.in_force.wind_down(&self.nodes, view, self.links);
            self.healed = matches!(step, Step::Heal { .. });
            return step;
        }
        let begins = self.ahead.front().map(|fault| fault.at);
        let ends = self.in_force.ends_first().map(|running| (running.end, running.instance.id));
        // At one moment what was replaced waits for its successor, as it did; any other end comes first.
        let end_due = ends.filter(|(end, id)| {
            *end <= now && begins.is_none_or(|at| *end < at || *end == at && !self.replaced.contains(id))
        });
        if let Some((_, id)) = end_due {
            self.replaced.remove(&id);
            return Step::End(self.in_force.end(id).expect("it was just found in force"));
        }
        if begins.is_some_and(|at| at <= now)
            && let Some(fault) = self.ahead.pop_front()
        {
            let decision = Decision { start: fault.start, stop: fault.stop, story: fault.story };
            let end = fault.until.unwrap_or(self.heal_at);
            let instance = self.in_force.begin(&fault.name, fault.class, decision, end);
            if fault.replaced {
                self.replaced.insert(instance.id);
            }
            return Step::Begin(instance);
        }
        let next = begins.into_iter().chain(ends.map(|(end, _)| end)).min();
        Step::Wait { until: next.unwrap_or(self.heal_at).min(self.heal_at) }
    }

    fn stop(&mut self) {
        self.heal_at = Nanos(0);
    }

    fn in_force(&self) -> Vec<&Instance> {
        self.in_force.instances()
    }
}

/// Writes down what the steps within it do.
#[derive(Clone, Debug)]
pub struct Recording<S> {
    steps: S,
    script: Script,
    /// Where in the script the faults in force stand.
    open: BTreeMap<InstanceId, usize>,
}

impl<S: Steps> Recording<S> {
    /// Nothing is written yet.
    pub fn new(steps: S) -> Self {
        Recording { steps, script: Script::default(), open: BTreeMap::new() }
    }

    /// What has happened so far.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// What is recorded.
    pub fn steps(&self) -> &S {
        &self.steps
    }

    fn close(&mut self, id: InstanceId, now: Nanos, replaced: bool) {
        if let Some(index) = self.open.remove(&id) {
            let fault = &mut self.script.faults[index];
            (fault.until, fault.replaced) = (Some(now), replaced);
        }
    }
}

impl<S: Steps> Steps for Recording<S> {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        let step = self.steps.next(now, view);
        match &step {
            Step::Begin(instance) => {
                if let Some(old) = instance.replaces {
                    self.close(old, now, true);
                }
                self.open.insert(instance.id, self.script.faults.len());
                let Instance { name, class, decision, .. } = instance.clone();
                let Decision { start, stop, story } = decision;
                let fault =
                    Scripted { name, class, at: now, until: None, replaced: false, start, stop, story };
                self.script.faults.push(fault);
            }
            Step::End(ending) => self.close(ending.id, now, false),
            Step::Heal { .. } => self.script.heal_at = Some(now),
            Step::Wait { .. } | Step::Done => {}
        }
        step
    }

    fn observe(&mut self, now: Nanos, observed: &Observation<'_>) -> bool {
        self.steps.observe(now, observed)
    }

    fn stop(&mut self) {
        self.steps.stop();
    }

    fn in_force(&self) -> Vec<&Instance> {
        self.steps.in_force()
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::fault::ALL;
    use crate::node::nodes;
    use crate::random::stream;
    use crate::rhythm::Rhythm;
    use crate::schedule::Schedule;
    use crate::view::{NodeView, Role};

    const DURATION: Nanos = Nanos::from_secs(30);

    /// Every step but waits, with its moment; the view changes its leader as the random stream will.
    fn drive(steps: &mut impl Steps, seed: u64) -> Vec<(Nanos, Step)> {
        let mut rng = stream(seed, "test", 0);
        let (mut now, mut done) = (Nanos(0), Vec::new());
        loop {
            let mut view = View::unknown(5);
            let leader = NodeId((now.0 / 3_000_000_000 + seed) as u32 % 5 + 1);
            view.nodes.insert(leader, NodeView { role: Role::Leader, term: now.0 });
            match steps.next(now, &view) {
                Step::Wait { until } => now = until,
                Step::Done => return done,
                step => {
                    done.push((now, step));
                    // Performing takes time.
                    now = now.plus(Nanos(rng.random_range(0..200_000)));
                }
            }
        }
    }

    #[test]
    fn what_was_recorded_is_repeated_to_the_nanosecond() {
        let mut replaced = 0;
        for seed in 0..200 {
            let all: BTreeSet<NodeId> = nodes(5).collect();
            let faults = ALL.to_vec();
            let schedule = Schedule::new(faults, all.clone(), Rhythm::default(), seed, DURATION).unwrap();
            let mut recording = Recording::new(schedule);
            let done = drive(&mut recording, seed);
            let script = recording.script().clone();
            replaced += script.faults.iter().filter(|fault| fault.replaced).count();
            let mut again = Recording::new(script.follow(all, DURATION).unwrap());
            assert_eq!(drive(&mut again, seed), done, "seed {seed}");
            assert_eq!(again.script(), &script, "seed {seed}");
            let text = serde_json::to_string(&script).unwrap();
            assert_eq!(serde_json::from_str::<Script>(&text).unwrap(), script);
        }
        assert!(replaced > 100, "only {replaced} cuts gave way to another: the case is not tested");
    }

    fn cut(from: u64, until: u64, replaced: bool) -> Scripted {
        let grudge = crate::Grudge::isolate(&nodes(3).collect(), NodeId(1)).unwrap();
        let start = vec![Action::Cut { grudge }];
        Scripted {
            name: "cut".into(),
            class: Class::Partition,
            at: Nanos::from_millis(from),
            until: Some(Nanos::from_millis(until)),
            replaced,
            stop: vec![Action::Mend],
            start,
            story: "n1 alone".into(),
        }
    }

    #[test]
    fn without_its_successor_what_was_replaced_ends_by_itself() {
        let script = Script {
            heal_at: Some(Nanos::from_millis(100)),
            faults: vec![cut(10, 20, true), cut(20, 30, false)],
        };
        let told = |script: &Script| {
            let mut follow = script.follow(nodes(3).collect(), DURATION).unwrap();
            let done = drive(&mut follow, 1);
            done.into_iter().map(|(_, step)| matches!(step, Step::Begin(_))).collect::<Vec<_>>()
        };
        assert_eq!(told(&script), [true, true, false, false], "begin, begin instead, end, heal");
        let less = Script { faults: vec![script.faults[0].clone()], ..script };
        assert_eq!(told(&less), [true, false, false], "begin, end, heal");
    }

    #[test]
    fn scripts_that_cannot_be_followed_are_refused() {
        let follow = |faults: Vec<Scripted>, count: u32| {
            let script = Script { heal_at: None, faults };
            script.follow(nodes(count).collect(), DURATION).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(follow(vec![cut(1, 2, false)], 3), Ok(()));
        assert!(follow(vec![cut(1, 2, false)], 2).unwrap_err().contains("n3, which does not exist"));
        assert!(follow(vec![cut(5, 6, false), cut(1, 2, false)], 3).unwrap_err().contains("begins before"));
        assert!(follow(vec![cut(5, 4, false)], 3).unwrap_err().contains("ends before"));
    }
}
