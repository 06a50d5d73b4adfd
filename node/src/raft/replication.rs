//! The leader's side: taking office, sending entries, counting who has them, committing (Raft 5.3, 5.4.2).
//!
//! Towards each follower the leader is either *probing* (it does not know where the logs agree: one message at a time)
//! or *streaming* (it sends on without waiting for answers, up to a window). A rejection, or silence where an answer was
//! due, leads back to probing. Entries that arrive while the window is full travel together in the next message: load
//! makes batches, and nothing waits for a timer.

use std::collections::VecDeque;

use litemap::LiteMap;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::pending::reads::LeaderReads;
use crate::pending::rounds::Rounds;
use crate::protocol::{Millis, Note};
use crate::raft::admin::LeaderAdmin;
use crate::raft::log::{Entry, Index, Payload, Position};
use crate::raft::message::{Body, Hint};
use crate::raft::snapshots::Transfer;
use crate::raft::{Raft, Role};
use crate::settings::Bounds;

/// What only a leader keeps.
#[derive(Debug)]
pub(super) struct Leadership {
    /// Of the other voters, of learners, and of those who have just left.
    pub(super) progress: LiteMap<NodeId, Progress>,
    pub(super) heartbeat_at: Millis,
    /// The commit index at the last periodic heartbeat.
    heartbeat_commit: Index,
    /// The first entry of this term: once committed, the commit index is known to be current (RC2).
    pub(super) first: Index,
    pub(super) rounds: Rounds,
    pub(super) reads: LeaderReads<Index>,
    pub(super) admin: LeaderAdmin,
    /// Whether `progress` may not fit the members and learners.
    pub(super) is_reshaping: bool,
    /// Whether another node was told to campaign in this term: no lease is safe any more.
    pub(super) has_handed_over: bool,
}

/// What a leader knows of a follower.
#[derive(Debug)]
pub(super) struct Progress {
    /// The logs are equal up to here, durably there; never falls in a term (RL4).
    pub(super) matched: Index,
    /// The next entry to send; always above `matched`.
    next: Index,
    flow: Flow,
    /// When the last answer came.
    pub(super) heard_at: Millis,
    /// The latest round of heartbeats answered.
    pub(super) acked_round: u64,
    /// Commands or reads of the follower's clients wait for this to be committed there.
    pub(super) wants: Index,
    /// The commit index that it was told.
    told: Index,
    /// When to stop sending to one who has left; until then it may learn that it has.
    departs_at: Option<Millis>,
}

#[derive(Debug)]
enum Flow {
    /// With the time of the question that is not answered yet.
    Probing(Option<Millis>),
    /// With the last entries of the messages not answered yet, and when they were sent.
    Streaming(VecDeque<(Index, Millis)>),
    /// It needs entries that are no longer there.
    Installing(Transfer),
}

impl Progress {
    fn new(next: Index, now: Millis) -> Self {
        Self {
            matched: Index(0),
            next,
            flow: Flow::Probing(None),
            heard_at: now,
            acked_round: 0,
            wants: Index(0),
            told: Index(0),
            departs_at: None,
        }
    }

    fn probe(&mut self, next: Index) {
        self.next = next.max(self.matched.next());
        self.flow = Flow::Probing(None);
    }

    fn may_send(&self, last: Index, in_flight_max: usize) -> bool {
        match &self.flow {
            Flow::Probing(asked_at) => asked_at.is_none(),
            Flow::Streaming(in_flight) => in_flight.len() < in_flight_max && self.next <= last,
            Flow::Installing(transfer) => transfer.asked_at.is_none(),
        }
    }

    fn sent(&mut self, last: Index, now: Millis) {
        match &mut self.flow {
            Flow::Probing(asked_at) => *asked_at = Some(now),
            Flow::Streaming(in_flight) => {
                self.next = last.next();
                in_flight.push_back((last, now));
            }
            Flow::Installing(_) => {}
        }
    }

    /// An answer came, but not to what was sent before `since`: that may be lost, send it again.
    fn doubt(&mut self, since: Millis) {
        match &mut self.flow {
            Flow::Probing(asked_at) if asked_at.is_some_and(|at| at < since) => *asked_at = None,
            Flow::Streaming(in_flight) if in_flight.front().is_some_and(|(_, at)| *at < since) => {
                self.probe(self.matched.next());
            }
            Flow::Installing(transfer) if transfer.asked_at.is_some_and(|at| at < since) => {
                transfer.asked_at = None;
            }
            _ => {}
        }
    }
}

impl Raft {
    /// A quorum voted for this node. An entry of the new term goes out at once, as older ones commit only through it.
    pub(super) fn take_office(&mut self) {
        let next = self.log.last_index().next();
        let peers = self.peers();
        self.role = Role::Leader(Box::new(Leadership {
            progress: peers.into_iter().map(|peer| (peer, Progress::new(next, self.now))).collect(),
            heartbeat_at: self.now + self.config.heartbeat_ms,
            heartbeat_commit: self.commit,
            first: next,
            rounds: Rounds::default(),
            reads: LeaderReads::default(),
            admin: LeaderAdmin::default(),
            is_reshaping: false,
            has_handed_over: false,
        }));
        self.leader = Some(self.config.node);
        self.ask_reads_anew();
        self.note(Note::BecameLeader { term: self.hard.term.0 });
        if !self.config.defects.has(Defect::R08) {
            self.propose(Payload::Noop);
        }
        self.route_commands();
        self.start_round();
    }

