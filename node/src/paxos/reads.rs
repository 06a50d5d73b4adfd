//! Linearizable reads without a place in the log (PP8).
//!
//! The leader notes how far the log is chosen when the read arrives, provided that it has finished everything begun before
//! it took office; then a majority of acceptors answers a round of heartbeats that started *after* that: none has
//! promised a higher ballot. Any rival that chose something before the read arrived had promises of a majority before, so one
//! of those that answer would have refused. Whoever serves the read has applied up to the slot noted. Followers ask the
//! leader for it; all reads that arrive while a round is on its way share the next one.
//!
//! Rounds are numbered within a ballot, and a ballot has one leader, so (ballot, round) is never reused; nor are a
//! follower's questions, which carry its incarnation.
//!
//! With leases (PP9), a round that a majority has answered vouches for the leader for a while after it was *sent*: those
//! that answered refuse everybody else for longer, also after a restart.

use std::collections::{BTreeMap, VecDeque};

use crate::api::{NodeId, RefusalCode};
use crate::defect::Defect;
use crate::paxos::config::READS_MAX;
use crate::paxos::message::{Message, ReadId, Slot};
use crate::paxos::{Paxos, Role};
use crate::protocol::{Incarnation, Millis, OperationId};
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
    /// Not answered yet, with the time to give up. The lists below may name reads that are no longer in here.
    open: BTreeMap<OperationId, Millis>,
    /// Waiting for somebody to ask.
    unasked: Vec<OperationId>,
    asked: BTreeMap<ReadId, Question>,
    /// May be served once this has been handed out to be applied.
    confirmed: BTreeMap<Slot, Vec<OperationId>>,
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
    /// When the rounds that no majority has answered yet were sent.
    sent: VecDeque<(u64, Millis)>,
    /// When the latest round that a majority has answered was sent.
    leased_at: Option<Millis>,
    waiting: Vec<Reader>,
    /// Waiting for a round to be answered: the round, the slot noted, the readers.
    rounds: VecDeque<(u64, Slot, Vec<Reader>)>,
}

/// Who wants to read.
#[derive(Debug)]
enum Reader {
    Local(Vec<OperationId>),
    Remote(NodeId, ReadId),
}

impl LocalReads {
    pub(super) fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            asked_count: 0,
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
    pub(super) fn release(&mut self, handed: Slot, read: &mut Vec<OperationId>) {
        while let Some(entry) = self.confirmed.first_entry()
            && *entry.key() <= handed
        {
            read.extend(entry.remove().into_iter().filter(|id| self.open.remove(id).is_some()));
        }
    }

    /// There is a new leader: it is to be asked what the old one has not answered.
    pub(super) fn ask_anew(&mut self) {
        for (_, question) in std::mem::take(&mut self.asked) {
            self.unasked.extend(question.reads);
        }
    }

    /// A leader left office: its own clients' reads ask the next one.
    pub(super) fn give_back(&mut self, reads: LeaderReads) {
        let LeaderReads { waiting, rounds, .. } = reads;
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

    /// A majority has answered `round`, and with it every earlier one: each read in those arrived before it was sent.
    fn confirm(&mut self, round: u64) -> Vec<(Slot, Vec<Reader>)> {
        while let Some((sent, at)) = self.sent.front().copied()
            && sent <= round
        {
            self.leased_at = self.leased_at.max(Some(at));
            self.sent.pop_front();
        }
        let count = self.rounds.iter().take_while(|(number, ..)| *number <= round).count();
        self.rounds.drain(..count).map(|(_, slot, readers)| (slot, readers)).collect()
    }
}

impl Paxos {
    /// Takes in a read of this node's clients.
    pub(super) fn offer_read(&mut self, id: OperationId) {
        if self.reads.open.len() >= READS_MAX {
            return self.refuse(
                id,
                RefusalCode::Overloaded,
                format!("{READS_MAX} reads are waiting at this node"),
            );
        }
        self.reads.open.insert(id, self.now + self.settings.hold_ms);
        self.reads.unasked.push(id);
    }

    /// Asks the leader on behalf of this node's clients, once for all that wait.
    pub(super) fn ask_leader_for_reads(&mut self) {
        let Some(leader) = self.leader().filter(|leader| *leader != self.settings.node) else { return };
        if self.reads.unasked.is_empty() {
            return;
        }
        self.reads.asked_count += 1;
        let id = ReadId(self.reads.incarnation.id(self.reads.asked_count));
        let reads = std::mem::take(&mut self.reads.unasked);
        self.reads.asked.insert(id, Question { asked_at: self.now, reads });
        self.send(leader, Message::ReadIndex { id });
    }

