//! Changes of the cluster that clients ask for, on their way to the leader and back.
//!
//! A node keeps what it was asked for until a leader has answered, and asks every new leader again: repeated, a request
//! asks for what is already so, and a leader remembers whom it has answered. A refusal is definite only if no other leader
//! has been asked before, as that one may have begun. Requests of an earlier term are dropped, so that one that was long on
//! its way does not undo what came after it; its asker, if it still waits, asks anew.

use std::collections::{BTreeMap, VecDeque};

use crate::api::{Admin, NodeId, Refusal, RefusalCode, Reply};
use crate::protocol::{Millis, OperationId};
use crate::raft::changes::Change;
use crate::raft::log::Term;
use crate::raft::message::Body;
use crate::raft::transfer::Handover;
use crate::raft::{Raft, Role};

/// Changes asked of one node that may wait.
const ERRANDS_MAX: usize = 64;
/// Answers that a leader remembers, for those who ask again.
const ANSWERS_MAX: usize = 256;

/// What this node's clients have asked for and not been answered.
#[derive(Debug, Default)]
pub(super) struct Errands {
    open: BTreeMap<OperationId, Errand>,
}

#[derive(Debug)]
struct Errand {
    admin: Admin,
    since: Millis,
    /// The leader that has been asked last, and when.
    asked: Option<(Term, NodeId)>,
    asked_at: Millis,
    /// How many different leaders have been asked.
    leaders: u32,
}

impl Errands {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// Who asked a leader: the node, and its name for the question.
pub(super) type Asker = (NodeId, OperationId);

/// What comes of it.
type Outcome = Result<(), Refusal>;

/// What a leader has been asked for.
#[derive(Debug, Default)]
pub(super) struct LeaderAdmin {
    pub(super) change: Option<Change>,
    pub(super) handover: Option<Handover>,
    answered: VecDeque<(Asker, Outcome)>,
}

impl Raft {
    /// A client of this node asks for a change.
    pub(super) fn offer_admin(&mut self, id: OperationId, admin: Admin) {
        if self.errands.open.len() >= ERRANDS_MAX {
            let text = format!("{ERRANDS_MAX} changes of the cluster are waiting at this node");
            self.out.answer.push((id, Err(Refusal { code: RefusalCode::Overloaded, definite: true, text })));
            return;
        }
        let errand = Errand { admin, since: self.now, asked: None, asked_at: self.now, leaders: 0 };
        self.errands.open.insert(id, errand);
    }

    /// Asks the leader what it has not been asked; what has come true is answered.
    pub(super) fn run_errands(&mut self) {
        let Some(leader) = self.leader else { return };
        let here = (self.hard.term, leader);
        let mut asks = Vec::new();
        let mut done = Vec::new();
        for (id, errand) in &mut self.errands.open {
            let was_asked_before = errand.asked.is_some_and(|(term, _)| term < self.hard.term);
            if was_asked_before && errand.admin == Admin::Lead(leader) {
                done.push(*id);
            } else if errand.asked != Some(here) {
                errand.leaders += 1;
                errand.asked = Some(here);
                errand.asked_at = self.now;
                asks.push((*id, errand.admin.clone()));
            }
        }
        for id in done {
            self.close_errand(id, Ok(()));
        }
        for (id, admin) in asks {
            self.ask_leader(leader, id, admin);
        }
    }

    fn ask_leader(&mut self, leader: NodeId, id: OperationId, admin: Admin) {
        if leader == self.config.node {
            self.on_admin((leader, id), admin);
        } else {
            self.send(leader, Body::Admin { id, admin });
        }
    }

    /// Gives up on what has waited too long; asks again where no answer came.
    pub(super) fn sweep_errands(&mut self) {
        let (now, again_ms) = (self.now, self.config.propose_again_ms());
        let (mut late, mut again) = (Vec::new(), Vec::new());
        for (id, errand) in &mut self.errands.open {
            let patience_ms =
                if errand.asked.is_some() { self.config.operation_ms } else { self.config.hold_ms };
            if now.since(errand.since) >= patience_ms {
                late.push((*id, errand.asked.is_none()));
            } else if let Some((_, leader)) = errand.asked
                && now.since(errand.asked_at) >= again_ms
                && self.leader == Some(leader)
            {
                errand.asked_at = now;
                again.push((leader, *id, errand.admin.clone()));
            }
        }
        for (id, definite) in late {
            let (code, text) = if definite {
                (RefusalCode::NoLeader, "no leader was known; the change was never asked for")
            } else {
                (RefusalCode::Timeout, "asked of the leader, but not known to be in force in time")
            };
            self.close_errand(id, Err(Refusal { code, definite, text: text.into() }));
        }
        for (leader, id, admin) in again {
            self.ask_leader(leader, id, admin);
        }
    }

    /// The leader's answer to what this node asked.
    pub(super) fn on_admin_reply(&mut self, id: OperationId, outcome: Outcome) {
        self.close_errand(id, outcome);
    }

    fn close_errand(&mut self, id: OperationId, outcome: Outcome) {
        let Some(errand) = self.errands.open.remove(&id) else { return };
        let answer = match outcome {
            Ok(()) => Ok(Reply::Done),
            Err(refusal) => Err(Refusal { definite: refusal.definite && errand.leaders <= 1, ..refusal }),
        };
        self.out.answer.push((id, answer));
    }

    /// Somebody asks this node, as the leader. Without office it is dropped: the asker asks the next one.
    pub(super) fn on_admin(&mut self, asker: Asker, admin: Admin) {
        let Role::Leader(leadership) = &self.role else { return };
        if let Some((_, outcome)) = leadership.admin.answered.iter().find(|(one, _)| *one == asker) {
            let outcome = outcome.clone();
            return self.tell_asker(asker, outcome);
        }
        match admin {
            Admin::Members(members) => self.ask_members(asker, &members),
            Admin::Lead(node) => self.ask_lead(asker, node),
        }
    }

    /// Answers those who asked this leader.
    pub(super) fn answer_askers(&mut self, askers: Vec<Asker>, outcome: &Outcome) {
        for asker in askers {
            if let Role::Leader(leadership) = &mut self.role {
                let answered = &mut leadership.admin.answered;
                answered.push_back((asker, outcome.clone()));
                if answered.len() > ANSWERS_MAX {
                    answered.pop_front();
                }
            }
            self.tell_asker(asker, outcome.clone());
        }
    }

    fn tell_asker(&mut self, (node, id): Asker, outcome: Outcome) {
        if node == self.config.node {
            self.close_errand(id, outcome);
        } else {
            self.send(node, Body::AdminReply { id, outcome });
        }
    }

    /// Refuses what cannot be done now, or at all; nothing of it has happened.
    pub(super) fn refuse_admin(&mut self, asker: Asker, code: RefusalCode, text: &str) {
        self.answer_askers(vec![asker], &Err(Refusal { code, definite: true, text: text.into() }));
    }
}
