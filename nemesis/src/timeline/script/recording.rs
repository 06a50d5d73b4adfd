//! Writing down what a schedule does, beside it.

use std::collections::BTreeMap;

use rashomon_histories::Nanos;

use super::{Script, Scripted};
use crate::action::Action;
use crate::fault::Decision;
use crate::schedule::{Instance, InstanceId, Step, Steps};
use crate::timeline::Observation;
use crate::view::View;

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
