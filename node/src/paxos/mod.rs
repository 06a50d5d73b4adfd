//! Multi-Paxos as a core without I/O: a log of slots, each an instance of [`basic`] Paxos.
//!
//! Sources: Lamport, "The Part-Time Parliament" (1998) and "Paxos Made Simple" (2001); Chandra, Griesemer, Redstone, "Paxos
//! Made Live" (2007); van Renesse, Altinbuken, "Paxos Made Moderately Complex" (2015). `docs/paxos.md` tells the whole
//! and lists the rules PP1 to PP13 that are cited here.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`basic`] | one decree: ballots, promises, adoption, counting |
//! | [`config`] | bounds and spans |
//! | [`message`] | what nodes say to each other, what they write down |
//! | [`slots`] | the acceptor's state of all slots |
//! | [`durability`] | what waits for the disk; compaction |
//! | [`founding`] | who has a say: empty disks |
//! | [`election`] | probing, phase 1, winning and losing office |
//! | [`campaign`] | what a candidate is told in phase 1 |
//! | [`leading`] | finishing what was begun, phase 2, choosing |
//! | [`accepting`] | the acceptor's side of phase 2 |
//! | [`learning`] | catching up by values or snapshot |
//! | [`reads`] | reads without a place in the log: what confirms them |
//! | [`proposals`] | clients' commands: which leader gets them |
//! | [`admin`] | what people ask for |
//!
//! What waits for these, whatever the protocol, is kept in [`crate::pending`].

pub mod accepting;
pub mod admin;
pub mod basic;
pub mod campaign;
pub mod config;
pub mod durability;
pub mod election;
pub mod founding;
pub mod leading;
pub mod learning;
pub mod message;
pub mod proposals;
pub mod reads;
pub mod slots;

use rand_chacha::ChaCha8Rng;

use crate::api::{NodeId, Role as ApiRole};
use crate::defect::Defect;
use crate::pending::SWEEP_MS;
use crate::pending::commands::Commands;
use crate::pending::errands::Errands;
use crate::pending::reads::LocalReads;
use crate::protocol::{
    APPLY_MAX, Decided, Effects, Incarnation, Input, Millis, Note, Protocol, Snapshot, View,
};
use crate::settings::Settings;
use basic::{Ballot, Tally};
use campaign::{Campaign, Part};
use durability::Disk;
use founding::Founding;
use leading::Office;
use learning::CatchUp;
use message::{Message, Record, Slot, Standing, Value};
use slots::Slots;

/// One node's Multi-Paxos.
#[derive(Debug)]
pub struct Paxos {
    settings: Settings,
    rng: ChaCha8Rng,
    now: Millis,
    slots: Slots,
    /// The latest snapshot, for nodes that lag.
    snapshot: Option<Snapshot>,
    /// Whether it was read from disk and is to be installed by the first step.
    is_restored: bool,
    disk: Disk,
    founding: Founding,
    /// Highest slot handed out to be applied.
    handed: Slot,
    role: Role,
    /// The leader that was heard last, and its ballot.
    follows: Option<(Ballot, NodeId)>,
    /// The highest ballot heard of.
    seen: Ballot,
    /// When to look for promises unless a leader is heard before.
    election_at: Millis,
    /// When a leader was last heard; the start counts as one, as a lease granted before it may still run (PP9).
    heard_at: Millis,
    /// When a candidate last got on that this node has promised to, or is.
    candidate_heard_at: Option<Millis>,
    /// Own campaigns in a row, since it led or followed, that came to nothing.
    vain_count: u32,
    catch_up: CatchUp,
    commands: Commands,
    /// The leader that all commands have been given to, or are queued for.
    routed_to: Option<(Ballot, NodeId)>,
    reads: LocalReads<Slot>,
    errands: Errands<Ballot>,
    sweep_at: Millis,
    out: Effects<Record, Message>,
}

/// What a node does beside accepting.
#[derive(Debug)]
enum Role {
    Following,
    /// Asks whether a majority would promise.
    Probing(Ballot, Tally),
    Preparing(Box<Campaign>),
    Leading(Box<Office>),
}

impl Paxos {
    /// What this node has promised and accepted, for checks of invariants and for people.
    pub fn acceptor(&self) -> &Slots {
        &self.slots
    }

