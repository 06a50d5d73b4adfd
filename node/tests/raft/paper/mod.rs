//! One test per sentence of the Raft paper (extended version; *thesis* where so said), named as the claim it makes.

mod clients;
mod defects;
mod election;
mod membership;
mod replication;
mod snapshots;
mod transfer;

use rashomon_node::api::{NodeId, Operation, RefusalCode, Reply, Role};
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::protocol::{Millis, Note, Protocol};
use rashomon_node::raft::log::{Entry, Index, Payload, Position, Term};
use rashomon_node::raft::message::{Body, HardState, Message, Record};
use rashomon_node::replica::Event;
use rashomon_node::settings::{Reads, Settings};

use rashomon_node::raft::Raft;

type Cluster = crate::cluster::Cluster<Raft>;
type Envelope = crate::cluster::Envelope<Message>;

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

fn noop(index: u64, term: u64) -> Entry {
    Entry { index: Index(index), term: Term(term), payload: Payload::Noop }
}

fn position(index: u64, term: u64) -> Position {
    Position { index: Index(index), term: Term(term) }
}

fn message(term: u64, body: Body) -> Message {
    Message { term: Term(term), body }
}

/// Three nodes, of which only n1 has been started for the test to talk to; its disk holds `terms` as entries 1, 2, ….
fn alone_with(term: u64, terms: &[u64]) -> Cluster {
    let mut cluster = Cluster::new(3);
    for (index, entry_term) in (1..).zip(terms) {
        cluster.node(N1).disk.push(Record::Entry(noop(index, *entry_term)));
    }
    cluster.node(N1).disk.push(Record::HardState(HardState { term: Term(term), vote: None }));
    [N1, N2, N3].into_iter().for_each(|id| cluster.crash(id));
    cluster.start(N1);
    // Long after any leader it may have heard.
    cluster.now = cluster.now + 10_000;
    cluster
}

/// What n1 answers n2.
fn answer_to(cluster: &mut Cluster, term: u64, body: Body) -> Vec<Message> {
    cluster.network.clear();
    cluster.step(N1, Event::Message(N2, message(term, body)));
    let to_n2 = cluster.network.drain(..).filter(|envelope| envelope.to == N2);
    to_n2.map(|envelope| envelope.message).collect()
}

fn terms_of(cluster: &Cluster, id: NodeId) -> Vec<u64> {
    cluster.replica(id).core().log().from(Index(1), usize::MAX).iter().map(|entry| entry.term.0).collect()
}

fn commit_of(cluster: &Cluster, id: NodeId) -> u64 {
    cluster.replica(id).core().view().commit
}

fn is_append(envelope: &Envelope) -> bool {
    matches!(envelope.message.body, Body::Append { .. })
}

/// A leader n1 with a session, number 2, opened by the entry after its no-op.
fn led_by_n1(cluster: &mut Cluster) {
    cluster.elect(N1);
    cluster.ask(N1, None, Operation::OpenSession);
    cluster.settle();
    let round = cluster.replica(N1).wake_at();
    cluster.now = round;
    cluster.step(N1, Event::Tick);
    cluster.settle();
}

fn vote(last: Position) -> Body {
    Body::Vote { last, is_handover: false }
}
