//! What the system itself is asked for: another leader, other members. It does so in its own time and may refuse, so a fault
//! that asks is an *errand*: one action after the other, each only once the one before it is so, while the run goes on. They take
//! turns, by the rules of both worlds ([`rashomon_nemesis::errands`]).
//!
//! **A disk that is taken from a former member.** A removed node that comes back empty is a new server under an old name, and
//! harmless only if nobody counts on what it knew. So its disk is taken when *all* the others have named the membership
//! without it, and still do a while later, and no earlier request for members may yet come true.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rashomon_histories::Nanos;
use rashomon_nemesis::errands::{self, MAY_COME_TRUE, Next, SETTLED_AFTER, Turns, Waited};
use rashomon_nemesis::evidence::{AskedEvidence, judge};
use rashomon_nemesis::schedule::{Ending, Instance};
use rashomon_nemesis::{Action, Evidence, InstanceId, NodeId, Outcome, Report};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::run::faults::State;
use crate::systems::admin::{Admin, NotDone, Wish};
use crate::systems::{NodeStatus, Probe};

/// How often they are asked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long an errand that insists waits before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How long nodes that nothing hampers keep a request: at the one that was asked, then at the leader.
const KEPT_AT_MOST: Duration = Duration::from_secs(7);

/// What an errand is for: what stands in its record beside its reports.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) name: String,
    pub(super) id: InstanceId,
    pub(super) phase: &'static str,
    pub(super) story: String,
    pub(super) since: Nanos,
    pub(super) replaces: Option<u64>,
}

impl Deed {
    pub(super) fn begin(instance: &Instance, since: Nanos) -> Self {
        Deed {
            name: instance.name.clone(),
            id: instance.id,
            phase: "begin",
            story: instance.decision.story.clone(),
            since,
            replaces: instance.replaces.map(|id| id.0),
        }
    }

    pub(super) fn end(ending: &Ending, since: Nanos) -> Self {
        let (name, id) = (ending.name.clone(), ending.id);
        Deed { name, id, phase: "end", story: String::new(), since, replaces: None }
    }

    fn is_begin(&self) -> bool {
        self.phase == "begin"
    }
}

/// Actions on their way.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) deed: Deed,
    pub(super) left: VecDeque<Action>,
    pub(super) reports: Vec<Report>,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    number: u64,
    action: Action,
    task: AbortHandle,
    progress: Rc<Progress>,
}

/// What an errand and the request on its way tell each other.
#[derive(Debug, Default)]
struct Progress {
    /// Whether a request of it may yet come true, whatever becomes of this.
    is_left_open: Cell<bool>,
    /// Whether the fault has ended meanwhile: nothing more is waited for than the answer.
    is_over: Cell<bool>,
}

impl Errand {
    pub(super) fn new(deed: Deed, actions: &[Action]) -> Self {
        Errand { deed, left: actions.iter().cloned().collect(), reports: Vec::new(), asked: None }
    }

    /// What is left is left out.
    pub(super) fn skip_rest(&mut self, why: &str) {
        let outcome = Outcome::skipped(why);
        let skipped = self.left.drain(..);
        self.reports.extend(skipped.map(|action| Report {
            action,
            outcome: outcome.clone(),
            evidence: None,
        }));
    }
}

impl errands::Errand for Errand {
    fn fault(&self) -> Option<InstanceId> {
        Some(self.deed.id)
    }

    fn is_begin(&self) -> bool {
        self.deed.is_begin()
    }

    fn changes_members(&self) -> bool {
        let asked = self.asked.iter().map(|asked| &asked.action);
        asked.chain(&self.left).any(is_of_members)
    }

    fn is_over(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.progress.is_over.get())
    }

    fn set_over(&mut self) {
        if let Some(asked) = &self.asked {
            asked.progress.is_over.set(true);
        }
    }
}

