//! A node's process: how it is started, watched and stopped.
//!
//! One thread per process starts it, waits for it and publishes how it ended; nothing polls and nobody else's
//! child is reaped by mistake. Signals go through a pidfd, so a number that the kernel has given to another
//! process in the meantime is never hit. When the process that was started is gone, whatever else is left of
//! its process group is killed before the exit is published: a helper that keeps the port or the data folder
//! would fail the next start.
//!
//! Refuses to know what the program does and when it is ready.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, RwLock, mpsc};
use std::time::Duration;

use rashomon_nemesis::NodeId;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use rustix::process::Signal;

use super::{ArenaError, create_parent, namespaces, processes, reexec};

/// How long a process may take to disappear after SIGKILL before that is called a failure.
const KILL_WAIT: Duration = Duration::from_secs(10);

/// What to start, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCommand {
    /// The program: a path, or a name looked up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment variables set beside those of the run.
    pub env: Vec<(String, String)>,
    /// The folder it starts in; created when missing.
    pub cwd: PathBuf,
    /// The file its standard output and error are appended to; created when missing.
    pub log: PathBuf,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// It exited by itself with this code.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
    /// The kernel would not say: somebody else reaped the process.
    Unknown(String),
}

impl Exit {
    fn of(status: io::Result<ExitStatus>) -> Exit {
        match status {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Unknown(status.to_string()),
            },
            Err(error) => Exit::Unknown(error.to_string()),
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "was killed by {signal}"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            Exit::Unknown(why) => write!(f, "ended, nobody knows how ({why})"),
        }
    }
}

/// A process that was started. Clones share it; dropping one does not stop it.
#[derive(Debug, Clone)]
pub struct NodeProcess {
    pid: i32,
    start_ticks: u64,
    pidfd: Arc<OwnedFd>,
    exit: watch::Receiver<Option<Exit>>,
}

