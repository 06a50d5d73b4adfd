//! Linearizable reads without a place in the log (Raft 8; thesis 6.4).
//!
//! ReadIndex, in four steps: the leader has committed an entry of its own term; it notes its commit index when the read
//! arrives; a quorum answers a round of heartbeats that started *after* that; whoever serves the read has applied up to
//! that index. Any node serves reads: a follower asks the leader for the index (steps one to three) and does the fourth
//! itself. What waits for which step is kept by [`crate::pending::reads`]; here is what confirms a read in Raft.
//!
//! Rounds are numbered within a term and a node leads a term at most once, so (term, round) is never reused. With leases, a
//! round that a quorum has answered vouches for the leader for a while after it was *sent*: voters that answered it ignore
//! candidates for as long, also after a restart.

use crate::api::NodeId;
use crate::defect::Defect;
use crate::pending::reads::{LocalReads, QuestionId, Reader, Standing};
use crate::protocol::{Millis, OperationId};
use crate::raft::log::Index;
use crate::raft::message::Body;
use crate::raft::{Raft, Role};
use crate::settings::Reads;

impl Raft {
    /// Takes in a read of this node's clients. Defect R10 serves it from this node's own state, whoever leads.
    pub(super) fn offer_read(&mut self, id: OperationId) {
        if let Err(refusal) = self.reads.hold(id, self.now + self.config.hold_ms) {
            return self.out.refuse(id, refusal);
        }
        if self.config.defects.has(Defect::R10) {
            let reads = self.reads.take_unasked();
            self.reads.confirm(Index(0), reads);
        }
    }

    /// A follower asks its leader on behalf of its clients, once for all that wait.
    pub(super) fn ask_leader_for_reads(&mut self) {
        let Some(leader) = self.leader.filter(|leader| *leader != self.config.node) else { return };
        if !self.reads.has_unasked() {
            return;
        }
        let question = match self.reused_question.take() {
            Some(id) => {
                self.reads.ask_as(id, self.now);
                Some(id)
            }
            None => self.reads.ask(self.now),
        };
        if let Some(id) = question {
            self.send(leader, Body::ReadIndex { id });
        }
    }

    /// There is a new leader: it is to be asked what the old one has not answered.
    pub(super) fn ask_reads_anew(&mut self) {
        self.forget_questions(LocalReads::ask_anew);
    }

    /// What is not answered is asked again, under a new name. Defect R11b keeps the first name for the next question.
    fn forget_questions(&mut self, forget: impl FnOnce(&mut LocalReads<Index>)) {
        let first = self.reads.questions().next();
        forget(&mut self.reads);
        if self.config.defects.has(Defect::R11B) && first != self.reads.questions().next() {
            self.reused_question = self.reused_question.or(first);
        }
    }

