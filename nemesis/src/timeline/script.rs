//! Scripts: what a schedule did, fault by fault and to the nanosecond, and doing it again.
//!
//! A [`Schedule`](crate::Schedule) draws and a [`Directed`](crate::Directed) time line aims; both decide by what they see
//! on the way. A script has nothing left to decide: whom, when, until when. [`Recording`] writes it down beside any
//! [`Steps`]; [`Script::follow`] repeats it. So a finding is repeated without the luck that found it, and shrunk by
//! leaving faults out: what remains keeps its moments.
//!
//! In the simulator that is exact. Real processes elect whom they like: there a script is followed *re-aimed*
//! ([`Follow::re_aimed`]), what hit the leader then hits the leader now.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use super::{LEADER_WAIT, LOOK_EVERY, Observation};
use crate::action::Action;
use crate::capability::Capability;
use crate::fault::{Class, Decision};
use crate::grudge::Grudge;
use crate::node::NodeId;
use crate::schedule::in_force::{Broken, InForce};
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
    /// Whether what began at the moment of its end came first: perhaps in its place, so that it ended by that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yields: bool,
    /// What began it.
    pub start: Vec<Action>,
    /// What ended it, or would have.
    pub stop: Vec<Action>,
    /// Whom it hit and why, for people.
    pub story: String,
    /// Who was known to lead when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<NodeId>,
}

/// A whole schedule as it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// When the final heal began; none: the run ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_at: Option<Nanos>,
    /// Whether the final heal mended the links, even if none was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mends: bool,
    /// Whether the final heal restored the members, even if all were there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restores: bool,
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
        let broken = Broken::by(&self.needs());
        let broken = Broken { links: self.mends || broken.links, members: self.restores || broken.members };
        let (ahead, yielding) = (self.faults.clone().into(), BTreeSet::new());
        let in_force = InForce::default();
        Ok(Follow { nodes, heal_at, ahead, in_force, yielding, broken, re_aims: false, healed: false })
    }

    /// The same without this node, those after it moving up; faults that only it had are left out.
    #[must_use]
    pub fn without_node(&self, gone: NodeId) -> Script {
        let moved = |node: NodeId| if node > gone { NodeId(node.0 - 1) } else { node };
        let rest = |action: &Action| -> Option<Action> {
            let grudge = match action {
                Action::Cut { grudge } => grudge,
                Action::Handle { by } => return Some(Action::Handle { by: by.without(gone, &moved)? }),
                Action::LetGo { of } => return Some(Action::LetGo { of: of.without(gone, &moved)? }),
                Action::Members { of, at } => {
                    let of: BTreeSet<_> =
                        of.iter().copied().filter(|node| *node != gone).map(moved).collect();
                    let at = at.filter(|at| *at != gone).map(moved);
                    return (!of.is_empty()).then_some(Action::Members { of, at });
                }
                Action::Lead { node, at } if *node != gone => {
                    let at = at.filter(|at| *at != gone).map(moved);
                    return Some(Action::Lead { node: moved(*node), at });
                }
                other => return (other.node() != Some(gone)).then(|| other.renamed(&moved)),
            };
            let pairs = grudge.pairs().filter(|(to, from)| *to != gone && *from != gone);
            let grudge: Grudge = pairs.map(|(to, from)| (moved(to), moved(from))).collect();
            (!grudge.is_empty()).then_some(Action::Cut { grudge })
        };
        let kept = |fault: &Scripted| -> Option<Scripted> {
            let start: Vec<Action> = fault.start.iter().filter_map(rest).collect();
            let stop = fault.stop.iter().filter_map(rest).collect();
            let leader = fault.leader.filter(|leader| *leader != gone).map(moved);
            let story = renamed(&fault.story, &moved, gone);
            (!start.is_empty()).then(|| Scripted { start, stop, leader, story, ..fault.clone() })
        };
        Script { faults: self.faults.iter().filter_map(kept).collect(), ..*self }
    }

    /// What an executor must offer to follow it.
    pub fn needs(&self) -> BTreeSet<Capability> {
        let actions = self.faults.iter().flat_map(|fault| fault.start.iter().chain(&fault.stop));
        actions.filter_map(Action::needs).collect()
    }
}

/// The story about other names; the node that is gone is said to be.
fn renamed(story: &str, to: &impl Fn(NodeId) -> NodeId, gone: NodeId) -> String {
    let word = |word: &str| match word.parse::<NodeId>() {
        Ok(node) if node == gone => "a node left out".to_owned(),
        Ok(node) => to(node).to_string(),
        Err(_) => word.to_owned(),
    };
    let mut text = String::new();
    let mut rest = story;
    while let Some(first) = rest.chars().next() {
        let kind = first.is_alphanumeric();
        let end = rest.find(|c: char| c.is_alphanumeric() != kind).unwrap_or(rest.len());
        text.push_str(&word(&rest[..end]));
        rest = &rest[end..];
    }
    text
}

