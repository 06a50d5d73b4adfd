//! The contract of every fault in the registry: declared, documented, and nothing left broken behind it.

#![allow(clippy::unwrap_used, reason = "a test helper that panics is a test that fails")]

use std::collections::BTreeSet;

use rashomon_nemesis::fault::{ALL, Class, Decision, Fault, Scene, find};
use rashomon_nemesis::node::nodes;
use rashomon_nemesis::random::stream;
use rashomon_nemesis::{Action, Grudge, NodeId, NodeView, Role, View};

/// Views of a cluster of this size: led by each in turn, without a leader, with two that claim to lead, with nodes
/// down and paused.
fn views(count: u32) -> Vec<View> {
    let with = |roles: &[(u32, Role, u64)]| {
        let mut view: View = nodes(count).map(|n| (n, NodeView { role: Role::Follower, term: 5 })).collect();
        for (node, role, term) in roles {
            view.nodes.insert(NodeId(*node), NodeView { role: *role, term: *term });
        }
        view
    };
    let mut views: Vec<_> = (1..=count).map(|node| with(&[(node, Role::Leader, 5)])).collect();
    views.push(View::unknown(count));
    views.push(with(&[(1, Role::Leader, 5), (2, Role::Leader, 4)]));
    views.push(with(&[(1, Role::Leader, 5), (3, Role::Down, 0)]));
    views.push(with(&[(2, Role::Candidate, 5), (1, Role::Paused, 3)]));
    views
}

/// Performs actions on paper; panics where one makes no sense.
#[derive(Default)]
struct Paper {
    killed: BTreeSet<NodeId>,
    paused: BTreeSet<NodeId>,
    cut: bool,
    /// Who takes part, if not all.
    members: Option<BTreeSet<NodeId>>,
}

impl Paper {
    fn perform(&mut self, action: &Action, view: &View) {
        match action {
            Action::Kill { node }
            | Action::PowerLoss { node }
            | Action::Wipe { node }
            | Action::Rot { node }
            | Action::FailSync { node } => {
                assert!(
                    view.nodes[node].role.is_up() && !self.paused.contains(node) && self.killed.insert(*node)
                );
            }
            Action::Pause { node } => {
                assert!(
                    view.nodes[node].role.is_up() && !self.killed.contains(node) && self.paused.insert(*node)
                );
            }
            Action::Start { node } => assert!(self.killed.remove(node)),
            Action::Resume { node } => assert!(self.paused.remove(node)),
            Action::Cut { grudge } => {
                assert!(!grudge.is_empty() && grudge.nodes().is_subset(&view.all()));
                self.cut = true;
            }
            Action::Mend => assert!(std::mem::take(&mut self.cut)),
            Action::Hamper { node, .. } => assert!(view.nodes[node].role.is_up()),
            Action::Disturb { by } => assert_ne!(*by, Default::default()),
            Action::Handle { by } => assert!(!by.from.is_empty() && !by.to.is_empty()),
            Action::Relieve { .. } | Action::Calm | Action::LetGo { .. } => {}
            Action::Lead { node, at } => {
                assert!([Some(*node), *at].iter().flatten().all(|node| view.nodes[node].role.is_up()));
            }
            Action::Members { of, at } => {
                assert!(of.is_subset(&view.all()) && of.len() * 2 > view.nodes.len());
                assert!(at.is_none_or(|at| view.nodes[&at].role.is_up()));
                self.members = (*of != view.all()).then(|| of.clone());
            }
        }
    }
}

/// What is started is stopped, with needs declared and in the same order.
fn check(fault: &dyn Fault, view: &View, decision: &Decision) {
    assert!(!decision.start.is_empty() && !decision.story.is_empty());
    let mut paper = Paper::default();
    decision.start.iter().for_each(|action| paper.perform(action, view));
    for action in decision.start.iter().chain(&decision.stop) {
        assert!(
            action.needs().is_none_or(|need| fault.needs().contains(&need)),
            "{action} of {}",
            fault.name()
        );
        assert!(!action.must_show().is_empty());
    }
    let restores_members = |action: &Action| matches!(action, Action::Members { .. });
    let undone: Vec<_> = decision.start.iter().filter_map(Action::undo).collect();
    let stops = decision.stop.iter().filter(|action| !restores_members(action));
    assert!(undone.iter().eq(stops), "{decision:?}");
    decision.stop.iter().for_each(|action| paper.perform(action, view));
    let is_whole = paper.killed.is_empty() && paper.paused.is_empty() && paper.members.is_none();
    assert!(is_whole && !paper.cut, "{decision:?}");
}

#[test]
fn every_fault_leaves_nothing_broken() {
    for fault in ALL.iter().copied() {
        for count in 3..=7 {
            let mut decided = 0;
            for view in views(count) {
                let alone = Grudge::isolate(&view.all(), NodeId(2)).unwrap();
                for (seed, cut) in (0..15).flat_map(|seed| [(seed, None), (seed, Some(&alone))]) {
                    let scene = Scene { view: &view, cut };
                    let decision = fault.decide(&scene, &mut stream(seed, "contract", 0));
                    assert_eq!(decision, fault.decide(&scene, &mut stream(seed, "contract", 0)), "not pure");
                    if let Ok(decision) = decision {
                        check(fault, &view, &decision);
                        decided += 1;
                    }
                }
            }
            assert_eq!(decided > 0, count as usize >= fault.nodes_min(), "{} of {count} nodes", fault.name());
        }
    }
}

#[test]
fn every_fault_is_declared_and_documented() {
    let mut names = BTreeSet::new();
    for fault in ALL {
        assert!(names.insert(fault.name()), "{} twice", fault.name());
        assert_eq!(find(fault.name()).unwrap().name(), fault.name());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        assert!(fault.name().bytes().all(plain), "{}", fault.name());
        assert!(
            fault.doc().len() > 30 && !fault.doc().contains("  ") && !fault.doc().ends_with('.'),
            "{}",
            fault.name()
        );
        assert!(!fault.needs().is_empty());
        let colour = fault.legend().colour;
        assert!(colour.len() == 7 && colour.starts_with('#') && !fault.legend().label.is_empty());
        assert!((1..=7).contains(&fault.nodes_min()));
    }
}

#[test]
fn where_no_node_is_up_nothing_can_be_taken_out() {
    let down: View = nodes(3).map(|node| (node, NodeView { role: Role::Down, term: 0 })).collect();
    for fault in ALL.iter().filter(|fault| !matches!(fault.class(), Class::Partition)) {
        assert!(fault.decide(&Scene { view: &down, cut: None }, &mut stream(1, "contract", 0)).is_err());
    }
}
