//! Which messages count, by their term, and who deals with each (Raft 5.1, rule RE3).

use crate::api::NodeId;
use crate::defect::Defect;
use crate::raft::message::{Body, Message};
use crate::raft::{Raft, Role};

impl Raft {
    pub(super) fn receive(&mut self, from: NodeId, message: Message) {
        if !self.config.nodes.contains(&from) || from == self.config.node {
            return;
        }
        if self.must_ignore_candidate(&message) {
            return;
        }
        let Message { term, body } = message;
        if term > self.hard.term && !self.ignores_higher_term(&body) {
            self.adopt_term(term, "a higher term was heard");
        }
        if term < self.hard.term && self.refuse_lower_term(from, &body) {
            return;
        }
        match body {
            Body::PreVote { last } => self.on_pre_vote(from, term, last),
            Body::PreVoteReply { granted } => self.on_pre_vote_reply(from, granted),
            Body::Vote { last, .. } => self.on_vote(from, last),
            Body::VoteReply { granted } => self.on_vote_reply(from, granted),
            Body::Append { prev, entries, commit } => self.on_append(from, term, prev, entries, commit),
            Body::Appended { matched } => self.on_appended(from, matched),
            Body::Rejected { prev, hint } => self.on_rejected(from, prev, hint),
            Body::Heartbeat { round, commit } => self.on_heartbeat(from, term, round, commit),
            Body::HeartbeatReply { round } => self.on_heartbeat_reply(from, round),
            Body::Commit { index } => self.on_commit(from, term, index),
            Body::Install(part) => self.on_install(from, term, *part),
            Body::InstallReply { last, offset } => self.on_install_reply(from, last, offset),
            Body::StaleTerm => {}
            Body::Propose { commands } => self.on_propose(from, commands),
            Body::Admin { id, admin } => self.on_admin((from, id), admin),
            Body::AdminReply { id, outcome } => self.on_admin_reply(id, outcome),
            Body::TimeoutNow => self.on_timeout_now(from),
            Body::ReadIndex { id } => self.on_read_index(from, id),
            Body::ReadIndexReply { id, index } => self.on_read_index_reply(id, index),
        }
    }

    /// A request of a lower term is refused with the own term, so that its sender learns; a reply is dropped (RE3).
    /// Returns whether the message is dealt with. What clients pass on is of no term.
    fn refuse_lower_term(&mut self, from: NodeId, body: &Body) -> bool {
        let is_request = !matches!(body, Body::Propose { .. } | Body::ReadIndex { .. });
        if self.config.defects.has(Defect::R35) && is_request && !matches!(body, Body::ReadIndexReply { .. })
        {
            return true; // Who is behind is not told, hence stays behind.
        }
        match body {
            Body::Append { .. } | Body::Heartbeat { .. } | Body::Commit { .. } | Body::Install(_) => {
                if self.config.defects.has(Defect::R21) && !matches!(self.role, Role::Leader(_)) {
                    return false;
                }
                self.reply_durable_term(from, Body::StaleTerm);
            }
            Body::Vote { .. } => self.reply_durable_term(from, Body::VoteReply { granted: false }),
            Body::PreVote { .. } => self.reply_durable_term(from, Body::PreVoteReply { granted: false }),
            Body::Appended { .. } | Body::Rejected { .. } | Body::HeartbeatReply { .. } => {}
            Body::InstallReply { .. } | Body::StaleTerm | Body::TimeoutNow | Body::Admin { .. } => {}
            Body::PreVoteReply { .. } | Body::VoteReply { .. } => {
                return !self.config.defects.has(Defect::R19);
            }
            Body::Propose { .. } | Body::ReadIndex { .. } | Body::ReadIndexReply { .. } => return false,
            Body::AdminReply { .. } => return false,
        }
        true
    }

    /// A deposed leader of defect R21 stays in office whatever it hears; those of R35 learn nothing from pre-votes.
    fn ignores_higher_term(&self, body: &Body) -> bool {
        let is_deaf = self.config.defects.has(Defect::R21) && matches!(self.role, Role::Leader(_));
        is_deaf || (self.config.defects.has(Defect::R35) && matches!(body, Body::PreVote { .. }))
    }
}
