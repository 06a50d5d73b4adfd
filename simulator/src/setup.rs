//! Everything that a simulated run is a function of, as plain data.
//!
//! The defaults are those of the reference node and of a quiet machine room; [`crate::swarm`] varies them by seed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use rashomon_histories::Nanos;
use rashomon_nemesis::timeline::Sight;
use rashomon_nemesis::{Fault, Rhythm, Script, Timeline};
use rashomon_node::api::{NodeId, Retries};
use rashomon_node::defect::Defects;
use rashomon_node::machine::sessions::Limits;
use rashomon_node::settings::{Bounds, Reads, Settings};
use rashomon_workloads::generator::ScriptedOperation;
use rashomon_workloads::{Options, Workload};
use serde::{Deserialize, Serialize};

/// Everything that a simulated run is a function of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Nodes of the cluster.
    pub nodes: u32,
    /// Client processes at a time; each is pinned to a node.
    pub clients: u32,
    /// What they ask.
    pub workload: &'static dyn Workload,
    /// How much of it.
    pub options: Options,
    /// Exactly these operations instead, where they are given.
    pub operations: Option<Arc<[ScriptedOperation]>>,
    /// How long they ask while things break.
    pub duration: Nanos,
    /// How long a client waits for an answer.
    pub timeout: Nanos,
    /// What clients do when an outcome is unknown.
    pub retries: Retries,
    /// What else clients are used to.
    pub habits: Habits,
    /// What may break.
    pub faults: Vec<&'static dyn Fault>,
    /// The fault schedule, where it is given instead of drawn.
    pub schedule: Option<Arc<Given>>,
    /// How faults follow each other.
    pub rhythm: Rhythm,
    /// What the nodes are told.
    pub node: NodeSetup,
    /// How messages travel.
    pub network: NetworkSetup,
    /// How disks write.
    pub disk: DiskSetup,
    /// How long the cluster may take, once all is healed, until it has a leader, answers everything, and is at rest.
    pub recovery: Nanos,
    /// Whether the run is recorded glyph by glyph.
    pub trace: bool,
}

/// A fault schedule that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Directed: whom it hits is decided on the way.
    Timeline(Timeline),
    /// As it happened once.
    Script(Script),
}

/// What clients are used to. Without habits a thread stays with its node, and has a new session after each operation of
/// unknown outcome, as most clients of real runs do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Habits {
    /// A thread keeps its session for good, also after outcomes that stayed unknown: only the numbers of operations tell
    /// a late one from the next (thesis 6.3).
    pub keeps_session: bool,
    /// After an attempt without an answer a thread goes on at the next node, with the same session.
    pub changes_node: bool,
}

/// What the nodes of a cluster are told beyond sizes and timings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Circumstances {
    /// So many of the nodes, the last ones, have no vote; at least one node has.
    pub observers: u32,
    /// The weights of the votes of the first nodes; the others weigh 1 (ZAB).
    pub weights: Vec<u64>,
    /// See [`Settings::bounds`].
    pub bounds: Bounds,
    /// See [`Settings::sessions`].
    pub sessions: Limits,
}

/// What the nodes are told.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSetup {
    /// See [`Settings::election_ms`].
    pub election_ms: Range<u64>,
    /// See [`Settings::heartbeat_ms`].
    pub heartbeat_ms: u64,
    /// See [`Settings::pre_vote`].
    pub pre_vote: bool,
    /// See [`Settings::reads`].
    pub reads: Reads,
    /// See [`Settings::snapshot_entries`].
    pub snapshot_entries: u64,
    /// What else.
    pub circumstances: Circumstances,
    /// Planted defects.
    pub defects: Defects,
    /// Size of the log's segments, small so that they roll.
    pub segment_bytes: usize,
    /// Most by which a node's clock differs from the true rate, in parts per million.
    pub drift_ppm_max: u32,
    /// How long a node takes to start, in microseconds.
    pub start_us: Range<u64>,
}

/// How messages travel between nodes, and between clients and nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSetup {
    /// On the way between nodes, in microseconds.
    pub latency_us: Range<u64>,
    /// Share of messages that take ten times as long.
    pub late_per_mille: u32,
    /// One in so many messages is encoded and decoded on the way, to prove that it can be.
    pub encoded_one_in: u32,
}

