//! The distinguished leader: timers, probing, and phase 1 for all slots at once.
//!
//! All of this serves liveness; whatever it decides, ballots keep what is chosen safe (PP7). A node that has heard of no
//! leader for a random time asks whether a majority *would* promise; then it prepares a ballot above all it has heard of.
//! Acceptors that hear a leader listen to nobody else, which is also what leases rest on (PP9). A leader that a
//! majority does not answer resigns.

use rand::RngExt;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::paxos::basic::{Ballot, Tally};
use crate::paxos::campaign::{Campaign, Part};
use crate::paxos::durability::Own;
use crate::paxos::message::{Message, Record, Rest, Slot};
use crate::paxos::{Paxos, Role};
use crate::protocol::Note;
use crate::settings::Bounds;

impl Paxos {
    pub(super) fn reset_election_timer(&mut self) {
        let timeout_ms = self.rng.random_range(self.settings.election_ms.clone());
        self.election_at = self.now + timeout_ms * self.settings.back_off(self.vain_count);
    }

    /// The election timer ran out.
    pub(super) fn look_for_promises(&mut self) {
        self.note_vain_campaign();
        self.reset_election_timer();
        if !self.is_acceptor() || !self.may_campaign() {
            self.founding.is_eager = true;
            return;
        }
        self.follows = None;
        let ballot = self.next_ballot();
        self.role = Role::Probing(ballot, Tally::default());
        self.note(Note::ElectionProbed { term: ballot.round });
        for node in self.other_members().collect::<Vec<_>>() {
            self.send(node, Message::Probe { ballot });
        }
        self.on_willing(self.settings.node, ballot, self.slots.promised());
    }

    /// Whoever campaigns and neither leads in the end nor hears who does, waits longer before the next time: a disk or a network
    /// that takes longer than an election timeout would otherwise keep candidates outbidding each other for ever. This is
    /// the timeout of *Paxos Made Moderately Complex* (section 3), with doubling.
    fn note_vain_campaign(&mut self) {
        if matches!(self.role, Role::Preparing(_)) {
            self.vain_count = self.vain_count.saturating_add(1);
        }
    }

    /// Above every ballot heard of and, as the own promise is durable before anybody hears of it, above every ballot ever
    /// used by this node (PP1).
    fn next_ballot(&self) -> Ballot {
        if self.settings.defects.has(Defect::P08) {
            return Ballot { round: self.slots.promised().round + 1, node: NodeId(0) };
        }
        self.slots.promised().max(self.seen).next_of(self.settings.node)
    }

    /// While a leader is heard, nobody else is: they were cut off, not the leader. After a restart a leader may have been
    /// heard just before (PP9).
    fn hears_leader(&self) -> bool {
        match self.role {
            Role::Leading(_) => !self.settings.defects.has(Defect::P14),
            _ => self.now.since(self.heard_at) < self.settings.loyalty_ms(),
        }
    }

    /// A candidate gets on: whoever has promised to it waits, as for a leader.
    fn hear_candidate(&mut self) {
        self.candidate_heard_at = Some(self.now);
        self.reset_election_timer();
    }

    /// While a candidate gets on nobody is encouraged to outbid it: phase 1 may take longer than an election timeout, as a long
    /// report comes in many parts, and would then never end anywhere.
    fn hears_candidate(&self) -> bool {
        let loyalty_ms = self.settings.loyalty_ms() * self.settings.back_off(self.vain_count);
        self.candidate_heard_at.is_some_and(|at| self.now.since(at) < loyalty_ms)
    }

    pub(super) fn on_probe(&mut self, from: NodeId, ballot: Ballot) {
        if self.is_acceptor() && !self.hears_leader() && !self.hears_candidate() {
            self.send(from, Message::Willing { ballot, promised: self.slots.promised() });
        }
    }

