//! A simulated run, pinned: every size, timing and fault of it as plain data, with nothing left for a seed to choose but
//! the small change of a world (latencies, timeouts).
//!
//! A seed alone means another run as soon as the swarm draws one thing more. What is pinned stays what it was for as
//! long as the world itself does.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rashomon_histories::{Event, History, Kind, Nanos, Process, Value};
use rashomon_nemesis::Script;
use rashomon_node::api::Retries;
use rashomon_node::defect::Defect;
use rashomon_simulator::setup::{Circumstances, DiskSetup, Given, Habits, NetworkSetup, NodeSetup};
use rashomon_simulator::{Outcome, Setup};
use rashomon_workloads::generator::ScriptedOperation;
use rashomon_workloads::{Layout, Options};
use serde::{Deserialize, Serialize};

use crate::exit::BadInput;
use crate::run::measure::HEALED;

/// A simulated run as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// Name of the protocol.
    pub protocol: String,
    /// Planted bugs of the nodes.
    pub defects: Vec<String>,
    /// Seed of what is still drawn.
    pub seed: u64,
    /// Nodes of the cluster.
    pub nodes: u32,
    /// Client processes at a time.
    pub clients: u32,
    /// Name of the workload.
    pub workload: String,
    /// What it was told, where operations are not given.
    pub options: Options,
    /// How long things break.
    pub duration: Nanos,
    /// How long a client waits.
    pub timeout: Nanos,
    /// How long the cluster may take to recover.
    pub recovery: Nanos,
    /// What clients do when an outcome is unknown.
    pub retries: PinnedRetries,
    /// What else they are used to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub habits: Habits,
    /// What nodes are told beyond sizes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub circumstances: Circumstances,
    /// What nodes, network and disks are like.
    pub sizes: Sizes,
    /// What breaks.
    pub script: Script,
    /// What is asked; none: what the workload draws from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<ScriptedOperation>>,
}

/// [`Retries`] as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinnedRetries {
    /// None.
    Never,
    /// Under the same sequence, each attempt so long.
    SameSequence(Nanos),
    /// Under a new one.
    NewSequence(Nanos),
}

