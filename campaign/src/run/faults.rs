//! Follows the schedule: performs what it decides, through the nemesis process and the arena, and records the
//! evidence of each fault and each heal.
//!
//! It decides nothing: what breaks, on whom and when is the schedule's; whether it bit is judged from the evidence. What the
//! system itself is asked for takes its time, and goes on beside the schedule: [`crate::run::errands`].

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use rashomon_histories::Value;
use rashomon_nemesis::action::Performer;
use rashomon_nemesis::evidence::{WorldEvidence, judge};
use rashomon_nemesis::record::{Record, combined};
use rashomon_nemesis::schedule::{Step, Steps};
use rashomon_nemesis::{Action, Evidence, NodeId, Outcome, Report, View};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::run::control::Control;
use crate::run::drive::Clock;
use crate::run::errands::{Asking, Deed, Errand, Errands};
use crate::run::nodes::Nodes;

/// How long a killed process may take to be gone.
const DEATH_WAIT: Duration = Duration::from_secs(10);

/// How long the system may take, when all is mended, until who takes part is as it was at first.
const RESTORE_WAIT: Duration = Duration::from_secs(20);

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
    /// How the system is asked.
    pub asking: Asking,
}

impl<N: Notes> Faults<N> {
    /// Follows the schedule to its final heal; answers the nemesis and the reports of that heal. A violation ends it
    /// at once: nothing is healed, as what the nodes hold then is evidence.
    ///
    /// # Errors
    /// When the nemesis died or a node could not be started: what is in force is then unknown.
    pub async fn follow(mut self, mut steps: impl Steps) -> anyhow::Result<(Control, Vec<Report>)> {
        let mut healed = Vec::new();
        let mut errands = Errands::default();
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
                Step::Begin(instance) => {
                    let deed = Deed::begin(&instance, self.clock.now());
                    let errand = Errand::new(deed, &instance.decision.start);
                    self.send_out(errand, &mut errands).await?;
                }
                Step::End(ending) => {
                    self.close_all(errands.end(ending.id));
                    let errand = Errand::new(Deed::end(&ending, self.clock.now()), &ending.actions);
                    self.send_out(errand, &mut errands).await?;
                }
                Step::Wait { until } => {
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = tokio::time::sleep_until(self.clock.at(until)) => {}
                        errand = errands.next() => self.go_on(errand, &mut errands).await?,
                    }
                    self.take_turns(&mut errands).await?;
                }
                Step::Heal { actions } => {
                    self.close_all(errands.give_up());
                    healed.extend(self.heal(actions, errands.undone_until()).await?);
                }
                Step::Done => return Ok((self.control, healed)),
            }
        }
    }

    async fn send_out(&mut self, errand: Errand, errands: &mut Errands) -> anyhow::Result<()> {
        errands.queue(errand);
        self.take_turns(errands).await
    }

    /// Goes on with those that have to wait for no other any more.
    async fn take_turns(&mut self, errands: &mut Errands) -> anyhow::Result<()> {
        while let Some(errand) = errands.in_turn() {
            self.go_on(errand, errands).await?;
        }
        Ok(())
    }

    /// Performs what can be performed at once, up to what the system is asked for.
    async fn go_on(&mut self, mut errand: Errand, errands: &mut Errands) -> anyhow::Result<()> {
        while let Some(action) = errand.left.pop_front() {
            if action.performer() == Performer::System {
                errands.ask(errand, action, &self.asking);
                return Ok(());
            }
            let report = self.perform(&action).await?;
            errand.reports.push(report);
        }
        self.record(&errand);
        Ok(())
    }

    fn close_all(&self, errands: impl IntoIterator<Item = Errand>) {
        errands.into_iter().for_each(|errand| self.record(&errand));
    }

    /// The final heal: what can be mended at once is, then who takes part is restored; once more, where a request from before may
    /// undo that.
    async fn heal(
        &mut self,
        actions: Vec<Action>,
        undone_until: Option<Instant>,
    ) -> anyhow::Result<Vec<Report>> {
        let (asked, at_once): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| action.performer() == Performer::System);
        let mut reports = Vec::with_capacity(at_once.len());
        for action in &at_once {
            reports.push(self.perform(action).await?);
        }
        reports.extend(self.control.heal().await?);
        for action in asked {
            let mut report = self.restore(action.clone()).await;
            if let Some(until) = undone_until.filter(|_| report.outcome.is_installed()) {
                tokio::time::sleep_until(until).await;
                report = self.restore(action).await;
            }
            reports.push(report);
        }
        Ok(reports)
    }

    /// Asks until it is so, for a while; a violation found meanwhile ends it.
    async fn restore(&self, action: Action) -> Report {
        let restored = self.asking.restore(action.clone());
        let convicted = async {
            while !self.state.borrow().convicted {
                self.wake.notified().await;
            }
        };
        let why = tokio::select! {
            restored = tokio::time::timeout(RESTORE_WAIT, restored) => match restored {
                Ok(report) => return report,
                Err(_) => Outcome::indeterminate(format!("not so within {RESTORE_WAIT:?}")),
            },
            () = convicted => Outcome::skipped("a violation was found before"),
        };
        Report { action, outcome: why, evidence: None }
    }

    async fn perform(&mut self, action: &Action) -> anyhow::Result<Report> {
        match (action.performer(), action) {
            (Performer::Arena, Action::Wipe { node }) => self.wipe(*node).await,
            (Performer::Arena, Action::Start { node }) => {
                self.dead(*node).await?;
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

    /// Kills a node and takes its data from it; they are kept beside, as evidence.
    async fn wipe(&mut self, node: NodeId) -> anyhow::Result<Report> {
        let process = self.nodes.borrow().process(node);
        self.nodes.borrow_mut().expect_down(node);
        let killed = self.control.perform(&Action::Kill { node }, process).await?;
        self.dead(node).await?;
        let kept = self.nodes.borrow_mut().take_data(node)?;
        let how = if killed.outcome.is_installed() { "killed" } else { "down already" };
        let seen = format!("{how}; its data went to {}", kept.display());
        let evidence = Evidence::World(WorldEvidence { changed: true, seen });
        let action = Action::Wipe { node };
        Ok(Report { outcome: judge(&action, &evidence), action, evidence: Some(evidence) })
    }

    /// Waits until a killed node's process is gone.
    async fn dead(&self, node: NodeId) -> anyhow::Result<()> {
        let dying = self.nodes.borrow().dying(node);
        if let Some(process) = dying {
            tokio::time::timeout(DEATH_WAIT, process.exited())
                .await
                .with_context(|| format!("node {node} was killed and is still there after {DEATH_WAIT:?}"))?;
        }
        Ok(())
    }

    fn record(&self, Errand { deed, reports, .. }: &Errand) {
        let Deed { name, id, phase, story, since, replaces } = deed;
        let outcome = &combined(reports);
        if let Outcome::Skipped { reason } | Outcome::Indeterminate { reason } = outcome {
            self.state.borrow_mut().doubts.insert(format!("{name} ({phase}): {reason}"));
        }
        let record =
            Record { id: id.0, phase, outcome, story, since: *since, actions: reports, replaces: *replaces };
        let value = Value::from_data(&record).expect("a record has text keys");
        self.notes.note(name, value);
    }
}
