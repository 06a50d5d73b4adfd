//! The nodes of a run: started, watched, restarted. The only one that knows which process a node is now.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use rashomon_nemesis::{NodeId, ProcessIdentity};

use crate::arena::process::Signal;
use crate::arena::{Arena, Exit, NodeCommand, NodeProcess};

/// How long a node may take to end when it is asked to.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How much of a node's log is shown when it died.
const LOG_LINES: usize = 12;

/// How many bytes of it are looked at for that.
const LOG_BYTES: u64 = 16 << 10;

/// The nodes.
pub struct Nodes {
    arena: Arena,
    commands: BTreeMap<NodeId, NodeCommand>,
    processes: BTreeMap<NodeId, NodeProcess>,
    /// Killed on purpose and not started since.
    down: BTreeSet<NodeId>,
    paused: BTreeSet<NodeId>,
    /// Ended by themselves: told once.
    deaths_told: BTreeSet<(NodeId, i32)>,
    /// How often data were taken from a node.
    taken_count: u32,
}

impl Nodes {
    /// Starts every node.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub fn start(arena: Arena, commands: BTreeMap<NodeId, NodeCommand>) -> anyhow::Result<Nodes> {
        let mut nodes = Nodes {
            arena,
            processes: BTreeMap::new(),
            down: BTreeSet::new(),
            paused: BTreeSet::new(),
            deaths_told: BTreeSet::new(),
            taken_count: 0,
            commands,
        };
        for node in nodes.commands.keys().copied().collect::<Vec<_>>() {
            nodes.start_one(node)?;
        }
        Ok(nodes)
    }

    /// Starts a node, unless its process is alive.
    ///
    /// # Errors
    /// When it cannot be started.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn start_one(&mut self, node: NodeId) -> anyhow::Result<()> {
        if self.process(node).is_none() {
            let command = self.commands.get(&node).expect("schedules name nodes of the plan");
            self.processes.insert(node, self.arena.spawn(node, command)?);
        }
        self.down.remove(&node);
        Ok(())
    }

    /// The node's process, when it was killed and has not quite ended yet: it must be gone before another starts.
    pub fn dying(&self, node: NodeId) -> Option<NodeProcess> {
        let process = self.processes.get(&node).filter(|process| process.exit().is_none())?;
        self.down.contains(&node).then(|| process.clone())
    }

    /// The node's process, if it is alive.
    pub fn process(&self, node: NodeId) -> Option<ProcessIdentity> {
        let process = self.processes.get(&node).filter(|process| process.exit().is_none())?;
        Some(ProcessIdentity { pid: process.pid().unsigned_abs(), started: process.start_ticks() })
    }

    /// Takes the data of a node that does not run from it, and says where they are kept.
    ///
    /// # Errors
    /// When the folder cannot be renamed.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn take_data(&mut self, node: NodeId) -> anyhow::Result<PathBuf> {
        let data = &self.commands.get(&node).expect("schedules name nodes of the plan").cwd;
        self.taken_count += 1;
        let mut kept = data.clone().into_os_string();
        kept.push(format!("-taken-{}", self.taken_count));
        std::fs::rename(data, &kept).with_context(|| format!("{}: cannot be renamed", data.display()))?;
        Ok(kept.into())
    }

    /// Remembers that the nemesis killed, paused or resumed it, so that its silence is no surprise.
    pub fn expect_down(&mut self, node: NodeId) {
        self.down.insert(node);
        self.paused.remove(&node);
    }

    /// As [`Nodes::expect_down`], for a pause.
    pub fn expect_paused(&mut self, node: NodeId, paused: bool) {
        if paused {
            self.paused.insert(node);
        } else {
            self.paused.remove(&node);
        }
    }

    /// Whether it is paused as far as is known.
    pub fn is_paused(&self, node: NodeId) -> bool {
        self.paused.contains(&node)
    }

    /// Stops every node in its tracks.
    ///
    /// # Errors
    /// When a signal cannot be sent.
    pub fn freeze(&self) -> anyhow::Result<()> {
        for process in self.processes.values() {
            process.signal(Signal::STOP)?;
        }
        Ok(())
    }

    /// Kills every node and waits until they are gone; none is surprised by that.
    ///
    /// # Errors
    /// When a process outlives it.
    pub async fn kill(nodes: &Rc<RefCell<Nodes>>) -> anyhow::Result<()> {
        let processes: Vec<NodeProcess> = {
            let mut nodes = nodes.borrow_mut();
            nodes.down = nodes.commands.keys().copied().collect();
            nodes.processes.values().cloned().collect()
        };
        for killed in futures::future::join_all(processes.iter().map(NodeProcess::kill)).await {
            killed?;
        }
        Ok(())
    }

    /// Every node.
    pub fn all(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.commands.keys().copied()
    }

    /// Nodes that ended although nobody killed them, each process once, with how it ended.
    pub fn deaths(&mut self) -> Vec<(NodeId, Exit)> {
        let mut deaths = Vec::new();
        for (node, process) in &self.processes {
            let Some(exit) = process.exit() else { continue };
            if !self.down.contains(node) && self.deaths_told.insert((*node, process.pid())) {
                deaths.push((*node, exit));
            }
        }
        deaths
    }

    /// The last lines of what the node printed.
    pub fn last_words(&self, node: NodeId) -> String {
        let log = self.commands.get(&node).map(|command| command.log.as_path());
        log.and_then(|log| tail(log).ok()).unwrap_or_default()
    }

    /// Ends every node, kindly where it answers, and tears the arena down.
    ///
    /// # Errors
    /// When a process outlives SIGKILL or the arena cannot be removed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let stops = self.processes.values().map(|process| process.stop(STOP_GRACE));
        for stopped in futures::future::join_all(stops).await {
            stopped?;
        }
        Ok(self.arena.tear_down().await?)
    }
}

fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"))
}