fn is_of_members(action: &Action) -> bool {
    matches!(action, Action::Members { .. })
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Brought {
    number: u64,
    report: Report,
}

/// All errands under way.
#[derive(Default)]
pub(super) struct Errands {
    turns: Turns<Errand>,
    asking: JoinSet<Brought>,
    asked_count: u64,
    /// When a request for members was last left without a clear answer.
    left_open_at: Option<Instant>,
}

impl Errands {
    /// Keeps the errand until its turn comes: it is among the next that are [`Errands::in_turn`].
    pub(super) fn queue(&mut self, errand: Errand) {
        self.turns.queue(errand);
    }

    /// The next errand that has to wait for no other any more.
    pub(super) fn in_turn(&mut self) -> Option<Errand> {
        self.turns.in_turn()
    }

    /// Asks for the action, and keeps the errand until there is an answer.
    pub(super) fn ask(&mut self, mut errand: Errand, action: Action, asking: &Asking) {
        self.asked_count += 1;
        let number = self.asked_count;
        let takes_disk = matches!(errand.left.front(), Some(Action::Wipe { .. }));
        let is_left_open = self.left_open_at.is_some_and(|at| at.elapsed() < MAY_COME_TRUE);
        let may_come_true = is_left_open || self.turns.open().iter().any(errands::Errand::changes_members);
        let (insists, asking, asked) = (!errand.deed.is_begin(), asking.clone(), action.clone());
        let progress = Rc::new(Progress::default());
        let told = Rc::clone(&progress);
        let task = self.asking.spawn_local(async move {
            if takes_disk && may_come_true {
                let outcome = Outcome::skipped("an earlier request for members may yet come true");
                let report = Report { action: asked, outcome, evidence: None };
                return Brought { number, report };
            }
            Brought { number, report: asking.bring_about(asked, insists, takes_disk, &told).await }
        });
        errand.asked = Some(Asked { number, action, task, progress });
        self.turns.keep(errand);
    }

    /// The next errand that has been answered; what cannot be done any more is left out. Waits for ever where nothing was asked.
    pub(super) async fn next(&mut self) -> Errand {
        loop {
            let Some(brought) = self.asking.join_next().await else { return std::future::pending().await };
            // A request that was given up ends as cancelled; its errand is closed already.
            let Ok(Brought { number, report }) = brought else { continue };
            let is_its = |errand: &Errand| errand.asked.as_ref().is_some_and(|asked| asked.number == number);
            let Some(mut errand) = self.turns.take(is_its) else { continue };
            let progress = errand.asked.take().map(|asked| asked.progress).unwrap_or_default();
            if progress.is_left_open.get() && is_of_members(&report.action) {
                self.left_open_at = Some(Instant::now());
            }
            let is_so = report.outcome.is_installed();
            errand.reports.push(report);
            if !is_so {
                errand.skip_rest("what had to come before it is not so");
            } else if progress.is_over.get() {
                errand.skip_rest("the fault is over");
            }
            return errand;
        }
    }

    /// How long a request that was given up may yet undo what is restored now.
    pub(super) fn undone_until(&self) -> Option<Instant> {
        self.left_open_at.map(|at| at + KEPT_AT_MOST).filter(|until| *until > Instant::now())
    }

    /// The fault ends: its beginning, if it is on its way, has only its answer to wait for. Answers it if its turn has not come.
    pub(super) fn end(&mut self, fault: InstanceId) -> Option<Errand> {
        let mut errand = self.turns.end(fault)?;
        errand.skip_rest("what was asked for before was still under way");
        Some(errand)
    }

    /// Gives up on all of them.
    pub(super) fn give_up(&mut self) -> Vec<Errand> {
        let mut given_up = self.turns.take_all();
        for errand in &mut given_up {
            if let Some(Asked { action, task, progress, .. }) = errand.asked.take() {
                task.abort();
                if progress.is_left_open.get() && is_of_members(&action) {
                    self.left_open_at = Some(Instant::now());
                }
                let outcome = Outcome::indeterminate("asked for, and not so in time");
                errand.reports.push(Report { action, outcome, evidence: None });
            }
            errand.skip_rest("everything is healed");
        }
        given_up
    }
}

/// What asking takes, and seeing what came of it.
#[derive(Clone)]
pub struct Asking {
    /// Who asks; none: the system can be asked for nothing.
    pub admin: Option<Arc<dyn Admin>>,
    /// Who looks.
    pub probe: Arc<dyn Probe>,
    /// All nodes.
    pub nodes: Vec<NodeId>,
    /// Who leads, as far as is known.
    pub state: Rc<RefCell<State>>,
}

impl Asking {
    /// Asks until it is so, for the final heal.
    pub(super) async fn restore(&self, action: Action) -> Report {
        self.bring_about(action, true, false, &Progress::default()).await
    }

    /// Asks until it is so or, unless it insists, once.
    async fn bring_about(
        &self,
        action: Action,
        insists: bool,
        takes_disk: bool,
        progress: &Progress,
    ) -> Report {
        let is_left_open = &progress.is_left_open;
        let (mut at, wish) = match &action {
            Action::Lead { node, at } => (*at, Wish::Lead(*node)),
            Action::Members { of, at } => (*at, Wish::Members(of.clone())),
            _ => unreachable!("nothing else is asked of the system"),
        };
        loop {
            let was_left_open = is_left_open.replace(true);
            let answer = match (&self.admin, self.whom(at.take())) {
                (Some(admin), Some(whom)) => admin.ask(whom, wish.clone()).await,
                (None, _) => Err(NotDone::surely("the system cannot be asked".to_owned())),
                (_, None) => Err(NotDone::surely("no node is up to be asked".to_owned())),
            };
            is_left_open.set(was_left_open || answer.as_ref().is_err_and(|error| !error.definite));
            let answer =
                answer.map_err(|error| NotDone { definite: error.definite && !was_left_open, ..error });
            let seen = self.look(&action, answer, takes_disk, progress).await;
            let outcome = judge(&action, &Evidence::Asked(seen.clone()));
            if outcome.is_installed() || !insists {
                return Report { action, outcome, evidence: Some(Evidence::Asked(seen)) };
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Whom to ask: this one, if it is up, else whoever leads, else any that is up.
    fn whom(&self, at: Option<NodeId>) -> Option<NodeId> {
        let state = self.state.borrow();
        let up = state.view.up();
        at.filter(|at| up.contains(at)).or_else(|| state.view.leader()).or_else(|| up.first().copied())
    }

    /// Looks until the nodes show it, for a while; where a disk is to be taken, until all do and it has settled.
    async fn look(
        &self,
        action: &Action,
        answer: Result<(), NotDone>,
        takes_disk: bool,
        progress: &Progress,
    ) -> AskedEvidence {
        let answered = Instant::now();
        let (done, definite, text) = match answer {
            Ok(()) => (true, false, "done".to_owned()),
            Err(error) => (false, error.definite, error.text),
        };
        let mut all_since = None;
        loop {
            let statuses: BTreeMap<NodeId, NodeStatus> = self.statuses().await;
            let view: rashomon_nemesis::View = statuses.iter().map(|(node, one)| (*node, one.view)).collect();
            let named = statuses.into_iter().map(|(node, status)| (node, status.members));
            let members: BTreeMap<NodeId, BTreeSet<NodeId>> =
                named.filter(|(_, members)| !members.is_empty()).collect();
            let seen = AskedEvidence { done, definite, answer: text.clone(), leader: view.leader(), members };
            let is_so = judge(action, &Evidence::Asked(seen.clone())).is_installed();
            all_since =
                if is_so && shown_by_all(action, &seen) { all_since.or(Some(Instant::now())) } else { None };
            let has_settled = all_since.is_some_and(|since: Instant| since.elapsed() >= SETTLED_AFTER);
            let waited = Waited {
                asked: answered.elapsed(),
                answered: Some((done, answered.elapsed())),
                is_so,
                settled: takes_disk.then_some(has_settled),
                is_over: progress.is_over.get(),
            };
            if waited.next() != Next::Wait {
                return seen;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn statuses(&self) -> BTreeMap<NodeId, NodeStatus> {
        let ask = |node: &NodeId| {
            let node = *node;
            async move { (node, self.probe.status(node).await) }
        };
        let asked = futures::future::join_all(self.nodes.iter().map(ask)).await;
        asked.into_iter().filter_map(|(node, status)| Some((node, status.ok()?))).collect()
    }
}

/// Whether every one of the members asked for names exactly these.
fn shown_by_all(action: &Action, seen: &AskedEvidence) -> bool {
    let Action::Members { of, .. } = action else { return false };
    of.iter().all(|node| seen.members.get(node) == Some(of))
}