impl NodeProcess {
    /// The process number, as seen inside the run.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`): with the number, an
    /// identity that is never given twice.
    pub fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// How it ended, or nothing while it is alive.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits until it has ended and been reaped, its process group with it.
    pub async fn exited(&self) -> Exit {
        let mut receiver = self.exit.clone();
        match receiver.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().expect("waited for some"),
            Err(_) => Exit::Unknown("its waiting thread is gone".to_owned()),
        }
    }

    /// Sends a signal to the process; `false` when it had ended already.
    pub fn signal(&self, signal: Signal) -> Result<bool, ArenaError> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(errno) => {
                let signal = signal_name(signal);
                Err(ArenaError::Signal { pid: self.pid, signal, source: errno.into() })
            }
        }
    }

    /// Asks it to end (SIGTERM, and SIGCONT should it be paused), and kills it when `grace` has passed.
    pub async fn stop(&self, grace: Duration) -> Result<Exit, ArenaError> {
        if self.signal(Signal::TERM)? {
            self.signal(Signal::CONT)?;
        }
        match tokio::time::timeout(grace, self.exited()).await {
            Ok(exit) => Ok(exit),
            Err(_) => self.kill().await,
        }
    }

    /// Kills it and waits until it is gone.
    pub async fn kill(&self) -> Result<Exit, ArenaError> {
        self.signal(Signal::KILL)?;
        self.killed().await
    }

    /// Waits, with a bound, for the end of a process that was sent SIGKILL.
    pub(super) async fn killed(&self) -> Result<Exit, ArenaError> {
        tokio::time::timeout(KILL_WAIT, self.exited()).await.map_err(|_| ArenaError::Unkillable {
            pid: self.pid,
            waited_ms: u64::try_from(KILL_WAIT.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn signal_name(signal: Signal) -> &'static str {
    nix::sys::signal::Signal::try_from(signal.as_raw()).map_or("a signal", nix::sys::signal::Signal::as_str)
}

/// Starts `command` in the network namespace of `netns`, or in the caller's where there is none.
pub(super) fn start(
    node: NodeId,
    command: &NodeCommand,
    netns: Option<&Path>,
) -> Result<NodeProcess, ArenaError> {
    let failed = |source| ArenaError::Spawn { node, program: command.program.clone(), source };
    let (started_sender, started) = mpsc::channel();
    let (exit_sender, exit) = watch::channel(None);
    let (command, netns) = (command.clone(), netns.map(Path::to_owned));
    std::thread::Builder::new()
        .name(format!("{node} waits"))
        .stack_size(64 * 1024)
        .spawn(move || {
            let spawned = netns.as_deref().map_or(Ok(()), namespaces::move_thread_into);
            match spawned.and_then(|()| spawn(&command)) {
                Ok((child, pidfd, start_ticks)) => {
                    let pid = processes::pid_of(&child);
                    // The receiver waits below: it cannot be gone. Were it, the child must still be reaped.
                    let _ = started_sender.send(Ok((pid, pidfd, start_ticks)));
                    exit_sender.send_replace(Some(wait_for_group(child)));
                }
                Err(error) => {
                    let _ = started_sender.send(Err(error));
                }
            }
        })
        .map_err(failed)?;
    let (pid, pidfd, start_ticks) = started
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the starting thread died")))
        .map_err(failed)?;
    Ok(NodeProcess { pid, start_ticks, pidfd: Arc::new(pidfd), exit })
}

/// Held for reading while a process is started, set to true when the run is being ended by force: without it
/// a node could be started between the last look for what is left and the end.
static ENDING: RwLock<bool> = RwLock::new(false);

/// From now on nothing is started; returns when nothing is being started any more.
pub(super) fn start_no_more() {
    *ENDING.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
}

fn spawn(command: &NodeCommand) -> io::Result<(Child, OwnedFd, u64)> {
    let ending = ENDING.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    if *ending {
        // Not an error: whoever was handed it would end the process before those that are left have been
        // ended.
        loop {
            std::thread::park();
        }
    }
    std::fs::create_dir_all(&command.cwd)?;
    create_parent(&command.log)?;
    let log = OpenOptions::new().create(true).append(true).open(&command.log)?;
    let mut child = Command::new(&command.program)
        .args(&command.args)
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .env_remove(reexec::ROLE_VARIABLE)
        .current_dir(&command.cwd)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    // Not reaped yet, so neither the number nor /proc/PID can mean another process, even if it has died
    // already.
    let pid = processes::pid_of(&child);
    let identity = pidfd_of(pid).and_then(|pidfd| Ok((pidfd, processes::stat(pid)?.start_ticks)));
    match identity {
        Ok((pidfd, start_ticks)) => Ok((child, pidfd, start_ticks)),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error)
        }
    }
}

fn pidfd_of(pid: i32) -> io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid).ok_or_else(|| io::Error::other("process number 0"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits for the process to end, ends what is left of its group while its number is still taken, then reaps
/// it.
fn wait_for_group(mut child: Child) -> Exit {
    use nix::errno::Errno;
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let pid = processes::pid_of(&child);
    let leader = nix::unistd::Pid::from_raw(pid);
    while waitid(Id::Pid(leader), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    let ended = match nix::sys::signal::killpg(leader, nix::sys::signal::Signal::SIGKILL) {
        Ok(()) => wait_for_members(pid),
        Err(errno) => Err(errno.into()),
    };
    let exit = Exit::of(child.wait());
    match ended {
        Ok(()) => exit,
        Err(error) => Exit::Unknown(format!("{exit}; the rest of its process group did not end: {error}")),
    }
}

/// A signal was sent to the whole group: the dying are waited for, the dead (whoever has to reap them) are
/// not.
fn wait_for_members(group: i32) -> io::Result<()> {
    const STEP: Duration = Duration::from_millis(1);
    for _ in 0..KILL_WAIT.as_millis() {
        if processes::living_members(group)?.is_empty() {
            return Ok(());
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "nothing tells when somebody else's child has ended; bounded"
        )]
        std::thread::sleep(STEP);
    }
    Err(io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests;