/// How disks write.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskSetup {
    /// A sync takes so long, in microseconds.
    pub sync_us: Range<u64>,
    /// Share of syncs that take twenty times as long.
    pub late_per_mille: u32,
}

impl Default for NodeSetup {
    fn default() -> Self {
        let Settings { election_ms, heartbeat_ms, pre_vote, reads, snapshot_entries, defects, .. } =
            Settings::new(NodeId(1), vec![NodeId(1)]);
        Self {
            election_ms,
            heartbeat_ms,
            pre_vote,
            reads,
            snapshot_entries,
            circumstances: Circumstances::default(),
            defects,
            segment_bytes: 64 << 10,
            drift_ppm_max: 100,
            start_us: 5_000..50_000,
        }
    }
}

impl Default for NetworkSetup {
    fn default() -> Self {
        Self { latency_us: 100..1_000, late_per_mille: 5, encoded_one_in: 64 }
    }
}

impl Default for DiskSetup {
    fn default() -> Self {
        Self { sync_us: 100..2_000, late_per_mille: 5 }
    }
}

impl Setup {
    /// Five nodes without faults, half a minute at 100 operations a second.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            nodes: 5,
            clients: 20,
            workload: rashomon_workloads::registry()[0],
            options: Options { keys: 10, key_operations: 100, rate: Some(100.0) },
            operations: None,
            duration: Nanos::from_secs(30),
            timeout: Nanos::from_secs(1),
            retries: Retries::Never,
            habits: Habits::default(),
            faults: Vec::new(),
            schedule: None,
            rhythm: Rhythm::default(),
            node: NodeSetup::default(),
            network: NetworkSetup::default(),
            disk: DiskSetup::default(),
            recovery: Nanos::from_secs(10),
            trace: false,
        }
    }

    /// What its schedule waits for.
    pub(crate) fn watched(&self) -> BTreeSet<Sight> {
        match self.schedule.as_deref() {
            Some(Given::Timeline(timeline)) => timeline.sights().map(|(_, sight)| sight).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Another number of nodes: as many clients for each, and no fault that needs more.
    pub fn resize(&mut self, nodes: u32) {
        self.clients = self.clients / self.nodes * nodes;
        self.nodes = nodes;
        self.faults.retain(|fault| fault.nodes_min() <= nodes as usize);
    }

    /// Whether a thread goes on at the next node after each operation, with what it has seen. Nodes that read locally promise
    /// no more than that it never sees the past after the present (rule ZB10), which one that stays where it is hardly
    /// notices.
    pub fn clients_roam(&self) -> bool {
        self.node.reads == Reads::Local
    }

    /// The nodes that vote at first.
    pub fn members(&self) -> Vec<NodeId> {
        let count = self.nodes.saturating_sub(self.node.circumstances.observers).max(1);
        (1..=count).map(NodeId).collect()
    }

    /// Whose vote weighs what at first.
    pub fn weights(&self) -> BTreeMap<NodeId, u64> {
        let weights = &self.node.circumstances.weights;
        let weigh = |(place, node)| (node, weights.get(place).copied().unwrap_or(1));
        self.members().into_iter().enumerate().map(weigh).collect()
    }

    /// The settings of one node.
    pub fn settings(&self, node: NodeId) -> Settings {
        let NodeSetup { election_ms, heartbeat_ms, pre_vote, reads, snapshot_entries, defects, .. } =
            &self.node;
        let Circumstances { bounds, sessions, .. } = self.node.circumstances;
        let weights = self.weights().into_iter().filter(|(_, weight)| *weight != 1);
        Settings {
            election_ms: election_ms.clone(),
            heartbeat_ms: *heartbeat_ms,
            pre_vote: *pre_vote,
            reads: *reads,
            snapshot_entries: *snapshot_entries,
            members: self.members(),
            weights: weights.collect(),
            bounds,
            sessions,
            defects: *defects,
            seed: self.seed,
            ..Settings::new(node, (1..=self.nodes).map(NodeId).collect())
        }
    }
}
