//! The faults in force: what is broken by whom, until when. Shared by the seeded schedule and directed time lines.

use std::collections::BTreeSet;

use rashomon_histories::Nanos;

use super::{Ending, Instance, InstanceId, Step};
use crate::action::Action;
use crate::capability::Capability;
use crate::fault::{Class, Decision};
use crate::grudge::Grudge;
use crate::node::NodeId;
use crate::view::{NodeView, Role, View};

/// The faults in force, in order of beginning.
#[derive(Clone, Debug, Default)]
pub(crate) struct InForce {
    running: Vec<Running>,
    begun_count: u64,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) instance: Instance,
    /// When it ends, on the plan's own time line.
    pub(crate) end: Nanos,
    /// Whether another partition is to take its place then.
    pub(crate) gives_way: bool,
}

impl InForce {
    /// A fault begins. A partition takes the place of the one in force.
    pub(crate) fn begin(&mut self, name: &str, class: Class, decision: Decision, end: Nanos) -> Instance {
        let replaces = match class {
            Class::Partition => self.partition().map(|running| running.instance.id),
            _ => None,
        };
        self.running.retain(|running| Some(running.instance.id) != replaces);
        self.begun_count += 1;
        let id = InstanceId(self.begun_count);
        let instance = Instance { id, name: name.to_owned(), class, decision, replaces };
        self.running.push(Running { instance: instance.clone(), end, gives_way: false });
        instance
    }

    /// Decides that the fault begun last shall give way to another.
    pub(crate) fn last_gives_way(&mut self) {
        if let Some(last) = self.running.last_mut() {
            last.gives_way = true;
        }
    }

    /// The fault that ends first; of equals the one begun first.
    pub(crate) fn ends_first(&self) -> Option<&Running> {
        self.running.iter().min_by_key(|running| (running.end, running.instance.id))
    }

    /// Ends this fault.
    pub(crate) fn end(&mut self, id: InstanceId) -> Option<Ending> {
        let index = self.running.iter().position(|running| running.instance.id == id)?;
        let Instance { id, name, decision, .. } = self.running.remove(index).instance;
        Some(Ending { id, name, actions: decision.stop })
    }

    /// The moments at which faults in force end.
    pub(crate) fn ends(&self) -> impl Iterator<Item = Nanos> + '_ {
        self.running.iter().map(|running| running.end)
    }

    /// Whether a fault of this class is in force.
    pub(crate) fn has(&self, class: Class) -> bool {
        self.running.iter().any(|running| running.instance.class == class)
    }

    pub(crate) fn partition(&self) -> Option<&Running> {
        self.running.iter().find(|running| running.instance.class == Class::Partition)
    }

    /// The grudge in force.
    pub(crate) fn cut(&self) -> Option<&Grudge> {
        self.partition()?.instance.decision.start.iter().find_map(|action| match action {
            Action::Cut { grudge } => Some(grudge),
            _ => None,
        })
    }

    /// What was probed of `nodes`, with what is held down or paused here shown as such: a probe may be late. Who is no
    /// member counts for nothing, as if it were down.
    pub(crate) fn overlay(&self, nodes: &BTreeSet<NodeId>, view: &View) -> View {
        let seen = |node: &NodeId| view.nodes.get(node).copied().unwrap_or_default();
        let mut overlaid: View = nodes.iter().map(|node| (*node, seen(node))).collect();
        for action in self.running.iter().flat_map(|running| &running.instance.decision.start) {
            if let Action::Members { of, .. } = action {
                for node in nodes.difference(of) {
                    overlaid.nodes.insert(*node, NodeView { role: Role::Down, term: seen(node).term });
                }
            }
            let role = if matches!(action, Action::Pause { .. }) { Role::Paused } else { Role::Down };
            if let Some(node) = action.takes_out() {
                overlaid.nodes.insert(node, NodeView { role, term: seen(&node).term });
            }
        }
        overlaid
    }

    /// All of them, in order of beginning.
    pub(crate) fn instances(&self) -> Vec<&Instance> {
        self.running.iter().map(|running| &running.instance).collect()
    }

    /// The next step of the final heal: one fault in force ends, or, when none is left, whatever the view still
    /// shows broken is healed, and who takes part is as it was at first.
    pub(crate) fn wind_down(&mut self, nodes: &BTreeSet<NodeId>, view: &View, broken: &Broken) -> Step {
        if let Some(id) = self.running.first().map(|running| running.instance.id) {
            return Step::End(self.end(id).expect("its id was just read from the list"));
        }
        let mut actions = if broken.links { vec![Action::Mend] } else { Vec::new() };
        for node in nodes {
            match view.nodes.get(node).map(|seen| seen.role) {
                Some(Role::Paused) => actions.push(Action::Resume { node: *node }),
                Some(Role::Down) => actions.push(Action::Start { node: *node }),
                _ => {}
            }
        }
        if broken.members {
            actions.push(Action::Members { of: nodes.clone(), at: None });
        }
        Step::Heal { actions }
    }
}

/// What a schedule may have broken, so that it must be mended whatever the view shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) links: bool,
    pub(crate) members: bool,
}

impl Broken {
    /// By actions that need these.
    pub(crate) fn by<'a>(needs: impl IntoIterator<Item = &'a Capability>) -> Self {
        needs.into_iter().fold(Self::default(), |broken, need| Self {
            links: broken.links || *need == Capability::Links,
            members: broken.members || *need == Capability::Members,
        })
    }
}