    /// The ballot that is prepared in the end is above all that those who are willing have promised.
    pub(super) fn on_willing(&mut self, from: NodeId, ballot: Ballot, promised: Ballot) {
        let count = self.settings.acceptors_count();
        self.seen = self.seen.max(promised);
        let Role::Probing(probed, willing) = &mut self.role else { return };
        if *probed != ballot {
            return;
        }
        willing.insert(from);
        if willing.is_majority_of(count) {
            self.prepare(None);
        }
    }

    /// Phase 1a. The own promise comes first: only once it is durable may others hear of the ballot (PP1).
    pub(super) fn prepare(&mut self, released: Option<Ballot>) {
        let ballot = self.next_ballot();
        self.hear_candidate();
        let Ok(rises) = self.slots.promised.raise(ballot) else {
            return self.become_follower("its own promise is higher");
        };
        if rises {
            self.record_promise(ballot);
        }
        let from = self.slots.chosen().next();
        self.follows = None;
        self.role = Role::Preparing(Box::new(Campaign::new(ballot, from)));
        self.note(Note::ElectionStarted { term: ballot.round });
        for node in self.other_members().collect::<Vec<_>>() {
            self.out.send_durable.push((node, Message::Prepare { ballot, from, released }));
        }
        self.once_durable(Own::Promise(ballot));
    }

    /// Defect P01 forgets promises.
    fn record_promise(&mut self, ballot: Ballot) {
        if !self.settings.defects.has(Defect::P01) {
            self.persist(Record::Promised(ballot));
        }
    }

    /// Phase 1b: the promise, and everything accepted from the asked slot on (PP2).
    pub(super) fn on_prepare(&mut self, from: NodeId, ballot: Ballot, first: Slot, released: Option<Ballot>) {
        let is_loyal = self.hears_leader() && !self.is_released(released);
        if !self.is_acceptor() || (ballot > self.slots.promised() && is_loyal) {
            return;
        }
        match self.slots.promised.raise(ballot) {
            Err(refused) => self.send(from, Message::Refused { promised: refused.promised }),
            Ok(rises) => {
                if rises {
                    self.record_promise(ballot);
                    self.depose_below(ballot, "a higher ballot was promised");
                }
                self.hear_candidate();
                self.report(from, ballot, first);
            }
        }
    }

    /// Sends what it holds from a slot on, in as many messages as may be under way at once.
    fn report(&mut self, to: NodeId, ballot: Ballot, from: Slot) {
        let Bounds { batch_max, in_flight_max, .. } = self.settings.bounds;
        let compacted = if self.settings.defects.has(Defect::P17) { Slot(0) } else { self.slots.base() };
        let count_max = batch_max.saturating_mul(in_flight_max).saturating_add(1);
        let mut held = self.slots.report(from, count_max).into_iter().peekable();
        let mut next = Some(Rest { from, is_coming: true });
        for sent_count in 1..=in_flight_max {
            let Some(Rest { from, .. }) = next else { return };
            let slots = held.by_ref().take(batch_max).collect();
            next = held.peek().map(|one| Rest { from: one.slot, is_coming: sent_count < in_flight_max });
            self.send_durable(to, Message::Promise { ballot, from, compacted, slots, rest: next });
        }
    }

    /// The own promise is durable.
    pub(super) fn own_promise(&mut self, ballot: Ballot) {
        let Role::Preparing(campaign) = &self.role else { return };
        if campaign.ballot == ballot {
            let (from, compacted) = (campaign.from, self.slots.base());
            let slots = self.slots.report(from, usize::MAX);
            self.on_promise(self.settings.node, ballot, Part { from, compacted, slots, rest: None });
        }
    }

