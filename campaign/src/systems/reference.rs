//! The reference node: its client, which has a session and numbers its operations, and its status.
//!
//! The node's own client library says of every failure whether the operation may have happened; here that bit is
//! passed on and given a code. A connection that failed in any way is closed, and the next call makes a new one: it
//! opens a session of its own. What is repeated is repeated by the node's own client library, under the same number of the
//! session; the one exception is planted (defect G01).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rashomon_histories::Invocation;
use rashomon_nemesis::{NodeId, NodeView, Role};
use rashomon_node::api;
use rashomon_simulator::vocabulary;
use rashomon_workloads::client::BoxedFuture;
use rashomon_workloads::{BoxedClient, CallError, Client, Connector, ErrorCode, Outcome};
use smol_str::SmolStr;
use tokio::time::Instant;

use super::admin::{Admin, NotDone, Wish};
use super::probe::{Addresses, NodeStatus, Probe, address, within};
use super::{ClientSettings, Retries};

/// Where a client retries, an attempt gets this share of the call's deadline.
const ATTEMPTS_PER_CALL: u32 = 4;

/// Opens clients of reference nodes.
#[derive(Debug)]
pub struct Nodes {
    addresses: BTreeMap<SmolStr, SocketAddr>,
    settings: ClientSettings,
}

impl Nodes {
    /// Nodes by name.
    pub fn new(addresses: BTreeMap<SmolStr, SocketAddr>, settings: ClientSettings) -> Self {
        Nodes { addresses, settings }
    }
}

impl Connector for Nodes {
    /// # Panics
    /// When there is no node of this name.
    fn open(&self, _process: u64, node: &str) -> BoxedClient {
        let address = *self.addresses.get(node).expect("the layout names the cluster's nodes");
        Box::new(NodeClient { address, settings: self.settings.clone(), connection: None, seen: 0 })
    }
}

struct NodeClient {
    address: SocketAddr,
    settings: ClientSettings,
    connection: Option<api::Client>,
    /// The highest position that any answer rested on, over all connections: a node that reads locally and is behind it
    /// refuses, so that the client never sees the past after the present.
    seen: u64,
}

impl Client for NodeClient {
    async fn call(&mut self, operation: &Invocation) -> Outcome {
        let asked = vocabulary::translate(self.settings.objects, operation)?;
        let end = Instant::now() + self.settings.call_timeout;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let left = end.saturating_duration_since(Instant::now());
        let called = connection.operate(asked, left).await;
        self.seen = self.seen.max(connection.seen());
        if vocabulary::keeps_connection(&called) {
            self.connection = Some(connection);
        }
        vocabulary::outcome(called.as_ref().map(Clone::clone), Instant::now() >= end)
    }
}

impl NodeClient {
    async fn connect(&self) -> Result<api::Client, CallError> {
        let timeout = self.settings.connect_timeout.min(self.settings.call_timeout);
        let connection = api::Client::connect(self.address, timeout).await;
        let connection = connection
            .map_err(|error| ErrorCode::ConnectionRefused.with(format!("{}: {error}", self.address)))?;
        let attempt = self.settings.call_timeout / ATTEMPTS_PER_CALL;
        let connection = connection.with_retries(match self.settings.retries {
            Retries::Never => api::Retries::Never,
            Retries::SameNumber => api::Retries::SameSequence(attempt),
            Retries::NewNumber => api::Retries::NewSequence(attempt),
        });
        Ok(connection.having_seen(self.seen))
    }
}

/// Asks reference nodes for another leader or other members.
#[derive(Debug)]
pub struct AdminCalls {
    addresses: Addresses,
    timeout: Duration,
}

impl AdminCalls {
    /// Of these nodes; what takes longer than `timeout` counts as unanswered.
    pub fn new(addresses: BTreeMap<NodeId, SocketAddr>, timeout: Duration) -> Self {
        AdminCalls { addresses, timeout }
    }
}

impl Admin for AdminCalls {
    fn ask(&self, at: NodeId, wish: Wish) -> BoxedFuture<'_, Result<(), NotDone>> {
        Box::pin(async move {
            let address = address(&self.addresses, at).map_err(NotDone::surely)?;
            let connection = api::Client::connect(address, self.timeout).await;
            let mut connection =
                connection.map_err(|error| NotDone::surely(format!("{address}: {error}")))?;
            let member = |node: NodeId| api::NodeId(node.0);
            let admin = match wish {
                Wish::Lead(heir) => api::Admin::Lead(member(heir)),
                Wish::Members(members) => api::Admin::Members(members.into_iter().map(member).collect()),
            };
            match connection.operate(api::Operation::Admin(admin), self.timeout).await {
                Ok(_) => Ok(()),
                Err(error) => Err(NotDone { definite: error.is_definite(), text: error.to_string() }),
            }
        })
    }
}

/// Asks reference nodes for their status.
#[derive(Debug)]
pub struct StatusProbe {
    addresses: Addresses,
    timeout: Duration,
}

impl StatusProbe {
    /// A probe of these nodes.
    pub fn new(addresses: BTreeMap<NodeId, SocketAddr>, timeout: Duration) -> Self {
        StatusProbe { addresses, timeout }
    }
}

impl Probe for StatusProbe {
    fn status(&self, node: NodeId) -> BoxedFuture<'_, Result<NodeStatus, String>> {
        Box::pin(within(self.timeout, async move {
            let address = address(&self.addresses, node)?;
            let connection = api::Client::connect(address, self.timeout).await;
            let connection = connection.map_err(|error| format!("{address}: {error}"))?;
            let status = connection.status(self.timeout).await.map_err(|error| error.to_string())?;
            let role = match status.role {
                api::Role::Leader => Role::Leader,
                api::Role::Follower => Role::Follower,
                api::Role::Candidate => Role::Candidate,
            };
            Ok(NodeStatus {
                view: NodeView { role, term: status.term },
                is_ready: status.leader.is_some(),
                applied: Some(status.applied),
                digest: Some(status.digest),
                defects: status.defects,
                reads: Some(status.reads),
                members: status.members.iter().map(|member| NodeId(member.0)).collect(),
            })
        }))
    }
}
