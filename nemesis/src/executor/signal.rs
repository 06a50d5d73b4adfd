//! Signals to an identified process and all that descends from it, with what was seen before and after.
//!
//! A signal goes through a pidfd opened before the start time is compared, so it reaches the very process that was
//! meant or none: a recycled pid is never hit. `kill(SIGSTOP)` returns before all threads have stopped, so a pause
//! waits until `/proc` shows every thread in state T.
//!
//! Descendants are meant as well: a pause of a launcher whose server goes on, or of a parent whose workers do, is one
//! of the faults that silently do nothing. Processes can fork while they are being counted, so a family is stopped
//! and counted again until it no longer grows; only then is it killed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::ExecutorError;
use super::deadline::{Deadline, timespec};
use super::process::{descendants, look};
use crate::evidence::{ProcessEvidence, ProcessIdentity, ProcessSeen};

/// How long the effect of a signal is waited for. A thread in a system call that cannot be interrupted (fdatasync on
/// a slow disk) stops or dies only when it returns.
const EFFECT_BOUND: Duration = Duration::from_secs(2);

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

/// A process and the handle through which it is signalled.
#[derive(Debug)]
struct Member {
    process: ProcessIdentity,
    handle: OwnedFd,
}

/// The process that was meant, first, and its descendants.
#[derive(Debug)]
struct Family(Vec<Member>);

/// Sends the signal to exactly this process and its descendants and waits, bounded, until its effect shows.
pub(crate) fn signal(process: ProcessIdentity, purpose: Purpose) -> Result<ProcessEvidence, ExecutorError> {
    let what = || format!("{purpose:?} of {process}");
    let refused = |reason: String| ExecutorError::Refused { what: what(), reason };
    let evidence = |before, after| ProcessEvidence { process, before, after };
    if process.pid == std::process::id() {
        return Err(refused("that is the nemesis itself".to_owned()));
    }
    let Some(first) = Member::open(process).map_err(|error| refused(error.to_string()))? else {
        let seen = look(process.pid).map_err(|error| refused(error.to_string()))?;
        return Ok(evidence(seen.clone(), seen));
    };
    let mut family = Family(vec![first]);
    let before = family.grow().and_then(|_| family.look());
    let before = before.map_err(|error| refused(error.to_string()))?;
    if before.started != Some(process.started) || before.is_gone() {
        return Ok(evidence(before.clone(), before));
    }
    match family.bring_about(purpose) {
        Ok(after) => Ok(evidence(before, after)),
        // Signals go out in order, the process that was meant first: if that one may not be signalled, none was.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(refused(error.to_string())),
        Err(error) => Err(ExecutorError::BrokeOff { what: what(), reason: error.to_string() }),
    }
}

impl Member {
    /// `None` when the process is gone, or another one has its pid.
    fn open(process: ProcessIdentity) -> io::Result<Option<Self>> {
        let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
        let pid =
            pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no such number can be a pid"))?;
        // First the handle, then the look: if the process ends in between, the handle reaches nobody.
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let same = look(process.pid)?.started == Some(process.started);
        Ok(same.then_some(Member { process, handle }))
    }
}

impl Family {
    /// Adds descendants that are not in it yet; how many were added.
    fn grow(&mut self) -> io::Result<usize> {
        let known = self.0.len();
        for process in descendants(self.0[0].process.pid)? {
            if self.0.iter().all(|member| member.process != process) {
                self.0.extend(Member::open(process)?);
            }
        }
        Ok(self.0.len() - known)
    }

    /// What is seen of all members together: the start time is the first one's, threads are counted over all.
    fn look(&self) -> io::Result<ProcessSeen> {
        let mut all = ProcessSeen::default();
        for (index, Member { process, .. }) in self.0.iter().enumerate() {
            let seen = look(process.pid)?;
            if index == 0 {
                all.started = seen.started;
            }
            if seen.started == Some(process.started) {
                seen.threads
                    .iter()
                    .for_each(|(state, count)| *all.threads.entry(*state).or_default() += count);
            }
        }
        Ok(all)
    }

    /// To every member, the first one first. One that is gone by now needs no signal.
    fn send(&self, signal: Signal) -> io::Result<()> {
        for member in &self.0 {
            match pidfd_send_signal(&member.handle, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Signals and waits until the purpose is reached or the bound has passed; what is seen then.
    fn bring_about(&mut self, purpose: Purpose) -> io::Result<ProcessSeen> {
        let deadline = Deadline::after(EFFECT_BOUND);
        if purpose == Purpose::Kill && self.0.len() > 1 {
            self.stop_until_it_no_longer_grows(&deadline)?;
        }
        match purpose {
            Purpose::Pause => self.stop_until_it_no_longer_grows(&deadline),
            Purpose::Kill | Purpose::Resume => {
                self.send(purpose.signal())?;
                self.wait(purpose, &deadline)
            }
        }
    }

    fn stop_until_it_no_longer_grows(&mut self, deadline: &Deadline) -> io::Result<ProcessSeen> {
        loop {
            self.send(Signal::STOP)?;
            let seen = self.wait(Purpose::Pause, deadline)?;
            if !seen.is_stopped() || self.grow()? == 0 || deadline.passed() {
                return Ok(seen);
            }
        }
    }

    fn wait(&self, purpose: Purpose, deadline: &Deadline) -> io::Result<ProcessSeen> {
        let mut pause = Duration::from_micros(200);
        loop {
            let seen = self.look()?;
            let lost = seen.started != Some(self.0[0].process.started) && purpose != Purpose::Kill;
            if purpose.reached(&seen) || lost || seen.is_gone() || deadline.passed() {
                return Ok(seen);
            }
            self.exit_of_any(pause.min(deadline.left()))?;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Waits for the exit of a member that has not exited yet, at most so long.
    fn exit_of_any(&self, bound: Duration) -> io::Result<()> {
        for member in &self.0 {
            if !exited(member.handle.as_fd(), Duration::ZERO)? {
                exited(member.handle.as_fd(), bound)?;
                break;
            }
        }
        Ok(())
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
    use crate::executor::process::identify;

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
