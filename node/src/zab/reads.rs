//! Reads: `sync`, which passes a quorum, or none at all (rule ZB9).
//!
//! A read of a serving node's own state is sequentially consistent: a client that stays there sees the writes in their
//! order, its own among them, but others' late. To be linearizable it must follow a `sync`. ZooKeeper's up to 3.9 only
//! flushes the leader's channel, and a leader that was deposed flushes as willingly as any (ZOOKEEPER-1675). Here a sync
//! passes a quorum: the leader notes its commit index, starts a round of pings, and answers once a quorum has answered
//! that round. Whoever answers has accepted no later epoch yet, so no later leader had committed anything when the read
//! arrived; and whatever this leader had committed is below the index noted. All syncs that arrive while a round is on
//! its way share the next one.

use std::collections::{BTreeMap, VecDeque};

use crate::api::{NodeId, RefusalCode};
use crate::defect::Defect;
use crate::protocol::{Millis, OperationId};
use crate::settings::Reads;
use crate::zab::config::READS_MAX;
use crate::zab::message::{Down, Up};
use crate::zab::zxid::{Index, Zxid};
use crate::zab::{Role, Zab};

/// Rounds under way before syncs wait for the next one.
const ROUNDS_MAX: usize = 4;

/// Reads of this node's clients.
#[derive(Debug, Default)]
pub(super) struct LocalReads {
    /// Not answered yet, with the time to give up. The lists below may name reads that are no longer in here.
    open: BTreeMap<OperationId, Millis>,
    /// Waiting for somebody to ask.
    unasked: Vec<OperationId>,
    asked: BTreeMap<u64, Vec<OperationId>>,
    /// May be served once this has been handed out to be applied.
    confirmed: BTreeMap<Index, Vec<OperationId>>,
}

/// Syncs that a leader is to confirm.
#[derive(Debug, Default)]
pub(super) struct LeaderReads {
    /// The latest round of pings.
    round: u64,
    waiting: Vec<Reader>,
    /// Waiting for a round to be answered: the round, the commit index noted, the readers.
    rounds: VecDeque<(u64, Index, Vec<Reader>)>,
}

/// Who syncs.
#[derive(Debug)]
enum Reader {
    /// Clients of the leader.
    Local(Vec<OperationId>),
    /// A follower, by the name that it gave its question.
    Remote(NodeId, u64),
}

impl LocalReads {
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
        self.unasked.extend(std::mem::take(&mut self.asked).into_values().flatten());
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

impl Zab {
    pub(super) fn offer_read(&mut self, id: OperationId) {
        if self.reads.open.len() >= READS_MAX {
            let text = format!("{READS_MAX} reads are waiting at this node");
            return self.refuse(id, RefusalCode::Overloaded, text);
        }
        self.reads.open.insert(id, self.now + self.settings.hold_ms);
        self.reads.unasked.push(id);
    }

    /// Reads without sync: as soon as what this node knows to be committed has been applied.
    pub(super) fn read_locally(&mut self) {
        let serves = self.serves_as_leader() || self.serves_as_follower();
        if self.settings.reads == Reads::Local && serves && !self.reads.unasked.is_empty() {
            let ids = std::mem::take(&mut self.reads.unasked);
            self.reads.confirmed.entry(self.commit).or_default().extend(ids);
        }
    }

    /// A follower asks its leader on behalf of its clients, once for all that wait.
    pub(super) fn ask_sync(&mut self) {
        let has_room = matches!(&self.role, Role::Following(follower) if follower.channel.has_room());
        if !has_room
            || !self.serves_as_follower()
            || self.reads.unasked.is_empty()
            || self.settings.reads == Reads::Local
        {
            return;
        }
        let id = self.name();
        let reads = std::mem::take(&mut self.reads.unasked);
        self.reads.asked.insert(id, reads);
        self.send_up(Up::Sync { id });
    }

    pub(super) fn on_sync(&mut self, from: NodeId, id: u64) {
        if let Role::Leading(leadership) = &mut self.role {
            leadership.reads.waiting.push(Reader::Remote(from, id));
        }
    }

    pub(super) fn on_sync_reply(&mut self, id: u64, zxid: Zxid) {
        let index = self.history.up_to(zxid).index;
        if let Some(reads) = self.reads.asked.remove(&id) {
            self.reads.confirmed.entry(index).or_default().extend(reads);
        }
    }

