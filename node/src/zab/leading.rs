//! What a leader keeps of its followers, and how it takes in what they say.

use litemap::LiteMap;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::pending::reads::LeaderReads;
use crate::protocol::{Effects, Millis, Note, Ticket};
use crate::zab::channel::Channel;
use crate::zab::history::Outline;
use crate::zab::message::{Down, Frame, Link, Message, Record, Up};
use crate::zab::synchronisation::Transfer;
use crate::zab::zxid::{Credentials, Epoch, Index};
use crate::zab::{Role, Zab};

/// What only a leader keeps.
#[derive(Debug)]
pub(super) struct Leadership {
    /// Names this time in office in its connections.
    pub(super) tenure: u64,
    pub(super) since: Millis,
    pub(super) stage: Stage,
    /// Its epoch, once there is one; and how many transactions it has proposed in it.
    pub(super) epoch: Epoch,
    pub(super) counter: u64,
    /// The end of the history that the epoch starts with.
    pub(super) initial: Index,
    pub(super) peers: LiteMap<NodeId, Peer>,
    /// The latest round of pings.
    pub(super) round: u64,
    /// The latest one that a quorum had answered when that was counted last; `None` when it may be a later one by now.
    pub(super) confirmed: Option<u64>,
    /// Syncs to be confirmed.
    pub(super) reads: LeaderReads<Index>,
}

impl Leadership {
    /// How far a node has come that has acknowledged the initial history; nowhere, if it has not.
    pub(super) fn of_synced<T: Default>(&self, node: NodeId, of: impl Fn(&Peer) -> T) -> T {
        self.peers.get(&node).filter(|peer| peer.is_synced).map(of).unwrap_or_default()
    }
}

/// How far a leader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waits for a quorum to join.
    Gathering,
    /// Has chosen an epoch; its own acceptance is durable with this ticket. Then waits for a quorum to accept.
    Proposing(Ticket),
    /// Brings followers to its history; its own epoch is durable with this ticket. Then waits for a quorum to have it.
    Synchronisation(Ticket),
    /// Serves clients.
    Broadcast,
}

/// What a leader knows of a follower or observer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: u64,
    pub(super) channel: Channel<Down, Up>,
    pub(super) heard_at: Millis,
    /// Whether it was told the new epoch.
    pub(super) is_asked: bool,
    pub(super) acceptance: Option<Acceptance>,
    pub(super) transfer: Option<Transfer>,
    /// Whether it has acknowledged the initial history.
    pub(super) is_synced: bool,
    /// The last transaction sent,
    pub(super) sent: Index,
    /// and the last one that is durable there.
    pub(super) acked: Index,
    /// The latest round of pings answered.
    pub(super) round: u64,
    /// Clients of the follower wait for this to be committed there.
    pub(super) wants: Index,
    /// The commit index that it was told.
    pub(super) told: Index,
}

/// A follower's ACKEPOCH.
#[derive(Clone, Debug)]
pub(super) struct Acceptance {
    /// Whether it counts.
    pub(super) is_first: bool,
    pub(super) credentials: Credentials,
    pub(super) outline: Box<Outline>,
}

impl Peer {
    fn new(connection: u64, now: Millis) -> Self {
        Self {
            connection,
            channel: Channel::new(),
            heard_at: now,
            is_asked: false,
            acceptance: None,
            transfer: None,
            is_synced: false,
            sent: Index(0),
            acked: Index(0),
            round: 0,
            wants: Index(0),
            told: Index(0),
        }
    }

    /// Says something, in order unless it is of the kind that may be lost.
    pub(super) fn send(
        &mut self,
        (to, tenure, now): (NodeId, u64, Millis),
        body: Down,
        out: &mut Effects<Record, Message>,
    ) {
        let link = Link { connection: self.connection, tenure };
        let frame = match body {
            Down::Ping { .. } | Down::Reset => self.channel.send_loose(link, body),
            _ => self.channel.send(now, link, body),
        };
        out.send.push((to, Message::Down(frame)));
    }
}

impl Zab {
    /// Takes the election for won: waits for a quorum to join.
    pub(super) fn lead(&mut self) {
        self.role = Role::Leading(Box::new(Leadership {
            tenure: self.name(),
            since: self.now,
            stage: Stage::Gathering,
            epoch: Epoch(0),
            counter: 0,
            initial: Index(0),
            peers: LiteMap::new(),
            round: 0,
            confirmed: None,
            reads: LeaderReads::default(),
        }));
        self.beat_at = self.now;
    }

    /// Leaves office, tells everybody who follows, and looks for a leader.
    pub(super) fn step_down(&mut self, reason: &'static str) {
        let Role::Leading(leadership) = &mut self.role else { return };
        let about = (leadership.tenure, self.now);
        for (peer, one) in &mut leadership.peers {
            one.send((*peer, about.0, about.1), Down::Reset, &mut self.out);
        }
        let term = leadership.epoch.0;
        let led = leadership.stage == Stage::Broadcast;
        let reads = std::mem::take(&mut leadership.reads);
        self.reads.give_back(reads);
        if led {
            self.note(Note::SteppedDown { term, reason });
        }
        self.look();
    }

