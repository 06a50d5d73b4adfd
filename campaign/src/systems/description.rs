//! What a system's TOML file may say. Nothing here acts on it.
//!
//! Unknown fields are refused, every text is bounded, and placeholders are parsed on reading: a mistake in a file
//! shows before anything is started, with file, line and field. `campaign/systems/etcd.toml` is an annotated example.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::argument::Argument;
use super::template::Template;

/// A system, as its file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its name on the command line and in reports.
    pub name: String,
    /// What it is, in a sentence.
    pub doc: String,
    /// Protocols that a plan may choose from; none where there is no choice.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// Ports of every node; nodes differ by their addresses.
    #[serde(default)]
    pub ports: Ports,
    /// How a node is started and stopped.
    pub node: Node,
    /// How a node is asked for its role, and when it counts as ready.
    pub probe: Probe,
    /// Who speaks to it.
    pub client: Client,
    /// How it is asked for another leader or other members, where it can be.
    #[serde(default)]
    pub admin: Option<Admin>,
}

/// Ports of every node.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ports {
    /// For clients.
    pub client: u16,
    /// For the other nodes.
    pub peer: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Ports { client: 7001, peer: 7002 }
    }
}

/// How a node is started and stopped.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The program: a name, looked for beside `rashomon` and then on PATH, or a path, relative to the system's file.
    pub program: String,
    /// The Debian and Ubuntu package that has the program.
    #[serde(default)]
    pub package: Option<String>,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<Argument>,
    /// Arguments added once per planted defect of the node. Without them the system has no defects to offer.
    #[serde(default)]
    pub defect_arguments: Vec<Argument>,
    /// Arguments added where the plan says after how many entries a snapshot is taken. Without them it cannot say so.
    #[serde(default)]
    pub snapshot_arguments: Vec<Argument>,
    /// Environment variables, beside those of the run.
    #[serde(default)]
    pub environment: BTreeMap<String, Template>,
    /// The signal that asks it to stop.
    #[serde(default)]
    pub stop_signal: StopSignal,
    /// How long it may take to stop before it is killed, in milliseconds.
    #[serde(default = "stop_ms_default")]
    pub stop_ms_max: u64,
}

const fn stop_ms_default() -> u64 {
    3_000
}

/// A signal that asks a process to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum StopSignal {
    /// SIGTERM.
    #[default]
    #[serde(rename = "TERM")]
    Term,
    /// SIGINT.
    #[serde(rename = "INT")]
    Int,
    /// SIGQUIT.
    #[serde(rename = "QUIT")]
    Quit,
    /// SIGKILL: it is never asked.
    #[serde(rename = "KILL")]
    Kill,
}

/// How a node is asked for its role, and when it counts as ready.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// How it is asked.
    pub kind: ProbeKind,
    /// For `program`: its command line. It prints one line of JSON and exits.
    #[serde(default)]
    pub command: Vec<Argument>,
    /// How long all nodes together may take to become ready, in milliseconds.
    #[serde(default = "ready_ms_default")]
    pub ready_ms_max: u64,
}

const fn ready_ms_default() -> u64 {
    20_000
}

/// Ways to ask a node for its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// The status call of the reference node.
    RashomonNode,
    /// etcd's maintenance status by its v3 JSON gateway.
    EtcdV3Json,
    /// Whether the client port takes a connection; tells no role.
    Port,
    /// A program of the user's.
    Program,
}

/// Who speaks to the system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Which client.
    pub kind: ClientKind,
    /// For `program`: its command line. It speaks JSON lines.
    #[serde(default)]
    pub command: Vec<Argument>,
    /// For `etcd-v3-json`: reads that ask the one node only, and so may be stale. To see the judge find it.
    #[serde(default)]
    pub serializable_reads: bool,
}

/// The clients there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// The reference node's own protocol.
    RashomonNode,
    /// etcd's keyed registers by its v3 JSON gateway.
    EtcdV3Json,
    /// A program of the user's that speaks JSON lines on its standard input and output.
    Program,
}

/// How the system is asked for another leader or other members.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Who asks.
    pub kind: AdminKind,
    /// For `rashomon-node`: protocols that hand leadership over.
    #[serde(default)]
    pub leadership: Vec<String>,
    /// For `rashomon-node`: protocols that change their members.
    #[serde(default)]
    pub members: Vec<String>,
    /// For `program`: the command line that has the node `{heir}` lead. It ends with 0 when that is so.
    #[serde(default)]
    pub leadership_command: Vec<Argument>,
    /// For `program`: the command line that makes exactly the nodes `{members}` members, names joined by commas. It ends
    /// with 0 when that is so; the probe must tell members, too.
    #[serde(default)]
    pub members_command: Vec<Argument>,
}

/// The ways to ask there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminKind {
    /// The reference node's own operations.
    RashomonNode,
    /// Programs of the user's.
    Program,
}