impl Scripted {
    /// The nodes that it touches.
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        let of = |action: &Action| match action {
            Action::Cut { grudge } => grudge.nodes(),
            Action::Handle { by } | Action::LetGo { of: by } => by.from.union(&by.to).copied().collect(),
            Action::Members { of, .. } => of.clone(),
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
    /// Those in force that let another begin first at the moment of their end.
    yielding: BTreeSet<InstanceId>,
    broken: Broken,
    re_aims: bool,
    healed: bool,
}

impl Follow {
    /// What hit the node that led then hits the one that leads now, and the other way round. Waits for a leader, up
    /// to [`LEADER_WAIT`], where one was known then.
    #[must_use]
    pub fn re_aimed(self) -> Self {
        Follow { re_aims: true, ..self }
    }

    /// The fault as it is to begin now; `None` while it waits for a leader.
    fn aimed(&self, fault: &Scripted, now: Nanos, view: &View) -> Option<Decision> {
        let Scripted { start, stop, story, .. } = fault.clone();
        let Some(then) = fault.leader.filter(|_| self.re_aims) else {
            return Some(Decision { start, stop, story });
        };
        let Some(leads) = self.in_force.overlay(&self.nodes, view).leader() else {
            let waits = now.since(fault.at) < LEADER_WAIT;
            return (!waits).then_some(Decision { start, stop, story });
        };
        let swapped = |node: NodeId| match node {
            node if node == then => leads,
            node if node == leads => then,
            node => node,
        };
        let all = |actions: Vec<Action>| actions.iter().map(|action| action.renamed(&swapped)).collect();
        let story = if then == leads { story } else { format!("{story}; now {leads} leads, not {then}") };
        Some(Decision { start: all(start), stop: all(stop), story })
    }

    fn begin(&mut self, fault: Scripted, decision: Decision) -> Instance {
        let end = fault.until.unwrap_or(self.heal_at);
        let instance = self.in_force.begin(&fault.name, fault.class, decision, end);
        if fault.yields {
            self.yielding.insert(instance.id);
        }
        instance
    }
}

impl Steps for Follow {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        if self.healed {
            return Step::Done;
        }
        if now >= self.heal_at {
            let step = self.in_force.wind_down(&self.nodes, view, &self.broken);
            self.healed = matches!(step, Step::Heal { .. });
            return step;
        }
        let begins = self.ahead.front().map(|fault| fault.at);
        let ends = self.in_force.ends_first().map(|running| (running.end, running.instance.id));
        // At one moment what yielded then yields again; any other end comes first.
        let end_due = ends.filter(|(end, id)| {
            *end <= now && begins.is_none_or(|at| *end < at || *end == at && !self.yielding.contains(id))
        });
        if let Some((_, id)) = end_due {
            self.yielding.remove(&id);
            return Step::End(self.in_force.end(id).expect("it was just found in force"));
        }
        let mut soon = None;
        if let Some(fault) = self.ahead.front().filter(|fault| fault.at <= now) {
            match self.aimed(fault, now, view) {
                Some(decision) => {
                    let fault = self.ahead.pop_front().expect("it was just looked at");
                    return Step::Begin(self.begin(fault, decision));
                }
                None => soon = Some(now.plus(LOOK_EVERY)),
            }
        }
        let begins = begins.filter(|at| *at > now).into_iter().chain(soon);
        let next = begins.chain(ends.map(|(end, _)| end)).min();
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

