//! The leader's side: finishing what was begun before it, phase 2 for new slots, counting, choosing (PP5, PP6).
//!
//! Slots are instances of their own: they are accepted in any order, and chosen in any order; only applying keeps theirs.
//! What is proposed while the window of unanswered messages is full travels together in the next one: load makes
//! batches, and nothing waits for a timer.

use std::collections::{BTreeMap, VecDeque};

use litemap::LiteMap;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::paxos::basic::{Accepted, Ballot, Highest, Tally};
use crate::paxos::config::OPEN_SLOTS_MAX;
use crate::paxos::durability::Own;
use crate::paxos::message::{Message, Record, Slot, Value};
use crate::paxos::slots::Slots;
use crate::paxos::{Paxos, Role};
use crate::pending::reads::LeaderReads;
use crate::pending::rounds::Rounds;
use crate::protocol::{Millis, Note};
use crate::settings::Bounds;

/// What only a leader keeps.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) ballot: Ballot,
    /// The next slot to propose in.
    pub(super) next: Slot,
    /// Who has accepted in each slot that is not known to be chosen, up to `next`.
    open: VecDeque<Tally>,
    /// The last slot that had to be finished for earlier leaders: once it is chosen, everything that was ever
    /// acknowledged before is known here.
    pub(super) barrier: Slot,
    pub(super) peers: LiteMap<NodeId, Peer>,
    pub(super) heartbeat_at: Millis,
    pub(super) rounds: Rounds,
    pub(super) reads: LeaderReads<Slot>,
    /// Whether it has made way for another: it never has a lease again in this ballot.
    pub(super) makes_way: bool,
}

/// What a leader knows of another node.
#[derive(Debug)]
pub(super) struct Peer {
    /// The next slot to send.
    next: Slot,
    /// First and last slot of unanswered messages, and when they were sent.
    in_flight: VecDeque<(Slot, Slot, Millis)>,
    pub(super) heard_at: Millis,
    /// The latest round of heartbeats answered.
    pub(super) confirmed: u64,
    /// Commands or reads of the node's clients wait for this slot.
    pub(super) wants: Slot,
    /// How far it has been told that slots are chosen.
    told: Slot,
}

impl Paxos {
    /// A majority has promised. Every slot up to the last reported is finished before anything is read: with the highest
    /// accepted value, or a no-op where there is none (PP6). One more no-op tells everybody where the log stands.
    pub(super) fn take_office(&mut self, ballot: Ballot, mut reported: BTreeMap<Slot, Highest<Value>>) {
        let chosen = self.slots.chosen();
        let last = reported.last_key_value().map_or(chosen, |(slot, _)| (*slot).max(chosen));
        let now = self.now;
        let peer = |node| {
            let (next, zero) = (chosen.next(), Slot(0));
            let in_flight = VecDeque::new();
            (node, Peer { next, in_flight, heard_at: now, confirmed: 0, wants: zero, told: zero })
        };
        self.role = Role::Leading(Box::new(Office {
            ballot,
            next: chosen.next(),
            open: VecDeque::new(),
            barrier: last,
            peers: self.others().map(peer).collect(),
            heartbeat_at: now + self.settings.heartbeat_ms,
            rounds: Rounds::default(),
            reads: LeaderReads::default(),
            makes_way: false,
        }));
        self.follows = None;
        self.vain_count = 0;
        self.reads.ask_anew();
        self.note(Note::BecameLeader { term: ballot.round });
        let mut values: Vec<Option<Value>> = (chosen.0 + 1..=last.0)
            .map(|slot| {
                let found = reported.remove(&Slot(slot)).and_then(Highest::value);
                let fills = !self.settings.defects.has(Defect::P11);
                found.or_else(|| fills.then_some(Value::Noop))
            })
            .collect();
        values.push(Some(Value::Noop));
        self.propose(values);
        self.start_round();
    }