    /// Appends an entry of the current term to the own log; it travels when the step finishes.
    pub(super) fn propose(&mut self, payload: Payload) {
        self.append_entry(Entry { index: self.log.last_index().next(), term: self.hard.term, payload });
    }

    pub(super) fn tick_leader(&mut self) {
        if !self.hears_quorum() {
            return self.step_down("no quorum answered within an election timeout");
        }
        let Role::Leader(leadership) = &mut self.role else { return };
        if self.now >= leadership.heartbeat_at {
            leadership.heartbeat_at = self.now + self.config.heartbeat_ms;
            leadership.heartbeat_commit = self.commit;
            self.start_round();
        }
    }

    /// Check-quorum (RV2). Defects that need an isolated leader to stay in office go without, as the systems that had
    /// them did.
    fn hears_quorum(&self) -> bool {
        let Role::Leader(leadership) = &self.role else { return false };
        if [Defect::R09, Defect::R14, Defect::R21].into_iter().any(|defect| self.config.defects.has(defect)) {
            return true;
        }
        let patience_ms = self.config.quorum_ms();
        self.reached(|node| {
            let progress = leadership.progress.get(&node);
            node == self.config.node || progress.is_some_and(|one| self.now.since(one.heard_at) < patience_ms)
        })
    }

    /// What a leader does at the end of each step.
    pub(super) fn lead(&mut self) {
        self.advance_commit();
        self.advance_change();
        self.advance_handover();
        self.confirm_reads();
        self.send_entries();
        self.tell_commit();
    }

    pub(super) fn on_appended(&mut self, from: NodeId, matched: Index) {
        if !matches!(self.role, Role::Leader(_)) {
            return;
        }
        let last = self.log.last_index();
        self.config
            .must(matched <= last, "a follower has accepted no more than was sent (leader append-only)");
        let (now, matched) = (self.now, matched.min(last));
        let Some(progress) = self.progress_of(from) else { return };
        progress.heard_at = now;
        progress.matched = progress.matched.max(matched);
        match &mut progress.flow {
            Flow::Probing(_) => progress.flow = Flow::Streaming(VecDeque::new()),
            Flow::Streaming(in_flight) => {
                while in_flight.front().is_some_and(|(last, _)| *last <= matched) {
                    in_flight.pop_front();
                }
            }
            Flow::Installing(transfer) if matched >= transfer.last().index => {
                progress.flow = Flow::Streaming(VecDeque::new());
            }
            Flow::Installing(_) => {}
        }
        progress.next = progress.next.max(progress.matched.next());
    }

    /// Backs up past a whole term at a time (Raft 5.3).
    pub(super) fn on_rejected(&mut self, from: NodeId, prev: Index, hint: Hint) {
        let now = self.now;
        let shared = hint.term.and_then(|term| self.log.last_of_term(term)).filter(|index| *index < prev);
        let last = self.log.last_index();
        let Some(progress) = self.progress_of(from) else { return };
        progress.heard_at = now;
        let is_stale = match progress.flow {
            Flow::Probing(_) => prev != progress.next.previous(),
            Flow::Streaming(_) => prev <= progress.matched,
            Flow::Installing(_) => true,
        };
        if !is_stale {
            let next = shared.map_or(hint.first, Index::next);
            progress.probe(next.min(prev).min(last.next()));
        }
    }

    /// A part of a snapshot has arrived.
    pub(super) fn on_install_reply(&mut self, from: NodeId, last: Position, offset: u64) {
        let now = self.now;
        let Some(progress) = self.progress_of(from) else { return };
        progress.heard_at = now;
        if let Flow::Installing(transfer) = &mut progress.flow {
            transfer.received(last, offset);
        }
    }

    /// A heartbeat was answered: the follower lives, so what it has not answered may be lost.
    pub(super) fn on_heartbeat_reply(&mut self, from: NodeId, round: u64) {
        let now = self.now;
        let doubtful_since = Millis(now.0.saturating_sub(2 * self.config.heartbeat_ms));
        let lease_starts_at_arrival = self.config.defects.has(Defect::R12);
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(progress) = leadership.progress.get_mut(&from) else { return };
        progress.heard_at = now;
        progress.acked_round = progress.acked_round.max(round);
        progress.doubt(doubtful_since);
        leadership.rounds.heard(round);
        if lease_starts_at_arrival {
            self.restart_lease_at_arrival();
        }
    }

    /// Starts a round of heartbeats to all followers.
    pub(super) fn start_round(&mut self) {
        let (now, commit) = (self.now, self.commit_to_tell());
        let term = self.hard.term;
        let Role::Leader(leadership) = &mut self.role else { return };
        let round = leadership.rounds.open(now);
        for (peer, progress) in &mut leadership.progress {
            let commit = commit.min(progress.matched);
            progress.told = progress.told.max(commit);
            let message = super::Message { term, body: Body::Heartbeat { round, commit } };
            self.out.send.push((*peer, message));
        }
    }