    /// Starts a round of pings; returns its number. Also what tells followers that their leader lives.
    pub(super) fn ping(&mut self) -> u64 {
        let (round, now) = (self.name(), self.now);
        if let Role::Leading(leadership) = &mut self.role {
            leadership.reads.round = round;
            for (node, peer) in &mut leadership.peers {
                peer.send((*node, leadership.tenure, now), Down::Ping { round }, &mut self.out);
            }
        }
        round
    }

    /// A leader's step for syncs: note the commit index, start a round, answer what a quorum has confirmed.
    pub(super) fn confirm_syncs(&mut self) {
        if !self.serves_as_leader() {
            return;
        }
        let (commit, quorum_round) = (self.commit, self.quorum_round());
        let unconfirmed = self.settings.defects.has(Defect::Z10);
        let local = std::mem::take(&mut self.reads.unasked);
        let Role::Leading(leadership) = &mut self.role else { return };
        let reads = &mut leadership.reads;
        if !local.is_empty() {
            reads.waiting.push(Reader::Local(local));
        }
        let count = reads.rounds.iter().take_while(|(round, ..)| *round <= quorum_round).count();
        let mut ready: Vec<_> =
            reads.rounds.drain(..count).map(|(_, index, readers)| (index, readers)).collect();
        let mut needs_round = !reads.waiting.is_empty() && reads.rounds.len() < ROUNDS_MAX;
        if unconfirmed && needs_round {
            ready.push((commit, std::mem::take(&mut reads.waiting)));
            needs_round = false;
        }
        for (index, readers) in ready {
            self.answer_readers(index, readers);
        }
        if needs_round {
            let round = self.ping();
            let Role::Leading(leadership) = &mut self.role else { return };
            let readers = std::mem::take(&mut leadership.reads.waiting);
            leadership.reads.rounds.push_back((round, commit, readers));
            if self.quorum_round() >= round {
                // Alone it is a quorum.
                self.confirm_syncs();
            }
        }
    }

    fn answer_readers(&mut self, index: Index, readers: Vec<Reader>) {
        let now = self.now;
        let Some(zxid) =
            self.history.zxid_at(index).or_else(|| self.history.checkpoint().map(|one| one.zxid))
        else {
            return;
        };
        for reader in readers {
            match reader {
                Reader::Local(ids) => self.reads.confirmed.entry(index).or_default().extend(ids),
                Reader::Remote(node, id) => {
                    let Role::Leading(leadership) = &mut self.role else { return };
                    let about = (node, leadership.tenure, now);
                    if let Some(peer) = leadership.peers.get_mut(&node) {
                        peer.wants = peer.wants.max(index);
                        peer.send(about, Down::SyncReply { id, zxid }, &mut self.out);
                    }
                }
            }
        }
    }

    /// The latest round that a quorum of synchronised voters has answered; the leader answers itself. With defect Z11
    /// those who are silent are alive, and so agree.
    fn quorum_round(&self) -> u64 {
        let Role::Leading(leadership) = &self.role else { return 0 };
        let own = leadership.reads.round;
        if self.settings.defects.has(Defect::Z11) && self.hears_quorum(true) {
            return own;
        }
        let synced = leadership.peers.iter().filter(|(_, peer)| peer.is_synced);
        let rounds = synced.map(|(node, peer)| (*node, peer.round)).chain([(self.settings.node, own)]);
        self.electorate.reached(rounds)
    }

    /// Gives up on reads that have waited too long. A read changes nothing, so giving up is always definite.
    pub(super) fn sweep_reads(&mut self) {
        let now = self.now;
        let late: Vec<OperationId> =
            self.reads.open.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        for id in late {
            self.reads.open.remove(&id);
            self.refuse(id, RefusalCode::NoLeader, "no leader confirmed the read in time".into());
        }
        let LocalReads { asked, unasked, open, .. } = &mut self.reads;
        unasked.retain(|id| open.contains_key(id));
        asked.retain(|_, ids| {
            ids.retain(|id| open.contains_key(id));
            !ids.is_empty()
        });
        if let Role::Leading(leadership) = &mut self.role {
            for reader in &mut leadership.reads.waiting {
                if let Reader::Local(ids) = reader {
                    ids.retain(|id| open.contains_key(id));
                }
            }
        }
    }
}
