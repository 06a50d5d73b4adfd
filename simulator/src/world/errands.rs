//! What the system is asked for: other members, another leader. It takes its time, so a fault's actions are an *errand*:
//! one after the other, each only when the one before it is so, and the record when the last one is. They take turns, by the
//! rules of real runs ([`rashomon_nemesis::errands`]).
//!
//! **A disk that is taken from a former member.** A removed node that comes back empty is a new server under an old name, and
//! harmless only if nobody counts on what it knew: a node that still goes by an older membership could be elected with the
//! vote that it has forgotten, and a leader speaks for a while to those who left. So its disk is taken when *all* the others
//! have had the membership without it on their disks for a while, and no earlier request for members may yet come true.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rashomon_histories::Nanos;
use rashomon_nemesis::action::Performer;
use rashomon_nemesis::errands::{self, MAY_COME_TRUE, Next, SETTLED_AFTER, Turns, Waited};
use rashomon_nemesis::evidence::{AskedEvidence, judge};
use rashomon_nemesis::schedule::{Ending, Instance, InstanceId};
use rashomon_nemesis::{Action, Evidence, Executor as _, NodeId as NodeName, Outcome, Report};
use rashomon_node::api::{Admin, NodeId, Operation, Reply, Request};

use super::{Due, World, position};
use crate::clients::{Answer, Attempt, Parcel};
use crate::invariants::Inspect;
use crate::network;
use crate::node::Post;

/// Stands in an [`Attempt`] where a client's position would: the nemesis asks.
pub(super) const NEMESIS: u32 = u32::MAX;

/// How often it is looked whether what was asked for is so.
const LOOK_EVERY: Nanos = Nanos::from_millis(5);

/// How long an errand that insists waits before it asks again.
const ASK_AGAIN: Nanos = Nanos::from_secs(1);

/// What an errand is for.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// A fault begins.
    Begin { id: InstanceId, name: String, story: String, replaces: Option<InstanceId> },
    /// A fault ends.
    End { id: InstanceId, name: String },
    /// Everything is healed.
    Heal,
}

impl Deed {
    pub(super) fn begin(instance: &Instance) -> Self {
        let Instance { id, name, decision, replaces, .. } = instance;
        Deed::Begin { id: *id, name: name.clone(), story: decision.story.clone(), replaces: *replaces }
    }

    pub(super) fn end(ending: &Ending) -> Self {
        Deed::End { id: ending.id, name: ending.name.clone() }
    }

    fn is_begin(&self) -> bool {
        matches!(self, Deed::Begin { .. })
    }

    /// Whether it is asked again until it is so: what mends must.
    fn insists(&self) -> bool {
        !self.is_begin()
    }
}

/// All errands under way.
#[derive(Debug, Default)]
pub(super) struct Errands {
    turns: Turns<Errand>,
    /// Requests are counted, to tell their answers apart.
    asked_count: u32,
    /// Requests for members that may yet come true: number and moment.
    members_asked: Vec<(u32, Nanos)>,
    /// What the final heal restores.
    restores: Option<Action>,
    is_look_planned: bool,
}

impl Errands {
    pub(super) fn are_open(&self) -> bool {
        !self.turns.is_empty()
    }
}

/// Actions on their way.
#[derive(Debug)]
struct Errand {
    deed: Deed,
    since: Nanos,
    left: VecDeque<Action>,
    reports: Vec<Report>,
    asked: Option<Asked>,
    /// Whether an earlier request for the same was left without a clear answer.
    left_open: bool,
    /// Whether the fault that it begins has ended.
    is_over: bool,
}

/// The first of the actions left has been asked for.
#[derive(Debug)]
struct Asked {
    number: u32,
    node: usize,
    at: Nanos,
    answer: Option<Said>,
    /// Since when it has been so that a disk may be taken.
    settles: Option<Nanos>,
}

/// An answer.
#[derive(Debug)]
struct Said {
    at: Nanos,
    outcome: Result<(), Refused>,
}

/// Why it is not done, and whether it will surely not come to pass.
#[derive(Debug)]
struct Refused {
    definite: bool,
    text: String,
}

impl errands::Errand for Errand {
    fn fault(&self) -> Option<InstanceId> {
        match &self.deed {
            Deed::Begin { id, .. } | Deed::End { id, .. } => Some(*id),
            Deed::Heal => None,
        }
    }

    fn is_begin(&self) -> bool {
        self.deed.is_begin()
    }

    fn changes_members(&self) -> bool {
        self.left.iter().any(|action| matches!(action, Action::Members { .. }))
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    fn set_over(&mut self) {
        self.is_over = true;
    }
}

impl Asked {
    /// Whether it may yet come true, whatever becomes of its errand.
    fn is_left_open(&self) -> bool {
        match &self.answer {
            Some(said) => said.outcome.as_ref().is_err_and(|refused| !refused.definite),
            None => true,
        }
    }
}

impl<P: Inspect> World<P> {
    /// Performs these actions when it is their turn, as far as that can be done at once; the rest follows.
    pub(super) fn send_out(&mut self, deed: Deed, actions: Vec<Action>) {
        self.send_out_from(deed, actions, Vec::new());
    }

