//! The port through which a run asks nodes who they are: for aiming faults, for progress, for readiness.
//!
//! An answer may be late or wrong. What is known of a node's process (down, paused) is the run's to add.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rashomon_nemesis::{NodeId, NodeView};
use rashomon_workloads::client::BoxedFuture;
use tokio::net::TcpStream;

/// What a node said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its role, and in which term; unknown where the system has no roles.
    pub view: NodeView,
    /// Whether it can serve: it leads or knows a leader, or the system has none.
    pub is_ready: bool,
    /// Up to where it has applied its log.
    pub applied: Option<u64>,
    /// Digest of its state there: two nodes that applied alike and differ here have diverged.
    pub digest: Option<u64>,
    /// Planted defects that are on.
    pub defects: Vec<String>,
    /// How it makes reads linearizable, or `local` if it does not; unknown where the system does not say.
    pub reads: Option<String>,
    /// Who takes part, as far as it knows; empty where the system does not say.
    pub members: BTreeSet<NodeId>,
}

/// Asks nodes for their role.
pub trait Probe: Send + Sync {
    /// Asks one node, and waits no longer than the probe's timeout. The error is for people.
    fn status(&self, node: NodeId) -> BoxedFuture<'_, Result<NodeStatus, String>>;

    /// Whether its nodes have roles, so that faults can aim by them.
    fn tells_roles(&self) -> bool {
        true
    }

    /// The node's role, if it answered.
    fn probe(&self, node: NodeId) -> BoxedFuture<'_, Option<NodeView>> {
        Box::pin(async move { self.status(node).await.ok().map(|status| status.view) })
    }
}

/// Addresses by node; what every probe over the network starts from.
pub(super) type Addresses = BTreeMap<NodeId, SocketAddr>;

pub(super) fn address(addresses: &Addresses, node: NodeId) -> Result<SocketAddr, String> {
    addresses.get(&node).copied().ok_or_else(|| format!("there is no node {node}"))
}

/// Bounds a probe.
pub(super) async fn within<T>(
    timeout: Duration,
    asking: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    tokio::time::timeout(timeout, asking)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {timeout:?}")))
}

/// Whether the client port takes a connection.
#[derive(Debug)]
pub struct PortProbe {
    addresses: Addresses,
    timeout: Duration,
}

impl PortProbe {
    /// A probe of these ports.
    pub fn new(addresses: BTreeMap<NodeId, SocketAddr>, timeout: Duration) -> Self {
        PortProbe { addresses, timeout }
    }
}

impl Probe for PortProbe {
    fn status(&self, node: NodeId) -> BoxedFuture<'_, Result<NodeStatus, String>> {
        Box::pin(within(self.timeout, async move {
            let address = address(&self.addresses, node)?;
            TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
            Ok(NodeStatus { is_ready: true, ..NodeStatus::default() })
        }))
    }

    fn tells_roles(&self) -> bool {
        false
    }
}