    /// How many slots may be proposed in now.
    pub(super) fn room(&self) -> u64 {
        match &self.role {
            Role::Leading(office) => {
                OPEN_SLOTS_MAX.saturating_sub(office.next.0.saturating_sub(self.slots.chosen().0))
            }
            _ => 0,
        }
    }

    /// Proposes these values in the next slots: the own acceptor accepts them first, the others hear of them when the
    /// step finishes. `None` leaves a slot alone.
    pub(super) fn propose(&mut self, values: Vec<Option<Value>>) {
        let Role::Leading(office) = &mut self.role else { return };
        let (ballot, first) = (office.ballot, office.next);
        let last = Slot(first.0 + values.len() as u64 - 1);
        office.next = last.next();
        office.open.extend(values.iter().map(|_| Tally::default()));
        for (slot, value) in (first.0..).map(Slot).zip(values) {
            if let Some(value) = value {
                self.accept_own(slot, Accepted { ballot, value });
            }
        }
        self.once_durable(Own::Accepted { ballot, first, last });
    }

    fn accept_own(&mut self, slot: Slot, accepted: Accepted<Value>) {
        self.persist(Record::Accepted { slot, accepted: accepted.clone() });
        self.slots.accept(slot, accepted);
    }

    pub(super) fn tick_leader(&mut self) {
        if !self.is_answered() {
            return self.become_follower("no majority answered within an election timeout");
        }
        let (now, heartbeat_ms) = (self.now, self.settings.heartbeat_ms);
        let Role::Leading(office) = &mut self.role else { return };
        if now >= office.heartbeat_at {
            office.heartbeat_at = now + heartbeat_ms;
            self.start_round();
        }
    }

    /// A leader without a majority is of no use to its clients (PP7: this is liveness only). Defects that need an isolated
    /// leader to stay in office go without.
    fn is_answered(&self) -> bool {
        let Role::Leading(office) = &self.role else { return false };
        let defects = self.settings.defects;
        if [Defect::P06, Defect::P12].into_iter().any(|defect| defects.has(defect)) {
            return true;
        }
        let patience_ms = self.settings.office_ms();
        let heard = self.other_members().filter(|node| {
            office.peers.get(node).is_some_and(|peer| self.now.since(peer.heard_at) < patience_ms)
        });
        1 + heard.count() > self.settings.acceptors_count() / 2
    }

    /// What a leader does at the end of each step.
    pub(super) fn lead(&mut self) {
        self.confirm_reads();
        self.send_accepts();
        self.tell_chosen();
    }

    /// Phase 2b. A slot is chosen once a majority has durably accepted it in this ballot (PP5).
    pub(super) fn on_accepted(&mut self, from: NodeId, ballot: Ballot, first: Slot, last: Slot) {
        let count = self.settings.acceptors_count();
        let is_member = self.settings.members.contains(&from);
        let Role::Leading(office) = &mut self.role else { return };
        if office.ballot != ballot || !is_member {
            return;
        }
        if let Some(peer) = office.peers.get_mut(&from) {
            peer.heard_at = self.now;
            peer.in_flight.retain(|(sent_first, sent_last, _)| (*sent_first, *sent_last) != (first, last));
        }
        let chosen = self.slots.chosen();
        for slot in first.0.max(chosen.0 + 1)..=last.0.min(office.next.0 - 1) {
            let offset = usize::try_from(slot - chosen.0 - 1).expect("open slots are bounded");
            if self.slots.proposed(Slot(slot), ballot).is_some() {
                office.open[offset].insert(from);
            }
        }
        while office.open.front().is_some_and(|tally| tally.is_majority_of(count))
            && self.slots.learn_accepted(|accepted_in| accepted_in == ballot)
        {
            office.open.pop_front();
        }
    }

    /// The last open slot for which it counts another node's vote, if it leads; for checks of invariants.
    pub fn counted(&self, node: NodeId) -> Option<Slot> {
        let Role::Leading(office) = &self.role else { return None };
        let offset = office.open.iter().rposition(|tally| tally.contains(node))?;
        Some(self.slots.chosen().plus(offset as u64 + 1))
    }

