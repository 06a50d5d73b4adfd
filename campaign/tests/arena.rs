//! Nothing of a run outlives it, however it is killed; and what it is told reaches it once.
//!
//! The run here is the arena's own trial: three nodes that fork, leave their session and ignore SIGTERM, with
//! packet rules, links and mounts. Without privileges, `ip` or `iptables` these tests fail rather than pass
//! for want of a subject.

#![allow(clippy::unwrap_used, reason = "in a test what cannot be had is a failure, in its helpers too")]

#[path = "arena/held.rs"]
mod held;
#[path = "arena/host.rs"]
mod host;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use held::{Held, pause, send};
use host::Host;
use nix::sys::signal::Signal;
use rashomon_campaign::arena::ArenaKind;
use rashomon_campaign::arena::reexec::ROLE_VARIABLE;
use rashomon_campaign::arena::trial::TRIAL_VARIABLE;

/// From the first instruction to long after everything stands, on a machine as slow as CI's.
const MOMENTS_MS: [u64; 14] = [0, 1, 2, 3, 5, 8, 12, 16, 24, 32, 48, 64, 100, 160];

/// An ordinary user's numbers.
const NOBODY: u32 = 65_534;

/// Whom the kill hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Outside,
    ProcessGroup,
    Guard,
    Run,
}

const VICTIMS: [Victim; 4] = [Victim::Outside, Victim::ProcessGroup, Victim::Guard, Victim::Run];

impl Victim {
    /// The number to send to; none when the victim never came to be, or is gone.
    fn of(self, held: &mut Held) -> Option<i32> {
        match self {
            Victim::Outside => Some(held.outside()),
            Victim::ProcessGroup => Some(-held.outside()),
            Victim::Guard => held.in_role("guard"),
            Victim::Run => held.in_role("run"),
        }
    }
}

/// Kills every victim at every moment; nothing may be left, nowhere.
fn check_kills(kind: ArenaKind) {
    let before = Host::look();
    for victim in VICTIMS {
        for moment_ms in MOMENTS_MS {
            let mut held = Held::start(kind);
            let target = victim.of(&mut held);
            pause(Duration::from_millis(moment_ms));
            if let Some(target) = target {
                send(target, Signal::SIGKILL);
            }
            let (status, complaint) = held.end();
            let expected = match victim {
                Victim::Outside | Victim::ProcessGroup => status.signal() == Some(9),
                Victim::Guard | Victim::Run => {
                    status.code() == Some(255) && complaint.contains("was killed by SIGKILL")
                }
            };
            assert!(expected, "{victim:?} killed after {moment_ms} ms: {status}, {complaint}");
        }
    }
    assert_eq!(Host::look().added_since(&before), Vec::<String>::new());
}

/// The same when everything stands: the hardest state to undo.
fn check_kill_when_all_stands(kind: ArenaKind) {
    let before = Host::look();
    for victim in VICTIMS {
        let mut held = Held::start(kind);
        held.wait_until_held();
        // Three processes of the run and, per node, a shell with three children: the test would see what is
        // left.
        held.wait_for_processes(3 + 3 * 4);
        let target = victim.of(&mut held).expect("it holds");
        send(target, Signal::SIGKILL);
        held.end();
    }
    assert_eq!(Host::look().added_since(&before), Vec::<String>::new());
}

#[test]
fn kill_9_at_any_moment_leaves_nothing_of_namespaces() {
    check_kills(ArenaKind::Namespaces);
}

#[test]
fn kill_9_at_any_moment_leaves_nothing_on_loopback() {
    check_kills(ArenaKind::Loopback);
}

#[test]
fn kill_9_when_all_stands_leaves_nothing_of_namespaces() {
    check_kill_when_all_stands(ArenaKind::Namespaces);
}

#[test]
fn kill_9_when_all_stands_leaves_nothing_on_loopback() {
    check_kill_when_all_stands(ArenaKind::Loopback);
}

#[test]
fn what_a_run_makes_is_seen_inside_and_never_outside() {
    let before = Host::look();
    let mut held = Held::start(ArenaKind::Namespaces);
    held.wait_until_held();
    assert_eq!(Host::look().added_since(&before), Vec::<String>::new());
    let run = held.in_role("run").expect("it holds");
    let mounts = std::fs::read_to_string(format!("/proc/{run}/mounts")).unwrap();
    for mount in ["nsfs /run/netns/n1 ", "nsfs /run/netns/n3 ", "rashomon /run tmpfs"] {
        assert!(mounts.contains(mount), "{mount} is not among\n{mounts}");
    }
    let links = std::fs::read_to_string(format!("/proc/{run}/net/dev")).unwrap();
    for link in ["arena:", "link1:", "link3:", "lo:"] {
        assert!(links.contains(link), "{link} is not among\n{links}");
    }
}

