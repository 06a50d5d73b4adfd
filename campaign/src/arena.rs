//! The arena: the place the nodes of a run live in.
//!
//! Two kinds. In `namespaces` every node has a network namespace, an address and a link of its own, and the
//! run as a whole lives in a process namespace, so that whatever happens the kernel removes everything. In
//! `loopback` every node is an ordinary process on an address of 127/8: nothing is asked of the kernel, but
//! links cannot be cut.
//!
//! Refuses to know what a node is, when it should start and why it is killed: programs, folders and log files
//! come from the caller as data.
//!
//! Read next: [`reexec`] (how a run gets into its namespaces), [`process`] (what a started node is), then
//! [`namespaces`] and [`loopback`].

pub mod reexec;

mod guard;
pub mod interrupts;
pub mod loopback;
mod mounts;
pub mod namespaces;
pub mod process;
pub mod processes;
pub mod refusal;
pub mod tool;
pub mod trial;

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

use rashomon_nemesis::{Capabilities, NodeId};
use serde::{Deserialize, Serialize};

use loopback::Loopback;
use namespaces::Namespaces;
pub use process::{Exit, NodeCommand, NodeProcess};

/// The most nodes one arena holds; their addresses end in 1 to this.
pub const NODE_COUNT_MAX: u32 = 100;

/// Which kind of place the nodes live in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum ArenaKind {
    /// A network namespace per node, all inside one process namespace.
    #[default]
    Namespaces,
    /// Ordinary processes on addresses of 127/8.
    Loopback,
}

impl ArenaKind {
    /// Every kind, in the order they are listed to a reader.
    pub const ALL: [ArenaKind; 2] = [ArenaKind::Namespaces, ArenaKind::Loopback];

    /// The name on the command line and in a plan.
    pub fn name(self) -> &'static str {
        match self {
            ArenaKind::Namespaces => "namespaces",
            ArenaKind::Loopback => "loopback",
        }
    }

    /// What faults can be made of here.
    pub fn capabilities(self) -> Capabilities {
        match self {
            ArenaKind::Namespaces => Capabilities::namespaces(),
            ArenaKind::Loopback => Capabilities::loopback(),
        }
    }
}

impl fmt::Display for ArenaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ArenaKind {
    type Err = String;

    fn from_str(text: &str) -> Result<ArenaKind, String> {
        ArenaKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("unknown arena {text:?}: there are namespaces and loopback"))
    }
}