    /// A round of heartbeats was answered: the node lives, so what it has not answered may be lost.
    pub(super) fn on_confirmed(&mut self, from: NodeId, ballot: Ballot, round: u64) {
        let now = self.now;
        let chosen = self.slots.chosen();
        let doubtful_since = Millis(now.0.saturating_sub(self.settings.patience_ms()));
        let Role::Leading(office) = &mut self.role else { return };
        let Some(peer) = office.peers.get_mut(&from).filter(|_| office.ballot == ballot) else { return };
        peer.heard_at = now;
        peer.confirmed = peer.confirmed.max(round);
        office.rounds.heard(round);
        if peer.in_flight.front().is_some_and(|(_, _, at)| *at < doubtful_since) {
            peer.in_flight.clear();
            peer.next = chosen.next();
        }
    }

    /// Starts a round of heartbeats to all other nodes.
    pub(super) fn start_round(&mut self) {
        let (now, chosen) = (self.now, self.slots.chosen());
        let Role::Leading(office) = &mut self.role else { return };
        let (ballot, round) = (office.ballot, office.rounds.open(now));
        for (node, peer) in &mut office.peers {
            peer.told = chosen;
            self.out.send.push((*node, Message::Heartbeat { ballot, round, chosen }));
        }
    }

    /// Phase 2a: runs of slots that a node has not been sent, or has not answered for.
    fn send_accepts(&mut self) {
        let (now, chosen) = (self.now, self.slots.chosen());
        let Role::Leading(office) = &mut self.role else { return };
        let Office { ballot, next, open, peers, .. } = office.as_mut();
        let members = &self.settings.members;
        let Bounds { batch_max, in_flight_max, .. } = self.settings.bounds;
        for (node, peer) in peers.iter_mut().filter(|(node, _)| members.contains(node)) {
            while peer.in_flight.len() < in_flight_max && peer.next < *next {
                let slots = (peer.next, *next);
                let Run { first, values } = run(&self.slots, *ballot, open, *node, slots, batch_max);
                peer.next = first.plus(values.len() as u64);
                if values.is_empty() {
                    break;
                }
                peer.in_flight.push_back((first, Slot(peer.next.0 - 1), now));
                peer.told = chosen;
                let message = Message::Accept { ballot: *ballot, first, values, chosen };
                self.out.send.push((*node, message));
            }
        }
    }

    /// The others learn what is chosen with the next message, whenever that is; those whose clients wait are told at once.
    fn tell_chosen(&mut self) {
        let chosen = self.slots.chosen();
        let Role::Leading(office) = &mut self.role else { return };
        let ballot = office.ballot;
        for (node, peer) in &mut office.peers {
            if peer.wants > peer.told && chosen > peer.told {
                peer.told = chosen;
                self.out.send.push((*node, Message::Chosen { ballot, chosen }));
            }
        }
    }
}

struct Run {
    first: Slot,
    values: Vec<Value>,
}

/// The next run of slots from `from` on that `node` has not answered for, `count_max` of them at most; empty when there is
/// none before `end`, which then is where it starts.
fn run(
    slots: &Slots,
    ballot: Ballot,
    open: &VecDeque<Tally>,
    node: NodeId,
    (from, end): (Slot, Slot),
    count_max: usize,
) -> Run {
    let chosen = slots.chosen();
    let is_wanted = |slot: u64| {
        let offset = slot.checked_sub(chosen.0 + 1).and_then(|offset| usize::try_from(offset).ok());
        let tally = offset.and_then(|offset| open.get(offset));
        tally.is_none_or(|tally| !tally.contains(node))
    };
    let value = |slot: u64| slots.proposed(Slot(slot), ballot).filter(|_| is_wanted(slot));
    let first = (from.0..end.0).find(|slot| value(*slot).is_some()).unwrap_or(end.0);
    let values = (first..end.0).map_while(|slot| value(slot).cloned()).take(count_max).collect();
    Run { first: Slot(first), values }
}