    /// Takes a part of a report; only a complete one counts, and only for this very ballot (PP4).
    pub(super) fn on_promise(&mut self, node: NodeId, ballot: Ballot, part: Part) {
        let heeds_first_only = self.settings.defects.has(Defect::P03);
        let Role::Preparing(campaign) = &mut self.role else { return };
        let (rest, heeds) = (part.rest, !heeds_first_only || campaign.promises.count() == 0);
        if campaign.ballot != ballot || !campaign.take(node, part, heeds) {
            return;
        }
        // A candidate that gets on is in no hurry to start over, and does not help others to.
        self.hear_candidate();
        if let Some(Rest { from, is_coming: false }) = rest {
            self.send(node, Message::Prepare { ballot, from, released: None });
        }
        self.try_take_office();
    }

    /// With a majority of promises the candidate leads, unless slots that it lacks are compacted elsewhere: those are
    /// chosen, not empty, and it has to fetch a snapshot first (PP12).
    pub(super) fn try_take_office(&mut self) {
        let count = self.settings.acceptors_count();
        let chosen = self.slots.chosen();
        let Role::Preparing(campaign) = &mut self.role else { return };
        if !campaign.promises.is_majority_of(count) {
            return;
        }
        match campaign.compacted {
            Some((slot, node)) if slot > chosen => self.ask_to_learn(node),
            _ => {
                let (ballot, slots) = (campaign.ballot, std::mem::take(&mut campaign.slots));
                self.take_office(ballot, slots);
            }
        }
    }

    /// A ballot above the own one was heard of: leave office, or the way there (PP7).
    pub(super) fn on_refused(&mut self, promised: Ballot) {
        self.seen = self.seen.max(promised);
        self.depose_below(promised, "a higher ballot was promised elsewhere");
    }

    pub(super) fn depose_below(&mut self, ballot: Ballot, reason: &'static str) {
        if self.own_ballot().is_some_and(|own| own < ballot) {
            self.become_follower(reason);
        }
    }

    /// The ballot that this node leads, or tries to.
    pub(super) fn own_ballot(&self) -> Option<Ballot> {
        match &self.role {
            Role::Following => None,
            Role::Probing(ballot, _) => Some(*ballot),
            Role::Preparing(campaign) => Some(campaign.ballot),
            Role::Leading(office) => Some(office.ballot),
        }
    }

    pub(super) fn become_follower(&mut self, reason: &'static str) {
        self.note_vain_campaign();
        if let Role::Leading(office) = std::mem::replace(&mut self.role, Role::Following) {
            self.note(Note::SteppedDown { term: office.ballot.round, reason });
            self.reset_election_timer();
            self.reads.give_back(office.reads);
            self.follows = None;
        }
    }

    /// The sender leads `ballot`: follow it. A leader of a ballot below one promised or followed is told so instead.
    /// Returns whether it is followed.
    pub(super) fn follow(&mut self, from: NodeId, ballot: Ballot) -> bool {
        let followed = self.follows.map_or(Ballot::NONE, |(ballot, _)| ballot);
        // Defect P05: whom it follows binds it to nothing either.
        let followed = if self.settings.defects.has(Defect::P05) { Ballot::NONE } else { followed };
        let bar = self.slots.promised().max(followed);
        let is_meek = self.settings.defects.has(Defect::P06);
        if ballot < bar && !is_meek {
            self.send(from, Message::Refused { promised: bar });
            return false;
        }
        if matches!(self.role, Role::Leading(_)) && (is_meek || self.settings.defects.has(Defect::P08)) {
            // Two in office side by side: each goes on.
            return is_meek;
        }
        self.seen = self.seen.max(ballot);
        self.become_follower("another leader was heard");
        self.heard_at = self.now;
        self.vain_count = 0;
        self.founding.is_eager = false;
        self.reset_election_timer();
        if self.follows != Some((ballot, from)) {
            self.follows = Some((ballot, from));
            self.reads.ask_anew();
            self.note(Note::Follows { leader: from, term: ballot.round });
        }
        true
    }

    /// The leader that this node gives operations to: itself, or whom it follows.
    pub(super) fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Leading(_) => Some(self.settings.node),
            _ => self.follows.map(|(_, leader)| leader),
        }
    }
}
