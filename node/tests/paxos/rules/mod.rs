//! One test per obligation of the rules PP1 to PP13 (`docs/paxos.md`), named as the claim it makes.

mod acceptors;
mod clients;
mod disks;
mod leaders;

use rashomon_node::api::{NodeId, Operation, RefusalCode, Reply};
use rashomon_node::machine::{Author, Command};
use rashomon_node::paxos::Paxos;
use rashomon_node::paxos::basic::{Accepted, Ballot};
use rashomon_node::paxos::message::{Message, Record, Reported, Rest, Slot, Standing, Value};
use rashomon_node::protocol::OperationId;
use rashomon_node::replica::Event;
use rashomon_node::settings::{Bounds, Reads, Settings};

use crate::{Cluster, Envelope, N1, N2, N3, deliver, led_by_n1, take};

fn ballot(round: u64, node: u32) -> Ballot {
    Ballot { round, node: NodeId(node) }
}

/// A command of its own for each number.
fn value(number: u64) -> Value {
    let author = Author::Node(NodeId(9), OperationId(number));
    Value::Command(Command { author, operation: Operation::write("x", number as i64) })
}

fn accepted(round: u64, node: u32, number: u64) -> Accepted<Value> {
    Accepted { ballot: ballot(round, node), value: value(number) }
}

fn reported(slot: u64, round: u64, node: u32, number: u64) -> Reported {
    Reported { slot: Slot(slot), accepted: accepted(round, node, number) }
}

/// Three nodes, of which only n1 has been started for the test to talk to, from these records of a founder; long after any
/// leader that it may have heard.
fn alone_with(records: Vec<Record>) -> Cluster {
    alone_under(|_| {}, records)
}

/// The same, differently configured.
fn alone_under(configure: impl Fn(&mut Settings), records: Vec<Record>) -> Cluster {
    let mut cluster = Cluster::with(3, configure);
    [N1, N2, N3].into_iter().for_each(|id| cluster.crash(id));
    cluster.node(N1).disk = [vec![Record::Founded], records].concat();
    cluster.start(N1);
    cluster.network.clear();
    cluster.now = cluster.now + 10_000;
    cluster
}

/// What n1 sends to `from` when told this by it.
fn answers(cluster: &mut Cluster, from: NodeId, message: Message) -> Vec<Message> {
    cluster.network.clear();
    cluster.step(N1, Event::Message(from, message));
    let back = cluster.network.drain(..).filter(|envelope| envelope.to == from);
    back.map(|envelope| envelope.message).collect()
}

fn prepare(round: u64, node: u32, from: u64) -> Message {
    Message::Prepare { ballot: ballot(round, node), from: Slot(from), released: None }
}

fn accept(round: u64, node: u32, first: u64, numbers: &[u64]) -> Message {
    Message::Accept {
        ballot: ballot(round, node),
        first: Slot(first),
        values: numbers.iter().map(|number| value(*number)).collect(),
        chosen: Slot(0),
    }
}

fn acceptance(round: u64, node: u32, first: u64, last: u64) -> Message {
    Message::Accepted { ballot: ballot(round, node), first: Slot(first), last: Slot(last) }
}

fn promise(round: u64, node: u32, slots: Vec<Reported>) -> Message {
    let ballot = ballot(round, node);
    Message::Promise { ballot, from: Slot(1), compacted: Slot(0), slots, rest: None }
}

/// n1, alone, asks for promises; returns its ballot. What it accepted before is `records`.
fn candidate(records: Vec<Record>) -> (Cluster, Ballot) {
    let mut cluster = alone_with(records);
    cluster.timeout(N1);
    let probed = sent(&cluster, |message| match message {
        Message::Probe { ballot } => Some(*ballot),
        _ => None,
    });
    let willing = Message::Willing { ballot: probed, promised: Ballot::NONE };
    cluster.step(N1, Event::Message(N2, willing));
    let prepared = sent(&cluster, |message| match message {
        Message::Prepare { ballot, .. } => Some(*ballot),
        _ => None,
    });
    (cluster, prepared)
}

/// What is sought in the last message under way that has it.
fn sent<T>(cluster: &Cluster, seek: impl Fn(&Message) -> Option<T>) -> T {
    cluster.network.iter().rev().find_map(|envelope| seek(&envelope.message)).expect("it has been sent")
}

/// What a leader proposes from slot 1 on, in its own acceptor.
fn proposed(cluster: &Cluster) -> Vec<(u64, Value)> {
    let acceptor = cluster.replica(N1).core().acceptor();
    acceptor.accepted_values().map(|(slot, accepted)| (slot.0, accepted.value.clone())).collect()
}

fn chosen(cluster: &Cluster, id: NodeId) -> u64 {
    cluster.replica(id).core().acceptor().chosen().0
}
