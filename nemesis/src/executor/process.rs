//! Signals to identified processes, and what `/proc` shows of them before and after.
//!
//! A signal goes through a pidfd opened before the start time is compared, so it reaches the very process that was
//! meant or none: a recycled pid is never hit. `kill(SIGSTOP)` returns before all threads have stopped, so a pause
//! waits until `/proc` shows every thread in state T. Next: [`super::namespaces`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use std::{fs, str};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::ExecutorError;
use super::deadline::{Deadline, timespec};
use crate::evidence::{ProcessEvidence, ProcessIdentity, ProcessSeen};

/// How long the effect of a signal is waited for. A thread in a system call that cannot be interrupted (fdatasync on
/// a slow disk) stops or dies only when it returns.
const EFFECT_BOUND: Duration = Duration::from_secs(2);

/// The identity of the process now running under this pid; `None` when there is none or only its remains.
pub fn identify(pid: u32) -> io::Result<Option<ProcessIdentity>> {
    let seen = look(pid)?;
    Ok(seen.started.filter(|_| !seen.is_gone()).map(|started| ProcessIdentity { pid, started }))
}

/// What `/proc` shows of this pid now.
pub fn look(pid: u32) -> io::Result<ProcessSeen> {
    let Some((_, started)) = read_stat(&format!("/proc/{pid}/stat"))? else {
        return Ok(ProcessSeen::default());
    };
    let mut seen = ProcessSeen { started: Some(started), ..ProcessSeen::default() };
    let threads = match fs::read_dir(format!("/proc/{pid}/task")) {
        Ok(threads) => threads,
        Err(error) if is_gone(&error) => return Ok(ProcessSeen::default()),
        Err(error) => return Err(error),
    };
    for thread in threads {
        let thread = match thread {
            Ok(thread) => thread,
            Err(error) if is_gone(&error) => break,
            Err(error) => return Err(error),
        };
        if let Some((state, _)) = read_stat(&format!("{}/stat", thread.path().display()))? {
            *seen.threads.entry(state).or_default() += 1;
        }
    }
    Ok(seen)
}

/// State letter and start time (fields 3 and 22); `None` when the process or thread is gone.
fn read_stat(path: &str) -> io::Result<Option<(char, u64)>> {
    match fs::read_to_string(path) {
        Ok(text) => match parse_stat(&text) {
            Some(found) => Ok(Some(found)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not as proc(5) says"))),
        },
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name (field 2) may hold blanks and parentheses: everything counts from the last one.
fn parse_stat(text: &str) -> Option<(char, u64)> {
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state was field 3; 18 more lie between it and field 22.
    Some((state, fields.nth(18)?.parse().ok()?))
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

/// What a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Kill,
    Pause,
    Resume,
}

impl Purpose {
    fn signal(self) -> Signal {
        match self {
            Purpose::Kill => Signal::KILL,
            Purpose::Pause => Signal::STOP,
            Purpose::Resume => Signal::CONT,
        }
    }

    fn reached(self, seen: &ProcessSeen) -> bool {
        match self {
            Purpose::Kill => seen.is_gone(),
            Purpose::Pause => seen.is_stopped(),
            Purpose::Resume => !seen.threads.contains_key(&'T'),
        }
    }
}

/// Sends the signal to exactly this process and waits, bounded, until its effect shows.
pub(crate) fn signal(process: ProcessIdentity, purpose: Purpose) -> Result<ProcessEvidence, ExecutorError> {
    let what = || format!("{purpose:?} of {process}");
    let refused = |error: &dyn ToString| ExecutorError::Refused { what: what(), reason: error.to_string() };
    let broke_off = |error: io::Error| ExecutorError::BrokeOff { what: what(), reason: error.to_string() };
    let evidence = |before, after| Ok(ProcessEvidence { process, before, after });

    if process.pid == std::process::id() {
        return Err(refused(&"that is the nemesis itself"));
    }
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| refused(&"no such number can be a pid"))?;
    // First the handle, then the look: if the process ends in between, the handle reaches nobody.
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return evidence(ProcessSeen::default(), ProcessSeen::default()),
        Err(error) => return Err(refused(&error)),
    };
    let before = look(process.pid).map_err(|error| refused(&error))?;
    if before.started != Some(process.started) || before.is_gone() {
        return evidence(before.clone(), before);
    }
    match pidfd_send_signal(&handle, purpose.signal()) {
        Ok(()) => {}
        // It ended between the look and the signal: to the judgement it was dead already.
        Err(Errno::SRCH) => return evidence(ProcessSeen::default(), ProcessSeen::default()),
        Err(error) => return Err(refused(&error)),
    }
    let after = wait(process, purpose, &handle).map_err(broke_off)?;
    evidence(before, after)
}

/// Looks until the purpose is reached, the process is another's or gone, or the bound has passed.
fn wait(process: ProcessIdentity, purpose: Purpose, handle: &OwnedFd) -> io::Result<ProcessSeen> {
    let deadline = Deadline::after(EFFECT_BOUND);
    let mut pause = Duration::from_micros(200);
    loop {
        let seen = look(process.pid)?;
        let over = seen.started != Some(process.started) || seen.is_gone();
        if over || purpose.reached(&seen) || deadline.passed() {
            return Ok(seen);
        }
        exited(handle.as_fd(), pause.min(deadline.left()))?;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Waits for the process to exit, at most so long; a pidfd becomes readable when it does.
pub(crate) fn exited(handle: BorrowedFd<'_>, bound: Duration) -> io::Result<bool> {
    let mut watched = [PollFd::new(&handle, PollFlags::IN)];
    match poll(&mut watched, Some(&timespec(bound))) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_cannot_forge_its_start_time() {
        let stat = "7 (a) S 1 2 3 (x) R 1 7 7 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 1 0 4711 22 33";
        assert_eq!(parse_stat(stat), Some(('R', 4711)));
        for broken in ["", "7 (a", "7 (a)", "7 (a) S 1 2 3"] {
            assert_eq!(parse_stat(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn oneself_is_alive_and_refused() {
        let own = identify(std::process::id()).unwrap().expect("this process runs");
        let error = signal(own, Purpose::Kill).unwrap_err();
        assert!(error.definite() && error.to_string().contains("the nemesis itself"), "{error}");
    }

    #[test]
    fn impossible_pids_are_refused() {
        for pid in [0, u32::MAX] {
            let error = signal(ProcessIdentity { pid, started: 1 }, Purpose::Kill).unwrap_err();
            assert!(error.definite(), "{error}");
        }
    }
}
