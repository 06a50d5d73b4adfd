//! The command line.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;

use crate::api::NodeId;
use crate::defect::{Defect, Home};
use crate::settings::{Reads, SNAPSHOT_ENTRIES, Settings, SettingsError};

/// A node of the reference system: a replicated store of registers, sets, counters, lists and queues.
#[derive(Clone, Debug, Parser)]
#[command(name = "rashomon-node", version)]
pub struct Options {
    /// Number of this node, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub id: u32,

    /// Directory of this node's data; created if it is missing
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// Where to listen for clients
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub client_listen: String,

    /// Where to listen for peers
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub peer_listen: String,

    /// A node of the cluster and where it listens for peers; repeat for all. This node's own entry may be left out
    #[arg(long = "peer", value_name = "N=ADDRESS:PORT")]
    pub peers: Vec<PeerAddress>,

    /// A first member of the cluster, among the peers and this node; repeat for all. Without any, all of them are members
    #[arg(long = "member", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub members: Vec<u32>,

    /// Replication protocol
    #[arg(long, value_name = "NAME", default_value = "raft")]
    pub protocol: ProtocolName,

    /// Range that election timeouts are drawn from, in milliseconds
    #[arg(long, value_name = "MIN..MAX", default_value = "150..300", value_parser = parse_range)]
    pub election_ms: Range<u64>,

    /// Interval of heartbeats, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub heartbeat_ms: u64,

    /// How reads are made linearizable: read-index, lease or log; or not: local (zab)
    #[arg(long, value_name = "HOW", default_value_t = Reads::ReadIndex)]
    pub reads: Reads,

    /// Entries applied after which a snapshot is taken and the log before it dropped
    #[arg(long, value_name = "N", default_value_t = SNAPSHOT_ENTRIES, value_parser = clap::value_parser!(u64).range(1..))]
    pub snapshot_entries: u64,

    /// A node that follows without a vote; repeat for more (zab)
    #[arg(long = "observer", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub observers: Vec<u32>,

    /// How much a node's vote weighs, if not 1; repeat for more (zab)
    #[arg(long = "weight", value_name = "N=W")]
    pub weights: Vec<Weight>,

    /// Planted defects, separated by commas
    #[arg(long = "defect", value_name = "ID", value_delimiter = ',', value_parser = parse_defect)]
    pub defects: Vec<Defect>,

    /// Seed of the election timeouts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// A replication protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProtocolName {
    /// [`crate::raft`].
    Raft,
    /// [`crate::paxos`].
    Paxos,
    /// [`crate::zab`].
    Zab,
}

/// `2=10.0.0.2:7000`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// The node.
    pub node: NodeId,
    /// Where it listens for peers.
    pub address: String,
}

impl FromStr for PeerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("{text:?} is not of the form N=ADDRESS:PORT");
        let (node, address) = text.split_once('=').ok_or_else(malformed)?;
        let node = node.parse().ok().filter(|node| *node > 0).ok_or_else(malformed)?;
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        port.ok_or_else(malformed)?;
        Ok(Self { node: NodeId(node), address: address.to_owned() })
    }
}

/// `2=3`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The node.
    pub node: NodeId,
    /// How much its vote weighs.
    pub weight: u64,
}

impl FromStr for Weight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('=').and_then(|(node, weight)| Some((node.parse().ok()?, weight.parse().ok()?)));
        let (node, weight) = numbers.ok_or_else(|| format!("{text:?} is not of the form N=W"))?;
        Ok(Self { node: NodeId(node), weight })
    }
}

impl Options {
    /// Who this is.
    pub fn node(&self) -> NodeId {
        NodeId(self.id)
    }

    /// The other nodes and their addresses.
    pub fn peer_addresses(&self) -> Vec<(NodeId, String)> {
        let others = self.peers.iter().filter(|peer| peer.node != self.node());
        others.map(|peer| (peer.node, peer.address.clone())).collect()
    }

    /// Refuses observers that are no nodes, and those of a protocol that has none.
    ///
    /// # Errors
    /// The first one found.
    pub fn check_observers(&self, settings: &Settings) -> Result<(), SettingsError> {
        if let Some(stranger) = self.observers.iter().find(|one| !settings.nodes.contains(&NodeId(**one))) {
            return Err(SettingsError::Unknown(NodeId(*stranger)));
        }
        let protocol = match self.protocol {
            ProtocolName::Zab => return Ok(()),
            ProtocolName::Raft => "raft",
            ProtocolName::Paxos => "paxos",
        };
        if self.observers.is_empty() {
            return Ok(());
        }
        Err(SettingsError::Unsupported { protocol, what: "observers".into() })
    }

    /// What the protocol has to know.
    pub fn settings(&self) -> Settings {
        let mut nodes: Vec<NodeId> = self.peers.iter().map(|peer| peer.node).collect();
        if !nodes.contains(&self.node()) {
            nodes.push(self.node());
        }
        nodes.sort_unstable();
        let observes = |node: &NodeId| self.observers.contains(&node.0);
        let members = match self.members.as_slice() {
            [] => nodes.iter().copied().filter(|node| !observes(node)).collect(),
            members => members.iter().copied().map(NodeId).collect(),
        };
        Settings {
            members,
            weights: self.weights.iter().map(|Weight { node, weight }| (*node, *weight)).collect(),
            election_ms: self.election_ms.clone(),
            heartbeat_ms: self.heartbeat_ms,
            reads: self.reads,
            snapshot_entries: self.snapshot_entries,
            seed: self.seed,
            defects: self.defects.iter().copied().collect(),
            ..Settings::new(self.node(), nodes)
        }
    }
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let malformed = || format!("{text:?} is not of the form MIN..MAX with MIN below MAX");
    let (start, end) = text.split_once("..").ok_or_else(malformed)?;
    let (start, end) = (start.parse().map_err(|_| malformed())?, end.parse().map_err(|_| malformed())?);
    if start < end { Ok(start..end) } else { Err(malformed()) }
}

fn parse_defect(text: &str) -> Result<Defect, String> {
    let defect: Defect = text.parse().map_err(|error: crate::defect::UnknownDefect| error.to_string())?;
    match defect.description().home {
        Home::Node => Ok(defect),
        Home::Client => Err(format!("{defect} is a defect of the client library, not of the node")),
    }
}
