//! Elections: timers, pre-votes, votes, winning and losing office (Raft 5.2, 5.4.1; thesis 9.6, 6.2, 4.2.3).
//!
//! A node that has heard of no leader for a random time first asks whether it *could* win (pre-vote): only then does it
//! raise its term, so that a node that was cut off does not depose a healthy leader when it comes back. Voters that hear
//! from a leader ignore candidates, and a leader that a quorum does not answer steps down (check-quorum). A node left
//! with a higher term is pulled back in by its `StaleTerm` answer to the leader's heartbeat.

use std::collections::BTreeSet;

use rand::RngExt;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::protocol::Note;
use crate::raft::log::{Position, Term};
use crate::raft::message::{Body, HardState, Message};
use crate::raft::{Raft, Role, next};

/// Who granted a vote to this node in its current candidacy: each counts once (RE2).
#[derive(Debug, Default)]
pub(super) struct Votes {
    granted: BTreeSet<NodeId>,
}

impl Raft {
    pub(super) fn reset_election_timer(&mut self) {
        self.election_at = self.now + self.rng.random_range(self.config.election_ms.clone());
    }

    /// The election timer ran out.
    pub(super) fn look_for_votes(&mut self) {
        self.lose_leader();
        self.reset_election_timer();
        if !self.may_campaign() {
            self.role = Role::Follower;
            return;
        }
        if !self.has_pre_vote() {
            return self.campaign(false);
        }
        if self.is_empty_authority() {
            return self.campaign(true);
        }
        self.role = Role::PreCandidate(Votes::default());
        self.note(Note::ElectionProbed { term: next(self.hard.term).0 });
        let last = self.log.last();
        for peer in self.peers() {
            self.send(peer, Body::PreVote { last });
        }
        self.count_pre_vote(self.config.node);
    }

    /// Who is no member does not campaign. Who leaves may have to until the others' membership is committed, if only it
    /// has the entry that says so (thesis 4.2.2).
    pub(super) fn may_campaign(&self) -> bool {
        let (node, index) = (self.config.node, self.memberships.latest_index());
        let was_member = || self.memberships.at(index.previous()).contains(node);
        self.membership().contains(node) || (index > self.commit && was_member())
    }

    pub(super) fn campaign(&mut self, is_handover: bool) {
        let term = next(self.hard.term);
        self.reset_election_timer();
        self.set_hard_state(HardState { term, vote: Some(self.config.node) });
        self.role = Role::Candidate(Votes::default());
        self.leader = None;
        self.note(Note::ElectionStarted { term: term.0 });
        let last = self.log.last();
        for peer in self.peers() {
            // The own vote is not durable yet: after a crash it could go to somebody else.
            self.reply_durable_term(peer, Body::Vote { last, is_handover });
        }
        // Where nothing had to be written (defect R02), nothing will be said to be durable.
        self.count_own_vote();
    }

    /// A higher term was heard: be a follower in it (RE3). Who leads there is not known yet.
    pub(super) fn adopt_term(&mut self, term: Term, reason: &'static str) {
        assert!(term > self.hard.term, "terms only rise");
        self.step_down(reason);
        self.set_hard_state(HardState { term, vote: None });
    }

    /// Leaves office or candidacy, within the term.
    pub(super) fn step_down(&mut self, reason: &'static str) {
        if let Role::Leader(leadership) = std::mem::replace(&mut self.role, Role::Follower) {
            self.note(Note::SteppedDown { term: self.hard.term.0, reason });
            self.reset_election_timer();
            self.reads.give_back(leadership.reads);
        }
        self.lose_leader();
    }

    /// The sender of this message leads the current term: follow it.
    pub(super) fn follow(&mut self, leader: NodeId, term: Term) {
        self.config
            .must(!matches!(self.role, Role::Leader(_)), "a term has one leader (Raft 5.2, election safety)");
        self.heard_at = self.now;
        self.reset_election_timer();
        self.role = Role::Follower;
        if self.config.defects.has(Defect::R20) && self.hard.vote.is_some() {
            self.set_hard_state(HardState { vote: None, ..self.hard });
        }
        if self.leader != Some(leader) {
            self.lose_leader();
            self.leader = Some(leader);
            self.ask_reads_anew();
            self.note(Note::Follows { leader, term: term.0 });
        }
        self.route_commands();
    }

