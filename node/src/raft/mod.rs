//! Raft as a core without I/O.
//!
//! Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (extended version, 2014), cited
//! as *Raft* with its section; Ongaro, "Consensus: Bridging Theory and Practice" (2014), cited as *thesis*.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`config`] | what a node is told at its start |
//! | [`message`] | what nodes say to each other, what they write down |
//! | [`log`] | the entries |
//! | [`membership`] | who takes part, and what a majority is |
//! | [`reception`] | which messages count, by their term |
//! | [`durability`] | which of them are on disk, and which answers wait for that |
//! | [`election`] | timers, pre-votes, votes, winning and losing |
//! | [`replication`] | the leader's side: sending entries, counting, committing |
//! | [`follower`] | the follower's side: checking, truncating, accepting |
//! | [`snapshots`] | what stands in for the log's beginning: taking, sending, installing |
//! | [`reads`] | reads without a place in the log: what confirms them |
//! | [`proposals`] | clients' commands: which leader gets them |
//! | [`admin`] | changes of the cluster: who is asked, who answers |
//! | [`changes`] | membership changes: learners, joint consensus |
//! | [`transfer`] | handing leadership over |
//!
//! What waits for these, whatever the protocol, is kept in [`crate::pending`].
//!
//! Beyond the paper's core: pre-vote and check-quorum (thesis 9.6, 6.2), pipelined appends, reads and commands accepted
//! at every node.

pub mod admin;
pub mod changes;
pub mod config;
pub mod durability;
pub mod election;
pub mod follower;
pub mod log;
pub mod membership;
pub mod message;
pub mod proposals;
pub mod reads;
pub mod reception;
pub mod replication;
pub mod snapshots;
pub mod transfer;

use rand_chacha::ChaCha8Rng;

use crate::api::{NodeId, Role as ApiRole};
use crate::defect::Defect;
use crate::pending::SWEEP_MS;
use crate::pending::commands::Commands;
use crate::pending::errands::Errands;
use crate::pending::reads::{LocalReads, QuestionId};
use crate::protocol::{
    APPLY_MAX, Decided, Effects, Extent, Incarnation, Input, Millis, Note, Protocol, View,
};
use crate::settings::Settings;
use durability::Disk;
use election::Votes;
use log::{Index, Log, Payload, Term};
use membership::{Membership, Memberships};
use message::{Body, HardState, Image, Message, Record};
use replication::Leadership;
use snapshots::Incoming;

/// One node's Raft.
#[derive(Debug)]
pub struct Raft {
    config: Settings,
    rng: ChaCha8Rng,
    now: Millis,
    hard: HardState,
    log: Log,
    memberships: Memberships,
    /// The latest snapshot, if there is one.
    image: Option<Image>,
    /// Whether the disk has only the index of that yet: defect R33.
    owes_data: bool,
    /// One that a leader is sending.
    incoming: Option<Incoming>,
    disk: Disk,
    /// Highest position known to be committed.
    commit: Index,
    /// Highest position handed out to be applied.
    handed: Index,
    role: Role,
    leader: Option<NodeId>,
    /// When to look for votes unless a leader is heard before.
    election_at: Millis,
    /// When a leader was last heard; the start counts as one, as a lease given before it may still run.
    heard_at: Millis,
    commands: Commands,
    /// The leader that all commands have been given to.
    routed_to: Option<(Term, NodeId)>,
    reads: LocalReads<Index>,
    /// Defect R11b: the name of a question that is asked again.
    reused_question: Option<QuestionId>,
    errands: Errands<(Term, NodeId)>,
    sweep_at: Millis,
    out: Effects<Record, Message>,
}

/// A node is one of these at any time (Raft 5.1); pre-candidates ask before they campaign.
#[derive(Debug)]
enum Role {
    Follower,
    PreCandidate(Votes),
    Candidate(Votes),
    Leader(Box<Leadership>),
}

impl Raft {
    /// The log, for checks of invariants and for people.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Term and vote, for checks of invariants and for people.
    pub fn hard_state(&self) -> HardState {
        self.hard
    }

    /// Who takes part, for checks of invariants and for people.
    pub fn membership(&self) -> &Membership {
        if self.config.defects.has(Defect::R25) {
            return self.memberships.at(self.handed);
        }
        self.memberships.latest()
    }

    /// The latest snapshot, for checks of invariants and for people.
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// Takes in a record that was read back from disk.
    fn replay(&mut self, record: Record) {
        match record {
            Record::HardState(state) => self.hard = state,
            Record::Entry(entry) => {
                self.log.truncate(entry.index);
                self.memberships.truncate(entry.index);
                if self.config.defects.has(Defect::R29) { self.log.push(entry) } else { self.track(entry) }
            }
            Record::Snapshot(image) => {
                self.log.reset(image.last);
                self.memberships = Memberships::new(image.membership.clone());
                (self.commit, self.handed) = (image.last.index, image.last.index);
                self.out.install = Some(image.snapshot());
                self.image = Some(image);
            }
        }
    }

    fn tick(&mut self) {
        match self.role {
            Role::Leader(_) => self.tick_leader(),
            _ if self.now >= self.election_at => self.look_for_votes(),
            _ => {}
        }
    }

    /// What every step ends with: pass on what has become possible.
    fn finish(&mut self) {
        if !self.errands.is_empty() {
            self.run_errands();
        }
        if matches!(self.role, Role::Leader(_)) {
            self.lead();
        } else {
            self.ask_leader_for_reads();
        }
        if self.now >= self.sweep_at {
            self.sweep();
        }
        self.hand_out();
        self.want_snapshot();
        self.reads.release(self.handed, &mut self.out.read);
        self.disk.hand_out(&mut self.out, self.log.last_index());
    }

