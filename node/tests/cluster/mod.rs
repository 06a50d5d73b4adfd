//! A cluster in memory that does nothing by itself: tests decide when time passes, which message arrives and what the
//! disk has written. It keeps a driver's duties (see `Effects`) and checks the invariants after every step. Each protocol's
//! tests bring the invariants of theirs ([`Checked`]); [`clients`] holds the rules that all of them keep towards clients;
//! [`random`] drives any of them by random schedules.

#![allow(dead_code, reason = "each protocol's tests use a part of it")]

pub(crate) mod clients;
mod history;
pub(crate) mod random;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rashomon_node::api::{NodeId, Operation, Refusal, Reply, Request, Sequence, SessionId, Sessioned};
use rashomon_node::defect::Defects;
use rashomon_node::machine::Command;
use rashomon_node::protocol::{Incarnation, Millis, Note, OperationId, Protocol, Ticket};
use rashomon_node::replica::{Event, Output, Replica};
use rashomon_node::settings::Settings;

pub(crate) type Answer = Result<Reply, Refusal>;

/// A protocol whose tests know what must always hold.
pub(crate) trait Checked: Protocol<Message: PartialEq> {
    type Invariants: Invariants<Self>;
}

/// What must hold at every moment of a cluster's life. Violations are collected, not asserted, so that tests of planted
/// defects can ask for them.
pub(crate) trait Invariants<P: Protocol>: Default {
    /// Checks a node that has just made a step. `disks` holds what is durable on each node, by number.
    fn check(&mut self, node: NodeId, core: &P, disks: &[&[P::Record]]);

    /// Checks records that have just become durable.
    fn check_disk(&mut self, node: NodeId, records: &[P::Record]);

    /// A disk was lost, and what was promised on it.
    fn forget(&mut self, _node: NodeId) {}

    /// Everything that did not hold.
    fn violations(&self) -> &[String];

    /// What has been decided anywhere, with its position; nothing of what only the protocol cares for.
    fn decided(&self) -> Vec<(u64, Command)>;
}

/// Messages and whom they are for.
type Addressed<P> = Vec<(NodeId, <P as Protocol>::Message)>;

/// Records handed out together: what is durable of them is all or nothing.
struct Batch<R> {
    ticket: Ticket,
    replaces: bool,
    records: Vec<R>,
}

/// A message under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Envelope<M> {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) message: M,
}

/// A node and its disk. `replica` is `None` while it is down.
pub(crate) struct Node<P: Protocol> {
    pub(crate) config: Settings,
    pub(crate) replica: Option<Replica<P>>,
    pub(crate) disk: Vec<P::Record>,
    /// Written but not synced: lost in a crash.
    unsynced: VecDeque<Batch<P::Record>>,
    durable: Ticket,
    held: VecDeque<(Ticket, Addressed<P>)>,
    incarnation: u64,
    /// Whether records become durable at once.
    pub(crate) syncs: bool,
}

pub(crate) struct Cluster<P: Checked> {
    pub(crate) now: Millis,
    pub(crate) nodes: BTreeMap<NodeId, Node<P>>,
    pub(crate) network: Vec<Envelope<P::Message>>,
    /// Directed links that swallow messages.
    pub(crate) cuts: BTreeSet<(NodeId, NodeId)>,
    pub(crate) answers: BTreeMap<(NodeId, OperationId), Answer>,
    pub(crate) notes: Vec<(NodeId, Note)>,
    pub(crate) invariants: P::Invariants,
}

impl<P: Checked> Cluster<P> {
    pub(crate) fn new(count: u32) -> Self {
        Self::with(count, |_| {})
    }