    fn close(&mut self, id: InstanceId, now: Nanos, yields: bool) {
        if let Some(index) = self.open.remove(&id) {
            let fault = &mut self.script.faults[index];
            (fault.until, fault.yields) = (Some(now), yields);
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
                let leader = view.leader();
                let (at, until, yields) = (now, None, false);
                let fault = Scripted { name, class, at, until, yields, start, stop, story, leader };
                self.script.faults.push(fault);
            }
            Step::End(ending) => {
                let last = self.script.faults.last().filter(|last| last.at == now);
                let is_itself =
                    self.open.get(&ending.id) == Some(&(self.script.faults.len().wrapping_sub(1)));
                self.close(ending.id, now, last.is_some() && !is_itself);
            }
            Step::Heal { actions } => {
                self.script.heal_at = Some(now);
                self.script.mends = actions.contains(&Action::Mend);
                self.script.restores = actions.iter().any(|action| matches!(action, Action::Members { .. }));
            }
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
                    // Performing takes time in the real world, none in the simulated one.
                    now = now.plus(Nanos(rng.random_range(0..200_000) * (seed % 2)));
                }
            }
        }
    }

    #[test]
    fn what_was_recorded_is_repeated_to_the_nanosecond() {
        let mut yielded = 0;
        for seed in 0..200 {
            let all: BTreeSet<NodeId> = nodes(5).collect();
            let faults = ALL.to_vec();
            let schedule = Schedule::new(faults, all.clone(), Rhythm::default(), seed, DURATION).unwrap();
            let mut recording = Recording::new(schedule);
            let done = drive(&mut recording, seed);
            let script = recording.script().clone();
            yielded += script.faults.iter().filter(|fault| fault.yields).count();
            let mut again = Recording::new(script.follow(all, DURATION).unwrap());
            assert_eq!(drive(&mut again, seed), done, "seed {seed}");
            assert_eq!(again.script(), &script, "seed {seed}");
            let text = serde_json::to_string(&script).unwrap();
            assert_eq!(serde_json::from_str::<Script>(&text).unwrap(), script);
        }
        assert!(yielded > 100, "only {yielded} gave way to another: the case is not tested");
    }

    fn cut(from: u64, until: u64, yields: bool) -> Scripted {
        let grudge = crate::Grudge::isolate(&nodes(3).collect(), NodeId(1)).unwrap();
        let start = vec![Action::Cut { grudge }];
        Scripted {
            name: "cut".into(),
            class: Class::Partition,
            at: Nanos::from_millis(from),
            until: Some(Nanos::from_millis(until)),
            yields,
            stop: vec![Action::Mend],
            start,
            story: "n1 alone".into(),
            leader: Some(NodeId(1)),
        }
    }

    #[test]
    fn without_its_successor_what_was_replaced_ends_by_itself() {
        let script = Script {
            heal_at: Some(Nanos::from_millis(100)),
            faults: vec![cut(10, 20, true), cut(20, 30, false)],
            ..Script::default()
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
    fn re_aimed_it_hits_whoever_leads_now() {
        let script = Script { faults: vec![cut(10, 20, false)], ..Script::default() };
        let mut follow = script.follow(nodes(3).collect(), DURATION).unwrap().re_aimed();
        let ten = Nanos::from_millis(10);
        assert_eq!(follow.next(ten, &View::unknown(3)), Step::Wait { until: Nanos::from_millis(30) });
        let mut view = View::unknown(3);
        view.nodes.insert(NodeId(3), NodeView { role: Role::Leader, term: 1 });
        let Step::Begin(instance) = follow.next(ten, &view) else { panic!("n3 leads") };
        assert_eq!(instance.decision.start[0].to_string(), "cut n1⊣n3 n2⊣n3 n3⊣n1,n2");
        let mut exact = script.follow(nodes(3).collect(), DURATION).unwrap();
        let Step::Begin(instance) = exact.next(ten, &view) else { panic!("it waits for nobody") };
        assert_eq!(instance.decision.start[0].to_string(), "cut n1⊣n2,n3 n2⊣n1 n3⊣n1");
    }

    #[test]
    fn without_a_node_the_others_move_up() {
        let script = Script { faults: vec![cut(10, 20, false)], ..Script::default() };
        let less = script.without_node(NodeId(2));
        assert_eq!(less.faults[0].start[0].to_string(), "cut n1⊣n2 n2⊣n1");
        let story = |story: &str| renamed(story, &|node| NodeId(node.0 - 1), NodeId(2));
        assert_eq!(story("the minority n3, n12; not n2"), "the minority n2, n11; not a node left out");
        assert!(script.without_node(NodeId(1)).faults.is_empty(), "only n1 was cut off");
    }

    #[test]
    fn scripts_that_cannot_be_followed_are_refused() {
        let follow = |faults: Vec<Scripted>, count: u32| {
            let script = Script { faults, ..Script::default() };
            script.follow(nodes(count).collect(), DURATION).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(follow(vec![cut(1, 2, false)], 3), Ok(()));
        assert!(follow(vec![cut(1, 2, false)], 2).unwrap_err().contains("n3, which does not exist"));
        assert!(follow(vec![cut(5, 6, false), cut(1, 2, false)], 3).unwrap_err().contains("begins before"));
        assert!(follow(vec![cut(5, 4, false)], 3).unwrap_err().contains("ends before"));
    }
}
