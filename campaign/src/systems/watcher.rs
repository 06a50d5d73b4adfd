//! Probes in any language: a program per node that tells the node's role whenever it learns of it.
//!
//! The program is started at the first question, with the command line of the system's file, and runs until the probe is
//! dropped. It asks its node as often as it likes (ten times a second is right) and prints a line for every answer:
//!
//! ```text
//! < {"role":"follower","term":4}
//! < {"role":"leader","term":5}
//! ```
//!
//! The role is `leader`, `follower`, `candidate` or `unknown`; the term (epoch, ballot), by which a deposed leader is told
//! from its successor, may be left out; so may `"members":["n1","n2","n3"]`, those who take part, which shows a change of
//! members to be in force. When the node is silent, so is the program: a line older than [`FRESH`] counts as no
//! answer. A program that ends is started again at the next question. Starting one per question would cost more than
//! the answer: an interpreter takes longer to start than a probe may take.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rashomon_nemesis::{NodeId, NodeView, Role};
use rashomon_workloads::client::BoxedFuture;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::probe::{NodeStatus, Probe, within};
use super::program::{Command, Lines};

/// How long a line counts as the node's present state.
pub const FRESH: Duration = Duration::from_millis(500);

/// Runs a program per node that tells the node's role.
#[derive(Debug)]
pub struct ProgramProbe {
    commands: BTreeMap<NodeId, Command>,
    timeout: Duration,
    watched: Mutex<BTreeMap<NodeId, Watched>>,
}

/// The last that a program said, and when: a status, or why there is none.
type Told = Option<(Instant, Result<NodeStatus, String>)>;

#[derive(Debug)]
struct Watched {
    told: watch::Receiver<Told>,
    task: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        // The task owns the program, which is killed with it.
        self.task.abort();
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    role: ToldRole,
    #[serde(default)]
    term: u64,
    #[serde(default)]
    members: BTreeSet<NodeId>,
}

/// The roles that a program may tell; whether a process runs is not its to say.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ToldRole {
    Leader,
    Follower,
    Candidate,
    Unknown,
}

impl ProgramProbe {
    /// One command line per node; a question waits no longer than `timeout` for the program to say something.
    pub fn new(commands: Vec<Command>, timeout: Duration) -> Self {
        let commands = commands.into_iter().map(|command| (command.node, command)).collect();
        ProgramProbe { commands, timeout, watched: Mutex::default() }
    }

    /// What the program of this node says, started if it does not run.
    fn told(&self, node: NodeId) -> Result<watch::Receiver<Told>, String> {
        let command = self.commands.get(&node).ok_or_else(|| format!("there is no node {node}"))?;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = watched.get(&node).filter(|running| !running.task.is_finished()) {
            return Ok(running.told.clone());
        }
        let (sender, told) = watch::channel(None);
        let task = tokio::spawn(watch_program(command.clone(), sender));
        watched.insert(node, Watched { told: told.clone(), task });
        Ok(told)
    }
}

/// Passes on what the program says, until it ends.
async fn watch_program(command: Command, sender: watch::Sender<Told>) {
    let tell = |status: Result<NodeStatus, String>| sender.send_replace(Some((Instant::now(), status)));
    let mut child = match command.start(None, Stdio::null()) {
        Ok(child) => child,
        Err(error) => {
            tell(Err(error));
            return;
        }
    };
    let mut output = Lines::new(child.stdout.take().expect("standard output is piped"));
    loop {
        match output.next().await {
            Ok(line) => tell(parse(&line)),
            Err(error) => {
                tell(Err(format!("the probe program {error}")));
                return;
            }
        };
    }
}

fn parse(line: &str) -> Result<NodeStatus, String> {
    let told: Line = serde_json::from_str(line).map_err(|error| {
        let start: String = line.chars().take(100).collect();
        format!("the probe program wrote {start:?}: {error}")
    })?;
    let (role, is_ready) = match told.role {
        ToldRole::Leader => (Role::Leader, true),
        ToldRole::Follower => (Role::Follower, true),
        ToldRole::Candidate => (Role::Candidate, false),
        ToldRole::Unknown => (Role::Unknown, true),
    };
    let (view, members) = (NodeView { role, term: told.term }, told.members);
    Ok(NodeStatus { view, is_ready, members, ..NodeStatus::default() })
}

impl Probe for ProgramProbe {
    fn status(&self, node: NodeId) -> BoxedFuture<'_, Result<NodeStatus, String>> {
        Box::pin(within(self.timeout, async move {
            let mut told = self.told(node)?;
            let fresh = told.wait_for(|told| told.as_ref().is_some_and(|(when, _)| when.elapsed() < FRESH));
            match &*fresh.await.map_err(|_| "the probe program ended".to_owned())? {
                Some((_, status)) => status.clone(),
                None => Err("the probe program said nothing".to_owned()),
            }
        }))
    }
}