    pub(super) fn on_read_index(&mut self, from: NodeId, id: ReadId) {
        if let Role::Leading(office) = &mut self.role {
            office.reads.waiting.push(Reader::Remote(from, id));
        }
    }

    pub(super) fn on_read_index_reply(&mut self, id: ReadId, index: Slot) {
        if let Some(question) = self.reads.asked.remove(&id) {
            self.reads.confirmed.entry(index).or_default().extend(question.reads);
        }
    }

    /// A leader's step for reads: note the slot, start a round, answer what a majority has confirmed.
    pub(super) fn confirm_reads(&mut self) {
        let local = std::mem::take(&mut self.reads.unasked);
        let chosen = self.slots.chosen();
        let is_trusted = self.settings.defects.has(Defect::P12) || self.has_lease();
        let settles = !self.settings.defects.has(Defect::P13);
        let confirmed_round = self.confirmed_round();
        let Role::Leading(office) = &mut self.role else { return };
        // What was in progress when it took office may have been acknowledged by an earlier leader (PP8).
        let is_settled = chosen >= office.barrier || !settles;
        let reads = &mut office.reads;
        if !local.is_empty() {
            reads.waiting.push(Reader::Local(local));
        }
        let mut ready = reads.confirm(confirmed_round);
        let may_ask = is_settled && !reads.waiting.is_empty();
        let needs_round = may_ask && !is_trusted && reads.rounds.len() < ROUNDS_MAX;
        if may_ask && is_trusted {
            ready.push((chosen, std::mem::take(&mut reads.waiting)));
        }
        if needs_round {
            let readers = std::mem::take(&mut reads.waiting);
            reads.rounds.push_back((reads.round + 1, chosen, readers));
            self.start_round();
        }
        for (slot, readers) in ready {
            self.answer_readers(slot, readers);
        }
        if needs_round && self.settings.acceptors_count() == 1 {
            self.confirm_reads();
        }
    }

    fn answer_readers(&mut self, slot: Slot, readers: Vec<Reader>) {
        for reader in readers {
            match reader {
                Reader::Local(ids) => self.reads.confirmed.entry(slot).or_default().extend(ids),
                Reader::Remote(node, id) => {
                    self.send(node, Message::ReadIndexReply { id, index: slot });
                    if let Role::Leading(office) = &mut self.role
                        && let Some(peer) = office.peers.get_mut(&node)
                    {
                        peer.wants = peer.wants.max(slot);
                    }
                }
            }
        }
    }

    /// The latest round that a majority of acceptors has answered; the leader answers itself, as it would be deposed had
    /// it promised anything higher.
    fn confirmed_round(&self) -> u64 {
        let Role::Leading(office) = &self.role else { return 0 };
        let peers = self.other_members().filter_map(|node| office.peers.get(&node));
        let mut rounds: Vec<u64> = peers.map(|peer| peer.confirmed).collect();
        rounds.push(office.reads.round);
        rounds.sort_unstable_by(|a, b| b.cmp(a));
        rounds[self.settings.acceptors_count() / 2]
    }

    fn has_lease(&self) -> bool {
        let wants_lease = self.settings.reads == Reads::Lease || self.settings.defects.has(Defect::P14);
        let Role::Leading(office) = &self.role else { return false };
        let is_fresh = |at: Millis| self.now.since(at) < self.settings.read_lease_ms();
        wants_lease && !office.makes_way && office.reads.leased_at.is_some_and(is_fresh)
    }

    /// Gives up on reads that have waited too long, asks again where no answer came. A read changes nothing, so giving
    /// up is always definite.
    pub(super) fn sweep_reads(&mut self) {
        let (now, patience_ms) = (self.now, self.settings.election_ms.start);
        let late: Vec<OperationId> =
            self.reads.open.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        for id in late {
            self.reads.open.remove(&id);
            self.refuse(id, RefusalCode::NoLeader, "no leader confirmed the read in time".into());
        }
        let LocalReads { asked, unasked, open, .. } = &mut self.reads;
        asked.retain(|_, question| {
            let is_alive = now.since(question.asked_at) < patience_ms;
            if !is_alive {
                unasked.append(&mut question.reads);
            }
            is_alive
        });
        unasked.retain(|id| open.contains_key(id));
        if let Role::Leading(office) = &mut self.role {
            for reader in &mut office.reads.waiting {
                if let Reader::Local(ids) = reader {
                    ids.retain(|id| open.contains_key(id));
                }
            }
        }
    }
}
