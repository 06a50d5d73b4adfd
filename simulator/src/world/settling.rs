//! How a run ends. First safety under faults; then everything is healed and progress is required: within a bound there
//! is a leader that everybody follows, last reads are answered one after the other, and all nodes come to rest in the same state. When a
//! bound is missed, it is told who is stuck, and where. A node whose code panics ends the run at once: what it asserts is
//! an invariant as well.

use rashomon_histories::Nanos;
use rashomon_node::api::NodeId;

use super::{Due, World};
use crate::invariants::{self, Inspect};
use crate::node::Process;
use crate::trace::What;

/// How often it is looked whether the run is further.
const LOOK_EVERY: Nanos = Nanos::from_millis(10);

/// After what something was to happen.
const HEAL: &str = "the heal";

const PROGRESS: (&str, &str) = (
    "progress after everything is healed",
    "liveness under partial synchrony (Raft 5.6; Dwork, Lynch, Stockmeyer 1988)",
);

const ASSERTIONS: (&str, &str) = ("a node's code panicked", "what a program asserts of itself");

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Clients ask while things break.
    Breaking,
    /// All is healed; nobody asks any more, or not yet.
    Healed {
        /// Since when.
        since: Nanos,
    },
    /// Every key is read once more.
    Reading {
        /// Since when; since the last answer, once there is one: how much there is to read is not the cluster's choice, as a queue
        /// gives its elements one by one.
        since: Nanos,
        /// Whether all has been asked.
        asked: bool,
        /// Whether any read was answered; none: none has ended yet.
        answered: Option<bool>,
    },
    /// Nobody asks; the nodes are to come to rest.
    Resting {
        /// Since when.
        since: Nanos,
    },
    /// The end.
    Ended,
}

impl Stage {
    pub(super) fn asks(self) -> bool {
        matches!(self, Stage::Breaking | Stage::Reading { asked: false, .. })
    }

    pub(super) fn done_asking(&mut self) {
        if let Stage::Reading { asked, .. } = self {
            *asked = true;
        }
    }

    /// An operation ended: carried out, or at least answered.
    pub(super) fn ended(&mut self, now: Nanos, is_done: bool, is_answered: bool) {
        if let Stage::Reading { since, answered, .. } = self {
            *answered = Some(is_answered || *answered == Some(true));
            if is_done {
                *since = now;
            }
        }
    }

    pub(super) fn healed(&mut self, now: Nanos) {
        if *self == Stage::Breaking {
            *self = Stage::Healed { since: now };
        }
    }
}

/// Whom a node holds to be members, where its protocol says so.
fn members(members: &[NodeId]) -> String {
    if members.is_empty() {
        return String::new();
    }
    let named: Vec<String> = members.iter().map(NodeId::to_string).collect();
    format!(", members {}", named.join(" "))
}

impl<P: Inspect> World<P> {
    /// Looks how far the run is, and lets it go on to the next stage.
    pub(super) fn look(&mut self) {
        let now = self.now;
        let is_quiet = self.clients.iter().all(|client| client.open.is_none());
        if self.stage != Stage::Breaking {
            self.restore_again();
        }
        match self.stage {
            Stage::Breaking => {}
            Stage::Healed { since } => {
                if is_quiet && self.is_led() && !self.errands.are_open() {
                    self.generator.begin_final();
                    self.stage = Stage::Reading { since: now, asked: false, answered: None };
                    self.ask();
                } else if self.is_led() && self.errands.are_open() {
                    self.give_up_after(since, "the members are not all back", HEAL);
                } else {
                    self.give_up_after(since, "no leader that all follow", HEAL);
                }
            }
            Stage::Reading { since, asked, answered } => {
                // Of a node that is rightly lost nothing can be read, however long one waits.
                let waits_in_vain =
                    self.nodes.iter().any(|host| host.lost) && now.since(since) >= self.setup.recovery;
                if asked && is_quiet && answered == Some(false) && !self.nodes.iter().any(|host| host.lost) {
                    // They are tried a few times each, and given up: that may be before the bound.
                    self.tell_stuck("no key could be read", now.since(since), HEAL);
                } else if (asked && is_quiet) || waits_in_vain {
                    self.stage = Stage::Resting { since: now };
                } else {
                    self.give_up_after(since, "not every key could be read, nor any", "the last answer");
                }
            }
            Stage::Resting { since } => match self.rest() {
                Some(applied) => {
                    let hosts = self.nodes.iter().enumerate();
                    let machines =
                        hosts.filter_map(|(node, host)| Some((node, host.live()?.replica.machine())));
                    self.invariants.at_rest(now, applied, machines);
                    self.stage = Stage::Ended;
                }
                None => {
                    self.give_up_after(since, "the nodes do not come to rest in one state", "the last read")
                }
            },
            Stage::Ended => {}
        }
        self.queue.plan(now.plus(LOOK_EVERY), Due::Look);
    }

    /// The code of a node has panicked.
    pub(super) fn end_in_panic(&mut self, node: usize, said: &str) {
        let (invariant, _) = ASSERTIONS;
        let detail = format!("{} panicked: {said}", invariants::name(node));
        self.invariants.report(self.now, ASSERTIONS, detail);
        self.add(node, What::Broken { invariant });
        self.stage = Stage::Ended;
    }

    fn give_up_after(&mut self, since: Nanos, what: &str, after: &str) {
        if self.now.since(since) >= self.setup.recovery {
            self.tell_stuck(what, self.setup.recovery, after);
        }
    }

    fn tell_stuck(&mut self, what: &str, within: Nanos, after: &str) {
        let who: Vec<String> = (0..self.nodes.len()).map(|node| self.describe(node)).collect();
        let detail = format!("{what} within {within} of {after}: {}", who.join("; "));
        self.invariants.report(self.now, PROGRESS, detail);
        self.stage = Stage::Ended;
    }

    fn describe(&self, node: usize) -> String {
        let host = &self.nodes[node];
        let state = match &host.process {
            Process::Down(why) => format!("down, {why}"),
            Process::Starting(..) => "starting".to_owned(),
            Process::Up(live) => {
                let view = live.replica.core().view();
                let leader = view.leader.map_or("nobody".to_owned(), |leader| leader.to_string());
                let (applied, waiting) = (live.replica.machine().applied(), host.inbox.len());
                format!(
                    "{:?} of term {}, follows {leader}, log to {}, committed {}, applied {applied}, {waiting} waiting{}",
                    view.role,
                    view.term,
                    view.last,
                    view.commit,
                    members(&live.replica.core().extent().members)
                )
            }
        };
        format!("n{} {state}", node + 1)
    }

    /// Whether all nodes that can run do, and believe in the same leader.
    fn is_led(&self) -> bool {
        let healthy = self.nodes.iter().filter(|host| !host.lost);
        let mut leaders = healthy.map(|host| host.live().and_then(|live| live.replica.core().view().leader));
        match leaders.next() {
            Some(Some(first)) => leaders.all(|leader| leader == Some(first)),
            _ => false,
        }
    }

    /// The position that all nodes have applied, once it is the same on all and there is nothing beyond it.
    fn rest(&self) -> Option<u64> {
        let mut at = None;
        for host in self.nodes.iter().filter(|host| !host.lost) {
            let live = host.live()?;
            let (applied, commit) = (live.replica.machine().applied(), live.replica.core().view().commit);
            if applied != commit || *at.get_or_insert(applied) != applied {
                return None;
            }
        }
        at
    }
}