    /// Hands committed entries out to be applied, in order, each once (RA1).
    fn hand_out(&mut self) {
        let end = self.commit.0.min(self.handed.0 + APPLY_MAX).min(self.log.last_index().0);
        for index in self.handed.0 + 1..=end {
            self.learn_membership_if_defective(Index(index));
            let entry = self.log.get(Index(index)).expect("the commit index is within the log");
            let (command, waiting) = match &entry.payload {
                Payload::Noop | Payload::Membership(_) => (None, Vec::new()),
                Payload::Command(command) => (Some(command.clone()), self.commands.decided(&command.author)),
            };
            self.out.apply.push(Decided { index, command, waiting });
        }
        self.handed = Index(end.max(self.handed.0));
    }

    /// Defect R29 forgot the memberships of its log when it was restarted, and learns of them when they are applied.
    fn learn_membership_if_defective(&mut self, index: Index) {
        if self.config.defects.has(Defect::R29)
            && let Some(Payload::Membership(membership)) = self.log.get(index).map(|entry| &entry.payload)
            && !self.memberships.is_known(index)
        {
            self.memberships.push(index, membership.clone());
        }
    }

    /// Gives up on operations that have waited too long.
    fn sweep(&mut self) {
        self.sweep_commands();
        self.sweep_reads();
        self.sweep_errands();
        self.sweep_at = self.now + SWEEP_MS;
    }

    /// The highest value that a majority has reached; see [`Membership::reached`].
    fn reached<T: Ord + Copy>(&self, of: impl Fn(NodeId) -> T) -> T {
        if self.config.defects.has(Defect::R28)
            && let Role::Leader(leadership) = &self.role
        {
            let learners = leadership.admin.change.iter().flat_map(|change| change.learners());
            let counted = self.membership().with(learners.chain([self.config.node]));
            return counted.reached(self.config.defects, of);
        }
        self.membership().reached(self.config.defects, of)
    }

    /// The other voters.
    fn peers(&self) -> Vec<NodeId> {
        let mut nodes = self.membership().nodes();
        nodes.retain(|node| *node != self.config.node);
        nodes
    }

    fn send(&mut self, to: NodeId, body: Body) {
        self.out.send.push((to, Message { term: self.hard.term, body }));
    }

    fn note(&mut self, note: Note) {
        self.out.notes.push(note);
    }
}

impl Protocol for Raft {
    type Record = Record;
    type Message = Message;

    const NAME: &'static str = "raft";

    fn restore(config: Settings, incarnation: Incarnation, records: Vec<Record>, now: Millis) -> Self {
        let mut raft = Self {
            rng: config.rng(incarnation),
            now,
            hard: HardState::default(),
            disk: Disk::all_durable(Index(0)),
            log: Log::default(),
            memberships: Memberships::new(Membership::of(&config.members)),
            image: None,
            owes_data: false,
            incoming: None,
            commit: Index(0),
            handed: Index(0),
            role: Role::Follower,
            leader: None,
            election_at: now,
            heard_at: now,
            commands: Commands::default(),
            routed_to: None,
            reads: LocalReads::new(incarnation),
            reused_question: None,
            errands: Errands::default(),
            sweep_at: now,
            out: Effects::default(),
            config,
        };
        records.into_iter().for_each(|record| raft.replay(record));
        if raft.config.defects.has(Defect::R02) {
            raft.hard.term = raft.log.last().term;
        }
        raft.disk = Disk::all_durable(raft.log.last_index());
        raft.reset_election_timer();
        if raft.is_empty_authority() {
            raft.election_at = now;
        }
        raft
    }

    fn step(&mut self, now: Millis, input: Input<Message>) -> &mut Effects<Record, Message> {
        self.now = self.now.max(now);
        match input {
            Input::Tick => self.tick(),
            Input::Message { from, message } => self.receive(from, message),
            Input::Operations(offered) => self.offer(offered),
            Input::Durable(ticket) => {
                self.disk.durable(ticket);
                self.count_own_vote();
                self.write_data_if_defective();
            }
            Input::Snapshot(snapshot) => self.on_snapshot(snapshot),
        }
        self.finish();
        &mut self.out
    }

    fn wake_at(&self) -> Millis {
        let is_behind = self.handed < self.commit.min(self.log.last_index());
        if is_behind || self.out.install.is_some() {
            return self.now;
        }
        let role_at = match &self.role {
            Role::Leader(leadership) => leadership.heartbeat_at,
            _ => self.election_at,
        };
        let is_idle = self.commands.is_empty() && self.reads.is_empty() && self.errands.is_empty();
        if is_idle { role_at } else { role_at.min(self.sweep_at) }
    }

    fn extent(&self) -> Extent {
        Extent {
            members: self.membership().nodes(),
            base: self.log.base().index.0,
            snapshot: self.image.as_ref().map_or(0, |image| image.last.index.0),
        }
    }

    fn view(&self) -> View {
        View {
            role: match self.role {
                Role::Leader(_) => ApiRole::Leader,
                Role::Follower => ApiRole::Follower,
                Role::PreCandidate(_) | Role::Candidate(_) => ApiRole::Candidate,
            },
            term: self.hard.term.0,
            leader: self.leader,
            last: self.log.last_index().0,
            commit: self.commit.0,
        }
    }
}

/// Term after this one.
fn next(term: Term) -> Term {
    Term(term.0 + 1)
}
