//! What was recorded is repeated, exactly or re-aimed, and without what was left out.

use rand::RngExt;

use super::*;
use crate::fault::{ALL, Class};
use crate::node::nodes;
use crate::random::stream;
use crate::rhythm::Rhythm;
use crate::schedule::{Schedule, Step, Steps};
use crate::view::{NodeView, Role, View};

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