#[test]
fn nodes_inherit_no_blocked_signals() {
    for kind in ArenaKind::ALL {
        let mut held = Held::start(kind);
        held.wait_until_held();
        held.wait_for_processes(3 + 3 * 4);
        let of =
            |pid: i32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let sleepers: Vec<_> =
            held.alive().into_iter().filter(|pid| of(*pid, "cmdline").starts_with("sleep")).collect();
        assert!(!sleepers.is_empty(), "no node's child was seen on {kind}");
        for pid in sleepers {
            let status = of(pid, "status");
            assert!(status.contains("SigBlk:\t0000000000000000"), "on {kind}: {status}");
        }
    }
}

/// However the run is asked, it hears it once, finishes by itself and is obeyed by its exit code.
fn check_asking(kind: ArenaKind, victim: Victim, signal: Signal) {
    let mut held = Held::start(kind);
    held.wait_until_held();
    let target = victim.of(&mut held).expect("it holds");
    send(target, signal);
    assert_eq!(held.line(), "asked to finish 1 time(s)", "{signal} to {victim:?} on {kind}");
    let (status, complaint) = held.end();
    assert_eq!((status.code(), complaint.as_str()), (Some(0), ""), "{signal} to {victim:?} on {kind}");
}

#[test]
fn being_asked_to_finish_reaches_the_run_once() {
    for kind in ArenaKind::ALL {
        // The process group is what a terminal's Ctrl-C reaches.
        for victim in VICTIMS {
            check_asking(kind, victim, Signal::SIGINT);
        }
        check_asking(kind, Victim::Outside, Signal::SIGTERM);
        check_asking(kind, Victim::Outside, Signal::SIGHUP);
    }
}

#[test]
fn being_asked_early_is_not_forgotten() {
    for moment_ms in MOMENTS_MS {
        let mut held = Held::start(ArenaKind::Namespaces);
        pause(Duration::from_millis(moment_ms));
        // Not SIGINT: a test runner in the background of a script has us ignore that until the run listens.
        send(held.outside(), Signal::SIGTERM);
        let (status, complaint) = held.end();
        // Before the signal is blocked it ends the program, as it would any other.
        let ended = status.signal() == Some(Signal::SIGTERM as i32) || status.code() == Some(0);
        assert!(ended, "asked after {moment_ms} ms: {status}, {complaint}");
    }
}

/// The trial's report, run as whoever `as_user` makes it.
fn report(program: &Path, kind: ArenaKind, as_user: impl FnOnce(&mut Command) -> &mut Command) -> Output {
    let mut command = Command::new(program);
    command.arg("doctor").env(TRIAL_VARIABLE, kind.name()).env_remove(ROLE_VARIABLE).current_dir("/");
    as_user(&mut command).output().unwrap()
}

fn check_report(output: &Output, steps: usize) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {stdout}{stderr}", output.status);
    let findings: Vec<_> = stdout.lines().collect();
    assert_eq!(findings.len(), steps, "{stdout}{stderr}");
    assert!(findings.iter().all(|finding| finding.contains(r#""result":{"Ok":"#)), "{stdout}");
}

#[test]
fn faults_bite_and_heal_in_namespaces() {
    let program = Path::new(env!("CARGO_BIN_EXE_rashomon"));
    check_report(&report(program, ArenaKind::Namespaces, |command| command), 4);
}

#[test]
fn signals_bite_and_heal_on_loopback() {
    let program = Path::new(env!("CARGO_BIN_EXE_rashomon"));
    check_report(&report(program, ArenaKind::Loopback, |command| command), 3);
}

/// A copy of the program where an ordinary user may read it, in a folder that goes with the test.
fn readable_copy(folder: &tempfile::TempDir) -> PathBuf {
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("rashomon");
    std::fs::copy(env!("CARGO_BIN_EXE_rashomon"), &copy).unwrap();
    copy
}

fn as_nobody(command: &mut Command) -> &mut Command {
    if nix::unistd::geteuid().is_root() { command.gid(NOBODY).uid(NOBODY) } else { command }
}

/// Asked of another program, so that a defect of ours is not taken for the kernel's refusal.
fn kernel_allows_user_namespaces() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "true"]).current_dir("/");
    as_nobody(&mut command).status().expect("unshare of util-linux, which every Debian has").success()
}

#[test]
fn an_ordinary_user_gets_the_same_arena() {
    let folder = tempfile::tempdir().unwrap();
    let output = report(&readable_copy(&folder), ArenaKind::Namespaces, as_nobody);
    if kernel_allows_user_namespaces() {
        check_report(&output, 4);
        return;
    }
    eprintln!("only half tested: the kernel refuses user namespaces to ordinary users");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(255), "{complaint}");
    for word in ["user namespace", "--arena loopback", "root"] {
        assert!(complaint.contains(word), "no {word:?} in {complaint}");
    }
}