    pub(crate) fn with(count: u32, configure: impl Fn(&mut Settings)) -> Self {
        let ids: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let node = |id: NodeId| {
            let mut config = Settings::new(id, ids.clone());
            configure(&mut config);
            config.check().unwrap();
            let held = VecDeque::new();
            let unsynced = VecDeque::new();
            let durable = Ticket(0);
            Node { config, replica: None, disk: vec![], unsynced, durable, held, incarnation: 0, syncs: true }
        };
        let mut cluster = Self {
            now: Millis(0),
            nodes: ids.iter().map(|id| (*id, node(*id))).collect(),
            network: Vec::new(),
            cuts: BTreeSet::new(),
            answers: BTreeMap::new(),
            notes: Vec::new(),
            invariants: P::Invariants::default(),
        };
        ids.iter().for_each(|id| cluster.start(*id));
        cluster
    }

    pub(crate) fn with_defects(count: u32, defects: Defects) -> Self {
        Self::with(count, |config| config.defects = defects)
    }

    /// Starts a node that is down, from what its disk holds.
    pub(crate) fn start(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.node(id);
        assert!(node.replica.is_none(), "{id} is up");
        node.incarnation += 1;
        node.durable = Ticket(0);
        let incarnation = Incarnation(node.incarnation);
        let config = node.config.clone();
        node.replica = Some(Replica::restore(config, incarnation, node.disk.clone(), now));
    }

    /// The node dies and with it what was not synced.
    pub(crate) fn crash(&mut self, id: NodeId) {
        let node = self.node(id);
        node.replica = None;
        node.unsynced.clear();
        node.held.clear();
    }

    /// The node dies, and its disk is lost with all that was on it.
    pub(crate) fn wipe(&mut self, id: NodeId) {
        self.crash(id);
        let node = self.node(id);
        node.disk.clear();
        node.incarnation = 0;
        self.invariants.forget(id);
    }

    /// The disk has written everything.
    pub(crate) fn sync(&mut self, id: NodeId) {
        let node = self.node(id);
        let Some(Batch { ticket, .. }) = node.unsynced.back() else { return };
        let ticket = *ticket;
        self.sync_up_to(id, ticket);
    }

    /// The disk has written the oldest batch under way, if there is one.
    pub(crate) fn sync_one(&mut self, id: NodeId) {
        if let Some(Batch { ticket, .. }) = self.node(id).unsynced.front() {
            let ticket = *ticket;
            self.sync_up_to(id, ticket);
        }
    }

    fn sync_up_to(&mut self, id: NodeId, ticket: Ticket) {
        let mut synced = Vec::new();
        let node = self.node(id);
        while node.unsynced.front().is_some_and(|batch| batch.ticket <= ticket) {
            let batch = node.unsynced.pop_front().unwrap();
            if batch.replaces {
                node.disk.clear();
            }
            node.disk.extend(batch.records.iter().cloned());
            synced.extend(batch.records);
        }
        node.durable = ticket;
        let mut released = Vec::new();
        while node.held.front().is_some_and(|(held, _)| *held <= ticket) {
            released.extend(node.held.pop_front().unwrap().1);
        }
        self.post(id, released);
        self.invariants.check_disk(id, &synced);
        self.step(id, Event::Durable(ticket));
    }

    /// Time passes until the node wants a tick, and it gets one; the others get none.
    pub(crate) fn timeout(&mut self, id: NodeId) {
        self.now = self.now.max(self.replica(id).wake_at());
        self.step(id, Event::Tick);
    }

    /// A client of `id` asks for something.
    pub(crate) fn ask(
        &mut self,
        id: NodeId,
        session: Option<(u64, u64)>,
        operation: Operation,
    ) -> OperationId {
        self.ask_having_seen(0, id, session, operation)
    }

    /// A client of `id` that has seen this position asks for something.
    pub(crate) fn ask_having_seen(
        &mut self,
        seen: u64,
        id: NodeId,
        session: Option<(u64, u64)>,
        operation: Operation,
    ) -> OperationId {
        let name = self.node(id).replica.as_mut().expect("the node is up").name();
        let sessioned = session.map(|(session, sequence)| Sessioned {
            session: SessionId(session),
            sequence: Sequence(sequence),
        });
        self.step(id, Event::Requests(vec![(name, Request { sessioned, seen, operation })]));
        name
    }

