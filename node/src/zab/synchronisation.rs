//! Phase 2, synchronisation: a leader brings followers to its history (Zab, phase 2; rules ZB3, ZB4, ZB5, ZB7).
//!
//! | the follower has | it is sent |
//! | --- | --- |
//! | the beginning of the leader's history | DIFF, then the rest |
//! | the beginning, and something else after it | TRUNC to where they part, then the rest |
//! | less than the leader has at hand | SNAP, the leader's checkpoint, then the rest |
//!
//! Then NEWLEADER. The follower makes transactions durable, then the epoch, and then acknowledges: with an epoch whose
//! history it does not have it would look better than it is, and could make others drop what is committed. When a quorum
//! has acknowledged, the initial history is committed and UPTODATE lets everybody serve.
//!
//! "The rest" goes on beyond NEWLEADER with what is proposed meanwhile, on one stream: nothing falls in between.

use crate::api::NodeId;
use crate::defect::Defect;
use crate::machine::Machine;
use crate::protocol::{Note, Snapshot};
use crate::zab::following::Phase;
use crate::zab::history::Checkpoint;
use crate::zab::leading::{Leadership, Stage};
use crate::zab::message::{Down, Record, Up};
use crate::zab::zxid::{Epoch, Index, Zxid};
use crate::zab::{Role, Zab};

/// What remains to be sent to a follower.
#[derive(Debug)]
pub(super) enum Transfer {
    /// A checkpoint, from this byte on.
    Checkpoint(Checkpoint, usize),
    /// Transactions up to here, then NEWLEADER.
    Initial(Index),
    /// Whatever is proposed. NEWLEADER was sent after this place.
    Proposals(Index),
}

impl Zab {
    /// The leader's own history is the initial one of its epoch.
    pub(super) fn start_synchronisation(&mut self) {
        let initial = self.history.last().index;
        let Role::Leading(leadership) = &mut self.role else { return };
        let epoch = leadership.epoch;
        leadership.initial = initial;
        let accepted: Vec<NodeId> = leadership
            .peers
            .iter()
            .filter(|(_, peer)| peer.acceptance.is_some())
            .map(|(node, _)| *node)
            .collect();
        let ticket = self.enter_epoch(epoch);
        self.set_stage(Stage::Synchronisation(ticket));
        for node in accepted {
            self.start_transfer(node);
        }
    }

    /// Decides how a follower gets the leader's history.
    pub(super) fn start_transfer(&mut self, node: NodeId) {
        let last = self.history.last().index;
        let checkpoint = self.history.checkpoint().cloned();
        let Role::Leading(leadership) = &mut self.role else { return };
        let about = (node, leadership.tenure, self.now);
        let Some(peer) = leadership.peers.get_mut(&node) else { return };
        let Some(acceptance) = peer.acceptance.as_ref().filter(|_| peer.transfer.is_none()) else { return };
        match (self.history.shared_with(&acceptance.outline), checkpoint) {
            (Some(shared), _) => {
                let has_more = acceptance.credentials.last != shared.zxid;
                let body = if has_more { Down::Trunc { last: shared.zxid } } else { Down::Diff };
                peer.sent = shared.index;
                peer.transfer = Some(Transfer::Initial(last));
                peer.send(about, body, &mut self.out);
            }
            (None, Some(checkpoint)) => {
                peer.sent = checkpoint.point().index;
                peer.transfer = Some(Transfer::Checkpoint(checkpoint, 0));
            }
            (None, None) => {
                self.settings
                    .must(false, "a follower's checkpoint is committed, so its leader has what it holds");
            }
        }
    }

