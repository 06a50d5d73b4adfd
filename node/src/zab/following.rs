//! What a follower keeps of its leader, and how it takes in what the leader says.
//!
//! A follower goes through the phases in order on one connection; whatever goes wrong on the way ends the connection and
//! sends it looking for a leader again.

use rand::RngExt;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::protocol::{Millis, Ticket};
use crate::zab::channel::Channel;
use crate::zab::message::{Down, Frame, Link, Message, Record, Up};
use crate::zab::zxid::{Epoch, Zxid};
use crate::zab::{Role, Zab};

/// What only a follower keeps.
#[derive(Debug)]
pub(super) struct Followership {
    pub(super) leader: NodeId,
    /// The connection; its tenure is 0 before the leader has answered.
    pub(super) link: Link,
    pub(super) channel: Channel<Up, Down>,
    pub(super) phase: Phase,
    /// When to give the leader up unless it is heard before.
    pub(super) patience_ms: u64,
    pub(super) heard_at: Millis,
    /// The last transaction acknowledged on this connection.
    pub(super) acked: Zxid,
    /// Pieces of a checkpoint.
    pub(super) pieces: Vec<u8>,
    /// Defect Z03: what the synchronisation brought and the disk has not been given.
    pub(super) held_back: Vec<Record>,
}

/// How far a follower has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Has asked to join, or is about to accept an epoch, durably with this ticket.
    Discovery(Option<(Ticket, Epoch, bool)>),
    /// Takes over the leader's history.
    Synchronisation,
    /// Has it all; the epoch is durable with this ticket.
    Entering(Ticket),
    /// Has acknowledged the history.
    Synchronised,
    /// Serves clients.
    Broadcast,
}

impl Zab {
    /// Follows a leader: opens a connection and asks to join.
    pub(super) fn follow(&mut self, leader: NodeId) {
        let link = Link { connection: self.name(), tenure: 0 };
        self.role = Role::Following(Box::new(Followership {
            leader,
            link,
            channel: Channel::new(),
            phase: Phase::Discovery(None),
            patience_ms: self.rng.random_range(self.settings.election_ms.clone()),
            heard_at: self.now,
            acked: Zxid::default(),
            pieces: Vec::new(),
            held_back: Vec::new(),
        }));
        self.beat_at = self.now + self.settings.heartbeat_ms;
        self.send_up(Up::Join { accepted: self.accepted });
    }

    /// Says something to the leader, in order.
    pub(super) fn send_up(&mut self, body: Up) {
        let now = self.now;
        let Role::Following(follower) = &mut self.role else { return };
        let frame = match body {
            Up::Pong { .. } => follower.channel.send_loose(follower.link, body),
            _ => follower.channel.send(now, follower.link, body),
        };
        self.out.send.push((follower.leader, Message::Up(frame)));
    }

    /// Whether this node's clients are served: after UPTODATE, not before (rule ZB4). Defect Z13 serves from the
    /// beginning of a synchronisation on.
    pub(super) fn serves_as_follower(&self) -> bool {
        let Role::Following(follower) = &self.role else { return false };
        match follower.phase {
            Phase::Broadcast => true,
            Phase::Discovery(_) => false,
            _ => self.settings.defects.has(Defect::Z13),
        }
    }

    pub(super) fn on_down(&mut self, from: NodeId, frame: Frame<Down>) {
        let now = self.now;
        let Role::Following(follower) = &mut self.role else { return };
        if follower.leader != from || follower.link.connection != frame.link.connection {
            return;
        }
        if frame.body == Down::Reset {
            return self.look();
        }
        if follower.link.tenure == 0 {
            follower.link.tenure = frame.link.tenure;
        }
        if frame.link.tenure != follower.link.tenure {
            // A leader that began anew knows nothing of this connection.
            if frame.link.tenure > follower.link.tenure {
                self.look();
            }
            return;
        }
        follower.heard_at = now;
        for body in follower.channel.receive(frame) {
            self.on_down_body(body);
        }
    }

    fn on_down_body(&mut self, body: Down) {
        match body {
            Down::NewEpoch { epoch } => self.on_new_epoch(epoch),
            Down::Diff => self.on_diff(),
            Down::Trunc { last } => self.on_trunc(last),
            Down::Snap { zxid, index, bytes, is_last } => self.on_snap(zxid, index, bytes, is_last),
            Down::Propose { transactions, commit } => self.on_propose(&transactions, commit),
            Down::NewLeader { epoch } => self.on_new_leader(epoch),
            Down::UpToDate { commit } => self.on_up_to_date(commit),
            Down::Commit { zxid } => self.on_commit(zxid),
            Down::SyncReply { id, index } => self.reads.answered(id, index),
            Down::Ping { round } => self.send_up(Up::Pong { round }),
            Down::Reset => {}
        }
    }

    /// Gives the leader up when it is silent for too long (rule ZB8); sends again what it has not acknowledged.
    pub(super) fn tick_follower(&mut self) {
        let (now, settings) = (self.now, &self.settings);
        let Role::Following(follower) = &mut self.role else { return };
        if now >= follower.heard_at + follower.patience_ms {
            return self.look();
        }
        if now < self.beat_at {
            return;
        }
        self.beat_at = now + settings.heartbeat_ms;
        // A leader that was still looking for itself when it was asked is asked again soon.
        let patience_ms =
            if follower.link.tenure == 0 { settings.heartbeat_ms } else { settings.resend_ms() };
        let again = follower.channel.resend(now, patience_ms, follower.link);
        let leader = follower.leader;
        self.out.send.extend(again.into_iter().map(|frame| (leader, Message::Up(frame))));
    }

    /// What a follower does at the end of each step.
    pub(super) fn finish_follower(&mut self) {
        self.acknowledge_epochs();
        self.acknowledge_transactions();
        self.ask_leader();
        let Role::Following(follower) = &mut self.role else { return };
        if follower.channel.owes_ack() {
            let frame = follower.channel.send_loose(follower.link, Up::Pong { round: 0 });
            self.out.send.push((follower.leader, Message::Up(frame)));
        }
    }
}
