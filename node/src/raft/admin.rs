//! Changes of the cluster that clients ask for: which leader is asked, and what it answers.
//!
//! [`crate::pending::errands`] keeps what this node was asked for. Every new leader is asked again; a leader remembers whom
//! it has answered. Requests of an earlier term are dropped, so that one that was long on its way does not undo what came
//! after it; its asker, if it still waits, asks anew.

use std::collections::VecDeque;

use crate::api::{Admin, NodeId, Refusal, RefusalCode};
use crate::protocol::OperationId;
use crate::raft::changes::Change;
use crate::raft::message::Body;
use crate::raft::transfer::Handover;
use crate::raft::{Raft, Role};

/// Answers that a leader remembers, for those who ask again.
const ANSWERS_MAX: usize = 256;

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
        if let Err(refusal) = self.errands.hold(id, admin, self.now) {
            self.out.refuse(id, refusal);
        }
    }

    /// Asks the leader what it has not been asked; what has come true is answered.
    pub(super) fn run_errands(&mut self) {
        let Some(leader) = self.leader else { return };
        let term = self.hard.term;
        let done = self.errands.fulfilled(|admin, asked| {
            // An earlier leader was asked, and made way.
            *admin == Admin::Lead(leader) && asked.is_some_and(|(asked, _)| asked < term)
        });
        self.out.answer.extend(done);
        for (id, admin) in self.errands.ask((term, leader), self.now) {
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
        self.out.answer.extend(self.errands.give_up(self.now, self.config.patience()));
        let Some(leader) = self.leader else { return };
        let here = (self.hard.term, leader);
        for (id, admin) in self.errands.ask_lost_again(here, self.now, self.config.propose_again_ms()) {
            self.ask_leader(leader, id, admin);
        }
    }

    /// The leader's answer to what this node asked.
    pub(super) fn on_admin_reply(&mut self, id: OperationId, outcome: Outcome) {
        self.close_errand(id, outcome);
    }

    fn close_errand(&mut self, id: OperationId, outcome: Outcome) {
        self.out.answer.extend(self.errands.close(id, outcome));
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
        self.answer_askers(vec![asker], &Err(Refusal::definite(code, text)));
    }
}
