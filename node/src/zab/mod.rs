//! ZAB, ZooKeeper's atomic broadcast, as a core without I/O.
//!
//! Sources: Junqueira, Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems" (DSN 2011), cited as
//! *Zab* with its phase; the page "Zab1.0" of the ZooKeeper project, which is what ZooKeeper does; Medeiros, "ZooKeeper's
//! atomic broadcast protocol: theory and practice" (2012).
//!
//! A node looks for a leader, discovers with it a new epoch, takes over its history, and then broadcasts: it goes through
//! these phases in this order, and back to the first whenever something goes wrong.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`zxid`] | epochs, names of transactions, places in a history |
//! | [`history`] | the transactions, and what two histories share |
//! | [`message`] | what nodes say to each other, what they write down |
//! | [`config`] | bounds and spans |
//! | [`quorum`] | who votes, and with what weight |
//! | `channel` | frames in order, over a network that has none |
//! | `durability` | what is on disk |
//! | `election` | phase 0: who should lead |
//! | `leading`, `following` | what leaders and followers keep of each other |
//! | `discovery` | phase 1: a new epoch |
//! | `synchronisation` | phase 2: one history |
//! | `broadcast` | phase 3: transactions |
//! | `requests` | clients' commands: which leader gets them |
//! | `reads` | `sync`, and local reads |
//! | `compaction` | checkpoints |
//!
//! What waits for these, whatever the protocol, is kept in [`crate::pending`].
//!
//! Where it departs from ZooKeeper: a follower describes its history by the ends of its epochs, so the leader finds what
//! they share instead of guessing; observers hear proposals and commits as followers do instead of INFORM; a sync passes
//! a quorum; snapshots are exact. Members cannot be changed, and leadership cannot be handed over.

mod broadcast;
mod channel;
mod compaction;
pub mod config;
mod discovery;
mod durability;
mod election;
mod following;
pub mod history;
mod leading;
pub mod message;
pub mod quorum;
mod reads;
mod requests;
mod synchronisation;
pub mod zxid;

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;

use crate::api::{NodeId, Role as ApiRole};
use crate::defect::Defect;
use crate::pending::SWEEP_MS;
use crate::pending::commands::Commands;
use crate::pending::reads::LocalReads;
use crate::protocol::{APPLY_MAX, Decided, Effects, Incarnation, Input, Millis, Note, Protocol, View};
use crate::settings::{Reads, Settings, SettingsError};
use durability::Disk;
use election::Election;
use following::Followership;
use history::{Checkpoint, History};
use leading::Leadership;
use message::{Message, Record};
use quorum::Electorate;
use zxid::{Epoch, Index};

/// One node's ZAB.
#[derive(Debug)]
pub struct Zab {
    settings: Settings,
    electorate: Electorate,
    incarnation: Incarnation,
    named_count: u64,
    rng: ChaCha8Rng,
    now: Millis,
    /// The latest epoch accepted: no leader of an earlier one is followed.
    accepted: Epoch,
    /// The latest epoch that anybody was heard to have accepted: the next one is to be later.
    heard: Epoch,
    /// The latest epoch whose initial history this node has taken over.
    current: Epoch,
    history: History,
    disk: Disk,
    /// Highest place known to be committed.
    commit: Index,
    /// Highest place handed out to be applied.
    handed: Index,
    role: Role,
    /// Numbers this node's elections.
    round: u64,
    /// The latest connection of each node, so that what is left of an earlier one opens none.
    connections: BTreeMap<NodeId, u64>,
    commands: Commands,
    reads: LocalReads<Index>,
    beat_at: Millis,
    sweep_at: Millis,
    out: Effects<Record, Message>,
}

/// What a node is at.
#[derive(Debug)]
enum Role {
    /// Looks for a leader.
    Looking(Box<Election>),
    /// Follows one, or observes.
    Following(Box<Followership>),
    /// Leads, or is about to.
    Leading(Box<Leadership>),
}

impl Zab {
    /// The history, for checks of invariants and for people.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The latest epoch accepted, and the latest whose history was taken over.
    pub fn epochs(&self) -> (Epoch, Epoch) {
        (self.accepted, self.current)
    }

    /// The epoch that this node leads, with a quorum that has its history.
    pub fn leads(&self) -> Option<Epoch> {
        match &self.role {
            Role::Leading(leadership) if self.serves_as_leader() => Some(leadership.epoch),
            _ => None,
        }
    }

    /// Whether this node serves clients.
    pub fn serves(&self) -> bool {
        self.serves_as_leader() || self.serves_as_follower()
    }

    /// The voters.
    pub fn electorate(&self) -> &Electorate {
        &self.electorate
    }

    /// A number that this node never gives twice, over all its incarnations; rising.
    fn name(&mut self) -> u64 {
        self.named_count += 1;
        self.incarnation.id(self.named_count)
    }

    fn peers(&self) -> Vec<NodeId> {
        self.settings.nodes.iter().copied().filter(|node| *node != self.settings.node).collect()
    }

    fn receive(&mut self, from: NodeId, message: Message) {
        if !self.settings.nodes.contains(&from) || from == self.settings.node {
            return;
        }
        match message {
            Message::Notification(notification) => self.on_notification(from, notification),
            Message::Up(frame) => self.on_up(from, frame),
            Message::Down(frame) => self.on_down(from, frame),
        }
    }

