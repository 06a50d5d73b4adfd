//! Linearizable reads without a place in the log (PP8).
//!
//! The leader notes how far the log is chosen when the read arrives, provided that it has finished everything begun before
//! it took office; then a majority of acceptors answers a round of heartbeats that started *after* that: none has
//! promised a higher ballot. Any rival that chose something before the read arrived had promises of a majority before, so one
//! of those that answer would have refused. Whoever serves the read has applied up to the slot noted. Followers ask the
//! leader for it. What waits for which step is kept by [`crate::pending::reads`]; here is what confirms a read in Paxos.
//!
//! Rounds are numbered within a ballot, and a ballot has one leader, so (ballot, round) is never reused. With leases (PP9), a
//! round that a majority has answered vouches for the leader for a while after it was *sent*: those that answered refuse
//! everybody else for longer, also after a restart.

use crate::api::NodeId;
use crate::defect::Defect;
use crate::paxos::message::{Message, Slot};
use crate::paxos::{Paxos, Role};
use crate::pending::reached_by;
use crate::pending::reads::{QuestionId, Reader, Standing};
use crate::protocol::{Millis, OperationId};
use crate::settings::Reads;

impl Paxos {
    /// Takes in a read of this node's clients.
    pub(super) fn offer_read(&mut self, id: OperationId) {
        if let Err(refusal) = self.reads.hold(id, self.now + self.settings.hold_ms) {
            self.out.refuse(id, refusal);
        }
    }

    /// Asks the leader on behalf of this node's clients, once for all that wait.
    pub(super) fn ask_leader_for_reads(&mut self) {
        let leader = self.leader().filter(|leader| *leader != self.settings.node);
        if let Some(leader) = leader
            && let Some(id) = self.reads.ask(self.now)
        {
            self.send(leader, Message::ReadIndex { id });
        }
    }

    pub(super) fn on_read_index(&mut self, from: NodeId, id: QuestionId) {
        if let Role::Leading(office) = &mut self.role {
            office.reads.arrive(Reader::Remote(from, id));
        }
    }

    pub(super) fn on_read_index_reply(&mut self, id: QuestionId, index: Slot) {
        self.reads.answered(id, index);
    }

    /// A leader's step for reads: note the slot, start a round, answer what a majority has confirmed.
    pub(super) fn confirm_reads(&mut self) {
        let Role::Leading(office) = &self.role else { return };
        if office.reads.is_empty() && office.rounds.is_settled() && !self.reads.has_unasked() {
            return;
        }
        let local = self.reads.take_unasked();
        let chosen = self.slots.chosen();
        let is_trusted = self.settings.defects.has(Defect::P12) || self.has_lease(self.now);
        let settles = !self.settings.defects.has(Defect::P13);
        let confirmed_round = office.rounds.counted().unwrap_or_else(|| self.confirmed_round());
        let Role::Leading(office) = &mut self.role else { return };
        let standing = if settles && chosen < office.barrier {
            // What was in progress when it took office may have been acknowledged by an earlier leader (PP8).
            Standing::Unsettled
        } else if is_trusted {
            Standing::Vouched
        } else {
            Standing::Unconfirmed
        };
        office.reads.arrive(Reader::Local(local));
        office.rounds.answered(confirmed_round);
        let step = office.reads.step(confirmed_round, standing, chosen);
        if step.needs_round {
            office.reads.await_round(office.rounds.latest() + 1, chosen);
            self.start_round();
        }
        for (slot, readers) in step.ready {
            self.answer_readers(slot, readers);
        }
        if step.needs_round && self.settings.acceptors_count() == 1 {
            self.confirm_reads();
        }
    }

    fn answer_readers(&mut self, slot: Slot, readers: Vec<Reader>) {
        for reader in readers {
            match reader {
                Reader::Local(ids) => self.reads.confirm(slot, ids),
                Reader::Remote(node, id) => {
                    self.send(node, Message::ReadIndexReply { id, index: slot });
                    if let Role::Leading(office) = &mut self.role
                        && let Some(peer) = office.peers.get_mut(&node)
                    {
                        peer.wants = peer.wants.max(slot);
                    }
                }
            }
        }
    }

    /// The latest round that a majority of acceptors has answered; the leader answers itself, as it would be deposed had
    /// it promised anything higher.
    fn confirmed_round(&self) -> u64 {
        let Role::Leading(office) = &self.role else { return 0 };
        let peers = self.other_members().filter_map(|node| office.peers.get(&node));
        let rounds = peers.map(|peer| peer.confirmed).chain([office.rounds.latest()]);
        let majority = self.settings.acceptors_count() as u64 / 2 + 1;
        reached_by(majority, rounds.map(|round| (round, 1))).unwrap_or(0)
    }

    /// The latest round of heartbeats, if it leads; for checks of invariants.
    pub fn latest_round(&self) -> Option<u64> {
        match &self.role {
            Role::Leading(office) => Some(office.rounds.latest()),
            _ => None,
        }
    }

    /// Whether it leads and nobody else can, by a lease.
    pub fn has_lease(&self, now: Millis) -> bool {
        let wants_lease = self.settings.reads == Reads::Lease || self.settings.defects.has(Defect::P14);
        let Role::Leading(office) = &self.role else { return false };
        wants_lease && !office.makes_way && office.rounds.vouch(now, self.settings.read_lease_ms())
    }

    /// Gives up on reads that have waited too long, asks again where no answer came.
    pub(super) fn sweep_reads(&mut self) {
        let leads = match &mut self.role {
            Role::Leading(office) => Some(&mut office.reads),
            _ => None,
        };
        self.out.answer.extend(self.reads.give_up(self.now, leads));
        self.reads.ask_lost_again(self.now, self.settings.election_ms.start);
    }
}