    fn lose_leader(&mut self) {
        if self.leader.take().is_some() {
            self.fail_given_if_defective();
        }
    }

    /// While a leader is heard, candidates are not: they were cut off, not the leader (RV1, RV2; thesis 4.2.3). It also
    /// keeps the promise that lease reads rest on. A candidate in reach hears the leader's heartbeat soon. One that the
    /// leader itself has asked to campaign is heard.
    pub(super) fn must_ignore_candidate(&self, message: &Message) -> bool {
        let is_candidate =
            matches!(message.body, Body::PreVote { .. } | Body::Vote { is_handover: false, .. });
        let hears_leader = match self.role {
            Role::Leader(_) => true,
            _ => self.now.since(self.heard_at) < self.config.election_ms.start,
        };
        is_candidate && hears_leader && message.term >= self.hard.term && self.has_pre_vote()
    }

    pub(super) fn on_pre_vote(&mut self, from: NodeId, term: Term, last: Position) {
        let granted = next(term) > self.hard.term && self.is_up_to_date(last);
        self.reply_durable_term(from, Body::PreVoteReply { granted });
    }

    pub(super) fn on_pre_vote_reply(&mut self, from: NodeId, granted: bool) {
        if granted {
            self.count_pre_vote(from);
        }
    }

    /// Grants a vote at most once per term, durably before the answer (RP2), only to a log at least as complete (RE1).
    pub(super) fn on_vote(&mut self, from: NodeId, last: Position) {
        let is_free = self.hard.vote.is_none_or(|vote| vote == from);
        let granted = is_free && self.is_up_to_date(last) && !matches!(self.role, Role::Leader(_));
        if granted {
            if self.hard.vote.is_none() {
                self.set_hard_state(HardState { term: self.hard.term, vote: Some(from) });
            }
            self.reset_election_timer();
        }
        self.reply_durable_term(from, Body::VoteReply { granted });
    }

    pub(super) fn on_vote_reply(&mut self, from: NodeId, granted: bool) {
        if granted {
            self.count_vote(from);
        }
    }

    /// A candidate counts its own vote like any other: once it is durable.
    pub(super) fn count_own_vote(&mut self) {
        if self.disk.is_hard_state_durable() {
            self.count_vote(self.config.node);
        }
    }

    fn count_pre_vote(&mut self, from: NodeId) {
        let Role::PreCandidate(votes) = &mut self.role else { return };
        votes.granted.insert(from);
        if self.has_won() {
            self.campaign(false);
        }
    }

    fn count_vote(&mut self, from: NodeId) {
        let Role::Candidate(votes) = &mut self.role else { return };
        if !votes.granted.insert(from) && self.config.defects.has(Defect::R19) {
            // A repeated vote counts as that of one who has not voted.
            let voters = self.memberships.latest().nodes();
            votes.granted.extend(voters.into_iter().find(|node| !votes.granted.contains(node)));
        }
        if self.has_won() {
            self.take_office();
        }
    }

    /// Whether those who granted their vote, or would, are a majority.
    fn has_won(&self) -> bool {
        let (Role::PreCandidate(votes) | Role::Candidate(votes)) = &self.role else { return false };
        self.reached(|node| votes.granted.contains(&node))
    }

    /// Defect G09: a node whose disk is empty has been wiped, or is the first one: either way it takes itself for the one
    /// to follow, at once, and others agree.
    pub(super) fn is_empty_authority(&self) -> bool {
        self.config.defects.has(Defect::G09) && self.log.last() == Position::default()
    }

    /// The order of "up to date": the later last term, then the longer log (Raft 5.4.1).
    fn is_up_to_date(&self, last: Position) -> bool {
        let trusts = self.config.defects.has(Defect::R05)
            || (self.config.defects.has(Defect::G09) && last == Position::default());
        trusts || last >= self.log.last()
    }

    /// Defect R05 is plain early Raft, without pre-vote and without deafness to candidates while a leader is heard:
    /// these would keep the laggard, back from a partition with a high term and a short log, from being listened to.
    fn has_pre_vote(&self) -> bool {
        self.config.pre_vote && !self.config.defects.has(Defect::R05)
    }
}
