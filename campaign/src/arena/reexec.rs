//! How a run gets into its own namespaces, and how none of it outlives anybody's `kill -9`.
//!
//! Three processes of the same program, each the parent of the next:
//!
//! | role | what it is | what it does |
//! | --- | --- | --- |
//! | outside | what the user started | makes the namespaces, passes Ctrl-C and SIGTERM on, returns the run's exit code |
//! | guard | process 1 of the run's process namespace (on loopback: the adopter of all orphans) | mounts, reaps, ends everything |
//! | run | an ordinary process | the run itself: the rest of the program |
//!
//! - When the guard of a namespace dies, by whatever, the kernel kills every process in it. The guard dies
//!   when the outside does (parent-death signal, and a pipe that ends: the *lifeline*, which also covers a
//!   death before the signal was set), and when the run does.
//! - On loopback there is no such kernel; there the guard, in a session of its own so that killing the
//!   process group misses it, adopts and kills every descendant of the run. Should the guard be killed, the
//!   run notices and does the same.
//!
//! The guard is not the run itself because process 1 must reap orphans, which a program that also waits for
//! children of its own cannot do without stealing their exit codes.
//!
//! It must happen before any thread exists, for the kernel gives no user namespace to a process that has
//! threads. Refuses to know what a run does. Read next: `guard.rs`.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getegid, geteuid};

use super::interrupts::{self, Interrupts};
use super::{ArenaKind, guard, mounts, processes, refusal, tool};

/// Says in which role this program was started by itself. Nodes do not inherit it.
pub const ROLE_VARIABLE: &str = "RASHOMON_ROLE";

/// Names the run to everything that it starts, however often that forks and hides: `PID-TICKS` of the process
/// outside.
pub const RUN_VARIABLE: &str = "RASHOMON_RUN";

/// The code of a harness failure: the run could not be had, or was killed.
pub(super) const FAILED: u8 = 255;

/// Where the caller of [`enter`] finds itself.
#[derive(Debug)]
pub enum Entered {
    /// Outside: the run is over. Nothing is left to do but to exit with its code.
    Outside {
        /// The run's exit code; 255 if it was killed.
        exit_code: u8,
    },
    /// Inside: this process is the run.
    Inside(Inside),
}

/// The run's process, guarded.
#[derive(Debug)]
pub struct Inside {
    /// The arena that can be created here.
    pub kind: ArenaKind,
    /// Ctrl-C, SIGTERM and SIGHUP, whoever of the three processes was sent them.
    pub interrupts: Interrupts,
}

/// Why a run could not get inside. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The kernel refuses namespaces to this user.
    #[error("this machine refuses {what} ({errno}): {advice}")]
    Refused {
        /// The namespaces asked for.
        what: &'static str,
        /// What the kernel said.
        errno: Errno,
        /// What to do about it.
        advice: String,
    },
    /// A mount of the run's private view failed.
    #[error(transparent)]
    Mount(#[from] mounts::MountError),
    /// A process, pipe or signal handler could not be made.
    #[error("cannot start the run: {step}: {source}")]
    Process {
        /// What was being done.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl EnterError {
    pub(super) fn process(step: &'static str, source: impl Into<io::Error>) -> EnterError {
        EnterError::Process { step, source: source.into() }
    }
}

/// What this process is to be, from its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Guard(ArenaKind),
    Run(ArenaKind),
}

impl Role {
    fn of_this_process() -> Option<Role> {
        let text = std::env::var(ROLE_VARIABLE).ok()?;
        let (role, kind) = text.split_once(':')?;
        let kind = kind.parse().ok()?;
        // A variable that strayed into a shell must not make a program mount things: process 1 is 1.
        let pid = std::process::id();
        match role {
            "guard" if kind == ArenaKind::Loopback || pid == 1 => Some(Role::Guard(kind)),
            "run" if kind == ArenaKind::Loopback || nix::unistd::getppid().as_raw() == 1 => {
                Some(Role::Run(kind))
            }
            _ => None,
        }
    }
}

/// The value of [`ROLE_VARIABLE`] for a guard.
fn guard_role(kind: ArenaKind) -> String {
    format!("guard:{kind}")
}

/// The value of [`ROLE_VARIABLE`] for a run.
pub(super) fn run_role(kind: ArenaKind) -> String {
    format!("run:{kind}")
}

