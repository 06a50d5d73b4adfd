//! Reads: `sync`, which passes a quorum, or none at all (rule ZB9).
//!
//! A read of a serving node's own state is sequentially consistent: a client that stays there sees the writes in their
//! order, its own among them, but others' late. To be linearizable it must follow a `sync`. ZooKeeper's up to 3.9 only
//! flushes the leader's channel, and a leader that was deposed flushes as willingly as any (ZOOKEEPER-1675). Here a sync
//! passes a quorum: the leader notes its commit index, starts a round of pings, and answers once a quorum has answered
//! that round. Whoever answers has accepted no later epoch yet, so no later leader had committed anything when the read
//! arrived; and whatever this leader had committed is below the index noted. What waits for which step is kept by
//! [`crate::pending::reads`].

use crate::api::NodeId;
use crate::defect::Defect;
use crate::pending::reads::{QuestionId, Reader, Standing};
use crate::settings::Reads;
use crate::zab::message::{Down, Up};
use crate::zab::zxid::Index;
use crate::zab::{Role, Zab};

impl Zab {
    /// Reads without sync: as soon as what this node knows to be committed has been applied.
    pub(super) fn read_locally(&mut self) {
        if self.settings.reads == Reads::Local && self.serves() {
            let ids = self.reads.take_unasked();
            self.reads.confirm(self.commit, ids);
        }
    }

    /// A follower asks its leader on behalf of its clients, once for all that wait.
    pub(super) fn ask_sync(&mut self) {
        let has_room = matches!(&self.role, Role::Following(follower) if follower.channel.has_room());
        if has_room
            && self.serves_as_follower()
            && self.settings.reads != Reads::Local
            && let Some(id) = self.reads.ask(self.now)
        {
            self.send_up(Up::Sync { id });
        }
    }

    pub(super) fn on_sync(&mut self, from: NodeId, id: QuestionId) {
        if let Role::Leading(leadership) = &mut self.role {
            leadership.reads.arrive(Reader::Remote(from, id));
        }
    }

    /// Starts a round of pings; returns its number. Also what tells followers that their leader lives.
    pub(super) fn ping(&mut self) -> u64 {
        let (round, now) = (self.name(), self.now);
        if let Role::Leading(leadership) = &mut self.role {
            leadership.round = round;
            leadership.confirmed = None;
            for (node, peer) in &mut leadership.peers {
                peer.send((*node, leadership.tenure, now), Down::Ping { round }, &mut self.out);
            }
        }
        round
    }

    /// A leader's step for syncs: note the commit index, start a round, answer what a quorum has confirmed.
    pub(super) fn confirm_syncs(&mut self) {
        let Role::Leading(leadership) = &self.role else { return };
        let is_idle = leadership.reads.is_empty() && !self.reads.has_unasked();
        if is_idle || !self.serves_as_leader() {
            return;
        }
        let commit = self.commit;
        let quorum_round = leadership.confirmed.unwrap_or_else(|| self.quorum_round());
        let standing = match self.settings.defects.has(Defect::Z10) {
            true => Standing::Vouched,
            false => Standing::Unconfirmed,
        };
        let Role::Leading(leadership) = &mut self.role else { return };
        leadership.confirmed = Some(quorum_round);
        leadership.reads.arrive(Reader::Local(self.reads.take_unasked()));
        let step = leadership.reads.step(quorum_round, standing, commit);
        for (index, readers) in step.ready {
            self.answer_readers(index, readers);
        }
        if step.needs_round {
            let round = self.ping();
            let Role::Leading(leadership) = &mut self.role else { return };
            leadership.reads.await_round(round, commit);
            if self.quorum_round() >= round {
                // Alone it is a quorum.
                self.confirm_syncs();
            }
        }
    }

    fn answer_readers(&mut self, index: Index, readers: Vec<Reader>) {
        let now = self.now;
        for reader in readers {
            match reader {
                Reader::Local(ids) => self.reads.confirm(index, ids),
                Reader::Remote(node, id) => {
                    let Role::Leading(leadership) = &mut self.role else { return };
                    let about = (node, leadership.tenure, now);
                    if let Some(peer) = leadership.peers.get_mut(&node) {
                        peer.wants = peer.wants.max(index);
                        peer.send(about, Down::SyncReply { id, index }, &mut self.out);
                    }
                }
            }
        }
    }

    /// The name of its time in office and the latest round of pings, if it leads; for checks of invariants.
    pub fn latest_round(&self) -> Option<(u64, u64)> {
        match &self.role {
            Role::Leading(leadership) => Some((leadership.tenure, leadership.round)),
            _ => None,
        }
    }

    /// The latest round that a quorum of synchronised voters has answered; the leader answers itself. With defect Z11
    /// those who are silent are alive, and so agree.
    fn quorum_round(&self) -> u64 {
        let Role::Leading(leadership) = &self.role else { return 0 };
        let (own, latest) = (self.settings.node, leadership.round);
        if self.settings.defects.has(Defect::Z11) && self.hears_quorum(true) {
            return latest;
        }
        let round = |node| if node == own { latest } else { leadership.of_synced(node, |peer| peer.round) };
        self.electorate.reached(round)
    }
}
