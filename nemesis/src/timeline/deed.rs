//! What an entry of a time line does: whom it hits is decided when it begins, by what is seen then.

use std::collections::BTreeSet;

use super::{Aim, Aims, Entry, Handover, Mail, Members, TimelineError, Who};
use crate::action::{Action, Hindrance};
use crate::fault::{Class, Decision, Declined, Fault, Scene, find};
use crate::grudge::Grudge;
use crate::handling::{Handling, Manner};
use crate::node::NodeId;
use crate::random::Stream;
use crate::target::{Aimed, Target, listed};

/// The deed of an entry.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// A fault of the registry.
    Fault(&'static dyn Fault),
    /// Something done to nodes.
    Hit(Blow, Aims),
    /// These, together, cut off from all others.
    Isolate(Aims),
    /// Exactly these packets dropped.
    Cut(Grudge),
    /// Messages of a kind taken into the hands.
    Handle(Manner, Mail),
    /// The system asked for members.
    Members(Members),
    /// The system asked for a leader.
    Lead(Handover),
}

/// What can be done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    Kill,
    Pause,
    PowerLoss,
    SlowDisk,
    FailSync,
}

impl Blow {
    fn name(self) -> &'static str {
        match self {
            Blow::Kill => "kill",
            Blow::Pause => "pause",
            Blow::PowerLoss => "power-loss",
            Blow::SlowDisk => "slow-disk",
            Blow::FailSync => "fail-sync",
        }
    }

    fn class(self) -> Class {
        match self {
            Blow::Kill => Class::Kill,
            Blow::Pause => Class::Pause,
            Blow::PowerLoss | Blow::SlowDisk | Blow::FailSync => Class::Disk,
        }
    }

    fn action(self, node: NodeId) -> Action {
        match self {
            Blow::Kill => Action::Kill { node },
            Blow::Pause => Action::Pause { node },
            Blow::PowerLoss => Action::PowerLoss { node },
            Blow::SlowDisk => Action::Hamper { node, with: Hindrance::Disk },
            Blow::FailSync => Action::FailSync { node },
        }
    }
}

impl Deed {
    /// The one deed that the entry names.
    pub(super) fn of(number: usize, entry: &Entry) -> Result<Self, TimelineError> {
        let named = entry.fault.as_deref().map(find).transpose();
        let named = named.map_err(|source| TimelineError::UnknownFault { entry: number, source })?;
        let hit = |blow, aims: &Option<Aims>| aims.clone().map(|aims| Deed::Hit(blow, aims));
        let handle = |manner, mail: &Option<Mail>| mail.clone().map(|mail| Deed::Handle(manner, mail));
        let deeds = [
            named.map(Deed::Fault),
            hit(Blow::Kill, &entry.kill),
            hit(Blow::Pause, &entry.pause),
            hit(Blow::PowerLoss, &entry.power_loss),
            hit(Blow::SlowDisk, &entry.slow_disk),
            hit(Blow::FailSync, &entry.fail_sync),
            entry.isolate.clone().map(Deed::Isolate),
            entry.cut.clone().map(Deed::Cut),
            handle(Manner::Hold, &entry.hold),
            handle(Manner::Drop, &entry.drop),
            handle(Manner::Repeat, &entry.repeat),
            entry.members.clone().map(Deed::Members),
            entry.lead.clone().map(Deed::Lead),
        ];
        let mut deeds: Vec<_> = deeds.into_iter().flatten().collect();
        match (deeds.len(), deeds.pop()) {
            (1, Some(deed)) => Ok(deed),
            (count, _) => Err(TimelineError::NotOneDeed { entry: number, count }),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Deed::Fault(fault) => fault.name(),
            Deed::Hit(blow, _) => blow.name(),
            Deed::Isolate(_) => "isolate",
            Deed::Cut(_) => "cut",
            Deed::Handle(Manner::Hold, _) => "hold",
            Deed::Handle(Manner::Drop, _) => "drop",
            Deed::Handle(Manner::Repeat, _) => "repeat",
            Deed::Members(_) => "members",
            Deed::Lead(_) => "lead",
        }
    }

    pub(super) fn class(&self) -> Class {
        match self {
            Deed::Fault(fault) => fault.class(),
            Deed::Hit(blow, _) => blow.class(),
            Deed::Isolate(_) | Deed::Cut(_) => Class::Partition,
            Deed::Handle(..) => Class::Messages,
            Deed::Members(_) => Class::Members,
            Deed::Lead(_) => Class::Leadership,
        }
    }

    pub(super) fn needs_leader(&self) -> bool {
        let by_role = |aim: &Aim| {
            let role =
                [Target::Leader, Target::Deposed, Target::Follower, Target::Followers].map(Aim::Target);
            role.contains(aim)
        };
        match self {
            Deed::Fault(fault) => fault.name().ends_with("-leader"),
            Deed::Hit(_, aims) | Deed::Isolate(aims) => aims.0.iter().any(by_role),
            Deed::Handle(_, mail) => {
                mail.by.0.iter().chain(&mail.to.0).any(|who| matches!(who, Who::Leader | Who::Follower))
            }
            Deed::Members(Members { at, .. }) => at.iter().any(by_role),
            Deed::Lead(Handover { node, at }) => by_role(node) || at.iter().any(by_role),
            Deed::Cut(_) => false,
        }
    }

