//! Processes really killed, paused and resumed, and never the wrong one.

#![allow(clippy::unwrap_used, reason = "a test helper that panics is a test that fails")]

use std::process::{Child, Command, Stdio};

use rashomon_nemesis::evidence::ProcessEvidence;
use rashomon_nemesis::executor::namespaces::Namespaces;
use rashomon_nemesis::executor::process::{identify, look};
use rashomon_nemesis::protocol::Site;
use rashomon_nemesis::{Action, Capabilities, Evidence, Executor, NodeId, Outcome, ProcessIdentity, Report};

const NODE: NodeId = NodeId(1);

/// A child that ends with the test.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Sleeper(Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap())
    }

    fn identity(&self) -> ProcessIdentity {
        identify(self.0.id()).unwrap().expect("it runs")
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// An executor for one node without a network of its own.
fn nemesis() -> Namespaces {
    let site = Site { node: NODE, address: [127, 0, 0, 1].into(), netns: None };
    let (nemesis, links) = Namespaces::attach(&[site]).unwrap();
    assert_eq!((nemesis.capabilities(), links), (Capabilities::loopback(), None));
    nemesis
}

fn seen(report: &Report) -> &ProcessEvidence {
    match &report.evidence {
        Some(Evidence::Process(process)) => process,
        other => panic!("{other:?} of {report:?}"),
    }
}

const KILL: Action = Action::Kill { node: NODE };
const PAUSE: Action = Action::Pause { node: NODE };
const RESUME: Action = Action::Resume { node: NODE };

#[test]
fn a_kill_shows_the_process_alive_and_then_gone() {
    let sleeper = Sleeper::new();
    let report = nemesis().perform(&KILL, Some(sleeper.identity()));
    assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
    assert!(!seen(&report).before.is_gone() && seen(&report).after.is_gone(), "{report:?}");
    // Not reaped: a zombie is gone too, and cannot be killed again.
    let again = nemesis().perform(&KILL, Some(seen(&report).process));
    assert!(
        matches!(&again.outcome, Outcome::Skipped { reason } if reason.contains("already dead")),
        "{again:?}"
    );
}

#[test]
fn a_pause_stops_and_a_resume_lets_go_on() {
    let sleeper = Sleeper::new();
    let (mut nemesis, process) = (nemesis(), sleeper.identity());
    let resumed = nemesis.perform(&RESUME, Some(process));
    assert!(matches!(&resumed.outcome, Outcome::Skipped { reason } if reason.contains("was not stopped")));
    let paused = nemesis.perform(&PAUSE, Some(process));
    assert_eq!(paused.outcome, Outcome::Installed, "{paused:?}");
    assert!(look(process.pid).unwrap().is_stopped());
    let twice = nemesis.perform(&PAUSE, Some(process));
    assert!(matches!(&twice.outcome, Outcome::Skipped { reason } if reason.contains("already stopped")));
    // The identity may be left out: the nemesis knows whom it stopped.
    let resumed = nemesis.perform(&RESUME, None);
    assert_eq!(resumed.outcome, Outcome::Installed, "{resumed:?}");
    assert!(!look(process.pid).unwrap().is_stopped());
}

#[test]
fn a_paused_process_can_be_killed() {
    let sleeper = Sleeper::new();
    let (mut nemesis, process) = (nemesis(), sleeper.identity());
    assert!(nemesis.perform(&PAUSE, Some(process)).outcome.is_installed());
    assert!(nemesis.perform(&KILL, Some(process)).outcome.is_installed());
    assert_eq!(nemesis.heal(), [], "nothing is left to resume");
}

#[test]
fn every_thread_is_stopped_before_a_pause_counts() {
    // The threads of a test binary that lists nothing and waits: this very file, started again.
    let own = std::env::current_exe().unwrap();
    let child = Command::new(own)
        .args(["--exact", "busy_threads_for_another_test", "--nocapture"])
        .env("RASHOMON_TEST_BUSY", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut busy = Sleeper(child);
    let mut output = std::io::BufReader::new(busy.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("busy") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0, "it ended early");
    }
    let (mut nemesis, process) = (nemesis(), busy.identity());
    for _ in 0..20 {
        let report = nemesis.perform(&PAUSE, Some(process));
        assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
        let threads = &seen(&report).after.threads;
        assert!(threads.len() == 1 && threads[&'T'] >= 9, "{threads:?}");
        assert!(nemesis.perform(&RESUME, Some(process)).outcome.is_installed());
    }
}

/// Not a test of its own: a process with busy threads, when asked for; otherwise nothing.
#[test]
fn busy_threads_for_another_test() {
    if std::env::var_os("RASHOMON_TEST_BUSY").is_none() {
        return;
    }
    for _ in 0..8 {
        std::thread::spawn(|| {
            loop {
                std::thread::yield_now();
            }
        });
    }
    println!("busy");
    loop {
        std::thread::park();
    }
}

#[test]
fn descendants_share_the_fate_of_a_launcher() {
    // A launcher that waits for its server, which has a worker: three processes, one node.
    let mut launcher = Command::new("sh");
    launcher.args(["-c", "sh -c 'sleep 60 & echo ready; wait' & wait"]).stdout(Stdio::piped());
    let mut launcher = Sleeper(launcher.spawn().unwrap());
    let mut line = String::new();
    let output = launcher.0.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
    assert_eq!(line, "ready\n");
    let (mut nemesis, process) = (nemesis(), launcher.identity());
    let paused = nemesis.perform(&PAUSE, Some(process));
    assert_eq!(paused.outcome, Outcome::Installed, "{paused:?}");
    assert_eq!(seen(&paused).after.threads, [('T', 3)].into(), "all three are stopped");
    let resumed = nemesis.perform(&RESUME, None);
    assert_eq!(resumed.outcome, Outcome::Installed, "{resumed:?}");
    assert!(!seen(&resumed).after.threads.contains_key(&'T'));
    let killed = nemesis.perform(&KILL, Some(process));
    assert_eq!(killed.outcome, Outcome::Installed, "{killed:?}");
    assert_eq!(seen(&killed).before.threads.values().sum::<u32>(), 3);
    assert!(seen(&killed).after.is_gone());
}

#[test]
fn the_dead_are_skipped_with_the_reason() {
    let mut sleeper = Sleeper::new();
    let process = sleeper.identity();
    sleeper.0.kill().unwrap();
    sleeper.0.wait().unwrap();
    for action in [KILL, PAUSE, RESUME] {
        let report = nemesis().perform(&action, Some(process));
        let Outcome::Skipped { reason } = &report.outcome else { panic!("{report:?}") };
        assert!(reason.contains("was already dead"), "{reason}");
    }
}

#[test]
fn a_recycled_pid_is_never_hit() {
    let sleeper = Sleeper::new();
    let process = sleeper.identity();
    let earlier = ProcessIdentity { started: process.started - 1, ..process };
    for action in [KILL, PAUSE, RESUME] {
        let report = nemesis().perform(&action, Some(earlier));
        let Outcome::Skipped { reason } = &report.outcome else { panic!("{report:?}") };
        assert!(reason.contains("belongs to another"), "{reason}");
        assert_eq!(identify(process.pid).unwrap(), Some(process), "untouched by {action}");
        assert!(!look(process.pid).unwrap().is_stopped());
    }
}

#[test]
fn what_the_loopback_arena_lacks_is_refused_up_front() {
    let mut nemesis = nemesis();
    let report = nemesis.perform(&Action::Mend, None);
    let Outcome::Skipped { reason } = &report.outcome else { panic!("{report:?}") };
    assert!(reason.contains("links of their own"), "{reason}");
    let report = nemesis.perform(&Action::Start { node: NODE }, None);
    assert!(matches!(&report.outcome, Outcome::Skipped { reason } if reason.contains("whoever owns them")));
    let report = nemesis.perform(&KILL, None);
    assert_eq!(report.outcome, Outcome::skipped("n1 has no process"));
    let own = identify(std::process::id()).unwrap();
    let report = nemesis.perform(&Action::Kill { node: NodeId(7) }, own);
    assert_eq!(report.outcome, Outcome::skipped("n7 is not among the nodes handed over"));
}

#[test]
fn healing_resumes_what_is_paused() {
    let sleeper = Sleeper::new();
    let (mut nemesis, process) = (nemesis(), sleeper.identity());
    assert!(nemesis.perform(&PAUSE, Some(process)).outcome.is_installed());
    let reports = nemesis.heal();
    assert!(
        matches!(reports.as_slice(), [Report { action: RESUME, outcome: Outcome::Installed, .. }]),
        "{reports:?}"
    );
    assert!(!look(process.pid).unwrap().is_stopped());
    assert_eq!(nemesis.heal(), [], "once is enough");
}