    /// Delivers a message, unless its link is cut or its receiver down.
    pub(crate) fn deliver(&mut self, envelope: Envelope<P::Message>) {
        let Envelope { from, to, message } = envelope;
        if !self.cuts.contains(&(from, to)) && self.nodes[&to].replica.is_some() {
            self.step(to, Event::Message(from, message));
        }
    }

    /// Delivers the message at `position` of the network.
    pub(crate) fn deliver_at(&mut self, position: usize) {
        let envelope = self.network.remove(position);
        self.deliver(envelope);
    }

    /// Delivers everything, and what follows from it, in order, until nothing is under way.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            if self.network.is_empty() {
                return;
            }
            self.deliver_at(0);
        }
        panic!("messages beget messages without end");
    }

    /// Time passes evenly, nodes get their ticks, messages arrive.
    pub(crate) fn pass(&mut self, span_ms: u64) {
        let end = self.now + span_ms;
        while self.now < end {
            self.now = self.now + 5;
            for id in self.nodes.keys().copied().collect::<Vec<_>>() {
                let replica = self.nodes[&id].replica.as_ref();
                if replica.is_some_and(|replica| replica.wake_at() <= self.now) {
                    self.step(id, Event::Tick);
                }
            }
            self.settle();
        }
    }

    /// Makes `id` the leader: it looks for votes while the others have heard nobody for long.
    pub(crate) fn elect(&mut self, id: NodeId) {
        let patience_ms = self.nodes[&id].config.election_ms.end;
        self.now = self.now + patience_ms;
        self.timeout(id);
        self.settle();
        assert!(self.leads(id), "{id} is elected");
    }

    pub(crate) fn leads(&self, id: NodeId) -> bool {
        let replica = self.nodes[&id].replica.as_ref();
        replica.is_some_and(|replica| replica.core().view().role == rashomon_node::api::Role::Leader)
    }

    /// Cuts every link between `id` and the others.
    pub(crate) fn isolate(&mut self, id: NodeId) {
        for other in self.nodes.keys().copied().filter(|other| *other != id) {
            self.cuts.insert((id, other));
            self.cuts.insert((other, id));
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
    }

    pub(crate) fn replica(&self, id: NodeId) -> &Replica<P> {
        self.nodes[&id].replica.as_ref().expect("the node is up")
    }

    pub(crate) fn node(&mut self, id: NodeId) -> &mut Node<P> {
        self.nodes.get_mut(&id).expect("there is such a node")
    }

    pub(crate) fn step(&mut self, id: NodeId, event: Event<P::Message>) {
        let now = self.now;
        let node = self.node(id);
        let mut output = Output::default();
        node.replica.as_mut().expect("the node is up").step(now, event, &mut output);
        let Output { persist, replaces, ticket, send, send_durable, answers, notes, .. } = output;
        if !persist.is_empty() {
            node.unsynced.push_back(Batch { ticket, replaces, records: persist });
        }
        let is_durable = ticket <= node.durable;
        let syncs = node.syncs;
        if !is_durable && !send_durable.is_empty() {
            node.held.push_back((ticket, send_durable));
            self.post(id, send);
        } else {
            self.post(id, send);
            self.post(id, send_durable);
        }
        self.answers.extend(answers.into_iter().map(|(name, answer)| ((id, name), answer)));
        self.notes.extend(notes.into_iter().map(|note| (id, note)));
        self.check(id);
        if syncs {
            self.sync(id);
        }
    }

    fn check(&mut self, id: NodeId) {
        let node = &self.nodes[&id];
        let disks: Vec<&[P::Record]> = self.nodes.values().map(|node| node.disk.as_slice()).collect();
        let core = node.replica.as_ref().expect("it has just made a step").core();
        self.invariants.check(id, core, &disks);
    }

    fn post(&mut self, from: NodeId, messages: Addressed<P>) {
        self.network.extend(messages.into_iter().map(|(to, message)| Envelope { from, to, message }));
    }
}
