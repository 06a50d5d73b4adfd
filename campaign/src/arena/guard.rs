//! The guard: outlives the run by a moment, so that nothing else does. See [`reexec`](super::reexec) for its
//! place.
//!
//! It has no threads that decide, no runtime and no files: it starts the run, reaps whatever orphans come to
//! it, passes signals on, and ends everything when the run or the process outside is gone.
//!
//! Refuses to know what the run does.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};
use rustix::event::{PollFd, PollFlags, poll};

use super::reexec::{self, EnterError, FAILED};
use super::{ArenaKind, interrupts, mounts, process, processes};

/// Plays the guard to its end: the exit code of the run.
pub(super) fn guard(kind: ArenaKind) -> Result<u8, EnterError> {
    let failed = |step| move |errno: Errno| EnterError::process(step, errno);
    match kind {
        ArenaKind::Namespaces => {
            prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("parent-death signal"))?
        }
        ArenaKind::Loopback => prctl::set_child_subreaper(true).map_err(failed("adopting orphans"))?,
    }
    // The parent may have died before it could be asked for a signal.
    if lifeline_is_cut().map_err(|error| EnterError::process("the lifeline", error))? {
        return Ok(FAILED);
    }
    // Out of the terminal's foreground group, so that its Ctrl-C comes once, through the process outside.
    setsid().map_err(failed("a session of its own"))?;
    let mut signals = interrupts::asking();
    signals.add(Signal::SIGCHLD);
    signals.thread_block().map_err(failed("blocking signals"))?;
    if kind == ArenaKind::Namespaces {
        mounts::make_private()?;
    }
    end_with_lifeline().map_err(|error| EnterError::process("watching the lifeline", error))?;
    let mut run = reexec::this_program(&reexec::run_role(kind))
        .spawn()
        .map_err(|error| EnterError::process("starting this program again", error))?;
    let run_lifeline = run.stdin.take();
    let status = reap_until(&signals, Pid::from_raw(processes::pid_of(&run)))
        .map_err(failed("waiting for the run"))?;
    drop(run_lifeline);
    // In a process namespace the kernel does it when we return, and nobody can hide from it.
    if kind == ArenaKind::Loopback {
        end_all_children().map_err(|error| EnterError::process("ending the nodes", error))?;
    }
    Ok(reexec::exit_code("the run", status))
}

fn lifeline_is_cut() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut lifeline = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut lifeline, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(lifeline[0].revents().contains(PollFlags::HUP))
}

/// Starts a thread that ends this process and everything below it when the process above is gone.
pub(super) fn end_with_lifeline() -> io::Result<()> {
    std::thread::Builder::new().name("lifeline".to_owned()).spawn(|| {
        let mut byte = [0];
        // Nobody writes; a read that fails tells no less than one that ends that there is nobody any more.
        while matches!(io::stdin().read(&mut byte), Ok(1..)) {}
        process::start_no_more();
        if let Err(error) = end_all_descendants() {
            eprintln!("rashomon: cannot look for processes that are left: {error}");
        }
        std::process::exit(i32::from(FAILED));
    })?;
    Ok(())
}

/// Reaps every child there is until the run is among them. Signals that ask to finish go to the run.
fn reap_until(signals: &SigSet, run: Pid) -> nix::Result<ExitStatus> {
    loop {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == run => {
                    return Ok(ExitStatus::from_raw(code << 8));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == run => {
                    return Ok(ExitStatus::from_raw(signal as i32));
                }
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) => {}
                Err(errno) => return Err(errno),
            }
        }
        match signals.wait()? {
            Signal::SIGCHLD => {}
            // Not reaped yet, so the number is still the run's.
            asking => kill(run, asking)?,
        }
    }
}

/// Kills and reaps until there is no child. Orphans of those killed become children of the guard in turn, so
/// none escapes.
fn end_all_children() -> io::Result<()> {
    loop {
        kill_all(&left_over()?);
        match waitpid(None, None) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Kills what is left of the run until none is alive. Bounded: one that hangs in the kernel dies when the
/// kernel lets it.
fn end_all_descendants() -> io::Result<()> {
    for _ in 0..1_000 {
        let alive = left_over()?;
        if alive.is_empty() {
            return Ok(());
        }
        kill_all(&alive);
        std::thread::yield_now();
    }
    Ok(())
}

/// Those below this process, and those that bear the run's name: a daemon whose guard is dead has no other
/// tie to us.
fn left_over() -> io::Result<Vec<i32>> {
    let mut pids = processes::descendants(processes::own_pid())?;
    if let Ok(run) = std::env::var(reexec::RUN_VARIABLE) {
        pids.extend(processes::marked(reexec::RUN_VARIABLE, &run)?);
    }
    Ok(pids)
}

/// Stops them first, so that none can start another between being listed and being killed.
fn kill_all(pids: &[i32]) {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in pids {
            // One that has ended meanwhile is what was wanted.
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    }
}