    fn tick(&mut self) {
        match &self.role {
            Role::Looking(_) => {
                if self.now >= self.beat_at {
                    self.beat_at = self.now + self.settings.heartbeat_ms;
                    self.notify_all();
                }
                self.conclude();
            }
            Role::Following(_) => self.tick_follower(),
            Role::Leading(_) => self.tick_leader(),
        }
    }

    /// What every step ends with: pass on what has become possible.
    fn finish(&mut self) {
        match &self.role {
            Role::Looking(_) => {}
            Role::Following(_) => self.finish_follower(),
            Role::Leading(_) => self.finish_leader(),
        }
        if self.now >= self.sweep_at {
            self.sweep();
            self.sweep_at = self.now + SWEEP_MS;
        }
        self.read_locally();
        self.hand_out();
        self.reads.release(self.handed, &mut self.out.read);
        self.ask_for_snapshot();
        self.disk.hand_out(&mut self.out);
    }

    /// Hands committed transactions out to be applied, in order, each once.
    fn hand_out(&mut self) {
        let end = self.commit.0.min(self.handed.0 + APPLY_MAX).min(self.history.last().index.0);
        for index in self.handed.0 + 1..=end {
            let transaction = self.history.get(Index(index)).expect("what is not applied is not compacted");
            let command = transaction.command.clone();
            let waiting = self.commands.decided(&command.author);
            self.out.apply.push(Decided { index, command: Some(command), waiting });
        }
        self.handed = Index(end.max(self.handed.0));
    }

    fn note(&mut self, note: Note) {
        self.out.notes.push(note);
    }
}

impl Protocol for Zab {
    type Record = Record;
    type Message = Message;

    const NAME: &'static str = "zab";

    fn check(settings: &Settings) -> Result<(), SettingsError> {
        if settings.reads == Reads::Lease {
            return Err(SettingsError::Unsupported { protocol: Self::NAME, what: "leases".into() });
        }
        Ok(())
    }

    fn restore(settings: Settings, incarnation: Incarnation, records: Vec<Record>, now: Millis) -> Self {
        let (mut accepted, mut current, mut history) = (Epoch(0), Epoch(0), History::default());
        for record in records {
            match record {
                Record::AcceptedEpoch(epoch) => accepted = epoch,
                Record::CurrentEpoch(epoch) => current = epoch,
                Record::Transaction { index, transaction } => {
                    history.truncate(Index(index.0.saturating_sub(1)));
                    history.push(transaction);
                }
                Record::Truncated { last } => history.truncate(last),
                Record::Checkpoint(checkpoint) => history.reset(checkpoint),
            }
        }
        if !settings.defects.has(Defect::Z04) {
            accepted = accepted.max(current);
        }
        let floor = history.floor().index;
        let mut zab = Self {
            electorate: Electorate::new(&settings),
            incarnation,
            named_count: 0,
            rng: settings.rng(incarnation),
            now,
            accepted,
            heard: accepted,
            current,
            disk: Disk::all_durable(history.last().index),
            commit: floor,
            handed: floor,
            role: Role::Looking(Box::default()),
            round: 0,
            connections: BTreeMap::new(),
            commands: Commands::default(),
            reads: LocalReads::new(incarnation),
            beat_at: now,
            sweep_at: now,
            out: Effects {
                install: history.checkpoint().map(|Checkpoint { snapshot, .. }| snapshot.clone()),
                ..Effects::default()
            },
            history,
            settings,
        };
        zab.look();
        // The first tick tells the others.
        zab.beat_at = now;
        zab
    }

    fn step(&mut self, now: Millis, input: Input<Message>) -> &mut Effects<Record, Message> {
        self.now = self.now.max(now);
        match input {
            Input::Tick => self.tick(),
            Input::Message { from, message } => self.receive(from, message),
            Input::Operations(offered) => self.offer(offered),
            Input::Durable(ticket) => self.disk.durable(ticket),
            Input::Snapshot(snapshot) => self.on_snapshot(snapshot),
        }
        self.finish();
        &mut self.out
    }

    fn wake_at(&self) -> Millis {
        if self.handed < self.commit.min(self.history.last().index) {
            return self.now;
        }
        let role_at = match &self.role {
            Role::Looking(election) => election.content_at.map_or(self.beat_at, |at| at.min(self.beat_at)),
            Role::Following(follower) => self.beat_at.min(follower.heard_at + follower.patience_ms),
            Role::Leading(_) => self.beat_at,
        };
        if self.commands.is_empty() && self.reads.is_empty() { role_at } else { role_at.min(self.sweep_at) }
    }

    fn view(&self) -> View {
        View {
            role: match &self.role {
                Role::Leading(_) if self.serves_as_leader() => ApiRole::Leader,
                Role::Following(_) if self.serves_as_follower() => ApiRole::Follower,
                _ => ApiRole::Candidate,
            },
            term: self.accepted.0,
            leader: match &self.role {
                Role::Leading(_) if self.serves_as_leader() => Some(self.settings.node),
                Role::Following(follower) if self.serves_as_follower() => Some(follower.leader),
                _ => None,
            },
            last: self.history.last().index.0,
            commit: self.commit.0,
        }
    }
}
