//! Follows the schedule: performs what it decides, through the nemesis process and the arena, and records the
//! evidence of each fault and each heal.
//!
//! It decides nothing: what breaks, on whom and when is the schedule's; whether it bit is judged from the evidence.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use rashomon_histories::{Nanos, Value};
use rashomon_nemesis::action::Performer;
use rashomon_nemesis::record::{Record, combined};
use rashomon_nemesis::schedule::{Ending, Instance, Step, Steps};
use rashomon_nemesis::{Action, Outcome, Report, View};
use tokio::sync::Notify;

use crate::run::control::Control;
use crate::run::drive::Clock;
use crate::run::nodes::Nodes;

/// How long a killed process may take to be gone.
const DEATH_WAIT: Duration = Duration::from_secs(10);

/// Takes what is to be recorded: the fault's name and the record.
pub trait Notes {
    /// Records it.
    fn note(&self, f: &str, value: Value);
}

/// What the fault loop shares with those who watch it.
#[derive(Debug, Default)]
pub struct State {
    /// The nodes as probed last.
    pub view: View,
    /// Names of the faults in force.
    pub in_force: Vec<String>,
    /// Set to have everything healed now.
    pub stop: bool,
    /// Whether the judge has found a violation.
    pub convicted: bool,
    /// Whether a person asked for an early end.
    pub interrupted: bool,
    /// What the run is doing, for the progress line.
    pub phase: &'static str,
    /// Why faults were skipped or in doubt, each reason once.
    pub doubts: BTreeSet<String>,
    /// Nodes that ended although nobody killed them, in sentences.
    pub deaths: Vec<String>,
}

/// The loop.
pub struct Faults<N> {
    /// The nemesis.
    pub control: Control,
    /// The nodes.
    pub nodes: Rc<RefCell<Nodes>>,
    /// What is shared.
    pub state: Rc<RefCell<State>>,
    /// Woken when [`State::stop`] is set.
    pub wake: Rc<Notify>,
    /// The run's clock.
    pub clock: Clock,
    /// Where records go.
    pub notes: N,
}

impl<N: Notes> Faults<N> {
    /// Follows the schedule to its final heal; answers the nemesis and the reports of that heal. A violation ends it
    /// at once: nothing is healed, as what the nodes hold then is evidence.
    ///
    /// # Errors
    /// When the nemesis died or a node could not be started: what is in force is then unknown.
    pub async fn follow(mut self, mut steps: impl Steps) -> anyhow::Result<(Control, Vec<Report>)> {
        let mut healed = Vec::new();
        loop {
            let step = {
                let mut state = self.state.borrow_mut();
                if state.convicted {
                    return Ok((self.control, healed));
                }
                if state.stop {
                    steps.stop();
                }
                let step = steps.next(self.clock.now(), &state.view);
                state.in_force = steps.in_force().iter().map(|instance| instance.name.clone()).collect();
                step
            };
            match step {
                Step::Begin(instance) => self.begin(&instance).await?,
                Step::End(ending) => self.end(&ending).await?,
                Step::Wait { until } => {
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = tokio::time::sleep_until(self.clock.at(until)) => {}
                    }
                }
                Step::Heal { actions } => {
                    let (_, mut reports) = self.perform_all(&actions).await?;
                    reports.extend(self.control.heal().await?);
                    healed.extend(reports);
                }
                Step::Done => return Ok((self.control, healed)),
            }
        }
    }

    async fn begin(&mut self, instance: &Instance) -> anyhow::Result<()> {
        let (since, reports) = self.perform_all(&instance.decision.start).await?;
        let replaces = instance.replaces.map(|id| id.0);
        self.record(
            &instance.name,
            instance.id.0,
            "begin",
            &instance.decision.story,
            since,
            &reports,
            replaces,
        );
        Ok(())
    }

    async fn end(&mut self, ending: &Ending) -> anyhow::Result<()> {
        let (since, reports) = self.perform_all(&ending.actions).await?;
        self.record(&ending.name, ending.id.0, "end", "", since, &reports, None);
        Ok(())
    }

    async fn perform_all(&mut self, actions: &[Action]) -> anyhow::Result<(Nanos, Vec<Report>)> {
        let since = self.clock.now();
        let mut reports = Vec::with_capacity(actions.len());
        for action in actions {
            reports.push(self.perform(action).await?);
        }
        Ok((since, reports))
    }

    async fn perform(&mut self, action: &Action) -> anyhow::Result<Report> {
        match (action.performer(), action) {
            (Performer::Arena, Action::Start { node }) => {
                let dying = self.nodes.borrow().dying(*node);
                if let Some(process) = dying {
                    tokio::time::timeout(DEATH_WAIT, process.exited()).await.with_context(|| {
                        format!("node {node} was killed and is still there after {DEATH_WAIT:?}")
                    })?;
                }
                self.nodes.borrow_mut().start_one(*node)?;
                Ok(Report { action: action.clone(), outcome: Outcome::Installed, evidence: None })
            }
            _ => {
                let process = action.node().and_then(|node| self.nodes.borrow().process(node));
                // Before the deed: a node that is seen to end between the signal and the report was killed, it
                // did not die.
                if let Action::Kill { node } = action {
                    self.nodes.borrow_mut().expect_down(*node);
                }
                let report = self.control.perform(action, process).await?;
                match action {
                    Action::Pause { node } => {
                        self.nodes.borrow_mut().expect_paused(*node, report.outcome.is_installed());
                    }
                    Action::Resume { node } => self.nodes.borrow_mut().expect_paused(*node, false),
                    _ => {}
                }
                Ok(report)
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one record")]
    fn record(
        &self,
        name: &str,
        id: u64,
        phase: &'static str,
        story: &str,
        since: Nanos,
        actions: &[Report],
        replaces: Option<u64>,
    ) {
        let outcome = &combined(actions);
        if let Outcome::Skipped { reason } | Outcome::Indeterminate { reason } = outcome {
            self.state.borrow_mut().doubts.insert(format!("{name} ({phase}): {reason}"));
        }
        let record = Record { id, phase, outcome, story, since, actions, replaces };
        let value = Value::from_data(&record).expect("a record has text keys");
        self.notes.note(name, value);
    }
}
