//! Phase 1, discovery: a prospective leader learns what a quorum has accepted, and has a later epoch accepted (Zab,
//! phase 1; rules ZB1, ZB2).
//!
//! A follower accepts an epoch durably before it says so, and an epoch counts only when it is accepted for the first
//! time: of two prospective leaders that chose the same one, only one gets a quorum. A leader accepts its epoch itself,
//! durably, before it asks anybody: it never leads twice under the same one, whatever crash comes between, so nothing
//! that is still under way from an earlier time in office can be mistaken.
//!
//! The history to go on with is the leader's own, as fast leader election has picked the best. If somebody in the quorum
//! has a better one, the election was mistaken and the leader gives up.

use crate::api::NodeId;
use crate::defect::Defect;
use crate::protocol::Note;
use crate::zab::following::Phase;
use crate::zab::leading::{Acceptance, Stage};
use crate::zab::message::{Down, Up};
use crate::zab::zxid::Epoch;
use crate::zab::{Role, Zab};

impl Zab {
    /// The leader's side: somebody joins.
    pub(super) fn on_join(&mut self, accepted: Epoch) {
        self.heard = self.heard.max(accepted);
        let Role::Leading(leadership) = &self.role else { return };
        if leadership.stage != Stage::Gathering && accepted > leadership.epoch {
            // It must not follow an earlier epoch than it has accepted, so one later than that is needed.
            self.step_down("a node has accepted a later epoch");
        }
    }

    pub(super) fn on_ack_epoch(&mut self, from: NodeId, epoch: Epoch, acceptance: Acceptance) {
        let counts_always = self.settings.defects.has(Defect::Z04);
        let Role::Leading(leadership) = &mut self.role else { return };
        let (own, is_synchronising) =
            (leadership.epoch, !matches!(leadership.stage, Stage::Gathering | Stage::Proposing(_)));
        let Some(peer) = leadership.peers.get_mut(&from).filter(|_| epoch == own) else { return };
        let is_first = acceptance.is_first || counts_always;
        peer.acceptance = Some(Acceptance { is_first, ..acceptance });
        if is_synchronising {
            self.start_transfer(from);
        }
    }

    /// Goes on as far as the quorum allows: choose an epoch, have it accepted, compare histories.
    pub(super) fn advance_discovery(&mut self) {
        let node = self.settings.node;
        let Role::Leading(leadership) = &mut self.role else { return };
        if leadership.stage == Stage::Gathering {
            let joined = leadership.peers.keys().copied().chain([node]);
            if !self.electorate.is_quorum(joined) {
                return;
            }
            let epoch = self.heard.max(self.accepted).next();
            leadership.epoch = epoch;
            let ticket = self.accept_epoch(epoch);
            self.set_stage(Stage::Proposing(ticket));
        }
        let Role::Leading(leadership) = &mut self.role else { return };
        let is_accepted_here = match leadership.stage {
            Stage::Gathering => false,
            Stage::Proposing(ticket) => self.disk.is_durable(ticket),
            Stage::Synchronisation(_) | Stage::Broadcast => true,
        };
        if !is_accepted_here {
            return;
        }
        let (epoch, tenure) = (leadership.epoch, leadership.tenure);
        for (node, peer) in &mut leadership.peers {
            if !peer.is_asked {
                peer.is_asked = true;
                peer.send((*node, tenure, self.now), Down::NewEpoch { epoch }, &mut self.out);
            }
        }
        if matches!(leadership.stage, Stage::Proposing(_)) {
            self.compare_histories();
        }
    }

    /// Ends discovery once a quorum has accepted the epoch: with the best history, or by giving up.
    fn compare_histories(&mut self) {
        let own = self.credentials();
        let ignores_epochs = self.settings.defects.has(Defect::Z05);
        let Role::Leading(leadership) = &self.role else { return };
        let acceptances =
            leadership.peers.iter().filter_map(|(node, peer)| Some((*node, peer.acceptance.as_ref()?)));
        let counting: Vec<_> = acceptances.filter(|(_, one)| one.is_first).collect();
        let accepted = counting.iter().map(|(node, _)| *node).chain([self.settings.node]);
        if !self.electorate.is_quorum(accepted) {
            return;
        }
        let of_voters = counting.iter().filter(|(node, _)| self.electorate.votes(*node));
        let is_best =
            of_voters.map(|(_, one)| one.credentials).all(|theirs| !theirs.beat(own, ignores_epochs));
        if is_best {
            self.start_synchronisation();
        } else {
            self.step_down("a follower has a better history");
        }
    }

    pub(super) fn set_stage(&mut self, stage: Stage) {
        if let Role::Leading(leadership) = &mut self.role {
            leadership.stage = stage;
        }
    }

    /// The follower's side: accept a later epoch, durably.
    pub(super) fn on_new_epoch(&mut self, epoch: Epoch) {
        let forgets = self.settings.defects.has(Defect::Z04);
        if epoch < self.accepted && !forgets {
            return self.look();
        }
        let is_first = epoch > self.accepted || forgets;
        let ticket = if is_first { self.accept_epoch(epoch) } else { self.disk.last_ticket() };
        let Role::Following(follower) = &mut self.role else { return };
        if follower.phase == Phase::Discovery(None) {
            follower.phase = Phase::Discovery(Some((ticket, epoch, is_first)));
        }
    }

    /// Says that an epoch is accepted, or its initial history taken over, once that is durable.
    pub(super) fn acknowledge_epochs(&mut self) {
        let Role::Following(follower) = &mut self.role else { return };
        match follower.phase {
            Phase::Discovery(Some((ticket, epoch, is_first))) if self.disk.is_durable(ticket) => {
                follower.phase = Phase::Synchronisation;
                let (credentials, outline) = (self.credentials(), Box::new(self.history.outline()));
                self.send_up(Up::AckEpoch { epoch, is_first, credentials, outline });
            }
            Phase::Entering(ticket)
                if self.disk.is_durable(ticket) || self.settings.defects.has(Defect::Z02) =>
            {
                self.acknowledge_new_leader();
            }
            _ => {}
        }
    }

    /// Follows for good: what clients wait for goes to this leader.
    pub(super) fn note_follows(&mut self) {
        let Role::Following(follower) = &self.role else { return };
        let (leader, term) = (follower.leader, self.current.0);
        self.note(Note::Follows { leader, term });
    }
}
