//! Nodes: messages, requests and disk reports on their way into a replica, and the duties of its outputs kept.
//!
//! The order of a busy or sleeping node's work is that of the real server's task: what the disk reports first, then
//! messages, each a step, then all clients' requests in one step, then a tick if one is due.

use std::collections::VecDeque;

use rand::RngExt as _;
use rashomon_histories::Nanos;
use rashomon_nemesis::timeline::Observation;
use rashomon_node::api::{self, NodeId};
use rashomon_node::driver::{self, Batch, Outbox};
use rashomon_node::protocol::Ticket;
use rashomon_node::replica::{Event, Output, Replica};
use rashomon_node::settings::Reads;
use rashomon_node::storage::wal::encode_batch;
use rashomon_node::storage::{Recovered, StorageError};
use rustc_hash::FxHashMap;

use super::{Due, Envelope, World};
use crate::clients::Answer;
use crate::invariants::Inspect;
use crate::network;
use crate::node::{Live, Post, Process};
use crate::trace::What;

/// A node starts again whatever a crash or a power loss left, unless its disk has rotted.
const STARTS: (&str, &str) = ("a node starts after every crash", "storage, assumptions 1 to 3");

/// What a node is told to be durable has been synced: it is not for luck to save it.
const SYNCED: (&str, &str) = ("what is reported durable is synced", "thesis 3.8; storage, assumption 2");

impl<P: Inspect> World<P> {
    /// Starts a node's process: reads its log, and is ready some time later. One that cannot use its log stays down.
    pub(super) fn start(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        host.start += 1;
        host.paused = false;
        host.busy_until = self.now;
        host.inbox.clear();
        host.disk.open();
        self.acting = Some(node);
        let opened = driver::open_log(host.disk.clone(), &host.settings, self.setup.node.segment_bytes);
        self.acting = None;
        host.process = match opened {
            Ok((wal, recovered)) => Process::Starting(Box::new(wal), Box::new(recovered)),
            Err(error) => {
                let is_damaged = !matches!(error, StorageError::Disk { .. });
                host.lost |= is_damaged && host.rotten;
                let unexplained = is_damaged && !host.rotten;
                let why = format!("it refuses to start: {error}");
                self.add(node, What::Died { why: why.clone() });
                if unexplained {
                    let detail = format!("n{}: {why}", node + 1);
                    self.invariants.report(self.now, STARTS, detail);
                }
                self.nodes[node].process = Process::Down(why);
                return;
            }
        };
        let takes_us = host.rng.random_range(self.setup.node.start_us.clone());
        self.queue.plan(self.now.plus(Nanos(takes_us * 1_000)), Due::Started(node, host.start));
    }

    /// A node's process is ready to serve, unless it was killed on the way.
    pub(super) fn started(&mut self, node: usize, start: u32) {
        let host = &mut self.nodes[node];
        if host.start != start || !matches!(host.process, Process::Starting(..)) {
            return;
        }
        if host.paused {
            return self.queue.plan(self.now.plus(Nanos::from_millis(1)), Due::Started(node, start));
        }
        let Process::Starting(wal, recovered) =
            std::mem::replace(&mut host.process, Process::Down(String::new()))
        else {
            unreachable!("it was just seen to be starting")
        };
        host.disk.complete();
        self.check_synced(node);
        let host = &mut self.nodes[node];
        let Recovered { records, incarnation, .. } = *recovered;
        self.invariants.restored::<P>(self.now, node, &records);
        let now = host.clock.read(self.now);
        self.acting = Some(node);
        let replica = Replica::restore(host.settings.clone(), incarnation, records, now);
        self.acting = None;
        host.process = Process::Up(Box::new(Live {
            replica,
            outbox: Outbox::default(),
            wal: *wal,
            batches: VecDeque::new(),
            writing: None,
            clients: FxHashMap::default(),
            written_out: VecDeque::new(),
        }));
        (host.wake_planned, host.wake_wanted) = (None, None);
        self.add(node, What::Started);
        self.plan_wake(node);
    }

    /// A message arrives at a node's socket.
    pub(super) fn arrive(&mut self, envelope: Envelope<P::Message>) {
        let Envelope { from, to, sent, message } = envelope;
        // A connection ends with the server at either end of it.
        let is_of_former_server = sent < self.nodes[from].since.max(self.nodes[to].since);
        if is_of_former_server || !self.network.passes(from, to) || self.nodes[to].live().is_none() {
            return self.add(to, What::Dropped { from });
        }
        self.add(to, What::Message { from, sent });
        if self.nodes[to].is_free(self.now) && self.nodes[to].slow.is_none() {
            self.step(to, Event::Message(name(from), message));
            self.plan_wake(to);
        } else {
            self.nodes[to].post(Post::Message(from, message));
            self.handle_if_free(to);
        }
    }

    /// A node may want a tick.
    pub(super) fn wake(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        if host.wake_planned == Some(self.now) {
            (host.wake_planned, host.wake_wanted) = (None, None);
        }
        if host.is_free(self.now) {
            self.tick(node);
        }
        // A busy node wakes once it is free; one that sleeps is woken when it goes on.
        if !self.nodes[node].paused {
            self.plan_wake(node);
        }
    }