    fn send_out_from(&mut self, deed: Deed, actions: Vec<Action>, reports: Vec<Report>) {
        let (left, since) = (actions.into(), self.now);
        let errand = Errand { deed, since, left, reports, asked: None, left_open: false, is_over: false };
        self.errands.turns.queue(errand);
        self.take_turns();
    }

    /// Goes on with those that have to wait for no other any more.
    fn take_turns(&mut self) {
        while let Some(errand) = self.errands.turns.in_turn() {
            self.go_on(errand);
        }
    }

    /// The final heal: what can be mended at once is, then who takes part is restored.
    pub(super) fn restore(&mut self, actions: Vec<Action>) {
        for errand in self.errands.turns.take_all() {
            self.end_errand(errand, "asked for, and not so in time", "everything is healed");
        }
        let (asked, at_once): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| action.performer() == Performer::System);
        let mut reports = self.perform_all(&at_once);
        reports.extend(self.heal());
        self.errands.restores = asked.iter().find(|action| matches!(action, Action::Members { .. })).cloned();
        self.send_out_from(Deed::Heal, asked, reports);
    }

    /// A request from before the heal may come true after it, as nodes keep what was asked of them for a while: then who takes
    /// part is restored once more.
    pub(super) fn restore_again(&mut self) {
        let Some(Action::Members { of, .. }) = &self.errands.restores else { return };
        let lacks_some = |members: &BTreeSet<NodeName>| members.len() < of.len();
        if !self.errands.are_open() && self.members_seen().values().any(lacks_some) {
            let action = self.errands.restores.clone().expect("it was just looked at");
            self.send_out(Deed::Heal, vec![action]);
        }
    }

    /// The fault ends: its beginning is left out if its turn has not come, and else has only its answer to wait for.
    pub(super) fn fault_is_over(&mut self, fault: InstanceId) {
        if let Some(errand) = self.errands.turns.end(fault) {
            self.end_errand(errand, "", "what was asked for before was still under way");
        }
    }

    /// Records an errand that ends here, whatever is left of it: what was asked for without an answer, and what was not.
    fn end_errand(&mut self, mut errand: Errand, unanswered: &str, unasked: &str) {
        if errand.asked.is_some()
            && let Some(action) = errand.left.pop_front()
        {
            let report = self.report(action, &errand, unanswered);
            errand.reports.push(report);
        }
        let rest = std::mem::take(&mut errand.left).into_iter().map(|action| Report {
            action,
            outcome: Outcome::skipped(unasked),
            evidence: None,
        });
        errand.reports.extend(rest);
        self.note_deed(&errand.deed, errand.since, &errand.reports);
    }

    fn report(&self, action: Action, errand: &Errand, unanswered: &str) -> Report {
        let evidence = Evidence::Asked(self.seen_of(errand, unanswered));
        Report { outcome: judge(&action, &evidence), action, evidence: Some(evidence) }
    }

    /// Goes on with an errand as far as it gets now.
    fn go_on(&mut self, mut errand: Errand) {
        while let Some(action) = errand.left.front().cloned() {
            if action.performer() != Performer::System {
                errand.left.pop_front();
                let report = self.perform_one(&action);
                errand.reports.push(report);
                continue;
            }
            let Some(asked) = &mut errand.asked else {
                errand.asked = self.ask_system(&action);
                if errand.asked.is_none() && !errand.deed.insists() {
                    return self.end_errand(errand, "", "no node could be asked");
                }
                break;
            };
            let takes_disk = matches!(errand.left.get(1), Some(Action::Wipe { .. }));
            let settled = takes_disk.then(|| self.may_take_disk(&action, asked));
            let waited = Waited {
                asked: self.now.since(asked.at).into(),
                answered: asked
                    .answer
                    .as_ref()
                    .map(|said| (said.outcome.is_ok(), self.now.since(said.at).into())),
                is_so: false,
                settled,
                is_over: errand.is_over,
            };
            let (may_ask_again, is_left_open) = (self.now.since(asked.at) >= ASK_AGAIN, asked.is_left_open());
            let report = self.report(action, &errand, "no answer yet");
            match (Waited { is_so: report.outcome.is_installed(), ..waited }).next() {
                Next::GoOn => {
                    errand.left.pop_front();
                    (errand.asked, errand.left_open) = (None, false);
                    errand.reports.push(report);
                    if errand.is_over {
                        return self.end_errand(errand, "", "the fault is over");
                    }
                }
                _ if errand.deed.insists() && may_ask_again => {
                    (errand.asked, errand.left_open) = (None, errand.left_open || is_left_open);
                }
                Next::Failed if !errand.deed.insists() => {
                    return self.end_errand(
                        errand,
                        "no answer in time",
                        "what had to come before it is not so",
                    );
                }
                Next::Failed | Next::Wait => break,
            }
        }
        if errand.left.is_empty() {
            return self.note_deed(&errand.deed, errand.since, &errand.reports);
        }
        self.errands.turns.keep(errand);
        if !std::mem::replace(&mut self.errands.is_look_planned, true) {
            self.queue.plan(self.now.plus(LOOK_EVERY), Due::Errands);
        }
    }

