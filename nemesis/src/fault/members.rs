//! Who leads and who takes part, changed while clients ask: leadership handed over, members that leave and come back.
//!
//! Nothing breaks by that: the system is asked to, and a sound one goes on serving. What is looked for lies between the
//! phases: leases that outlive a handover (thesis 3.10), majorities of memberships that need not meet (thesis 4.1), those who
//! count and must not, a node that comes back as another (Raft 6). So a change is asked of whoever leads, and now and then
//! of somebody who only may, or thinks so.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::{Class, Decision, Declined, Fault, Scene};
use crate::action::Action;
use crate::capability::Capability;
use crate::node::NodeId;
use crate::random::Stream;
use crate::target::listed;
use crate::view::minority;

/// Leadership moved.
#[derive(Debug)]
pub struct TransferLeadership;

impl Fault for TransferLeadership {
    fn name(&self) -> &'static str {
        "transfer-leadership"
    }

    fn doc(&self) -> &'static str {
        "the system is asked to have another node lead, whether that one is up to date or lags behind"
    }

    fn class(&self) -> Class {
        Class::Leadership
    }

    fn nodes_min(&self) -> usize {
        2
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        let leader = scene.view.leader();
        let mut heirs: Vec<NodeId> = scene.view.up().into_iter().collect();
        heirs.retain(|node| Some(*node) != leader);
        let heir = *heirs.choose(rng).ok_or_else(|| Declined::because("no node but the leader is up"))?;
        let from = leader.map_or_else(|| "nobody known".to_owned(), |leader| leader.to_string());
        let start = vec![Action::Lead { node: heir, at: whom_to_ask(scene, rng) }];
        Ok(Decision { start, stop: Vec::new(), story: format!("from {from} to {heir}") })
    }
}

/// Members that leave and come back.
#[derive(Debug)]
pub struct ChangeMembers {
    name: &'static str,
    doc: &'static str,
    needs: &'static [Capability],
    /// Whether who comes back has lost its disk meanwhile, and so is a new server under an old name.
    renews: bool,
}

impl ChangeMembers {
    /// Some leave and come back.
    pub const CHANGE: Self = ChangeMembers {
        name: "change-members",
        doc: "up to a minority of the nodes are removed from the members, the leader among them now and then, and added \
              again",
        needs: &[Capability::Members],
        renews: false,
    };
    /// One leaves, and another comes under its name.
    pub const REPLACE: Self = ChangeMembers {
        name: "replace-member",
        doc: "a node is removed from the members, loses its disk once that is in force, and is added again as a new server",
        needs: &[Capability::Members, Capability::Wipes],
        renews: true,
    };

    /// Who leaves.
    fn choose(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<BTreeSet<NodeId>, Declined> {
        let up = scene.view.up();
        let mut nodes: Vec<NodeId> = match self.renews {
            true => up.iter().copied().collect(),
            false => scene.view.all().into_iter().collect(),
        };
        nodes.shuffle(rng);
        if let Some(leader) = scene.view.leader()
            && rng.random_ratio(1, 4)
            && let Some(place) = nodes.iter().position(|node| *node == leader)
        {
            nodes.swap(0, place);
        }
        // Every other time the most that may: the fewer decide, the less their majorities meet those from before.
        let most = minority(scene.view.nodes.len()).max(1);
        let count = if self.renews || rng.random_bool(0.5) { 1 } else { most };
        let out: BTreeSet<NodeId> = nodes.into_iter().take(count).collect();
        if out.is_empty() || !scene.can_progress_without(&out) {
            return Err(Declined::because("nobody can be spared: no connected majority would be left"));
        }
        Ok(out)
    }
}

impl Fault for ChangeMembers {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn class(&self) -> Class {
        Class::Members
    }

    fn needs(&self) -> &'static [Capability] {
        self.needs
    }

    fn nodes_min(&self) -> usize {
        3
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        let out = self.choose(scene, rng)?;
        let all = scene.view.all();
        let rest = all.difference(&out).copied().collect();
        let mut start = vec![Action::Members { of: rest, at: whom_to_ask(scene, rng) }];
        if self.renews {
            start.extend(out.iter().map(|node| Action::Wipe { node: *node }));
        }
        let mut stop: Vec<Action> = start.iter().filter_map(Action::undo).collect();
        stop.push(Action::Members { of: all, at: None });
        let what = if self.renews { "replaced" } else { "out" };
        Ok(Decision { start, stop, story: format!("{} {what}", listed(&out)) })
    }
}

/// Whoever leads, or, one time in four, anybody who is up: one that passes it on, or one that was deposed and does not
/// know.
fn whom_to_ask(scene: &Scene<'_>, rng: &mut Stream) -> Option<NodeId> {
    let up: Vec<NodeId> = scene.view.up().into_iter().collect();
    let deposed: Vec<NodeId> = scene.view.deposed().into_iter().collect();
    if !rng.random_ratio(1, 4) {
        return None;
    }
    if rng.random_bool(0.5) { deposed.choose(rng).or_else(|| up.choose(rng)) } else { up.choose(rng) }
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use crate::view::{NodeView, Role, View};

    fn led(count: u32, leader: u32) -> View {
        let mut view = View::unknown(count);
        view.nodes.insert(NodeId(leader), NodeView { role: Role::Leader, term: 4 });
        view
    }

    #[test]
    fn leadership_goes_to_somebody_else() {
        let view = led(3, 2);
        let heirs: BTreeSet<Option<NodeId>> = (0..100)
            .map(|seed| {
                let scene = Scene { view: &view, cut: None };
                let decision = TransferLeadership.decide(&scene, &mut stream(seed, "t", 0)).unwrap();
                decision.start[0].node()
            })
            .collect();
        assert_eq!(heirs, BTreeSet::from([Some(NodeId(1)), Some(NodeId(3))]));
    }

    #[test]
    fn a_majority_stays_and_all_come_back() {
        for count in 3..8 {
            let view = led(count, 1);
            let scene = Scene { view: &view, cut: None };
            let mut left = BTreeSet::new();
            for seed in 0..200 {
                let decision = ChangeMembers::CHANGE.decide(&scene, &mut stream(seed, "t", 0)).unwrap();
                let Action::Members { of, .. } = &decision.start[0] else { panic!("{decision:?}") };
                assert!(of.len() * 2 > count as usize && of.len() < count as usize, "{of:?}");
                left.extend(view.all().difference(of).copied());
                assert_eq!(decision.stop, [Action::Members { of: view.all(), at: None }]);
            }
            assert_eq!(left, view.all(), "anybody may have to go, the leader too");
        }
    }

    #[test]
    fn who_is_replaced_leaves_before_its_disk_does() {
        let view = led(5, 1);
        let scene = Scene { view: &view, cut: None };
        let decision = ChangeMembers::REPLACE.decide(&scene, &mut stream(1, "t", 0)).unwrap();
        let [Action::Members { of, .. }, Action::Wipe { node }] = &decision.start[..] else {
            panic!("{decision:?}")
        };
        assert!(!of.contains(node));
        assert_eq!(decision.stop[0], Action::Start { node: *node }, "it runs before it is added");
    }
}
