//! A trial of an arena: a run of a few milliseconds that creates it, starts a process in two nodes, breaks
//! and mends what a nemesis will, and says step by step what worked. `doctor` reads its report.
//!
//! It can also be told to hold: then it starts nodes that fork and hide, cuts a link, and waits. The crash
//! tests kill it at every moment and look for what is left.
//!
//! Refuses to know systems, plans and what is to be concluded. Read next: [`doctor`](crate::doctor).

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rashomon_nemesis::{Capabilities, NodeId};
use serde::{Deserialize, Serialize};

use super::process::Signal;
use super::reexec::{self, Entered, Inside};
use super::{Arena, ArenaError, ArenaKind, Exit, NodeCommand, NodeProcess, namespaces, processes, tool};

/// Asks a process of this program for a trial: `namespaces`, `loopback`, or one of them with `:hold`.
pub const TRIAL_VARIABLE: &str = "RASHOMON_TRIAL";

/// How long one step may take; a machine that needs longer would not keep an election timeout either.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Long enough for a packet between namespaces (35 µs), short enough to be waited for when it is dropped.
const REACH_TIMEOUT: Duration = Duration::from_millis(250);

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Namespaces, links and addresses were made and two nodes started.
    Create,
    /// A process was stopped, seen stopped, and continued.
    Pause,
    /// A process was killed and seen dead.
    Kill,
    /// The nodes reached each other, did not while a rule dropped their packets, and did again.
    Cut,
}

/// One line of a trial's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was tried.
    pub step: Step,
    /// What was measured, or why it did not work.
    pub result: Result<String, String>,
}

/// Whether this process was asked for a trial, and for which.
pub fn asked() -> Option<(ArenaKind, bool)> {
    let text = std::env::var(TRIAL_VARIABLE).ok()?;
    let (kind, hold) = text.strip_suffix(":hold").map_or((text.as_str(), false), |kind| (kind, true));
    Some((kind.parse().ok()?, hold))
}

/// Plays the trial; the code to exit with.
pub fn play(kind: ArenaKind, hold: bool) -> anyhow::Result<u8> {
    let inside = match reexec::enter(kind)? {
        Entered::Outside { exit_code } => return Ok(exit_code),
        Entered::Inside(inside) => inside,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if hold {
        runtime.block_on(hold_until_asked(&inside))?;
    } else {
        runtime.block_on(report(kind, &mut io::stdout()))?;
    }
    Ok(0)
}

/// Tries everything and writes a [`Finding`] per line. A step that does not work does not keep the others
/// from being tried.
async fn report(kind: ArenaKind, out: &mut impl Write) -> io::Result<()> {
    let created = create(kind);
    let detail = created.as_ref().map(|_| "two nodes".to_owned()).map_err(ToString::to_string);
    write_line(out, Step::Create, detail)?;
    let Ok((arena, nodes)) = created else { return Ok(()) };
    write_line(out, Step::Pause, pause(&nodes[0]).await)?;
    write_line(out, Step::Kill, kill(&nodes[0]).await)?;
    if arena.capabilities() == Capabilities::namespaces() {
        write_line(out, Step::Cut, cut(&arena).await.map_err(|error| error.to_string()))?;
    }
    arena.tear_down().await.map_err(io::Error::other)
}

fn write_line(out: &mut impl Write, step: Step, result: Result<String, String>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Finding { step, result })?;
    out.write_all(b"\n")
}

fn create(kind: ArenaKind) -> Result<(Arena, Vec<NodeProcess>), ArenaError> {
    let arena = Arena::create(kind, 2)?;
    let nodes =
        arena.nodes().map(|node| arena.spawn(node, &shell("sleep 1000"))).collect::<Result<_, _>>()?;
    Ok((arena, nodes))
}

/// It leaves no file behind, wherever it is killed.
fn shell(script: &str) -> NodeCommand {
    NodeCommand {
        program: "sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: Vec::new(),
        cwd: "/".into(),
        log: "/dev/null".into(),
    }
}

async fn pause(node: &NodeProcess) -> Result<String, String> {
    let describe = |error: ArenaError| error.to_string();
    node.signal(Signal::STOP).map_err(describe)?;
    let stopped = within_step(|| is_in_state(node, 'T')).await;
    node.signal(Signal::CONT).map_err(describe)?;
    let continued = within_step(|| is_in_state(node, 'S')).await;
    match (stopped, continued) {
        (true, true) => Ok("SIGSTOP stopped a process, SIGCONT continued it".to_owned()),
        (false, _) => Err("a process was sent SIGSTOP and did not stop".to_owned()),
        (true, false) => Err("a process was sent SIGCONT and did not continue".to_owned()),
    }
}