    /// A slow node has handled what it had.
    pub(super) fn free(&mut self, node: usize) {
        self.handle_if_free(node);
    }

    /// Handles what waits at a node, unless it sleeps or is busy.
    pub(super) fn handle_if_free(&mut self, node: usize) {
        if !self.nodes[node].is_free(self.now) || self.nodes[node].live().is_none() {
            return;
        }
        if self.nodes[node].inbox.is_empty() {
            return;
        }
        let mut posts = std::mem::take(&mut self.nodes[node].inbox);
        for post in &posts {
            if let Post::Durable(ticket) = post {
                self.on_durable(node, *ticket);
            }
        }
        let mut requests = Vec::new();
        for post in posts.drain(..) {
            match post {
                Post::Message(from, message) => self.step(node, Event::Message(name(from), message)),
                Post::Request(attempt, request) => {
                    self.add(node, What::Request);
                    let Some(live) = self.nodes[node].live_mut() else { return };
                    let id = live.replica.name();
                    live.clients.insert(id, attempt);
                    if request.operation.is_read() && self.setup.node.reads != Reads::Local {
                        self.invariants.reads(node, id);
                    }
                    if request.operation.is_read() && self.setup.node.reads == Reads::ReadIndex {
                        let Some(live) = self.nodes[node].live() else { return };
                        self.invariants.awaits(node, id, live.replica.core());
                    }
                    requests.push((id, request));
                }
                // It came first.
                Post::Durable(_) => {}
            }
        }
        if self.nodes[node].inbox.is_empty() {
            // The same memory for the next ones.
            self.nodes[node].inbox = posts;
        }
        if !requests.is_empty() {
            self.step(node, Event::Requests(requests));
        }
        self.tick(node);
        if let Some(takes) = self.nodes[node].slow {
            self.nodes[node].busy_until = self.now.plus(takes);
            self.queue.plan(self.now.plus(takes), Due::Free(node));
        }
        self.plan_wake(node);
    }

    fn tick(&mut self, node: usize) {
        let host = &self.nodes[node];
        let now = host.clock.read(self.now);
        if host.live().is_some_and(|live| now >= live.replica.wake_at()) {
            self.step(node, Event::Tick);
        }
    }

    /// Plans the node's next wake-up, if none is planned that comes before.
    pub(super) fn plan_wake(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        let Some(live) = host.live() else { return };
        let wanted = live.replica.wake_at();
        if host.wake_wanted == Some(wanted) {
            return;
        }
        let at = host.clock.when(self.now, wanted).max(host.busy_until).max(self.now);
        host.wake_wanted = Some(wanted);
        if host.wake_planned.is_none_or(|planned| at < planned) {
            host.wake_planned = Some(at);
            self.queue.plan(at, Due::Wake(node));
        }
    }

    /// The disk has written what it was given.
    pub(super) fn written(&mut self, node: usize, start: u32) {
        let host = &mut self.nodes[node];
        if host.start != start {
            return;
        }
        let Some(ticket) = host.end_writing(self.now) else { return };
        host.disk.complete();
        self.check_synced(node);
        self.add(node, What::Written);
        self.observe_durable(node, ticket);
        let host = &mut self.nodes[node];
        if host.is_free(self.now) && host.slow.is_none() {
            self.on_durable(node, ticket);
            self.plan_wake(node);
        } else {
            host.post(Post::Durable(ticket));
            self.handle_if_free(node);
        }
        self.write(node);
    }

    /// What a node rests on, as of now, would survive a power loss.
    fn check_synced(&mut self, node: usize) {
        let (bytes, names) = self.nodes[node].disk.at_risk();
        if bytes > 0 || names > 0 {
            let detail = format!(
                "n{} takes all for durable, with {bytes} bytes and {names} names of segments not synced",
                node + 1
            );
            self.invariants.report(self.now, SYNCED, detail);
        }
    }

    fn on_durable(&mut self, node: usize, ticket: Ticket) {
        self.invariants.durable(self.now, node, ticket);
        let Some(live) = self.nodes[node].live_mut() else { return };
        let mut output = self.output.take().unwrap_or_default();
        live.outbox.release(ticket, &mut output.send);
        self.send(node, &mut output.send);
        self.output = Some(output);
        self.step(node, Event::Durable(ticket));
    }

    /// Gives the writer of a node's log its next group, if it waits for one.
    pub(super) fn write(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        if host.paused {
            return;
        }
        let Process::Up(live) = &mut host.process else { return };
        if live.writing.is_some() {
            return;
        }
        let Some(first) = live.batches.pop_front() else { return };
        let group = driver::gather(first, || live.batches.pop_front());
        let ticket = group.last().expect("a group starts with a batch").ticket;
        if let Err(error) = driver::write(&mut live.wal, &group) {
            // A node whose disk failed must not go on.
            return self.die(node, format!("its disk failed: {error}"));
        }
        let barriers = host.disk.barriers_in_flight();
        let ends_at = host.begin_writing(&self.setup.disk, self.now, ticket, barriers);
        self.queue.plan(ends_at, Due::Written(node, host.start));
    }

