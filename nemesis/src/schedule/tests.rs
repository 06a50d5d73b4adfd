//! The seeded schedule on a virtual clock, against a small model of the cluster it breaks.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::action::Action;
use crate::fault::{ALL, find};
use crate::node::nodes;
use crate::view::{NodeView, Role, majority};

/// A cluster that elects a leader at once whenever a connected majority is up. It checks every step.
struct World {
    count: u32,
    out: BTreeMap<NodeId, Role>,
    cut: Option<crate::grudge::Grudge>,
    leader: u32,
    term: u64,
    in_force: BTreeMap<InstanceId, Instance>,
    log: Vec<(Nanos, String)>,
}

impl World {
    fn new(count: u32) -> Self {
        let (out, in_force) = (BTreeMap::new(), BTreeMap::new());
        World { count, out, cut: None, leader: 1, term: 1, in_force, log: Vec::new() }
    }

    fn view(&mut self) -> View {
        let up: Vec<_> = nodes(self.count).filter(|node| !self.out.contains_key(node)).collect();
        let sees = |a: &NodeId, b: &NodeId| self.cut.as_ref().is_none_or(|cut| cut.sees(*a, *b));
        let fit = |node: &&NodeId| {
            up.iter().filter(|other| sees(node, other)).count() >= majority(self.count as usize)
        };
        let fit: Vec<_> = up.iter().filter(fit).collect();
        if !fit.iter().any(|node| node.0 == self.leader)
            && let Some(elected) = fit.first()
        {
            (self.leader, self.term) = (elected.0, self.term + 1);
        }
        let role = |node: NodeId| match self.out.get(&node) {
            Some(role) => *role,
            None if node.0 == self.leader => Role::Leader,
            None => Role::Follower,
        };
        nodes(self.count).map(|node| (node, NodeView { role: role(node), term: self.term })).collect()
    }

    fn perform(&mut self, now: Nanos, action: &Action) {
        self.log.push((now, action.to_string()));
        match action {
            Action::Kill { node } => assert_eq!(self.out.insert(*node, Role::Down), None, "{node} twice"),
            Action::Pause { node } => assert_eq!(self.out.insert(*node, Role::Paused), None, "{node} twice"),
            Action::Start { node } => assert_eq!(self.out.remove(node), Some(Role::Down)),
            Action::Resume { node } => assert_eq!(self.out.remove(node), Some(Role::Paused)),
            Action::Cut { grudge } => self.cut = Some(grudge.clone()),
            Action::Mend => self.cut = None,
            Action::PowerLoss { node }
            | Action::Wipe { node }
            | Action::Rot { node }
            | Action::FailSync { node } => {
                assert_eq!(self.out.insert(*node, Role::Down), None, "{node} twice");
            }
            Action::Hamper { .. } | Action::Relieve { .. } | Action::Disturb { .. } | Action::Calm => {}
            Action::Handle { .. } | Action::LetGo { .. } => {}
            // Whoever leads or takes part: nothing is out of service by that.
            Action::Lead { .. } | Action::Members { .. } => {}
        }
    }
}

struct Seen {
    log: Vec<(Nanos, String)>,
    begun: Vec<(Nanos, Instance)>,
    /// Stretches with nothing in force.
    peace: Vec<(Nanos, Nanos)>,
}

/// Drives the schedule to its end, `late` behind its wishes, and checks its rules at every step.
fn drive(faults: &[&str], count: u32, seed: u64, seconds: u64, late: Nanos) -> Seen {
    let faults: Vec<_> = faults.iter().map(|name| find(name).unwrap()).collect();
    let duration = Nanos::from_secs(seconds);
    let set = nodes(count).collect();
    let mut schedule = Schedule::new(faults, set, Rhythm::default(), seed, duration).unwrap();
    let mut world = World::new(count);
    let (mut now, mut begun, mut peace, mut quiet_since) = (Nanos(0), Vec::new(), Vec::new(), Some(Nanos(0)));
    for _ in 0..10_000 {
        let view = world.view();
        match schedule.next(now, &view) {
            Step::Wait { until } => {
                assert!(until > now && until <= duration, "{until} at {now}");
                now = until.plus(late);
                continue;
            }
            Step::Begin(instance) => {
                if let Some(since) = quiet_since.take() {
                    peace.push((since, now));
                }
                assert!(now < duration);
                if let Some(old) = instance.replaces {
                    let old = world.in_force.remove(&old).expect("what it replaces is in force");
                    assert_eq!((old.class, instance.class), (Class::Partition, Class::Partition));
                }
                instance.decision.start.iter().for_each(|action| world.perform(now, action));
                world.in_force.insert(instance.id, instance.clone());
                let partitions = world.in_force.values().filter(|other| other.class == Class::Partition);
                assert!(partitions.count() <= 1);
                begun.push((now, instance));
            }
            Step::End(ending) => {
                world.in_force.remove(&ending.id).expect("only what is in force ends");
                ending.actions.iter().for_each(|action| world.perform(now, action));
                if world.in_force.is_empty() {
                    quiet_since = Some(now);
                }
            }
            Step::Heal { actions } => {
                assert!(
                    now >= duration
                        && world.in_force.is_empty()
                        && world.out.is_empty()
                        && world.cut.is_none()
                );
                let is_owed = |action: &Action| match action {
                    Action::Members { of, .. } => of.len() == count as usize,
                    other => *other == Action::Mend,
                };
                assert!(actions.iter().all(is_owed), "nothing else is left to heal: {actions:?}");
            }
            Step::Done => {
                assert_eq!(schedule.next(now, &view), Step::Done);
                return Seen { log: world.log, begun, peace };
            }
        }
    }
    panic!("no end in 10,000 steps");
}