/// Puts the program into an arena of this kind: to be called by a sub-command that needs one, before any
/// thread exists. Outside it returns when the run is over; inside it returns at once, in a new process with
/// the same arguments.
///
/// All three processes come by here, so nothing that must happen once may happen before: no line printed, no
/// file made.
///
/// # Panics
/// When this process already has threads: the kernel would refuse with a far less helpful word.
pub fn enter(kind: ArenaKind) -> Result<Entered, EnterError> {
    match Role::of_this_process() {
        Some(Role::Run(kind)) => inside(kind).map(Entered::Inside),
        Some(Role::Guard(kind)) => guard::guard(kind).map(|exit_code| Entered::Outside { exit_code }),
        _ => outside(kind).map(|exit_code| Entered::Outside { exit_code }),
    }
}

fn inside(kind: ArenaKind) -> Result<Inside, EnterError> {
    let interrupts =
        Interrupts::listen().map_err(|error| EnterError::process("listening for signals", error))?;
    guard::end_with_lifeline().map_err(|error| EnterError::process("watching the lifeline", error))?;
    Ok(Inside { kind, interrupts })
}

fn outside(kind: ArenaKind) -> Result<u8, EnterError> {
    let thread_count = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    assert_eq!(thread_count, 1, "enter() comes before any thread");
    let mut signals = interrupts::asking();
    signals.add(Signal::SIGCHLD);
    signals.thread_block().map_err(|errno| EnterError::process("blocking signals", errno))?;
    let run = run_name()?;
    if kind == ArenaKind::Namespaces {
        unshare_all()?;
    }
    let mut guard = this_program(&guard_role(kind))
        .env(RUN_VARIABLE, run)
        .spawn()
        .map_err(|error| EnterError::process("starting its guard", error))?;
    let status = pass_on_until_exit(&signals, &mut guard)
        .map_err(|error| EnterError::process("waiting for it", error))?;
    Ok(exit_code("the run's guard", status))
}

/// New mount, network, process and IPC namespaces; in a new user namespace where this user may not make them
/// directly. IPC, so that System V segments of a killed server go with the rest.
fn unshare_all() -> Result<(), EnterError> {
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC;
    if geteuid().is_root() {
        match unshare(namespaces) {
            // Root of a container without the capability: the way of ordinary users may still be open.
            Err(Errno::EPERM) => {}
            other => return other.map_err(|errno| refused("network namespaces", errno)),
        }
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| refused("user namespaces", errno))?;
    // The order is the kernel's: without giving up setgroups first, an ordinary user may not map a group.
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {user} 1")),
        ("/proc/self/gid_map", format!("0 {group} 1")),
    ];
    for (file, text) in maps {
        std::fs::write(file, text).map_err(|error| {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
            refused("the mapping of users into a user namespace", errno)
        })?;
    }
    unshare(namespaces).map_err(|errno| refused("network namespaces inside a user namespace", errno))
}

fn refused(what: &'static str, errno: Errno) -> EnterError {
    EnterError::Refused { what, errno, advice: refusal::advice(errno) }
}

fn run_name() -> Result<String, EnterError> {
    let pid = processes::own_pid();
    let stat = processes::stat(pid).map_err(|error| EnterError::process("reading /proc", error))?;
    Ok(format!("{pid}-{}", stat.start_ticks))
}

/// This program again, same name and arguments, in another role. Its standard input is the lifeline: a pipe
/// that nobody writes to and that ends when this process does, however it ends.
pub(super) fn this_program(role: &str) -> Command {
    let mut args = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(args.next().unwrap_or_else(|| "rashomon".into()))
        .args(args)
        .env(ROLE_VARIABLE, role)
        .env("PATH", tool::search_path())
        .stdin(Stdio::piped());
    command
}

/// Waits for the guard. It left the terminal's session, so Ctrl-C reaches this process alone and is passed on
/// once.
fn pass_on_until_exit(signals: &SigSet, guard: &mut Child) -> io::Result<ExitStatus> {
    let pid = Pid::from_raw(processes::pid_of(guard));
    // `Child::wait` would close the lifeline, which says: die. It is held until the guard is gone.
    let lifeline = guard.stdin.take();
    loop {
        // Before the first wait too: where SIGCHLD is ignored (inherited so), no signal would ever tell.
        if let Some(status) = guard.try_wait()? {
            drop(lifeline);
            return Ok(status);
        }
        match signals.wait()? {
            Signal::SIGCHLD => {}
            // The guard has not been reaped, so the number is still its own.
            asking => kill(pid, asking)?,
        }
    }
}

/// The code to exit with in the name of a process that ended like this.
pub(super) fn exit_code(whose: &str, status: ExitStatus) -> u8 {
    if let Some(code) = status.code() {
        return u8::try_from(code).unwrap_or(FAILED);
    }
    let number = status.signal().unwrap_or(0);
    let name =
        Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string());
    eprintln!("rashomon: {whose} was killed by {name}: no verdict");
    FAILED
}
