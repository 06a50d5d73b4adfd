//! A trial of the arena that holds, and its processes as seen from outside.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rashomon_campaign::arena::reexec::ROLE_VARIABLE;
use rashomon_campaign::arena::trial::TRIAL_VARIABLE;
use rashomon_campaign::arena::{ArenaKind, processes};

/// In the environment of everything that a trial starts, however it hides.
const MARK_VARIABLE: &str = "RASHOMON_TEST_MARK";

/// Longer than anything here takes on a machine that is very busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A trial that was told to hold.
pub(crate) struct Held {
    child: Child,
    stdout: BufReader<ChildStdout>,
    mark: String,
}

impl Held {
    /// Starts it, in a process group of its own, without waiting for anything.
    pub(crate) fn start(kind: ArenaKind) -> Held {
        Held::start_program(kind, Path::new(env!("CARGO_BIN_EXE_rashomon")))
    }

    /// Starts another copy of the program.
    pub(crate) fn start_program(kind: ArenaKind, program: &Path) -> Held {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(program);
        command
            .arg("doctor")
            .env(TRIAL_VARIABLE, format!("{kind}:hold"))
            .env(MARK_VARIABLE, &mark)
            .env_remove(ROLE_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Held { child, stdout, mark }
    }

    /// Waits until everything stands: nodes, links and rules.
    pub(crate) fn wait_until_held(&mut self) {
        let line = self.line();
        if line != "holding" {
            let mut complaint = String::new();
            std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut complaint).unwrap();
            panic!("the arena did not come up: {line:?} {complaint}");
        }
    }

    /// The next line that it prints; empty when it is gone.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The process that the test started.
    pub(crate) fn outside(&self) -> i32 {
        processes::pid_of(&self.child)
    }

    /// Everything that was started for this trial and is alive.
    pub(crate) fn alive(&self) -> Vec<i32> {
        let mut pids = processes::marked(MARK_VARIABLE, &self.mark).unwrap();
        pids.retain(|pid| processes::stat(*pid).is_ok_and(|stat| stat.state != 'Z'));
        pids
    }

    /// Waits until at least so many are alive: shells take their time to fork.
    pub(crate) fn wait_for_processes(&self, count: usize) {
        let deadline = now() + PATIENCE;
        while self.alive().len() < count {
            assert!(now() < deadline, "never were {count} alive: {:?}", self.alive());
            pause(Duration::from_millis(1));
        }
    }

    /// The process in this role, waited for until it exists; none once the whole trial is gone.
    pub(crate) fn in_role(&mut self, role: &str) -> Option<i32> {
        let value = format!("{role}:");
        let deadline = now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            let found = self.alive().into_iter().find(|pid| {
                let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                let prefix = format!("{ROLE_VARIABLE}={value}");
                environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(prefix.as_bytes()))
            });
            if found.is_some() {
                return found;
            }
            assert!(now() < deadline, "no process in the role of {role}");
        }
        None
    }

    /// Waits for the outermost process; with what it complained of.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let deadline = now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(now() < deadline, "the run does not end");
            pause(Duration::from_millis(1));
        };
        self.wait_until_gone();
        let mut complaint = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut complaint).unwrap();
        (status, complaint)
    }

    /// Waits until nothing of the trial is alive; what is left after a generous while is a failure.
    pub(crate) fn wait_until_gone(&self) {
        let deadline = now() + PATIENCE;
        loop {
            let alive = self.alive();
            if alive.is_empty() {
                return;
            }
            let names = alive.iter().map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")));
            assert!(now() < deadline, "left behind: {alive:?} {:?}", names.collect::<Vec<_>>());
            pause(Duration::from_millis(1));
        }
    }
}

impl Drop for Held {
    /// A test that fails leaves nothing either.
    fn drop(&mut self) {
        for pid in self.alive() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process, or to a process group when the number is negative.
pub(crate) fn send(pid: i32, signal: Signal) {
    match kill(Pid::from_raw(pid), signal) {
        // It ended by itself in the meantime: the moment was that late.
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(errno) => panic!("{signal} to {pid}: {errno}"),
    }
}

/// Waits: here the moment of a kill is what is tested, and time is its only name.
#[allow(clippy::disallowed_methods, reason = "the tests choose moments in real time, and poll with a bound")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[allow(clippy::disallowed_methods, reason = "the bound of a wait for real processes")]
fn now() -> Instant {
    Instant::now()
}
