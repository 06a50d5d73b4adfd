//! The nodes of one run, as templates see them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use rashomon_nemesis::NodeId;

use super::description::Ports;
use super::template::{Placeholder, Scope};

/// What a run decided: which nodes there are and where they live.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The nodes, in order.
    pub members: Vec<Member>,
    /// The plan's protocol, if it names one.
    pub protocol: Option<String>,
    /// The plan's seed.
    pub seed: u64,
    /// After how many entries nodes take a snapshot, if the plan says so.
    pub snapshot_entries: Option<u64>,
}

/// One node of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub id: NodeId,
    /// Its address.
    pub address: Ipv4Addr,
    /// Folder of its data; outlives its processes.
    pub data: PathBuf,
}

impl Member {
    /// Where its clients connect to.
    pub fn client_address(&self, ports: Ports) -> SocketAddr {
        SocketAddr::from((self.address, ports.client))
    }
}

/// What placeholders mean for one node.
pub(super) struct NodeScope<'a> {
    cluster: &'a Cluster,
    ports: Ports,
    folder: String,
    members: Vec<MemberScope<'a>>,
    index: usize,
    /// Values that only this use has: a defect, a process, a timeout.
    extra: Vec<(Placeholder, String)>,
}

struct MemberScope<'a> {
    cluster: &'a Cluster,
    ports: Ports,
    member: &'a Member,
}

impl<'a> NodeScope<'a> {
    /// The scope of the node at `index`. `folder` is where the system's file is.
    pub(super) fn new(cluster: &'a Cluster, ports: Ports, folder: &std::path::Path, index: usize) -> Self {
        let members = cluster.members.iter().map(|member| MemberScope { cluster, ports, member }).collect();
        NodeScope { cluster, ports, folder: folder.display().to_string(), members, index, extra: Vec::new() }
    }

    /// With this value beside the node's own.
    pub(super) fn with(mut self, placeholder: Placeholder, value: impl ToString) -> Self {
        self.extra.push((placeholder, value.to_string()));
        self
    }
}

impl Scope for NodeScope<'_> {
    fn value(&self, placeholder: Placeholder) -> Option<String> {
        if placeholder == Placeholder::Folder {
            return Some(self.folder.clone());
        }
        let extra = self.extra.iter().find(|(name, _)| *name == placeholder).map(|(_, value)| value.clone());
        let member = MemberScope {
            cluster: self.cluster,
            ports: self.ports,
            member: &self.cluster.members[self.index],
        };
        extra.or_else(|| member.value(placeholder))
    }

    fn nodes(&self) -> Vec<&dyn Scope> {
        self.members.iter().map(|member| member as &dyn Scope).collect()
    }

    fn own_index(&self) -> Option<usize> {
        Some(self.index)
    }
}

impl Scope for MemberScope<'_> {
    fn value(&self, placeholder: Placeholder) -> Option<String> {
        match placeholder {
            Placeholder::Id => Some(self.member.id.0.to_string()),
            Placeholder::Name => Some(self.member.id.to_string()),
            Placeholder::Address => Some(self.member.address.to_string()),
            Placeholder::Data => Some(self.member.data.display().to_string()),
            Placeholder::ClientPort => Some(self.ports.client.to_string()),
            Placeholder::PeerPort => Some(self.ports.peer.to_string()),
            Placeholder::NodeCount => Some(self.cluster.members.len().to_string()),
            Placeholder::Protocol => self.cluster.protocol.clone(),
            Placeholder::Seed => Some(self.cluster.seed.to_string()),
            Placeholder::Folder | Placeholder::Defect | Placeholder::Process | Placeholder::TimeoutMs => None,
            Placeholder::SnapshotEntries | Placeholder::Heir | Placeholder::Members => None,
        }
    }

    fn nodes(&self) -> Vec<&dyn Scope> {
        Vec::new()
    }

    fn own_index(&self) -> Option<usize> {
        None
    }
}