    pub(super) fn on_read_index(&mut self, from: NodeId, id: QuestionId) {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.reads.arrive(Reader::Remote(from, id));
        }
    }

    /// The answer to a question is for its reads. Defect R11b releases those of all earlier questions as well.
    pub(super) fn on_read_index_reply(&mut self, id: QuestionId, index: Index) {
        if self.config.defects.has(Defect::R11B) && self.reads.questions().any(|asked| asked == id) {
            let earlier: Vec<_> = self.reads.questions().take_while(|asked| *asked < id).collect();
            earlier.into_iter().for_each(|earlier| self.reads.answered(earlier, index));
        }
        self.reads.answered(id, index);
    }

    /// A leader's step for reads: note the commit index, start a round, answer what a quorum has confirmed.
    pub(super) fn confirm_reads(&mut self) {
        let Role::Leader(leadership) = &self.role else { return };
        if leadership.reads.is_empty() && leadership.rounds.is_settled() && !self.reads.has_unasked() {
            return;
        }
        let standing = if !self.is_commit_current() {
            Standing::Unsettled
        } else if self.config.defects.has(Defect::R09) || self.has_lease(self.now) {
            Standing::Vouched
        } else {
            Standing::Unconfirmed
        };
        let index = if self.config.defects.has(Defect::R22) { self.log.last_index() } else { self.commit };
        let quorum_round = leadership.rounds.counted().unwrap_or_else(|| self.quorum_round());
        let Role::Leader(leadership) = &mut self.role else { return };
        leadership.reads.arrive(Reader::Local(self.reads.take_unasked()));
        leadership.rounds.answered(quorum_round);
        let step = leadership.reads.step(quorum_round, standing, index);
        if step.needs_round {
            leadership.reads.await_round(leadership.rounds.latest() + 1, index);
            self.start_round();
        }
        for (index, readers) in step.ready {
            self.answer_readers(index, readers);
        }
        if step.needs_round && self.quorum_round() > quorum_round {
            // It is a majority by itself.
            self.confirm_reads();
        }
    }

    fn answer_readers(&mut self, index: Index, readers: Vec<Reader>) {
        for reader in readers {
            match reader {
                Reader::Local(ids) => self.reads.confirm(index, ids),
                Reader::Remote(node, id) => {
                    self.send(node, Body::ReadIndexReply { id, index });
                    if let Role::Leader(leadership) = &mut self.role
                        && let Some(progress) = leadership.progress.get_mut(&node)
                    {
                        progress.wants = progress.wants.max(index);
                    }
                }
            }
        }
    }

    /// Whether the commit index covers everything that earlier leaders committed (RC2).
    pub(super) fn is_commit_current(&self) -> bool {
        let leads = matches!(self.role, Role::Leader(_));
        self.is_own_term_committed() || (leads && self.config.defects.has(Defect::R08))
    }

    /// Whether an entry of the own term is committed.
    pub(super) fn is_own_term_committed(&self) -> bool {
        matches!(&self.role, Role::Leader(leadership) if self.commit >= leadership.first)
    }

    /// The latest round that a quorum has answered; the leader answers itself.
    fn quorum_round(&self) -> u64 {
        let Role::Leader(leadership) = &self.role else { return 0 };
        self.reached(|node| match leadership.progress.get(&node) {
            Some(progress) => progress.acked_round,
            None if node == self.config.node => leadership.rounds.latest(),
            None => 0,
        })
    }

    /// The latest round of heartbeats, if it leads; for checks of invariants.
    pub fn latest_round(&self) -> Option<u64> {
        match &self.role {
            Role::Leader(leadership) => Some(leadership.rounds.latest()),
            _ => None,
        }
    }

    /// Whether it leads and nobody else can, by a lease.
    pub fn has_lease(&self, now: Millis) -> bool {
        let defects = self.config.defects;
        let wants_lease = self.config.reads == Reads::Lease
            || [Defect::R12, Defect::R34].into_iter().any(|defect| defects.has(defect));
        let Role::Leader(leadership) = &self.role else { return false };
        let is_given_up = leadership.has_handed_over || leadership.admin.handover.is_some();
        wants_lease
            && (!is_given_up || defects.has(Defect::R34))
            && leadership.rounds.vouch(now, self.config.lease_ms())
    }

    /// Defect R12: the lease starts when the answers are read, however long ago their round was sent.
    pub(super) fn restart_lease_at_arrival(&mut self) {
        let (now, quorum_round) = (self.now, self.quorum_round());
        if let Role::Leader(leadership) = &mut self.role
            && leadership.rounds.answered(quorum_round)
        {
            leadership.rounds.vouch_from(now);
        }
    }

    /// Gives up on reads that have waited too long, asks again where no answer came.
    pub(super) fn sweep_reads(&mut self) {
        let leads = match &mut self.role {
            Role::Leader(leadership) => Some(&mut leadership.reads),
            _ => None,
        };
        self.out.answer.extend(self.reads.give_up(self.now, leads));
        let (now, again_ms) = (self.now, self.config.ask_again_ms());
        self.forget_questions(|reads| reads.ask_lost_again(now, again_ms));
    }
}