/// Why an arena could not do what it was asked. Every variant is an environment error: no finding about the
/// system.
#[derive(Debug, thiserror::Error)]
pub enum ArenaError {
    /// A run needs at least one node and the address plan ends at [`NODE_COUNT_MAX`].
    #[error("an arena holds 1 to {NODE_COUNT_MAX} nodes, not {node_count}")]
    NodeCount {
        /// What was asked for.
        node_count: u32,
    },
    /// A file, mount or thread of the arena could not be made.
    #[error("arena: {step}: {source}")]
    Setup {
        /// What was being done.
        step: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A tool the arena is built with is not installed.
    #[error("{tool} is not installed: `apt-get install {package}` (as root), or run with --arena loopback")]
    ToolMissing {
        /// The program looked for.
        tool: &'static str,
        /// The Debian and Ubuntu package it comes in.
        package: &'static str,
    },
    /// A tool the arena is built with reported failure.
    #[error("arena: {command} failed: {output}")]
    Tool {
        /// The command, with what it was fed.
        command: String,
        /// What it printed.
        output: String,
    },
    /// A node's program could not be started; no process exists.
    #[error("node {node}: cannot start {}: {source}", .program.display())]
    Spawn {
        /// The node.
        node: NodeId,
        /// The program that was to be started.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A node's process outlived SIGKILL for the time given: the kernel holds it (a hung disk, a debugger).
    #[error("node process {pid} is still alive {waited_ms} ms after SIGKILL")]
    Unkillable {
        /// The process, as the run sees it.
        pid: i32,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// A signal could not be sent to a process that is alive.
    #[error("cannot send {signal} to node process {pid}: {source}")]
    Signal {
        /// The process, as the run sees it.
        pid: i32,
        /// The signal's name.
        signal: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl ArenaError {
    fn setup(step: impl Into<String>, source: impl Into<io::Error>) -> ArenaError {
        ArenaError::Setup { step: step.into(), source: source.into() }
    }
}

/// A created arena: addresses and namespaces exist, nodes can be started.
#[derive(Debug)]
pub struct Arena {
    place: Place,
    /// Every process ever started here, so that tearing down leaves none.
    started: Mutex<Vec<NodeProcess>>,
}

#[derive(Debug)]
enum Place {
    Namespaces(Namespaces),
    Loopback(Loopback),
}

impl Arena {
    /// Creates the arena. For `namespaces` the calling process must be [inside](reexec::enter) its own
    /// namespaces; about 100 ms for five nodes. Blocks; no runtime is needed.
    pub fn create(kind: ArenaKind, node_count: u32) -> Result<Arena, ArenaError> {
        if node_count == 0 || node_count > NODE_COUNT_MAX {
            return Err(ArenaError::NodeCount { node_count });
        }
        let place = match kind {
            ArenaKind::Namespaces => Place::Namespaces(Namespaces::create(node_count)?),
            ArenaKind::Loopback => Place::Loopback(Loopback::create(node_count)),
        };
        Ok(Arena { place, started: Mutex::new(Vec::new()) })
    }

    /// Which kind this arena is.
    pub fn kind(&self) -> ArenaKind {
        match self.place {
            Place::Namespaces(_) => ArenaKind::Namespaces,
            Place::Loopback(_) => ArenaKind::Loopback,
        }
    }

    /// What faults can be made of here.
    pub fn capabilities(&self) -> Capabilities {
        self.kind().capabilities()
    }

    /// How many nodes the arena was created for.
    pub fn node_count(&self) -> u32 {
        match &self.place {
            Place::Namespaces(place) => place.node_count(),
            Place::Loopback(place) => place.node_count(),
        }
    }

    /// The nodes, `n1` and up.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        rashomon_nemesis::node::nodes(self.node_count())
    }

    /// The node's own address. Every node may use the same port numbers: addresses differ in both arenas.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn address(&self, node: NodeId) -> Ipv4Addr {
        self.assert_has(node);
        match &self.place {
            Place::Namespaces(place) => place.address(node),
            Place::Loopback(place) => place.address(node),
        }
    }

    /// The address clients speak from (in `namespaces` the bridge's own; a node sees it as the source).
    pub fn client_address(&self) -> Ipv4Addr {
        match &self.place {
            Place::Namespaces(place) => place.client_address(),
            Place::Loopback(place) => place.client_address(),
        }
    }

    /// The file that names the node's network namespace (`/run/netns/n1`), for `nsenter --net=`, `ip netns
    /// exec n1` or setns; none on loopback. It exists inside the run's mount namespace only.
    pub fn netns(&self, node: NodeId) -> Option<PathBuf> {
        self.assert_has(node);
        match &self.place {
            Place::Namespaces(place) => Some(place.netns(node)),
            Place::Loopback(_) => None,
        }
    }

    /// Starts a process of this node, in the node's network namespace, a process group of its own, standard
    /// output and error appended to its log file. Blocks for the few milliseconds of a fork and exec.
    ///
    /// A failure is definite: no process exists.
    pub fn spawn(&self, node: NodeId, command: &NodeCommand) -> Result<NodeProcess, ArenaError> {
        let netns = self.netns(node);
        let process = process::start(node, command, netns.as_deref())?;
        let mut started = self.started.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        started.retain(|earlier| earlier.exit().is_none());
        started.push(process.clone());
        Ok(process)
    }

    fn assert_has(&self, node: NodeId) {
        let node_count = self.node_count();
        assert!((1..=node_count).contains(&node.0), "there is no {node} in an arena of {node_count} nodes");
    }

    /// Kills what still runs (its whole process group, by SIGKILL: stop nodes first where their farewell
    /// matters), waits for it, then removes links and namespaces. Where this is never reached, the
    /// [guard](reexec) and the kernel do it.
    pub async fn tear_down(self) -> Result<(), ArenaError> {
        let started = self.started.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        for process in &started {
            process.signal(process::Signal::KILL)?;
        }
        for process in &started {
            process.killed().await?;
        }
        match self.place {
            Place::Namespaces(place) => place.remove(),
            Place::Loopback(_) => Ok(()),
        }
    }
}

/// Makes the folders above `path`, or says which one could not be made.
fn create_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => std::fs::create_dir_all(parent),
        None => Ok(()),
    }
}