fn is_in_state(node: &NodeProcess, state: char) -> bool {
    processes::stat(node.pid())
        .is_ok_and(|stat| stat.state == state && stat.start_ticks == node.start_ticks())
}

async fn within_step(condition: impl Fn() -> bool) -> bool {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(STEP_TIMEOUT, wait).await.is_ok()
}

async fn kill(node: &NodeProcess) -> Result<String, String> {
    match node.kill().await {
        Ok(Exit::Signal(9)) => Ok("SIGKILL ended a process".to_owned()),
        Ok(other) => Err(format!("a process was sent SIGKILL and {other}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The way from n2 to n1, before, while and after n1 drops what comes from n2.
async fn cut(arena: &Arena) -> Result<String, ArenaError> {
    let refuse =
        |message: &str| Err(ArenaError::setup("the trial of a cut", io::Error::other(message.to_owned())));
    let (here, there) = (NodeId(1), NodeId(2));
    if !reaches(arena, there, here)? || !reaches(arena, here, there)? {
        return refuse("two nodes do not reach each other although nothing is cut");
    }
    let source = arena.address(there).to_string();
    let rule = ["INPUT", "-s", source.as_str(), "-j", "DROP"];
    iptables(arena, here, &[&["-w", "-A"], rule.as_slice()].concat())?;
    if reaches(arena, there, here)? {
        return refuse("a rule that drops packets was accepted and did not drop them");
    }
    let counters = iptables(arena, here, &["-w", "-vnxL", "INPUT"])?;
    let dropped =
        counters.lines().find(|line| line.contains("DROP")).and_then(|line| line.split_whitespace().next());
    let Some(dropped) = dropped.and_then(|count| count.parse::<u64>().ok()).filter(|count| *count > 0) else {
        return refuse("packets were dropped, and the rule's counter does not say so");
    };
    iptables(arena, here, &[&["-w", "-D"], rule.as_slice()].concat())?;
    if !reaches(arena, there, here)? {
        return refuse("a rule that drops packets was removed and they are still dropped");
    }
    Ok(format!(
        "a rule in a node's namespace dropped what was sent (packets counted: {dropped}), and nothing once removed"
    ))
}

fn iptables(arena: &Arena, node: NodeId, args: &[&str]) -> Result<String, ArenaError> {
    in_node(arena, node, || tool::run(tool::IPTABLES, args, ""))?
}

/// Nobody listens on that port: a refusal is the answer of a node that was reached.
fn reaches(arena: &Arena, from: NodeId, to: NodeId) -> Result<bool, ArenaError> {
    let target = SocketAddr::from((arena.address(to), 9));
    match in_node(arena, from, || TcpStream::connect_timeout(&target, REACH_TIMEOUT))? {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
        Err(error) => Err(ArenaError::setup(format!("connecting to {target}"), error)),
    }
}

fn in_node<T: Send>(arena: &Arena, node: NodeId, action: impl FnOnce() -> T + Send) -> Result<T, ArenaError> {
    let netns = arena.netns(node).expect("only asked of arenas with links");
    namespaces::within(&netns, action).map_err(|error| ArenaError::setup(netns.display().to_string(), error))
}

/// Nodes that fork, leave their session and ignore SIGTERM; rules and mounts; then a line that says it all
/// stands.
async fn hold_until_asked(inside: &Inside) -> anyhow::Result<()> {
    let arena = Arena::create(inside.kind, 3)?;
    let script = "trap '' TERM HUP INT; sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &) ; wait";
    for node in arena.nodes() {
        arena.spawn(node, &shell(script))?;
    }
    if arena.capabilities() == Capabilities::namespaces() {
        let source = arena.address(NodeId(1)).to_string();
        let rule = ["-w", "-A", "INPUT", "-s", &source, "-j", "DROP"];
        for node in arena.nodes() {
            iptables(&arena, node, &rule)?;
        }
        tool::run(tool::IPTABLES, &rule, "")?;
    }
    writeln!(io::stdout(), "holding")?;
    inside.interrupts.reached(1).await;
    writeln!(io::stdout(), "asked to finish {} time(s)", inside.interrupts.count())?;
    arena.tear_down().await?;
    Ok(())
}