    /// What this node knows to be chosen in a slot; `None` also when that is compacted.
    pub fn chosen(&self, slot: Slot) -> Option<&Value> {
        self.slots.chosen_value(slot)
    }

    /// The ballot that this node leads, if it does.
    pub fn leads(&self) -> Option<Ballot> {
        match &self.role {
            Role::Leading(office) => Some(office.ballot),
            _ => None,
        }
    }

    fn receive(&mut self, from: NodeId, message: Message) {
        if !self.settings.nodes.contains(&from) || from == self.settings.node {
            return;
        }
        match message {
            Message::Hello { nonce } => self.on_hello(from, nonce),
            Message::Here { nonce, standing } => self.on_here(from, nonce, standing),
            Message::Probe { ballot } => self.on_probe(from, ballot),
            Message::Willing { ballot, promised } => self.on_willing(from, ballot, promised),
            Message::Prepare { ballot, from: first, released } => {
                self.on_prepare(from, ballot, first, released);
            }
            Message::MakeWay { heir } => self.make_way(heir),
            Message::TakeOver { ballot } => self.on_take_over(from, ballot),
            Message::Promise { ballot, from: first, compacted, slots, rest } => {
                self.on_promise(from, ballot, Part { from: first, compacted, slots, rest });
            }
            Message::Accept { ballot, first, values, chosen } => {
                self.on_accept(from, ballot, first, values, chosen);
            }
            Message::Accepted { ballot, first, last } => self.on_accepted(from, ballot, first, last),
            Message::Refused { promised } => self.on_refused(promised),
            Message::Heartbeat { ballot, round, chosen } => self.on_heartbeat(from, ballot, round, chosen),
            Message::Confirmed { ballot, round } => self.on_confirmed(from, ballot, round),
            Message::Chosen { ballot, chosen } => self.on_chosen(from, ballot, chosen),
            Message::Learn { from: first } => self.on_learn(from, first),
            Message::Taught { first, values, chosen } => self.on_taught(from, first, values, chosen),
            Message::Fetch { index, offset } => self.on_fetch(from, index, offset),
            Message::Chunk { index, size, offset, bytes } => {
                self.on_chunk(from, index, size, offset, bytes.0);
            }
            Message::Propose { commands } => self.on_propose(from, commands),
            Message::ReadIndex { id } => self.on_read_index(from, id),
            Message::ReadIndexReply { id, index } => self.on_read_index_reply(id, index),
        }
    }

    fn tick(&mut self) {
        self.ask_standing();
        match self.role {
            Role::Leading(_) => self.tick_leader(),
            _ if self.now >= self.election_at => self.look_for_promises(),
            _ => {}
        }
    }

    /// What every step ends with: pass on what has become possible.
    fn finish(&mut self) {
        self.route_commands();
        if !self.errands.is_empty() {
            self.run_errands();
        }
        if matches!(self.role, Role::Leading(_)) {
            self.lead();
        } else {
            self.ask_leader_for_reads();
        }
        if self.now >= self.sweep_at {
            self.sweep_commands();
            self.sweep_reads();
            self.out.answer.extend(self.errands.give_up(self.now, self.settings.patience()));
            self.sweep_at = self.now + SWEEP_MS;
        }
        self.hand_out();
        self.reads.release(self.handed, &mut self.out.read);
        self.record_chosen();
        self.disk.hand_out(&mut self.out);
    }

    /// Hands chosen slots out to be applied, strictly in their order, each once (PP6).
    fn hand_out(&mut self) {
        if std::mem::take(&mut self.is_restored) {
            self.out.install = self.snapshot.clone();
        }
        let end = self.slots.chosen().0.min(self.handed.0 + APPLY_MAX);
        for index in self.handed.0 + 1..=end {
            let value = self.slots.chosen_value(Slot(index)).expect("only what is applied is compacted");
            let (command, waiting) = match value {
                Value::Noop => (None, Vec::new()),
                Value::Command(command) => (Some(command.clone()), self.commands.decided(&command.author)),
            };
            self.out.apply.push(Decided { index, command, waiting });
        }
        self.handed = Slot(end.max(self.handed.0));
        let snapshot_at = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        self.out.snapshot = self.handed.0 - snapshot_at >= self.settings.snapshot_entries;
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.out.send.push((to, message));
    }