    /// Commits the highest entry *of the current term* that a quorum holds durably, and with it all before (Raft 5.4.2).
    fn advance_commit(&mut self) {
        let Role::Leader(leadership) = &self.role else { return };
        if self.commit >= self.log.last_index() {
            return;
        }
        let held_by_quorum = self.reached(|node| match leadership.progress.get(&node) {
            Some(progress) => progress.matched,
            None if node == self.config.node => self.own_matched(),
            None => Index(0),
        });
        let is_own = self.log.term_at(held_by_quorum) == Some(self.hard.term);
        if held_by_quorum > self.commit && (is_own || self.config.defects.has(Defect::R07)) {
            self.commit = held_by_quorum;
        }
    }

    fn send_entries(&mut self) {
        let last = self.log.last_index();
        let (term, commit) = (self.hard.term, self.commit_to_tell());
        let Bounds { in_flight_max, part_bytes_max, .. } = self.config.bounds;
        let Role::Leader(leadership) = &mut self.role else { return };
        for (peer, progress) in &mut leadership.progress {
            while progress.may_send(last, in_flight_max) {
                if let Flow::Installing(transfer) = &mut progress.flow {
                    let body = transfer.part(self.now, part_bytes_max);
                    self.out.send.push((*peer, super::Message { term, body }));
                    continue;
                }
                let index = progress.next.previous();
                let Some(prev_term) = self.log.term_at(index) else {
                    // Also when only the entry before the next one is gone (RS2).
                    let image = self.image.clone().expect("a log that was cut stands on a snapshot");
                    progress.flow = Flow::Installing(Transfer::new(image));
                    continue;
                };
                let prev = Position { term: prev_term, index };
                let entries = self.log.from(progress.next, self.config.append_entries_max()).to_vec();
                let end = Index(index.0 + entries.len() as u64);
                progress.told = progress.told.max(commit.min(end));
                progress.sent(end, self.now);
                let body = Body::Append { prev, entries, commit };
                self.out.send.push((*peer, super::Message { term, body }));
            }
        }
    }

    /// What followers are told of the commit index: as it is, but with defect R08 as it was at the last periodic
    /// heartbeat. That is allowed (Raft 5.3 wants them to learn eventually), and the less the next leader knows of what
    /// is committed, the worse it is to read by what it knows.
    fn commit_to_tell(&self) -> Index {
        match &self.role {
            Role::Leader(leadership) if self.config.defects.has(Defect::R08) => leadership.heartbeat_commit,
            _ => self.commit,
        }
    }

    /// Followers learn of commits with the next message, whenever that is; those whose clients wait are told at once.
    fn tell_commit(&mut self) {
        let (term, commit) = (self.hard.term, self.commit_to_tell());
        let Role::Leader(leadership) = &mut self.role else { return };
        for (peer, progress) in &mut leadership.progress {
            let index = commit.min(progress.matched);
            if progress.wants > progress.told && index > progress.told {
                progress.told = index;
                self.out.send.push((*peer, super::Message { term, body: Body::Commit { index } }));
            }
        }
    }

    /// Makes `progress` fit the members and learners.
    pub(super) fn reshape(&mut self) {
        let (now, next, node) = (self.now, self.log.last_index().next(), self.config.node);
        if !matches!(&self.role, Role::Leader(leadership) if leadership.is_reshaping) {
            return;
        }
        let mut wanted = self.membership().nodes();
        wanted.extend(self.memberships.latest().nodes());
        let Role::Leader(leadership) = &mut self.role else { return };
        wanted.extend(leadership.admin.change.iter().flat_map(|change| change.learners()));
        for peer in wanted.iter().copied().filter(|peer| *peer != node) {
            let progress = leadership.progress.entry(peer).or_insert_with(|| Progress::new(next, now));
            if progress.departs_at.is_some() {
                // It was no member for a while, and may have come back without what it had.
                *progress = Progress::new(next, now);
            }
        }
        let departs_at = now + self.config.election_ms.end;
        for (_, progress) in leadership.progress.iter_mut().filter(|(peer, _)| !wanted.contains(peer)) {
            progress.departs_at.get_or_insert(departs_at);
        }
        leadership.progress.retain(|_, progress| progress.departs_at.is_none_or(|at| at > now));
        leadership.is_reshaping = leadership.progress.values().any(|progress| progress.departs_at.is_some());
    }

    /// How far it takes another node's log to be the same as its own, durably, if it leads; for checks of invariants.
    pub fn matched(&self, node: NodeId) -> Option<Index> {
        match &self.role {
            Role::Leader(leadership) => leadership.progress.get(&node).map(|progress| progress.matched),
            _ => None,
        }
    }

    fn progress_of(&mut self, node: NodeId) -> Option<&mut Progress> {
        match &mut self.role {
            Role::Leader(leadership) => leadership.progress.get_mut(&node),
            _ => None,
        }
    }
}