/// The faults by which figures are kept: those that any system can bear.
const DEFAULT: &[&str] = &["kill", "pause", "partition"];

#[test]
fn the_same_seed_and_views_give_the_same_schedule() {
    let one = drive(DEFAULT, 5, 42, 60, Nanos(0));
    let two = drive(DEFAULT, 5, 42, 60, Nanos(0));
    assert_eq!(one.log, two.log);
    assert_ne!(one.log, drive(DEFAULT, 5, 43, 60, Nanos(0)).log);
}

#[test]
fn a_driver_that_is_a_little_late_sees_the_same_order() {
    let order = |late| {
        let seen = drive(DEFAULT, 5, 7, 60, late);
        seen.log.into_iter().map(|(_, action)| action).collect::<Vec<_>>()
    };
    let (punctual, late) = (order(Nanos(0)), order(Nanos::from_millis(120)));
    // The end of the run cuts both off at a fixed moment, so only the last few may differ.
    let common = punctual.iter().zip(&late).take_while(|(a, b)| a == b).count();
    assert!(
        common + 12 >= punctual.len().max(late.len()),
        "{common} of {} and {}",
        punctual.len(),
        late.len()
    );
}

#[test]
fn a_driver_that_stalls_does_not_squeeze_faults() {
    let mut schedule = Schedule::new(
        vec![find("pause-leader").unwrap()],
        nodes(3).collect(),
        Rhythm::default(),
        1,
        Nanos::from_secs(60),
    )
    .unwrap();
    let view = View::unknown(3);
    let Step::Wait { until } = schedule.next(Nanos(0), &view) else { panic!("peace first") };
    let stalled = until.plus(Nanos::from_secs(10));
    assert!(matches!(schedule.next(stalled, &view), Step::Begin(_)));
    let Step::Wait { until } = schedule.next(stalled, &view) else { panic!("it lasts") };
    assert!(until.since(stalled) >= Nanos::from_millis(500), "the pause keeps its length");
}

#[test]
fn an_early_stop_heals_at_once() {
    let fault = find("kill-all").unwrap();
    let mut schedule =
        Schedule::new(vec![fault], nodes(3).collect(), Rhythm::default(), 1, Nanos::from_secs(60)).unwrap();
    let mut view = View::unknown(3);
    let Step::Wait { until } = schedule.next(Nanos(0), &view) else { panic!("peace first") };
    let Step::Begin(begun) = schedule.next(until, &view) else { panic!("a fault") };
    assert_eq!(schedule.in_force(), [&begun]);
    schedule.stop();
    let Step::End(ending) = schedule.next(until, &view) else { panic!("its end") };
    assert_eq!((ending.id, ending.actions.len()), (begun.id, 3));
    view.nodes.insert(NodeId(2), NodeView { role: Role::Down, term: 0 });
    view.nodes.insert(NodeId(3), NodeView { role: Role::Paused, term: 0 });
    let actions = vec![Action::Start { node: NodeId(2) }, Action::Resume { node: NodeId(3) }];
    assert_eq!(schedule.next(until, &view), Step::Heal { actions }, "what is broken otherwise is healed too");
    assert_eq!(schedule.next(until, &view), Step::Done);
}

