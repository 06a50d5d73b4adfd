//! Membership changes (Raft 6; thesis 4): learners catch up, old and new voters decide together, the new ones alone.
//!
//! 1. The leader sends its log to those who are to join, without counting them, in rounds: when a round that covers the
//!    log as it was at its start takes less than an election timeout, the learner is ready (thesis 4.2.1, RM4). If that
//!    takes too long, the change is refused; nothing has happened.
//! 2. It appends the joint membership, in force at once (RM1), but only once an entry of its own term is committed and no
//!    earlier change is under way (RM2).
//! 3. Once that is committed, it appends the new membership; so does any leader that finds a joint one in its log.
//! 4. Once that is committed, the change is done. A leader that is not among the new voters has managed the cluster up to
//!    here without counting itself; now it hands over and steps down (thesis 4.2.2).

use std::collections::BTreeMap;

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::defect::Defect;
use crate::protocol::Millis;
use crate::raft::admin::Asker;
use crate::raft::log::{Index, Payload};
use crate::raft::membership::Membership;
use crate::raft::message::Body;
use crate::raft::{Raft, Role};

/// A change that a leader has been asked for.
#[derive(Debug)]
pub(super) struct Change {
    /// Who is to take part, ascending.
    target: Vec<NodeId>,
    askers: Vec<Asker>,
    since: Millis,
    /// Those who have to catch up first.
    learners: BTreeMap<NodeId, Learner>,
}

#[derive(Debug)]
struct Learner {
    round_end: Index,
    round_at: Millis,
    is_ready: bool,
}

impl Change {
    pub(super) fn learners(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.learners.keys().copied()
    }
}

impl Raft {
    /// Somebody asks for these members.
    pub(super) fn ask_members(&mut self, asker: Asker, members: &[NodeId]) {
        let wanted = Membership::of(members);
        if members.is_empty() {
            return self.refuse_admin(asker, RefusalCode::BadRequest, "a cluster needs at least one member");
        }
        if !wanted.voters().iter().all(|node| self.config.nodes.contains(node)) {
            let text = "a node is not among those that this cluster can reach";
            return self.refuse_admin(asker, RefusalCode::Conflict, text);
        }
        let is_idle = !self.membership().is_joint() && self.is_membership_committed();
        let current = self.memberships.latest().voters().to_vec();
        let Role::Leader(leadership) = &mut self.role else { return };
        match &mut leadership.admin.change {
            Some(change) if change.target == wanted.voters() => {
                if !change.askers.contains(&asker) {
                    change.askers.push(asker);
                }
            }
            // What an earlier leader began may be joined, too.
            None if is_idle || current == wanted.voters() => {
                let (now, last) = (self.now, self.log.last_index());
                let learner = || Learner { round_end: last, round_at: now, is_ready: false };
                let joining = wanted.voters().iter().filter(|node| !current.contains(node));
                let learners = joining.map(|node| (*node, learner())).collect();
                let target = wanted.voters().to_vec();
                leadership.admin.change = Some(Change { target, askers: vec![asker], since: now, learners });
                leadership.is_reshaping = true;
            }
            _ => {
                let text = "another change of the members is under way";
                self.refuse_admin(asker, RefusalCode::Conflict, text);
            }
        }
    }

    /// Does what has become possible.
    pub(super) fn advance_change(&mut self) {
        // Who is back starts from nothing, and does so before it is looked how far it is.
        self.reshape();
        let is_committed = self.is_membership_committed();
        if is_committed && self.memberships.latest().is_joint() && self.is_commit_current() {
            let settled = self.memberships.latest().settled();
            self.propose_membership(settled);
        } else if is_committed && !self.memberships.latest().is_joint() {
            self.begin_change();
            self.conclude_change();
        }
        self.reshape();
    }

    /// No change is in the log: the one asked for may begin, once its learners are ready.
    fn begin_change(&mut self) {
        let may_begin = self.is_own_term_committed() || self.config.defects.has(Defect::R26);
        let (now, last) = (self.now, self.log.last_index());
        let (patience_ms, round_ms) = (self.config.operation_ms, self.config.election_ms.start);
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(change) = &mut leadership.admin.change else { return };
        if change.target == self.memberships.latest().voters() {
            return;
        }
        for (node, learner) in &mut change.learners {
            let matched = leadership.progress.get(node).map_or(Index(0), |progress| progress.matched);
            if !learner.is_ready && matched >= learner.round_end {
                learner.is_ready = now.since(learner.round_at) < round_ms;
                (learner.round_end, learner.round_at) = (last, now);
            }
        }
        if change.learners.values().all(|learner| learner.is_ready) {
            let target = change.target.clone();
            if may_begin {
                self.propose_membership(self.first_step(self.memberships.latest(), &target));
            }
        } else if now.since(change.since) >= patience_ms {
            let askers = std::mem::take(&mut change.askers);
            leadership.admin.change = None;
            leadership.is_reshaping = true;
            let text = "a node that was to join did not catch up in time".into();
            self.answer_askers(askers, &Err(Refusal { code: RefusalCode::Conflict, definite: true, text }));
        }
    }

    /// The first membership on the way to `target`: the joint one. Defect R26 changes one server at a time, in one step.
    fn first_step(&self, current: &Membership, target: &[NodeId]) -> Membership {
        let new = Membership::of(target);
        let joining = target.iter().filter(|node| !current.contains(**node)).count();
        let leaving = current.voters().iter().filter(|node| !new.contains(**node)).count();
        if self.config.defects.has(Defect::R26) && joining + leaving == 1 {
            new
        } else {
            current.towards(target)
        }
    }

    /// The membership that is wanted is committed: say so. Who is not in it leaves office.
    fn conclude_change(&mut self) {
        if self.memberships.latest().is_joint() || !self.is_membership_committed() {
            return;
        }
        let Role::Leader(leadership) = &mut self.role else { return };
        let is_reached = |change: &mut Change| change.target == self.memberships.latest().voters();
        if let Some(change) = leadership.admin.change.take_if(is_reached) {
            leadership.is_reshaping = true;
            self.answer_askers(change.askers, &Ok(()));
        }
        if !self.memberships.latest().contains(self.config.node) {
            self.retire();
        }
    }

    /// This leader is no member any more: the one who has most of the log may campaign at once (thesis 3.10).
    fn retire(&mut self) {
        let Role::Leader(leadership) = &self.role else { return };
        let voters = self.memberships.latest().voters();
        let members = leadership.progress.iter().filter(|(node, _)| voters.contains(node));
        if let Some((heir, _)) = members.max_by_key(|(_, progress)| progress.matched) {
            self.send(*heir, Body::TimeoutNow);
        }
        self.step_down("it is no member of the cluster any more");
    }

    fn propose_membership(&mut self, membership: Membership) {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.is_reshaping = true;
        }
        self.propose(Payload::Membership(membership));
    }

    /// Whether the membership in the log is there to stay.
    fn is_membership_committed(&self) -> bool {
        self.memberships.latest_index() <= self.commit
    }
}