    /// Sends followers what there is room for.
    pub(super) fn stream(&mut self) {
        let commit = self.commit;
        let commit_zxid = self.history.zxid_at(commit).unwrap_or_default();
        let (now, last, start) = (self.now, self.history.last().index, self.history.start().index);
        let skips_proposals = self.settings.defects.has(Defect::Z08);
        let (batch_max, snap_bytes_max) = (self.settings.bounds.batch_max, self.settings.snap_bytes_max());
        let Role::Leading(leadership) = &mut self.role else { return };
        let Leadership { tenure, epoch, peers, .. } = &mut **leadership;
        let mut left_behind = Vec::new();
        for (node, peer) in peers {
            let about = (*node, *tenure, now);
            while peer.channel.has_room() {
                let body = match &mut peer.transfer {
                    None => break,
                    Some(Transfer::Checkpoint(checkpoint, from)) => {
                        let state = &checkpoint.snapshot.state;
                        let to = from.saturating_add(snap_bytes_max).min(state.len());
                        let bytes = state[*from..to].to_vec();
                        let is_last = to == state.len();
                        let body = Down::Snap {
                            zxid: checkpoint.zxid,
                            index: checkpoint.point().index,
                            bytes,
                            is_last,
                        };
                        *from = to;
                        if is_last {
                            peer.transfer = Some(Transfer::Initial(last));
                        }
                        body
                    }
                    Some(Transfer::Initial(end)) if peer.sent >= *end => {
                        peer.transfer = Some(Transfer::Proposals(*end));
                        Down::NewLeader { epoch: *epoch }
                    }
                    Some(Transfer::Proposals(_)) if skips_proposals && !peer.is_synced => break,
                    Some(_) if peer.sent >= last => break,
                    Some(_) if peer.sent < start => {
                        // What it lacks was compacted meanwhile: it has to join anew, for a checkpoint.
                        left_behind.push(*node);
                        break;
                    }
                    Some(transfer) => {
                        let end = if let Transfer::Initial(end) = transfer { *end } else { last };
                        let count_max =
                            usize::try_from(end.0 - peer.sent.0).unwrap_or(usize::MAX).min(batch_max);
                        let transactions = self.history.after(peer.sent, count_max);
                        peer.sent = Index(peer.sent.0 + transactions.len() as u64);
                        if peer.sent >= commit {
                            peer.told = peer.told.max(commit);
                        }
                        Down::Propose { transactions: transactions.into(), commit: commit_zxid }
                    }
                };
                peer.send(about, body, &mut self.out);
            }
        }
        for node in left_behind {
            if let Some(mut peer) = leadership.peers.remove(&node) {
                peer.send((node, leadership.tenure, now), Down::Reset, &mut self.out);
            }
        }
    }

    pub(super) fn on_ack_new_leader(&mut self, from: NodeId, epoch: Epoch) {
        let (last, commit) = (self.history.last().index, self.commit);
        let commit_zxid = self.history.zxid_at(commit).unwrap_or_default();
        let skips_proposals = self.settings.defects.has(Defect::Z08);
        let Role::Leading(leadership) = &mut self.role else { return };
        let about = (from, leadership.tenure, self.now);
        let serves = leadership.stage == Stage::Broadcast;
        let Some(peer) = leadership.peers.get_mut(&from).filter(|_| epoch == leadership.epoch) else {
            return;
        };
        let Some(Transfer::Proposals(initial)) = peer.transfer else { return };
        peer.is_synced = true;
        peer.acked = peer.acked.max(initial);
        leadership.confirmed = None;
        if skips_proposals {
            peer.sent = last;
        }
        if serves {
            peer.told = commit.min(peer.sent);
            peer.send(about, Down::UpToDate { commit: commit_zxid }, &mut self.out);
        }
    }