    pub(super) fn on_up(&mut self, from: NodeId, frame: Frame<Up>) {
        let now = self.now;
        let known = self.connections.get(&from).copied().unwrap_or(0);
        let Link { connection, tenure } = frame.link;
        let Role::Leading(leadership) = &mut self.role else {
            if matches!(self.role, Role::Following(_)) && connection > known {
                self.reset(from, frame.link);
            }
            return;
        };
        if matches!(frame.body, Up::Join { .. }) && frame.sequence == 1 && connection > known {
            self.connections.insert(from, connection);
            leadership.peers.insert(from, Peer::new(connection, now));
        }
        let own_tenure = leadership.tenure;
        let peer = leadership.peers.get_mut(&from).filter(|peer| peer.connection == connection);
        let Some(peer) = peer.filter(|_| tenure == own_tenure || tenure == 0) else {
            if connection >= known {
                self.reset(from, frame.link);
            }
            return;
        };
        peer.heard_at = now;
        for body in peer.channel.receive(frame) {
            self.on_up_body(from, body);
        }
    }

    fn on_up_body(&mut self, from: NodeId, body: Up) {
        match body {
            Up::Join { accepted } => self.on_join(accepted),
            Up::AckEpoch { epoch, is_first, credentials, outline } => {
                self.on_ack_epoch(from, epoch, Acceptance { is_first, credentials, outline });
            }
            Up::AckNewLeader { epoch } => self.on_ack_new_leader(from, epoch),
            Up::Ack { zxid } => self.on_ack(from, zxid),
            Up::Request { commands } => self.on_request(from, commands),
            Up::Sync { id } => self.on_sync(from, id),
            Up::Pong { round } => {
                let Role::Leading(leadership) = &mut self.role else { return };
                if let Some(peer) = leadership.peers.get_mut(&from) {
                    peer.round = peer.round.max(round);
                    leadership.confirmed.take_if(|confirmed| round > *confirmed);
                }
            }
        }
    }

    fn reset(&mut self, to: NodeId, link: Link) {
        let frame = Frame { link, sequence: 0, acked: 0, body: Down::Reset };
        self.out.send.push((to, Message::Down(frame)));
    }

    pub(super) fn peer(&mut self, node: NodeId) -> Option<&mut Peer> {
        match &mut self.role {
            Role::Leading(leadership) => leadership.peers.get_mut(&node),
            _ => None,
        }
    }

    /// Leaves office when no quorum is heard (rule ZB8); forgets who is silent; pings, and sends again what was not
    /// acknowledged.
    pub(super) fn tick_leader(&mut self) {
        if let Some(reason) = self.reason_to_leave() {
            return self.step_down(reason);
        }
        let (now, settings) = (self.now, &self.settings);
        if now < self.beat_at {
            return;
        }
        self.beat_at = now + settings.heartbeat_ms;
        let Role::Leading(leadership) = &mut self.role else { return };
        let limit_ms = settings.sync_limit_ms();
        if !settings.defects.has(Defect::Z11) {
            leadership.peers.retain(|_, peer| now.since(peer.heard_at) < limit_ms);
        }
        for (node, peer) in &mut leadership.peers {
            let link = Link { connection: peer.connection, tenure: leadership.tenure };
            let again = peer.channel.resend(now, settings.resend_ms(), link);
            self.out.send.extend(again.into_iter().map(|frame| (*node, Message::Down(frame))));
        }
        self.ping();
        self.tell_commit(true);
    }

    fn reason_to_leave(&self) -> Option<&'static str> {
        let Role::Leading(leadership) = &self.role else { return None };
        let tenure_ms = self.now.since(leadership.since);
        match leadership.stage {
            Stage::Gathering | Stage::Proposing(_) => {
                (tenure_ms >= self.settings.discovery_ms()).then_some("no quorum accepted the epoch in time")
            }
            Stage::Synchronisation(_) => (tenure_ms >= self.settings.discovery_ms()
                && !self.hears_quorum(false))
            .then_some("no quorum was heard during synchronisation"),
            Stage::Broadcast => (!self.hears_quorum(true)).then_some("no quorum was heard within the limit"),
        }
    }

    /// Whether a quorum was heard of late. With defect Z11 whoever was heard once is alive for ever.
    pub(super) fn hears_quorum(&self, synced_only: bool) -> bool {
        let Role::Leading(leadership) = &self.role else { return false };
        let limit_ms = self.settings.sync_limit_ms();
        let for_ever = self.settings.defects.has(Defect::Z11);
        let alive = leadership.peers.iter().filter(|(_, peer)| {
            (peer.is_synced || !synced_only) && (for_ever || self.now.since(peer.heard_at) < limit_ms)
        });
        self.electorate.is_quorum(alive.map(|(node, _)| *node).chain([self.settings.node]))
    }

    /// What a leader does at the end of each step.
    pub(super) fn finish_leader(&mut self) {
        self.advance_discovery();
        self.advance_synchronisation();
        self.propose_waiting();
        self.advance_commit();
        self.confirm_syncs();
        self.stream();
        self.tell_commit(false);
        let Role::Leading(leadership) = &mut self.role else { return };
        for (node, peer) in &mut leadership.peers {
            if peer.channel.owes_ack() {
                peer.send((*node, leadership.tenure, self.now), Down::Ping { round: 0 }, &mut self.out);
            }
        }
    }
}
