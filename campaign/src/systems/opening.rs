//! Opens what a run needs of a system: clients, probes, and the way to ask it for another leader or other members.
//!
//! The one place that knows which kinds there are of each.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rashomon_workloads::{Connector, Objects};

use super::description::{AdminKind, ClientKind, ProbeKind};
use super::{Admin, Cluster, Probe, System, SystemError, admin, etcd, probe, program, reference, watcher};

/// What a client does with an operation of unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// Reports it.
    Never,
    /// Repeats it under the same number: it takes effect once at most.
    SameNumber,
    /// A planted defect of the client: repeats it under a new number, behind the caller's back.
    NewNumber,
}

/// How a run's clients behave.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// How long connecting may take; at most the call's deadline.
    pub connect_timeout: Duration,
    /// How long a call may take, connecting included.
    pub call_timeout: Duration,
    /// What the clients ask for.
    pub objects: Objects,
    /// Whether operations of unknown outcome are repeated while there is time, where the system numbers operations.
    pub retries: Retries,
    /// Where client programs' standard error goes, appended; none: nowhere.
    pub log: Option<PathBuf>,
}

impl System {
    /// Opens clients to the nodes of `cluster`.
    ///
    /// # Errors
    /// [`SystemError::Template`] when the client program's command line uses a placeholder without a value, and
    /// [`SystemError::Missing`] when there is no such program.
    pub fn connector(
        &self,
        cluster: &Cluster,
        settings: &ClientSettings,
    ) -> Result<Arc<dyn Connector>, SystemError> {
        let ports = self.description.ports;
        let addresses = cluster.members.iter();
        let addresses =
            addresses.map(|member| (member.id.to_string().into(), member.client_address(ports))).collect();
        let client = &self.description.client;
        Ok(match client.kind {
            ClientKind::RashomonNode => Arc::new(reference::Nodes::new(addresses, settings.clone())),
            ClientKind::EtcdV3Json => {
                Arc::new(etcd::Gateways::new(addresses, settings.clone(), client.serializable_reads))
            }
            ClientKind::Program => {
                let commands = self.commands(cluster, &client.command, settings.call_timeout)?;
                Arc::new(program::Programs::new(commands, settings.clone()))
            }
        })
    }

    /// Asks the nodes of `cluster` for their roles, waiting no longer than `timeout` for each.
    ///
    /// # Errors
    /// As [`System::connector`].
    pub fn probe(&self, cluster: &Cluster, timeout: Duration) -> Result<Arc<dyn Probe>, SystemError> {
        let ports = self.description.ports;
        let addresses = cluster.members.iter();
        let addresses = addresses.map(|member| (member.id, member.client_address(ports))).collect();
        Ok(match self.description.probe.kind {
            ProbeKind::RashomonNode => Arc::new(reference::StatusProbe::new(addresses, timeout)),
            ProbeKind::EtcdV3Json => Arc::new(etcd::StatusProbe::new(addresses, timeout)),
            ProbeKind::Port => Arc::new(probe::PortProbe::new(addresses, timeout)),
            ProbeKind::Program => {
                let commands = self.commands(cluster, &self.description.probe.command, timeout)?;
                Arc::new(watcher::ProgramProbe::new(commands, timeout))
            }
        })
    }

    /// Asks the nodes of `cluster` for another leader or other members, waiting no longer than `timeout` for each answer;
    /// `None` where the system can be asked for nothing.
    pub fn admin(&self, cluster: &Cluster, timeout: Duration) -> Option<Arc<dyn Admin>> {
        let admin = self.description.admin.as_ref()?;
        let ports = self.description.ports;
        Some(match admin.kind {
            AdminKind::RashomonNode => {
                let members = cluster.members.iter();
                let addresses = members.map(|member| (member.id, member.client_address(ports))).collect();
                Arc::new(reference::AdminCalls::new(addresses, timeout))
            }
            AdminKind::Program => Arc::new(admin::Commands {
                system: self.clone(),
                cluster: cluster.clone(),
                timeout,
                leadership: admin.leadership_command.clone(),
                members: admin.members_command.clone(),
            }),
        })
    }
}