    /// Takes office once a quorum has the initial history and the epoch, durably: all of it is committed (rule ZB4).
    pub(super) fn advance_synchronisation(&mut self) {
        let Role::Leading(leadership) = &self.role else { return };
        let Stage::Synchronisation(ticket) = leadership.stage else { return };
        let initial = leadership.initial;
        let has_it = self.disk.is_durable(ticket) && self.durable_index() >= initial;
        let synced = leadership.peers.iter().filter(|(_, peer)| peer.is_synced).map(|(node, _)| *node);
        if !self.electorate.is_quorum(synced.chain(has_it.then_some(self.settings.node))) {
            return;
        }
        let zxid = self.history.zxid_at(initial).unwrap_or_default();
        self.learn_commit(initial);
        let now = self.now;
        let Role::Leading(leadership) = &mut self.role else { return };
        leadership.stage = Stage::Broadcast;
        let (tenure, term) = (leadership.tenure, leadership.epoch.0);
        for (node, peer) in leadership.peers.iter_mut().filter(|(_, peer)| peer.is_synced) {
            peer.told = initial;
            peer.send((*node, tenure, now), Down::UpToDate { commit: zxid }, &mut self.out);
        }
        self.note(Note::BecameLeader { term });
        self.serve();
    }

    /// The follower's side. Its history is the beginning of the leader's.
    pub(super) fn on_diff(&mut self) {}

    /// Drops what the leader does not have.
    pub(super) fn on_trunc(&mut self, last: Zxid) {
        if self.settings.defects.has(Defect::Z07) {
            return;
        }
        let (end, keep) = (self.history.last(), self.history.up_to(last));
        self.settings.must(keep.zxid == last, "a leader cuts where both histories are at hand");
        self.settings.must(keep.index >= self.commit, "what is committed is never dropped");
        if keep.zxid != last {
            return self.look();
        }
        if keep.index < end.index {
            self.note(Note::Truncated { from: keep.index.0 + 1, to: end.index.0 });
            self.truncate(keep.index);
        }
    }

    /// Takes in a piece of a checkpoint; with the last one it replaces everything.
    pub(super) fn on_snap(&mut self, zxid: Zxid, index: Index, bytes: Vec<u8>, is_last: bool) {
        let Role::Following(follower) = &mut self.role else { return };
        follower.pieces.extend(bytes);
        if !is_last {
            return;
        }
        let state = std::mem::take(&mut follower.pieces);
        if !Machine::decode(&state).is_ok_and(|machine| machine.applied() == index.0) {
            return self.look();
        }
        self.settings.must(index >= self.commit, "a checkpoint is sent to those who lack what it holds");
        let snapshot = Snapshot { index: index.0, state: state.into() };
        self.replace_history(Checkpoint { zxid, snapshot });
    }

    /// The leader's initial history is complete here: make it durable, then the epoch, then say so (rule ZB3).
    pub(super) fn on_new_leader(&mut self, epoch: Epoch) {
        let is_expected = matches!(&self.role, Role::Following(one) if one.phase == Phase::Synchronisation);
        if !is_expected {
            return;
        }
        let ticket = self.enter_epoch(epoch);
        if let Role::Following(follower) = &mut self.role {
            follower.phase = Phase::Entering(ticket);
        }
    }

    pub(super) fn acknowledge_new_leader(&mut self) {
        let ticket = self.disk.next_ticket();
        let Role::Following(follower) = &mut self.role else { return };
        if !follower.held_back.is_empty() {
            // Defect Z03: the epoch is durable, now for its history.
            let records = std::mem::take(&mut follower.held_back);
            follower.phase = Phase::Entering(ticket);
            return self.write_held_back(records);
        }
        follower.phase = Phase::Synchronised;
        let epoch = self.current;
        self.send_up(Up::AckNewLeader { epoch });
    }

    /// Where defect Z03 keeps records until the epoch is durable.
    pub(super) fn held_back(&mut self) -> Option<&mut Vec<Record>> {
        let is_defective = self.settings.defects.has(Defect::Z03);
        match &mut self.role {
            Role::Following(one) if is_defective && one.phase == Phase::Synchronisation => {
                Some(&mut one.held_back)
            }
            _ => None,
        }
    }

    /// A quorum has the history: serve clients.
    pub(super) fn on_up_to_date(&mut self, commit: Zxid) {
        let Role::Following(follower) = &mut self.role else { return };
        if follower.phase != Phase::Synchronised {
            return;
        }
        follower.phase = Phase::Broadcast;
        self.note_follows();
        self.on_commit(commit);
        self.serve();
    }
}
