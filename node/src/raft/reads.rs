//! Linearizable reads without a place in the log (Raft 8; thesis 6.4).
//!
//! ReadIndex, in four steps: the leader has committed an entry of its own term; it notes its commit index when the read
//! arrives; a quorum answers a round of heartbeats that started *after* that; whoever serves the read has applied up to
//! that index. Any node serves reads: a follower asks the leader for the index (steps one to three) and does the fourth
//! itself. All reads that arrive while a round is on its way share the next one.
//!
//! Rounds are numbered within a term and a node leads a term at most once, so (term, round) is never reused; nor are a
//! follower's questions, which carry its incarnation. A follower that asks again uses a new id and forgets the old one:
//! an answer to an earlier question must never release a later read.
//!
//! With leases, a round that a quorum has answered vouches for the leader for a while after it was *sent*: voters that
//! answered it ignore candidates for as long, also after a restart.

use std::collections::{BTreeMap, VecDeque};

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::defect::Defect;
use crate::protocol::{Incarnation, Millis, OperationId};
use crate::raft::config::READS_MAX;
use crate::raft::log::Index;
use crate::raft::message::{Body, ReadId};
use crate::raft::replication::Leadership;
use crate::raft::{Raft, Role};
use crate::settings::Reads;

/// Rounds under way before reads wait for the next one.
const ROUNDS_MAX: usize = 4;
/// Rounds remembered for the lease; more unanswered ones than this mean that there is none.
const ROUNDS_REMEMBERED_MAX: usize = 64;

/// Reads of this node's clients.
#[derive(Debug)]
pub(super) struct LocalReads {
    incarnation: Incarnation,
    asked_count: u64,
    /// Defect R11b: whether a question is asked again under the same name, and which one is next.
    reuses_names: bool,
    reused: Option<ReadId>,
    /// Not answered yet, with the time to give up. The lists below may name reads that are no longer in here.
    open: BTreeMap<OperationId, Millis>,
    /// Waiting for somebody to ask.
    unasked: Vec<OperationId>,
    asked: BTreeMap<ReadId, Question>,
    /// May be served once this has been handed out to be applied.
    confirmed: BTreeMap<Index, Vec<OperationId>>,
}

#[derive(Debug)]
struct Question {
    asked_at: Millis,
    reads: Vec<OperationId>,
}

/// Reads that a leader is to confirm.
#[derive(Debug, Default)]
pub(super) struct LeaderReads {
    /// The latest round of heartbeats.
    round: u64,
    /// When rounds were sent; the quorum's latest one first.
    sent: VecDeque<(u64, Millis)>,
    /// When the round behind the lease was sent (for defect R12: when its answers came).
    leased_at: Option<Millis>,
    waiting: Vec<Reader>,
    /// Waiting for a round to be answered: the round, the commit index noted, the readers.
    rounds: VecDeque<(u64, Index, Vec<Reader>)>,
}

/// Who wants a read index.
#[derive(Debug)]
enum Reader {
    Local(Vec<OperationId>),
    Remote(NodeId, ReadId),
}