/// Sizes and timings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of the simulator's setup, by the same names")]
pub struct Sizes {
    pub election_ms: Range<u64>,
    pub heartbeat_ms: u64,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub pre_vote: bool,
    pub reads: String,
    pub snapshot_entries: u64,
    pub segment_bytes: usize,
    pub drift_ppm_max: u32,
    pub start_us: Range<u64>,
    pub latency_us: Range<u64>,
    pub late_messages_per_mille: u32,
    pub encoded_one_in: u32,
    pub sync_us: Range<u64>,
    pub late_syncs_per_mille: u32,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Pinned {
    /// What happened in the world of this setup.
    pub fn of(protocol: &str, setup: &Setup, outcome: &Outcome) -> Pinned {
        let Setup { seed, nodes, clients, duration, timeout, recovery, retries, .. } = *setup;
        // Exhaustive, so that whoever adds a size meets this line.
        let NodeSetup {
            election_ms,
            heartbeat_ms,
            pre_vote,
            reads,
            snapshot_entries,
            circumstances,
            defects,
            segment_bytes,
            drift_ppm_max,
            start_us,
        } = setup.node.clone();
        let NetworkSetup { latency_us, late_per_mille: late_messages_per_mille, encoded_one_in } =
            setup.network.clone();
        let DiskSetup { sync_us, late_per_mille: late_syncs_per_mille } = setup.disk.clone();
        Pinned {
            protocol: protocol.to_owned(),
            defects: defects.iter().map(|defect| defect.id().to_owned()).collect(),
            seed,
            nodes,
            clients,
            workload: setup.workload.name().to_owned(),
            options: setup.options.clone(),
            duration,
            timeout,
            recovery,
            retries: match retries {
                Retries::Never => PinnedRetries::Never,
                Retries::SameSequence(each) => PinnedRetries::SameSequence(each.into()),
                Retries::NewSequence(each) => PinnedRetries::NewSequence(each.into()),
            },
            habits: setup.habits,
            circumstances,
            sizes: Sizes {
                election_ms,
                heartbeat_ms,
                pre_vote,
                reads: reads.to_string(),
                snapshot_entries,
                segment_bytes,
                drift_ppm_max,
                start_us,
                latency_us,
                late_messages_per_mille,
                encoded_one_in,
                sync_us,
                late_syncs_per_mille,
            },
            script: outcome.script.clone(),
            operations: setup.operations.as_deref().map(<[_]>::to_vec),
        }
    }

    /// The planted bugs, that of the clients among them.
    pub fn planted(&self) -> Vec<String> {
        let in_clients = matches!(self.retries, PinnedRetries::NewSequence(_));
        self.defects.iter().cloned().chain(in_clients.then(|| Defect::G01.id().to_owned())).collect()
    }

    /// The setup that repeats it.
    ///
    /// # Errors
    /// [`BadInput`] when it names what does not exist, or cannot be followed.
    pub fn setup(&self) -> Result<Setup, BadInput> {
        let refuse = |problem: String| BadInput(format!("the pinned run: {problem}"));
        let workload = rashomon_workloads::by_name(&self.workload);
        let defects = self.defects.iter().map(|id| id.parse::<Defect>());
        let sizes = self.sizes.clone();
        if self.clients < self.nodes || self.nodes == 0 {
            return Err(refuse(format!("{} clients for {} nodes", self.clients, self.nodes)));
        }
        let nodes = rashomon_nemesis::node::nodes(self.nodes).collect();
        self.script.follow(nodes, self.duration).map_err(|error| refuse(error.to_string()))?;
        let duration = |each: Nanos| Duration::from(each);
        let setup = Setup {
            nodes: self.nodes,
            clients: self.clients,
            workload: workload.map_err(|error| refuse(error.to_string()))?,
            options: self.options.clone(),
            operations: self.operations.as_deref().map(Arc::from),
            duration: self.duration,
            timeout: self.timeout,
            recovery: self.recovery,
            retries: match self.retries {
                PinnedRetries::Never => Retries::Never,
                PinnedRetries::SameSequence(each) => Retries::SameSequence(duration(each)),
                PinnedRetries::NewSequence(each) => Retries::NewSequence(duration(each)),
            },
            habits: self.habits,
            schedule: Some(Arc::new(Given::Script(self.script.clone()))),
            node: NodeSetup {
                election_ms: sizes.election_ms,
                heartbeat_ms: sizes.heartbeat_ms,
                pre_vote: sizes.pre_vote,
                reads: sizes.reads.parse().map_err(|error| refuse(format!("{error}")))?,
                snapshot_entries: sizes.snapshot_entries,
                circumstances: self.circumstances.clone(),
                defects: defects.collect::<Result<_, _>>().map_err(|error| refuse(error.to_string()))?,
                segment_bytes: sizes.segment_bytes,
                drift_ppm_max: sizes.drift_ppm_max,
                start_us: sizes.start_us,
            },
            network: NetworkSetup {
                latency_us: sizes.latency_us,
                late_per_mille: sizes.late_messages_per_mille,
                encoded_one_in: sizes.encoded_one_in,
            },
            disk: DiskSetup { sync_us: sizes.sync_us, late_per_mille: sizes.late_syncs_per_mille },
            ..Setup::new(self.seed)
        };
        setup.settings(rashomon_node::api::NodeId(1)).check().map_err(|error| refuse(error.to_string()))?;
        Ok(setup)
    }

    /// The operations of a history of this run, one by one.
    ///
    /// # Errors
    /// [`BadInput`] when clients and nodes do not go together.
    pub fn operations_of(&self, history: &History) -> Result<Vec<ScriptedOperation>, BadInput> {
        let names = rashomon_nemesis::node::nodes(self.nodes).map(|node| node.to_string());
        let layout = Layout::new(self.clients, names).map_err(|error| BadInput(error.to_string()))?;
        let healed = history.events().iter().find(|event| &*event.f == HEALED).map(|event| event.time);
        let is_last = |event: &&Event| healed.is_some_and(|healed| event.time >= healed);
        let invoked =
            |event: &&Event| event.kind == Kind::Invoke && matches!(event.process, Process::Client(_));
        let first_of_last = history.events().iter().filter(invoked).find(is_last).map(|event| event.time);
        let operation = |event: &Event| {
            let Process::Client(process) = event.process else { return None };
            Some(ScriptedOperation {
                at: if is_last(&event) {
                    event.time.since(first_of_last.unwrap_or_default())
                } else {
                    event.time
                },
                thread: layout.thread_of(process),
                f: event.f.clone(),
                key: event.key.clone(),
                value: if &*event.f == "read" { Value::default() } else { event.value.clone() },
                last: is_last(&event),
            })
        };
        Ok(history.events().iter().filter(invoked).filter_map(operation).collect())
    }
}