    /// Looks how far every errand is.
    pub(super) fn look_after_errands(&mut self) {
        self.errands.is_look_planned = false;
        for errand in self.errands.turns.take_open() {
            self.go_on(errand);
        }
        self.take_turns();
    }

    /// Sends the request to the node that the action names, else to whoever leads, else to any that is up.
    fn ask_system(&mut self, action: &Action) -> Option<Asked> {
        let view = self.view();
        let (admin, at) = match action {
            Action::Lead { node, at } => (Admin::Lead(NodeId(node.0)), *at),
            Action::Members { of, at } => {
                (Admin::Members(of.iter().map(|node| NodeId(node.0)).collect()), *at)
            }
            _ => return None,
        };
        let up = view.up();
        let whom = at.filter(|at| up.contains(at)).or(view.leader()).or(up.first().copied())?;
        self.errands.asked_count += 1;
        let number = self.errands.asked_count;
        if matches!(action, Action::Members { .. }) {
            self.errands.members_asked.push((number, self.now));
        }
        let attempt = Attempt { client: NEMESIS, number };
        let request = Request { sessioned: None, seen: 0, operation: Operation::Admin(admin) };
        let node = position(whom);
        let slot = self.parcels.put(Parcel::Request { attempt, node, request, connection: None });
        let arrives = self.now.plus(self.network.latency());
        self.queue.plan(arrives, Due::Parcel(slot));
        Some(Asked { number, node, at: self.now, answer: None, settles: None })
    }

    fn asked(&mut self, number: u32) -> Option<&mut Asked> {
        let all = self.errands.turns.open_mut().iter_mut().filter_map(|errand| errand.asked.as_mut());
        all.into_iter().find(|asked| asked.number == number)
    }

    /// A request arrives at its node, if that is up and the errand still wants it.
    pub(super) fn deliver_errand(&mut self, attempt: Attempt, request: Request) {
        let Some(node) = self.asked(attempt.number).map(|asked| asked.node) else { return };
        if self.nodes[node].live().is_some() {
            self.nodes[node].post(Post::Request(attempt, request));
            self.handle_if_free(node);
        }
    }

    /// The system answers.
    pub(super) fn errand_answered(&mut self, attempt: Attempt, answer: Answer) {
        let Answer::Said(said) = answer else { return };
        if said.outcome.as_ref().err().is_none_or(|refusal| refusal.definite) {
            self.errands.members_asked.retain(|(number, _)| *number != attempt.number);
        }
        let at = self.now;
        if let Some(asked) = self.asked(attempt.number) {
            let outcome = match said.outcome {
                Ok(Reply::Done) => Ok(()),
                Ok(other) => Err(Refused { definite: false, text: format!("it answered {other:?}") }),
                Err(refusal) => Err(Refused { definite: refusal.definite, text: refusal.text }),
            };
            asked.answer = Some(Said { at, outcome });
        }
    }

    /// What the system and its nodes say.
    fn seen_of(&self, errand: &Errand, unanswered: &str) -> AskedEvidence {
        let answer = errand.asked.as_ref().and_then(|asked| asked.answer.as_ref());
        let (done, definite, answer) = match answer.map(|said| &said.outcome) {
            Some(Ok(())) => (true, false, "done".to_owned()),
            Some(Err(refused)) => (false, refused.definite && !errand.left_open, refused.text.clone()),
            None => (false, false, unanswered.to_owned()),
        };
        AskedEvidence { done, definite, answer, leader: self.view().leader(), members: self.members_seen() }
    }

    fn members_seen(&self) -> BTreeMap<NodeName, BTreeSet<NodeName>> {
        let named = self.nodes.iter().enumerate().filter_map(|(node, host)| {
            let members = host.live()?.replica.core().extent().members;
            let members = members.iter().map(|node| NodeName(node.0)).collect();
            Some((network::name(node), members))
        });
        named.filter(|(_, members): &(_, BTreeSet<_>)| !members.is_empty()).collect()
    }

    /// Whether nobody counts on a node any more that these members are without.
    fn may_take_disk(&mut self, action: &Action, asked: &mut Asked) -> bool {
        let Action::Members { of, .. } = action else { return false };
        let now = self.now;
        self.errands.members_asked.retain(|(_, at)| Duration::from(now.since(*at)) < MAY_COME_TRUE);
        let seen = self.members_seen();
        let has_it_on_disk = |node: &NodeName| {
            seen.get(node) == Some(of) && self.invariants.decided_on_disk_by(position(*node), of)
        };
        let may_none_come_true = self.errands.members_asked.iter().all(|(number, _)| *number == asked.number);
        asked.settles =
            (may_none_come_true && of.iter().all(has_it_on_disk)).then(|| asked.settles.unwrap_or(now));
        asked.settles.is_some_and(|since| Duration::from(now.since(since)) >= SETTLED_AFTER)
    }
}