    /// A node's process is gone; what the kernel holds for its disk is not.
    pub(super) fn die(&mut self, node: usize, why: String) {
        let host = &mut self.nodes[node];
        let start = host.start;
        host.process = Process::Down(why.clone());
        host.paused = false;
        host.inbox.clear();
        self.add(node, What::Died { why });
        self.disconnect(node, start);
    }

    fn step(&mut self, node: usize, event: Event<P::Message>) {
        let host = &mut self.nodes[node];
        let now = host.clock.read(self.now);
        let Some(live) = host.live_mut() else { return };
        let mut output = self.output.take().unwrap_or_default();
        self.acting = Some(node);
        let told_by = match &event {
            Event::Message(from, message) => {
                self.invariants.told::<P>(message);
                if self.setup.node.reads == Reads::ReadIndex {
                    self.invariants.hears::<P>(node, *from, message, live.replica.core());
                }
                Some(*from)
            }
            _ => None,
        };
        live.replica.step(now, event, &mut output);
        self.acting = None;
        let broken_count = self.invariants.broken().len();
        let leads_anew = self.invariants.stepped(self.now, node, &output, &live.replica);
        self.invariants.keeps_way(self.now, node, live.replica.core(), now);
        if let Some(from) = told_by {
            self.invariants.heard(node, from, live.replica.core());
        }
        if leads_anew {
            self.check_leases(node);
        }
        if let Some(broken) = self.invariants.broken().get(broken_count) {
            let invariant = broken.invariant;
            self.trace.add(self.now, node, What::Broken { invariant });
        }
        self.carry_out(node, &mut output);
        self.output = Some(output);
    }

    /// A node leads in a term in which nobody did: no earlier leader is sure of its office by now.
    fn check_leases(&mut self, node: usize) {
        let Some(live) = self.nodes[node].live() else { return };
        let term = live.replica.core().view().term;
        for (other, host) in self.nodes.iter().enumerate().filter(|(other, _)| *other != node) {
            if let Some(live) = host.live() {
                let now = host.clock.read(self.now);
                let other = (other, live.replica.core(), now);
                self.invariants.leads_beside(self.now, (node, term), other);
            }
        }
    }

    fn carry_out(&mut self, node: usize, output: &mut Output<P>) {
        let Output { persist, replaces, ticket, send, send_durable, answers, notes, .. } = output;
        let (replaces, ticket) = (*replaces, *ticket);
        for note in &*notes {
            self.observe(&Observation::Note { node: network::name(node), text: &note.to_string() });
            if let Some(what) = What::of(note) {
                self.note_leader(node, &what);
                self.add(node, what);
            }
        }
        if !persist.is_empty() {
            self.note_records(node, ticket, persist);
        }
        let Some(live) = self.nodes[node].live_mut() else { return };
        if !persist.is_empty() {
            live.batches.push_back(Batch { ticket, replaces, bytes: encode_batch(persist) });
        }
        live.outbox.hold(ticket, send_durable);
        let position = live.replica.machine().applied();
        self.send(node, send);
        self.send(node, send_durable);
        for (id, answer) in answers.drain(..) {
            let asked_by = self.nodes[node].live_mut().and_then(|live| live.clients.remove(&id));
            let Some(attempt) = asked_by else { continue };
            self.add(node, What::Answered { done: answer.is_ok() });
            self.observe_answer(node, &answer);
            self.answer(attempt, Answer::Said(api::Answer { position, outcome: answer }));
        }
        if !persist.is_empty() {
            self.write(node);
        }
    }

    fn send(&mut self, from: usize, messages: &mut Vec<(NodeId, P::Message)>) {
        if messages.is_empty() {
            return;
        }
        for (to, message) in messages.drain(..) {
            let core = self.nodes[from].live().map(|live| live.replica.core());
            self.invariants.sends::<P>(self.now, (from, to), &message, core);
            let to = (to.0 - 1) as usize;
            if !self.passes_hands(from, to, &message) {
                continue;
            }
            let message = if self.network.encodes() { recoded::<P>(message) } else { message };
            let [first, second] = self.network.arrivals(self.now, from, to);
            if let Some(at) = second {
                let envelope = Envelope { from, to, sent: self.now, message: message.clone() };
                let slot = self.messages.put(envelope);
                self.queue.plan(at, Due::Message(slot));
            }
            if let Some(at) = first {
                let slot = self.messages.put(Envelope { from, to, sent: self.now, message });
                self.queue.plan(at, Due::Message(slot));
            }
        }
    }
}

/// A message as it comes out of the wire's encoding.
fn recoded<P: Inspect>(message: P::Message) -> P::Message {
    let bytes = postcard::to_stdvec(&message).expect("messages are plain data");
    postcard::from_bytes(&bytes).expect("what was encoded decodes")
}

fn name(position: usize) -> NodeId {
    NodeId(u32::try_from(position + 1).expect("a cluster has few nodes"))
}
