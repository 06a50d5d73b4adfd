//! Phase 3, broadcast: a two-phase commit without aborts (Zab, phase 3; rules ZB1, ZB6).
//!
//! The leader numbers transactions, writes them down and streams them; followers acknowledge what is durable; what a
//! quorum has acknowledged is committed, with all before it. The leader counts itself once its own disk has it, like
//! anybody else.
//!
//! Followers learn of commits with the next transactions or the next round of pings; those whose clients wait are told at
//! once. Under load this saves a message per commit, otherwise it costs a follower's local reads some freshness.

use std::sync::Arc;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::machine::Command;
use crate::zab::following::Phase;
use crate::zab::history::Transaction;
use crate::zab::leading::{Leadership, Stage};
use crate::zab::message::{Down, Up};
use crate::zab::zxid::{Index, Zxid};
use crate::zab::{Role, Zab};

impl Zab {
    /// Whether this node leads, with a quorum that has its history.
    pub(super) fn serves_as_leader(&self) -> bool {
        matches!(&self.role, Role::Leading(leadership) if leadership.stage == Stage::Broadcast)
    }

    /// Proposes a transaction; it travels when the step finishes.
    pub(super) fn propose(&mut self, command: Command) {
        let Role::Leading(leadership) = &mut self.role else { return };
        leadership.counter += 1;
        let zxid = Zxid { epoch: leadership.epoch, counter: leadership.counter };
        self.append(Transaction { zxid, command });
    }

    pub(super) fn on_ack(&mut self, from: NodeId, zxid: Zxid) {
        let point = self.history.up_to(zxid);
        if let Some(peer) = self.peer(from).filter(|peer| peer.is_synced) {
            peer.acked = peer.acked.max(point.index);
        }
    }

    /// Commits what a quorum has acknowledged, in order.
    pub(super) fn advance_commit(&mut self) {
        if self.commit >= self.history.last().index || !self.serves_as_leader() {
            return;
        }
        let Role::Leading(leadership) = &self.role else { return };
        let (own, durable) = (self.settings.node, self.durable_index());
        let acked = |node| if node == own { durable } else { leadership.of_synced(node, |peer| peer.acked) };
        let reached = self.electorate.reached(acked);
        self.learn_commit(reached);
    }

    /// Tells followers what is committed: those whose clients wait, or all.
    pub(super) fn tell_commit(&mut self, all: bool) {
        if !self.serves_as_leader() {
            return;
        }
        let (now, commit) = (self.now, self.commit);
        let Role::Leading(leadership) = &mut self.role else { return };
        let Leadership { tenure, peers, .. } = &mut **leadership;
        for (node, peer) in peers {
            let index = commit.min(peer.sent);
            if !peer.is_synced || index <= peer.told || !(all || peer.wants > peer.told) {
                continue;
            }
            let Some(zxid) = self.history.zxid_at(index) else { continue };
            peer.told = index;
            peer.send((*node, *tenure, now), Down::Commit { zxid }, &mut self.out);
        }
    }

    /// The follower's side: appends what the leader proposes, in order.
    pub(super) fn on_propose(&mut self, transactions: &Arc<[Transaction]>, commit: Zxid) {
        let Role::Following(follower) = &self.role else { return };
        let phase = follower.phase;
        if matches!(phase, Phase::Discovery(_)) {
            return;
        }
        for transaction in transactions.iter() {
            let last = self.history.last().zxid;
            self.settings.must(
                transaction.zxid > last,
                "transactions come in the order of their zxids (primary order)",
            );
            if transaction.zxid > last {
                self.append(transaction.clone());
            }
        }
        if phase == Phase::Broadcast {
            self.on_commit(commit);
        } else if self.settings.defects.has(Defect::Z13) {
            self.learn_commit(self.history.last().index);
            self.serve();
        }
    }

    /// All up to here is committed, which is not applied before this node may serve (rule ZB4).
    pub(super) fn on_commit(&mut self, zxid: Zxid) {
        if self.serves_as_follower() {
            self.learn_commit(self.history.up_to(zxid).index);
        }
    }

    pub(super) fn learn_commit(&mut self, index: Index) {
        self.commit = self.commit.max(index.min(self.history.last().index));
    }

    /// Acknowledges what has become durable (rule ZB6).
    pub(super) fn acknowledge_transactions(&mut self) {
        let durable = self.durable_index();
        let zxid = self.history.zxid_at(durable.min(self.history.last().index)).unwrap_or_default();
        let Role::Following(follower) = &mut self.role else { return };
        let is_synced = matches!(follower.phase, Phase::Synchronised | Phase::Broadcast);
        if is_synced && zxid > follower.acked && follower.channel.has_room() {
            follower.acked = zxid;
            self.send_up(Up::Ack { zxid });
        }
    }
}
