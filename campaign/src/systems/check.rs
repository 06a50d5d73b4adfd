//! What a description must satisfy beyond its shape, so that a mistake shows when the file is read.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rashomon_nemesis::NodeId;

use super::argument::Argument;
use super::cluster::{Cluster, Member, NodeScope};
use super::description::{Admin, AdminKind, ClientKind, Description, ProbeKind};
use super::template::Placeholder;

/// Longest time that a file may ask a run to wait for something, in milliseconds.
const WAIT_MS_MAX: u64 = 10 * 60_000;

impl Description {
    /// Refuses what cannot be run, naming the field.
    ///
    /// # Errors
    /// The first field that is wrong, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_word = |text: &str| {
            (1..=64).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        if !is_word(&self.name) {
            return Err(format!("name {:?}: expected 1 to 64 letters, digits, '-', '_' or '.'", self.name));
        }
        if let Some(wrong) = self.protocols.iter().find(|protocol| !is_word(protocol)) {
            return Err(format!("protocols: {wrong:?}: expected letters, digits, '-', '_' or '.'"));
        }
        if self.ports.client == 0 || self.ports.peer == 0 || self.ports.client == self.ports.peer {
            let (client, peer) = (self.ports.client, self.ports.peer);
            return Err(format!(
                "ports: client {client}, peer {peer}: expected two different ports from 1 on"
            ));
        }
        if self.node.program.is_empty() {
            return Err("node.program is empty".to_owned());
        }
        let waits =
            [("node.stop_ms_max", self.node.stop_ms_max), ("probe.ready_ms_max", self.probe.ready_ms_max)];
        if let Some((field, wait)) = waits.into_iter().find(|(_, wait)| *wait > WAIT_MS_MAX) {
            return Err(format!("{field} = {wait}: expected at most {WAIT_MS_MAX}"));
        }
        check_command("client", self.client.kind == ClientKind::Program, &self.client.command)?;
        check_command("probe", self.probe.kind == ProbeKind::Program, &self.probe.command)?;
        if let Some(admin) = &self.admin {
            self.check_admin(admin)?;
        }
        if self.client.serializable_reads && self.client.kind != ClientKind::EtcdV3Json {
            return Err("client.serializable_reads is for the kind etcd-v3-json".to_owned());
        }
        self.check_templates()
    }

    fn check_admin(&self, admin: &Admin) -> Result<(), String> {
        let commands = [&admin.leadership_command, &admin.members_command];
        let has_command = commands.iter().any(|command| !command.is_empty());
        match admin.kind {
            AdminKind::Program if !has_command => {
                Err("admin.kind = \"program\" needs admin.leadership_command or admin.members_command"
                    .to_owned())
            }
            AdminKind::RashomonNode if has_command => {
                Err("commands of admin are for admin.kind = \"program\"".to_owned())
            }
            _ => {
                let mut named = admin.leadership.iter().chain(&admin.members);
                match named.find(|protocol| !self.protocols.contains(protocol)) {
                    Some(unknown) => Err(format!("admin: {unknown:?} is not among its protocols")),
                    None => Ok(()),
                }
            }
        }
    }

    /// Expands everything once for a cluster that does not exist.
    fn check_templates(&self) -> Result<(), String> {
        let members = (1..=3).map(|number| Member {
            id: NodeId(number),
            address: Ipv4Addr::LOCALHOST,
            data: PathBuf::from("/"),
        });
        let protocol = self.protocols.first().cloned();
        let cluster = Cluster { members: members.collect(), protocol, seed: 0, snapshot_entries: None };
        let node = || NodeScope::new(&cluster, self.ports, Path::new("/"), 0);
        let asking = || node().with(Placeholder::TimeoutMs, 0);
        let uses = [
            ("node.arguments", &self.node.arguments, node()),
            ("node.defect_arguments", &self.node.defect_arguments, node().with(Placeholder::Defect, "")),
            (
                "node.snapshot_arguments",
                &self.node.snapshot_arguments,
                node().with(Placeholder::SnapshotEntries, 1),
            ),
            ("client.command", &self.client.command, asking().with(Placeholder::Process, 0)),
            ("probe.command", &self.probe.command, asking()),
        ];
        let commands = self.admin.iter().flat_map(|admin| {
            [
                (
                    "admin.leadership_command",
                    &admin.leadership_command,
                    asking().with(Placeholder::Heir, "n1"),
                ),
                ("admin.members_command", &admin.members_command, asking().with(Placeholder::Members, "n1")),
            ]
        });
        for (field, arguments, scope) in uses.iter().chain(&commands.collect::<Vec<_>>()) {
            for argument in *arguments {
                argument.expand(scope).map_err(|meaningless| format!("{field}: {meaningless}"))?;
            }
        }
        for (name, template) in &self.node.environment {
            template
                .expand(&node())
                .map_err(|meaningless| format!("node.environment.{name}: {meaningless}"))?;
        }
        Ok(())
    }
}

fn check_command(table: &str, is_program: bool, command: &[Argument]) -> Result<(), String> {
    match (is_program, command) {
        (true, []) => Err(format!("{table}.kind = \"program\" needs {table}.command, a list of words")),
        (false, [_, ..]) => Err(format!("{table}.command is for {table}.kind = \"program\"")),
        _ => Ok(()),
    }
}