    fn note(&mut self, note: Note) {
        self.out.notes.push(note);
    }
}

impl Protocol for Paxos {
    type Record = Record;
    type Message = Message;

    const NAME: &'static str = "paxos";

    fn restore(settings: Settings, incarnation: Incarnation, records: Vec<Record>, now: Millis) -> Self {
        let mut rng = settings.rng(incarnation);
        let restored = Restored::from(records, settings.defects.has(Defect::P05));
        let handed = restored.snapshot.as_ref().map_or(Slot(0), |snapshot| Slot(snapshot.index));
        let mut paxos = Self {
            founding: Founding::new(restored.standing, Self::draw_nonce(&mut rng), now),
            rng,
            now,
            seen: restored.slots.promised(),
            disk: Disk::new(restored.slots.chosen()),
            slots: restored.slots,
            is_restored: restored.snapshot.is_some(),
            snapshot: restored.snapshot,
            handed,
            role: Role::Following,
            follows: None,
            election_at: now,
            heard_at: now,
            candidate_heard_at: None,
            vain_count: 0,
            catch_up: CatchUp::default(),
            commands: Commands::default(),
            routed_to: None,
            reads: LocalReads::new(incarnation),
            errands: Errands::default(),
            sweep_at: now,
            out: Effects::default(),
            settings,
        };
        paxos.reset_election_timer();
        paxos
    }

    fn step(&mut self, now: Millis, input: Input<Message>) -> &mut Effects<Record, Message> {
        self.now = self.now.max(now);
        match input {
            Input::Tick => self.tick(),
            Input::Message { from, message } => self.receive(from, message),
            Input::Operations(offered) => self.offer(offered),
            Input::Durable(ticket) => self.on_durable(ticket),
            Input::Snapshot(snapshot) => self.on_snapshot(snapshot),
        }
        self.finish();
        &mut self.out
    }

    fn wake_at(&self) -> Millis {
        if self.handed < self.slots.chosen() {
            return self.now;
        }
        let mut at = match &self.role {
            Role::Leading(office) => office.heartbeat_at,
            _ => self.election_at,
        };
        at = self.ask_standing_at().map_or(at, |ask_at| at.min(ask_at));
        let is_idle = self.commands.is_empty() && self.reads.is_empty() && self.errands.is_empty();
        if is_idle { at } else { at.min(self.sweep_at) }
    }

    fn view(&self) -> View {
        View {
            role: match self.role {
                Role::Leading(_) => ApiRole::Leader,
                Role::Following => ApiRole::Follower,
                Role::Probing(..) | Role::Preparing(_) => ApiRole::Candidate,
            },
            term: self
                .own_ballot()
                .or(self.follows.map(|(ballot, _)| ballot))
                .unwrap_or(self.slots.promised())
                .round,
            leader: self.leader(),
            last: self.slots.last().0,
            commit: self.slots.chosen().0,
        }
    }
}

/// What a node's records say.
struct Restored {
    slots: Slots,
    snapshot: Option<Snapshot>,
    standing: Standing,
}

impl Restored {
    fn from(records: Vec<Record>, forgets_promises: bool) -> Self {
        let mut standing = if records.is_empty() { Standing::Newcomer } else { Standing::Learner };
        let (mut slots, mut snapshot) = (Slots::default(), None);
        for record in records {
            match record {
                Record::Founded => standing = Standing::Founder,
                Record::Promised(ballot) => slots.raise(ballot),
                Record::Accepted { slot, accepted } => {
                    if !forgets_promises {
                        slots.raise(accepted.ballot);
                    }
                    slots.accept(slot, accepted);
                }
                Record::Learnt { slot, value } => {
                    if slot == slots.chosen().next() {
                        slots.learn(value);
                    }
                }
                Record::Chosen(chosen) => while slots.chosen() < chosen && slots.learn_accepted(|_| true) {},
                Record::Snapshot { snapshot: found, base } => {
                    slots.install(base);
                    snapshot = Some(found);
                }
            }
        }
        Self { slots, snapshot, standing }
    }
}
