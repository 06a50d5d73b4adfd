//! Doing again what a script says: to the nanosecond, or re-aimed at whoever leads now.

use std::collections::{BTreeSet, VecDeque};

use rashomon_histories::Nanos;

use super::Scripted;
use crate::action::Action;
use crate::fault::Decision;
use crate::node::NodeId;
use crate::schedule::in_force::{Broken, InForce};
use crate::schedule::{Instance, InstanceId, Step, Steps};
use crate::timeline::{LEADER_WAIT, LOOK_EVERY};
use crate::view::View;

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
    pub(super) fn new(
        nodes: BTreeSet<NodeId>,
        heal_at: Nanos,
        faults: Vec<Scripted>,
        broken: Broken,
    ) -> Self {
        let (ahead, in_force, yielding) = (faults.into(), InForce::default(), BTreeSet::new());
        Follow { nodes, heal_at, ahead, in_force, yielding, broken, re_aims: false, healed: false }
    }

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