impl LocalReads {
    pub(super) fn new(incarnation: Incarnation, reuses_names: bool) -> Self {
        Self {
            incarnation,
            asked_count: 0,
            reuses_names,
            reused: None,
            open: BTreeMap::new(),
            unasked: Vec::new(),
            asked: BTreeMap::new(),
            confirmed: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Moves the reads that may be served to `read`.
    pub(super) fn release(&mut self, handed: Index, read: &mut Vec<OperationId>) {
        while let Some(entry) = self.confirmed.first_entry()
            && *entry.key() <= handed
        {
            read.extend(entry.remove().into_iter().filter(|id| self.open.remove(id).is_some()));
        }
    }

    /// There is a new leader: it is to be asked what the old one has not answered.
    pub(super) fn ask_anew(&mut self) {
        for (id, question) in std::mem::take(&mut self.asked) {
            self.ask_again(id, question);
        }
    }

    fn ask_again(&mut self, id: ReadId, question: Question) {
        self.unasked.extend(question.reads);
        if self.reuses_names {
            self.reused = self.reused.or(Some(id));
        }
    }

    /// The reads that the answer to `id` is for: those of that question. Defect R11b releases all up to it.
    fn answered(&mut self, id: ReadId) -> Vec<OperationId> {
        if self.reuses_names && self.asked.contains_key(&id) {
            let later = self.asked.split_off(&ReadId(id.0 + 1));
            let released = std::mem::replace(&mut self.asked, later);
            return released.into_values().flat_map(|question| question.reads).collect();
        }
        self.asked.remove(&id).map_or(Vec::new(), |question| question.reads)
    }

    /// A leader left office: its own clients' reads ask the next one.
    pub(super) fn give_back(&mut self, leadership: Leadership) {
        let LeaderReads { waiting, rounds, .. } = leadership.reads;
        for reader in waiting.into_iter().chain(rounds.into_iter().flat_map(|(_, _, readers)| readers)) {
            if let Reader::Local(ids) = reader {
                self.unasked.extend(ids);
            }
        }
    }
}

impl LeaderReads {
    /// Numbers a round that is being sent now.
    pub(super) fn open_round(&mut self, now: Millis) -> u64 {
        self.round += 1;
        self.sent.push_back((self.round, now));
        if self.sent.len() > ROUNDS_REMEMBERED_MAX {
            self.sent.pop_front();
        }
        self.round
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.rounds.is_empty()
    }

    /// A quorum has answered `round`, and with it every earlier one: each read in those arrived before it was sent.
    fn confirm(&mut self, round: u64) -> Vec<(Index, Vec<Reader>)> {
        while let Some((sent, at)) = self.sent.front().copied()
            && sent <= round
        {
            self.leased_at = self.leased_at.max(Some(at));
            self.sent.pop_front();
        }
        let count = self.rounds.iter().take_while(|(number, ..)| *number <= round).count();
        self.rounds.drain(..count).map(|(_, index, readers)| (index, readers)).collect()
    }
}

impl Raft {
    /// Takes in reads of this node's clients.
    pub(super) fn offer_reads(&mut self, ids: Vec<OperationId>) {
        for id in ids {
            if self.reads.open.len() >= READS_MAX {
                let text = format!("{READS_MAX} reads are waiting at this node");
                let refusal = Refusal { code: RefusalCode::Overloaded, definite: true, text };
                self.out.answer.push((id, Err(refusal)));
                continue;
            }
            self.reads.open.insert(id, self.now + self.config.hold_ms);
            if self.config.defects.has(Defect::R10) {
                self.reads.confirmed.entry(Index(0)).or_default().push(id);
            } else {
                self.reads.unasked.push(id);
            }
        }
    }

    /// A follower asks its leader on behalf of its clients, once for all that wait.
    pub(super) fn ask_leader_for_reads(&mut self) {
        let Some(leader) = self.leader.filter(|leader| *leader != self.config.node) else { return };
        if self.reads.unasked.is_empty() {
            return;
        }
        let id = self.reads.reused.take().unwrap_or_else(|| {
            self.reads.asked_count += 1;
            ReadId(self.reads.incarnation.id(self.reads.asked_count))
        });
        let reads = std::mem::take(&mut self.reads.unasked);
        self.reads.asked.insert(id, Question { asked_at: self.now, reads });
        self.send(leader, Body::ReadIndex { id });
    }

    pub(super) fn on_read_index(&mut self, from: NodeId, id: ReadId) {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.reads.waiting.push(Reader::Remote(from, id));
        }
    }

    pub(super) fn on_read_index_reply(&mut self, id: ReadId, index: Index) {
        let reads = self.reads.answered(id);
        if !reads.is_empty() {
            self.reads.confirmed.entry(index).or_default().extend(reads);
        }
    }

    /// A leader's step for reads: note the commit index, start a round, answer what a quorum has confirmed.
    pub(super) fn confirm_reads(&mut self) {
        let local = std::mem::take(&mut self.reads.unasked);
        let is_current = self.is_commit_current();
        let (is_unconfirmed, is_leased) = (self.config.defects.has(Defect::R09), self.has_lease());
        let index = if self.config.defects.has(Defect::R22) { self.log.last_index() } else { self.commit };
        let quorum_round = self.quorum_round();
        let Role::Leader(leadership) = &mut self.role else { return };
        let reads = &mut leadership.reads;
        if !local.is_empty() {
            reads.waiting.push(Reader::Local(local));
        }
        let mut ready = reads.confirm(quorum_round);
        let needs_round = if is_current && (is_unconfirmed || is_leased) {
            ready.push((index, std::mem::take(&mut reads.waiting)));
            false
        } else {
            is_current && !reads.waiting.is_empty() && reads.rounds.len() < ROUNDS_MAX
        };
        if needs_round {
            let readers = std::mem::take(&mut reads.waiting);
            reads.rounds.push_back((reads.round + 1, index, readers));
            self.start_round();
        }
        for (index, readers) in ready {
            self.answer_readers(index, readers);
        }
        if needs_round && self.quorum_round() > quorum_round {
            // It is a majority by itself.
            self.confirm_reads();
        }
    }

    fn answer_readers(&mut self, index: Index, readers: Vec<Reader>) {
        for reader in readers {
            match reader {
                Reader::Local(ids) => self.reads.confirmed.entry(index).or_default().extend(ids),
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
            None if node == self.config.node => leadership.reads.round,
            None => 0,
        })
    }

    fn has_lease(&self) -> bool {
        let defects = self.config.defects;
        let wants_lease = self.config.reads == Reads::Lease
            || [Defect::R12, Defect::R34].into_iter().any(|defect| defects.has(defect));
        let Role::Leader(leadership) = &self.role else { return false };
        let is_given_up = leadership.has_handed_over || leadership.admin.handover.is_some();
        wants_lease
            && (!is_given_up || defects.has(Defect::R34))
            && leadership.reads.leased_at.is_some_and(|at| self.now.since(at) < self.config.lease_ms())
    }

    /// Defect R12: the lease starts when the answers are read, however long ago their round was sent.
    pub(super) fn restart_lease_at_arrival(&mut self) {
        let (now, quorum_round) = (self.now, self.quorum_round());
        if let Role::Leader(leadership) = &mut self.role
            && leadership.reads.sent.front().is_some_and(|(round, _)| *round <= quorum_round)
        {
            leadership.reads.leased_at = Some(now);
        }
    }

    /// Gives up on reads that have waited too long, asks again where no answer came. A read changes nothing, so giving
    /// up is always definite.
    pub(super) fn sweep_reads(&mut self) {
        let (now, retry_ms) = (self.now, self.config.ask_again_ms());
        let late: Vec<OperationId> =
            self.reads.open.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        for id in late {
            self.reads.open.remove(&id);
            let text = "no leader confirmed the read in time".into();
            self.out.answer.push((id, Err(Refusal { code: RefusalCode::NoLeader, definite: true, text })));
        }
        let is_lost = |question: &Question| now.since(question.asked_at) >= retry_ms;
        let lost: Vec<ReadId> =
            self.reads.asked.iter().filter(|(_, one)| is_lost(one)).map(|(id, _)| *id).collect();
        for id in lost {
            if let Some(question) = self.reads.asked.remove(&id) {
                self.reads.ask_again(id, question);
            }
        }
        let LocalReads { unasked, open, .. } = &mut self.reads;
        unasked.retain(|id| open.contains_key(id));
        if let Role::Leader(leadership) = &mut self.role
            && !leadership.reads.is_idle()
        {
            for reader in &mut leadership.reads.waiting {
                if let Reader::Local(ids) = reader {
                    ids.retain(|id| open.contains_key(id));
                }
            }
        }
    }
}
