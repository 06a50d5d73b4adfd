//! Snapshots: what stands in for the log's beginning (Raft 7; thesis 5).
//!
//! Every node takes its own. When enough entries have been applied, the driver is asked for the state machine; what comes
//! goes to disk as one batch that stands for everything before it: the snapshot with the membership at its end, term and
//! vote, and the entries after it. In memory some entries before it stay, for followers that are a little behind.
//!
//! A follower that needs an entry that is no longer there gets the snapshot, in parts, one at a time: the next part leaves
//! when the one before has been answered, or once more when a heartbeat was answered and the part was not. It installs
//! the snapshot only if that is news to it, and keeps entries beyond it only if they follow from it (RS1).

use std::sync::Arc;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::machine::Machine;
use crate::protocol::{Millis, Note, Snapshot};
use crate::raft::Raft;
use crate::raft::log::{Index, Position, Term};
use crate::raft::message::{Body, Image, Part, Record};
use crate::wire::Blob;

/// A snapshot on its way to a follower.
#[derive(Debug)]
pub(super) struct Transfer {
    image: Image,
    /// The follower has this many bytes.
    offset: usize,
    /// When the part from there on was sent; `None`: it is to be sent.
    pub(super) asked_at: Option<Millis>,
}

/// A snapshot that arrives in parts.
#[derive(Debug)]
pub(super) struct Incoming {
    term: Term,
    last: Position,
    bytes: Vec<u8>,
}

impl Transfer {
    pub(super) fn new(image: Image) -> Self {
        Self { image, offset: 0, asked_at: None }
    }

    /// The last position that the follower will have.
    pub(super) fn last(&self) -> Position {
        self.image.last
    }

    /// The next part, of so many bytes at most, as a message.
    pub(super) fn part(&mut self, now: Millis, bytes_max: usize) -> Body {
        self.asked_at = Some(now);
        let state = &self.image.state;
        let end = self.offset.saturating_add(bytes_max).min(state.len());
        Body::Install(Box::new(Part {
            last: self.image.last,
            membership: self.image.membership.clone(),
            offset: self.offset as u64,
            bytes: Blob(state[self.offset..end].to_vec()),
            is_last: end == state.len(),
        }))
    }

    /// The follower has `offset` bytes of the snapshot that ends at `last`.
    pub(super) fn received(&mut self, last: Position, offset: u64) {
        if last == self.image.last {
            self.offset = usize::try_from(offset).map_or(0, |offset| offset.min(self.image.state.len()));
            self.asked_at = None;
        }
    }
}

impl Image {
    /// What the state machine is replaced by.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { index: self.last.index.0, state: Arc::clone(&self.state) }
    }
}

impl Raft {
    /// Asks for the state machine once enough has been applied; one snapshot at a time is on its way to the disk.
    pub(super) fn want_snapshot(&mut self) {
        let taken = self.image.as_ref().map_or(Index(0), |image| image.last.index);
        let is_due = self.handed.0.saturating_sub(taken.0) >= self.config.snapshot_entries;
        // Only defects apply what is no longer in the log.
        let is_there = self.log.term_at(self.handed).is_some();
        self.out.snapshot = is_due && is_there && self.disk.is_checkpoint_durable();
    }

    /// The state machine as it was asked for.
    pub(super) fn on_snapshot(&mut self, snapshot: Snapshot) {
        assert_eq!(snapshot.index, self.handed.0, "a snapshot holds what has been handed out to be applied");
        let term =
            self.log.term_at(self.handed).expect("what is applied after the last snapshot is in the log");
        let last = Position { term, index: self.handed };
        let membership = self.memberships.at(self.handed).clone();
        let image = Image { last, membership, state: snapshot.state };
        if self.config.defects.has(Defect::R33) {
            let stale = Image { state: self.state_without_data(last.index), ..image.clone() };
            self.stand_on(stale);
            self.image = Some(image);
            self.owes_data = true;
        } else {
            self.stand_on(image);
        }
        self.note(Note::SnapshotTaken { index: last.index.0 });
        let kept = Index(last.index.0.saturating_sub(self.config.kept_entries()));
        self.log.compact(kept);
    }