#[test]
fn a_minute_of_default_faults_aims_at_the_classes_of_the_zoo() {
    // Each count is over 50 seeds of the default run; the bars are what one run must have on average.
    let runs: Vec<_> = (0..50).map(|seed| drive(DEFAULT, 5, seed, 60, Nanos::from_millis(30))).collect();
    let per_run = |what: fn(&Instance) -> bool| {
        let hits = runs.iter().flat_map(|run| &run.begun).filter(|(_, instance)| what(instance)).count();
        hits as f64 / runs.len() as f64
    };
    let story = |word: &'static str| move |instance: &Instance| instance.decision.story.contains(word);
    let count = |word: &'static str, class: Class| {
        let matches = |instance: &Instance| instance.class == class && story(word)(instance);
        runs.iter().flat_map(|run| &run.begun).filter(|(_, i)| matches(i)).count() as f64 / 50.0
    };
    let measured = [
        ("faults", per_run(|_| true), 18.0),
        ("kills", per_run(|i| i.class == Class::Kill), 5.0),
        ("pauses", per_run(|i| i.class == Class::Pause), 5.0),
        ("partitions", per_run(|i| i.class == Class::Partition), 7.0),
        ("the leader killed", count("leader", Class::Kill), 2.0),
        ("the leader paused", count("leader", Class::Pause), 3.0),
        ("the leader alone or cut off", count("leader", Class::Partition), 3.5),
        ("quorum shifted", count("come back lagging", Class::Partition), 1.2),
        ("in place of another", per_run(|i| i.replaces.is_some()), 1.5),
    ];
    for (what, per_run, bar) in measured {
        assert!(per_run >= bar, "{what}: {per_run} a run, bar {bar}; all: {measured:?}");
    }
}

#[test]
fn there_is_peace_at_the_start_and_near_the_middle() {
    for seed in 0..50 {
        let seen = drive(DEFAULT, 5, seed, 60, Nanos(0));
        assert!(seen.peace[0].1 >= Nanos::from_millis(1500));
        // The quiet stretch begins between two and three fifths of the run, and may join other peace.
        let near = |(from, to): &(Nanos, Nanos)| {
            to.since((*from).max(Nanos::from_secs(24))) >= Nanos::from_secs(2)
                && *from <= Nanos::from_secs(36)
        };
        assert!(seen.peace.iter().any(near), "seed {seed}: {:?}", seen.peace);
    }
}

#[test]
fn every_fault_has_its_turn_before_any_comes_twice() {
    for seed in 0..200 {
        let seen = drive(DEFAULT, 5, seed, 20, Nanos(0));
        let had = |verb: &str| seen.log.iter().any(|(_, action)| action.starts_with(verb));
        assert!(had("kill ") && had("pause ") && had("cut "), "seed {seed}: {:?}", seen.log);
    }
}

#[test]
fn plans_that_cannot_be_are_refused() {
    let make = |faults: &[&str], count, rhythm| {
        let faults = faults.iter().map(|name| find(name).unwrap()).collect();
        Schedule::new(faults, nodes(count).collect(), rhythm, 1, Nanos::from_secs(1)).map(|_| ())
    };
    let error = make(&["partition-ring"], 3, Rhythm::default()).unwrap_err();
    assert_eq!(error.to_string(), "the fault partition-ring needs at least 4 nodes, there are 3");
    assert_eq!(make(&["kill"], 0, Rhythm::default()), Err(ScheduleError::NoNodes));
    let mut rhythm = Rhythm::default();
    rhythm.weights.kill = 0;
    assert_eq!(make(&["kill"], 3, rhythm), Err(ScheduleError::NeverDrawn { fault: "kill" }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_rule_holds_for_any_faults_nodes_and_lateness(
        picks in proptest::collection::btree_set(0..ALL.len(), 0..5),
        count in 1_u32..8,
        seed: u64,
        seconds in 0_u64..90,
        late_ms in 0_u64..2000,
    ) {
        let fits = |index: &&usize| ALL[**index].nodes_min() <= count as usize;
        let names: Vec<_> = picks.iter().filter(fits).map(|index| ALL[*index].name()).collect();
        drive(&names, count, seed, seconds, Nanos::from_millis(late_ms));
    }

    #[test]
    fn default_outages_leave_a_majority_of_processes(count in 3_u32..8, seed: u64) {
        let seen = drive(DEFAULT, count, seed, 60, Nanos(0));
        let mut out = BTreeSet::new();
        for (_, action) in seen.log {
            match action.split_once(' ') {
                Some(("kill" | "pause", node)) => assert!(out.insert(node.to_owned())),
                Some(("start" | "resume", node)) => assert!(out.remove(node)),
                _ => {}
            }
            prop_assert!(count as usize - out.len() >= majority(count as usize));
        }
    }
}