    /// The nodes it names.
    pub(super) fn nodes(&self) -> BTreeSet<NodeId> {
        match self {
            Deed::Cut(grudge) => grudge.nodes(),
            Deed::Hit(_, aims) | Deed::Isolate(aims) => aims.0.iter().filter_map(named).collect(),
            Deed::Members(Members { of, at }) => {
                of.iter().copied().chain(at.iter().filter_map(named)).collect()
            }
            Deed::Lead(Handover { node, at }) => [node].into_iter().chain(at).filter_map(named).collect(),
            Deed::Handle(_, mail) => {
                let named = mail.by.0.iter().chain(&mail.to.0).filter_map(|who| match who {
                    Who::Node(node) => Some(*node),
                    _ => None,
                });
                named.collect()
            }
            Deed::Fault(_) => BTreeSet::new(),
        }
    }

    pub(super) fn decide(
        &self,
        scene: &Scene<'_>,
        it: Option<NodeId>,
        rng: &mut Stream,
    ) -> Result<Decision, Declined> {
        Ok(match self {
            Deed::Hit(blow, aims) => {
                let aimed = resolve(aims, scene, it, rng)?;
                Decision::until_undone(
                    aimed.nodes.into_iter().map(|node| blow.action(node)).collect(),
                    aimed.story,
                )
            }
            Deed::Isolate(aims) => {
                let aimed = resolve(aims, scene, it, rng)?;
                let grudge = Grudge::split(&scene.view.all(), &aimed.nodes);
                let grudge = grudge.map_err(|error| Declined::because(error.to_string()))?;
                Decision::until_undone(vec![Action::Cut { grudge }], format!("{} cut off", aimed.story))
            }
            Deed::Cut(grudge) => {
                Decision::until_undone(vec![Action::Cut { grudge: grudge.clone() }], format!("cut {grudge}"))
            }
            Deed::Handle(manner, mail) => {
                let meant = |whos: &super::Whos| whos.of(scene.view, it);
                let (from, to) = (meant(&mail.by), meant(&mail.to));
                if from.is_empty() || to.is_empty() {
                    return Err(Declined::because("nobody sends such messages, or gets them"));
                }
                let by = Handling { manner: *manner, words: mail.sent.clone(), from, to };
                let story = by.to_string();
                Decision::until_undone(vec![Action::Handle { by }], story)
            }
            Deed::Members(Members { of, at }) => {
                let at = at.as_ref().map(|at| single(at, scene, it, rng)).transpose()?;
                let start = vec![Action::Members { of: of.clone(), at }];
                Decision::until_undone(start, format!("the members {}", listed(of)))
            }
            Deed::Lead(Handover { node, at }) => {
                let node = single(node, scene, it, rng)?;
                let at = at.as_ref().map(|at| single(at, scene, it, rng)).transpose()?;
                Decision::until_undone(vec![Action::Lead { node, at }], format!("{node} is to lead"))
            }
            Deed::Fault(fault) => return fault.decide(scene, rng),
        })
    }
}

/// The node of this name.
fn named(aim: &Aim) -> Option<NodeId> {
    match aim {
        Aim::Target(Target::Node(node)) => Some(*node),
        _ => None,
    }
}

/// The one node that is meant.
fn single(aim: &Aim, scene: &Scene<'_>, it: Option<NodeId>, rng: &mut Stream) -> Result<NodeId, Declined> {
    let aimed = resolve(&Aims(vec![*aim]), scene, it, rng)?;
    match (aimed.nodes.first(), aimed.nodes.len()) {
        (Some(node), 1) => Ok(*node),
        _ => Err(Declined::because(format!("one node can be asked or lead, not {}", aimed.story))),
    }
}

/// Whom the aims hit, all of them together. A drawn one is drawn among those not hit yet.
fn resolve(aims: &Aims, scene: &Scene<'_>, it: Option<NodeId>, rng: &mut Stream) -> Result<Aimed, Declined> {
    let mut all: Option<Aimed> = None;
    for aim in &aims.0 {
        let target = match (aim, it) {
            (Aim::Target(target), _) => *target,
            (Aim::It, Some(it)) => Target::Node(it),
            (Aim::It, None) => return Err(Declined::because("no condition has named a node yet")),
        };
        let mut rest = scene.view.clone();
        if target == Target::Follower || target == Target::One {
            // Out of the way, but without taking the leader's role from whoever has it.
            let hit = all.iter().flat_map(|aimed| &aimed.nodes);
            for node in hit.filter(|node| scene.view.leader() != Some(**node)) {
                rest.nodes.remove(node);
            }
        }
        let aimed = target.resolve(&Scene { view: &rest, cut: scene.cut }, rng)?;
        all = Some(match all {
            None => aimed,
            Some(before) => {
                let nodes: BTreeSet<_> = before.nodes.union(&aimed.nodes).copied().collect();
                let story = listed(&nodes);
                Aimed { nodes, story }
            }
        });
    }
    all.ok_or_else(|| Declined::because("it is aimed at nobody"))
}
