//! Tests of Basic and Multi-Paxos, on clusters in memory: rules, defects, transcripts, random schedules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod basic;
#[path = "../cluster/mod.rs"]
mod cluster;
mod defects;
mod invariants;
mod random;
mod rules;

use rashomon_node::api::{NodeId, Operation};
use rashomon_node::paxos::Paxos;
use rashomon_node::paxos::message::Message;

type Cluster = cluster::Cluster<Paxos>;
type Envelope = cluster::Envelope<Message>;

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

/// A leader n1 with a session, number 2, opened in the slot after its no-op; all know that these two slots are chosen.
fn led_by_n1(cluster: &mut Cluster) {
    cluster.elect(N1);
    cluster.ask(N1, None, Operation::OpenSession);
    cluster.settle();
    cluster.timeout(N1);
    cluster.settle();
}

/// Everything under way from one node to another.
fn take(cluster: &mut Cluster, from: NodeId, to: NodeId) -> Vec<Envelope> {
    cluster.network.extract_if(.., |one| (one.from, one.to) == (from, to)).collect()
}

/// Delivers it, in order.
fn deliver(cluster: &mut Cluster, from: NodeId, to: NodeId) {
    for envelope in take(cluster, from, to) {
        cluster.deliver(envelope);
    }
}
