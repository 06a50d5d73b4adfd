//! Who has a say: a node whose disk is empty may have forgotten what it promised (PP10).
//!
//! An empty disk means one of two things. Either the cluster is new: then no node has promised anything yet, and each
//! learns that from *all* others before it becomes a founder, durably. Or the disk was lost: then some other node has promised
//! something, as nobody looks for promises before all are founders; the node learns and serves, but never promises or
//! accepts again (it would have to be added as a new member). A founder is told from an acceptor only by having promised
//! nothing so far.
//!
//! Assumes that an answer given to a node before it lost its disk does not arrive after: connections end with their
//! process, and the nonce depends on the seed.

use std::collections::BTreeMap;

use rand::RngExt;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::paxos::Paxos;
use crate::paxos::basic::Ballot;
use crate::paxos::durability::Own;
use crate::paxos::message::{Message, Record, Slot, Standing};
use crate::protocol::Millis;

/// What is known of who stands where.
#[derive(Debug)]
pub(super) struct Founding {
    own: Standing,
    /// Whether that has been written down (a founder's standing counts only then).
    is_recorded: bool,
    nonce: u64,
    others: BTreeMap<NodeId, Standing>,
    ask_at: Millis,
    /// The election timer has run out and been held back.
    pub(super) is_eager: bool,
}

impl Founding {
    /// After a restart, from what is on disk.
    pub(super) fn new(own: Standing, nonce: u64, now: Millis) -> Self {
        let is_recorded = own == Standing::Founder;
        Self { own, is_recorded, nonce, others: BTreeMap::new(), ask_at: now, is_eager: false }
    }

    /// Whether the node may promise and accept.
    pub(super) fn is_founded(&self) -> bool {
        self.own == Standing::Founder && self.is_recorded
    }
}

impl Paxos {
    /// Whether this node has a say.
    pub(super) fn is_acceptor(&self) -> bool {
        self.founding.is_founded() && self.settings.members.contains(&self.settings.node)
    }

    /// Where this node stands, as it tells others.
    pub fn standing(&self) -> Standing {
        let is_blank = self.slots.promised() == Ballot::NONE && self.slots.last() == Slot(0);
        match self.founding.own {
            Standing::Founder if !self.founding.is_recorded => Standing::Newcomer,
            Standing::Founder if !is_blank => Standing::Acceptor,
            own => own,
        }
    }

    /// A founder looks for promises only once all others are founders, too: the first promise ends the time of founding.
    pub(super) fn may_campaign(&self) -> bool {
        let is_found = |standing: Standing| {
            self.other_members()
                .all(|node| self.founding.others.get(&node).is_some_and(|one| *one >= standing))
        };
        self.is_acceptor()
            && (self.standing() == Standing::Acceptor
                || self.settings.defects.has(Defect::P16)
                || is_found(Standing::Founder)
                || self.founding.others.values().any(|standing| *standing == Standing::Acceptor))
    }

    /// When to ask next; never once it is clear.
    pub(super) fn ask_standing_at(&self) -> Option<Millis> {
        let is_unclear = match self.standing() {
            Standing::Newcomer => self.settings.members.contains(&self.settings.node),
            Standing::Founder => !self.may_campaign(),
            Standing::Acceptor | Standing::Learner => false,
        };
        is_unclear.then_some(self.founding.ask_at)
    }

    /// Asks the others where they stand, while that matters and they have not been asked just now.
    pub(super) fn ask_standing(&mut self) {
        if self.ask_standing_at().is_some_and(|at| self.now >= at) {
            self.founding.ask_at = self.now + self.settings.heartbeat_ms;
            let nonce = self.founding.nonce;
            for node in self.other_members().collect::<Vec<_>>() {
                self.send(node, Message::Hello { nonce });
            }
            self.found();
        }
    }

    pub(super) fn on_hello(&mut self, from: NodeId, nonce: u64) {
        let standing = self.standing();
        // It rests on what is on disk, and on nothing being under way to it.
        self.send_durable(from, Message::Here { nonce, standing });
        self.ask_standing();
    }

    pub(super) fn on_here(&mut self, from: NodeId, nonce: u64, standing: Standing) {
        if !self.settings.members.contains(&from) {
            return;
        }
        let is_fresh = nonce == self.founding.nonce;
        // What is told unasked may be old, and serves only to know whom to wait for.
        if self.founding.own == Standing::Newcomer && !is_fresh {
            return;
        }
        self.founding.others.insert(from, standing);
        self.found();
        if self.founding.is_eager && self.may_campaign() {
            self.founding.is_eager = false;
            self.look_for_promises();
        }
    }

    /// Decides what an empty disk means, once all others have told where they stand.
    fn found(&mut self) {
        if self.founding.own != Standing::Newcomer || !self.settings.members.contains(&self.settings.node) {
            return;
        }
        let is_careless = self.settings.defects.has(Defect::P16);
        let others = &self.founding.others;
        if others.values().any(|standing| *standing >= Standing::Acceptor) && !is_careless {
            self.founding.own = Standing::Learner;
        } else if self.other_members().all(|node| others.contains_key(&node)) || is_careless {
            self.founding.own = Standing::Founder;
            self.persist(Record::Founded);
            self.once_durable(Own::Founded);
        }
    }

    /// The record of being a founder is durable.
    pub(super) fn founded(&mut self) {
        self.founding.is_recorded = true;
        for node in self.other_members().collect::<Vec<_>>() {
            self.send(node, Message::Here { nonce: UNASKED, standing: Standing::Founder });
        }
        if self.founding.is_eager && self.may_campaign() {
            self.founding.is_eager = false;
            self.look_for_promises();
        }
    }

    /// Draws the number that tells this node's questions from those of an earlier life.
    pub(super) fn draw_nonce(rng: &mut rand_chacha::ChaCha8Rng) -> u64 {
        rng.random_range(UNASKED + 1..u64::MAX)
    }
}

/// The nonce of what nobody asked for.
const UNASKED: u64 = 0;