    /// Puts a snapshot, and what follows it, in the place of all records.
    fn stand_on(&mut self, image: Image) {
        let index = image.last.index;
        self.memberships.compact(index);
        let hard_state = self.lasting_hard_state();
        let out = &mut self.out;
        out.persist.clear();
        out.persist.push(Record::Snapshot(image.clone()));
        out.persist.extend(hard_state);
        out.persist.extend(self.log.from(index.next(), usize::MAX).iter().cloned().map(Record::Entry));
        out.replaces = true;
        self.image = Some(image);
    }

    /// Takes a part of the leader's snapshot (Raft Figure 13).
    pub(super) fn on_install(&mut self, from: NodeId, term: Term, part: Part) {
        if self.has_rival() {
            return;
        }
        self.follow(from, term);
        let last = part.last;
        if last.index <= self.commit && !self.config.defects.has(Defect::R30) {
            // No news: what is committed here is what the leader has.
            self.incoming = None;
            return self.reply_durable(from, Body::Appended { matched: last.index }, last.index);
        }
        let bytes = self.gather(term, &part);
        let received = bytes.len() as u64;
        if !part.is_last || received != part.offset + part.bytes.0.len() as u64 {
            return self.reply_durable_term(from, Body::InstallReply { last, offset: received });
        }
        let state: Arc<[u8]> = std::mem::take(bytes).into();
        self.incoming = None;
        if Machine::decode(&state).is_ok_and(|machine| machine.applied() == last.index.0) {
            self.install(Image { last, membership: part.membership, state });
            let matched =
                if self.config.defects.has(Defect::R30) { self.log.last_index() } else { last.index };
            self.reply_durable(from, Body::Appended { matched }, matched);
        } else {
            self.note(Note::SnapshotRefused { index: last.index.0 });
        }
    }

    /// Adds a part to what has arrived of its snapshot, if it is the next one.
    fn gather(&mut self, term: Term, part: &Part) -> &mut Vec<u8> {
        let last = part.last;
        let is_same = self.incoming.as_ref().is_some_and(|one| (one.term, one.last) == (term, last));
        if !is_same {
            self.incoming = Some(Incoming { term, last, bytes: Vec::new() });
        }
        let incoming = self.incoming.as_mut().expect("just made");
        if incoming.bytes.len() as u64 == part.offset {
            incoming.bytes.extend_from_slice(&part.bytes.0);
        }
        &mut incoming.bytes
    }

    /// Goes on from the leader's snapshot. Entries beyond it stay if they follow from it; else the log was another one.
    fn install(&mut self, image: Image) {
        let last = image.last;
        let follows = self.log.term_at(last.index) == Some(last.term);
        if follows || self.config.defects.has(Defect::R30) {
            self.log.rebase(last);
        } else {
            self.disk.cut(self.commit);
            self.log.reset(last);
            self.memberships = super::Memberships::new(image.membership.clone());
        }
        self.commit = last.index;
        self.handed = last.index;
        self.out.install = Some(image.snapshot());
        self.note(Note::SnapshotInstalled { index: last.index.0 });
        self.stand_on(image);
        // What this node's clients wait for may be decided by what was skipped.
        self.route_anew();
    }

    /// Defect R33: the state before, moved on to `index` without its data.
    fn state_without_data(&self, index: Index) -> Arc<[u8]> {
        let before = self.image.as_ref().and_then(|image| Machine::decode(&image.state).ok());
        let mut machine = before.unwrap_or_else(|| Machine::new(self.config.sessions));
        for index in machine.applied() + 1..=index.0 {
            machine.apply(index, None);
        }
        machine.encode().into()
    }

    /// Defect R33: the index is on disk, now the data.
    pub(super) fn write_data_if_defective(&mut self) {
        if self.owes_data && self.disk.is_checkpoint_durable() {
            self.owes_data = false;
            let image = self.image.clone().expect("it was taken");
            self.stand_on(image);
        }
    }
}
