//! The nemesis as a process: commands in, evidence out, and healed however its end comes.

#![allow(clippy::unwrap_used, reason = "a test helper that panics is a test that fails")]

mod arena;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, ExitStatus, Stdio};

use arena::{Network, cut, inside, shell};
use rashomon_nemesis::executor::process::{identify, look};
use rashomon_nemesis::protocol::{Answer, Command, LINE_BYTES_MAX, Reply, Request, Site, VERSION};
use rashomon_nemesis::{Action, Capabilities, NodeId, Outcome, Report};

/// A nemesis process, spoken to over pipes.
struct Nemesis {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    asked_count: u64,
}

impl Nemesis {
    fn start() -> Self {
        // Examples lie beside the folder of the test binaries.
        let own = std::env::current_exe().unwrap();
        let program: PathBuf = own.parent().unwrap().parent().unwrap().join("examples/nemesis");
        assert!(program.is_file(), "{} is missing: cargo builds it with the tests", program.display());
        let piped = || Stdio::piped();
        let mut child = Program::new(program).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Nemesis { child, input, output, asked_count: 0 }
    }

    fn send(&mut self, line: &[u8]) {
        self.input.as_mut().unwrap().write_all(line).unwrap();
    }

    fn reply(&mut self) -> Reply {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the nemesis ended");
        Reply::from_line(line.as_bytes()).unwrap()
    }

    fn ask(&mut self, command: Command) -> Answer {
        self.asked_count += 1;
        self.send(Request { id: self.asked_count, command }.to_line().as_bytes());
        let Reply { id, answer } = self.reply();
        assert_eq!(id, Some(self.asked_count));
        answer
    }

    fn init(&mut self, nodes: &[Site]) -> Answer {
        self.ask(Command::Init { version: VERSION, nodes: nodes.to_vec() })
    }

    fn perform(&mut self, action: Action, pid: Option<u32>) -> Report {
        let process = pid.map(|pid| identify(pid).unwrap().expect("it runs"));
        match self.ask(Command::Perform { action, process }) {
            Answer::Performed { report } => report,
            other => panic!("{other:?}"),
        }
    }

    fn exit(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

fn refusal(answer: Answer) -> String {
    match answer {
        Answer::Refused { error } => error,
        other => panic!("{other:?}"),
    }
}

fn lone_site() -> Site {
    Site { node: NodeId(1), address: [127, 0, 0, 1].into(), netns: None }
}

/// With links cut and a process paused, the nemesis is ended by `end`; then all must be as before.
fn healed_after(end: fn(&mut Nemesis)) {
    let network = Network::new(3);
    let mut sleeper = Program::new("sleep").arg("60").spawn().unwrap();
    let mut nemesis = Nemesis::start();
    match nemesis.init(&network.sites) {
        Answer::Ready { capabilities, links: Some(links) } => {
            assert_eq!((capabilities, links.open_count), (Capabilities::namespaces(), 6));
        }
        other => panic!("{other:?}"),
    }
    let report = nemesis.perform(cut(&[(1, 2), (2, 1)]), None);
    assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
    let report = nemesis.perform(Action::Pause { node: NodeId(3) }, Some(sleeper.id()));
    assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
    assert!(!network.connects(2, 1) && look(sleeper.id()).unwrap().is_stopped());
    end(&mut nemesis);
    assert!(nemesis.exit().success());
    assert!(network.connects(2, 1) && !look(sleeper.id()).unwrap().is_stopped());
    assert!((1..=3).all(|node| !network.rules(node).contains("RASHOMON")));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn the_end_of_its_input_heals() {
    inside("the_end_of_its_input_heals", || healed_after(|nemesis| drop(nemesis.input.take())));
}

#[test]
fn sigterm_heals() {
    inside("sigterm_heals", || {
        healed_after(|nemesis| drop(shell(&format!("kill -TERM {}", nemesis.child.id()))))
    });
}

#[test]
fn sigint_is_left_to_the_parent() {
    inside("sigint_is_left_to_the_parent", || {
        healed_after(|nemesis| {
            shell(&format!("kill -INT {}", nemesis.child.id()));
            let answer = nemesis.ask(Command::Heal);
            let Answer::Healed { reports } = answer else { panic!("{answer:?}") };
            assert_eq!(reports.len(), 2, "{reports:?}");
            assert!(reports.iter().all(|report| report.outcome.is_installed()), "{reports:?}");
            drop(nemesis.input.take());
        });
    });
}

#[test]
fn a_parent_that_does_not_read_any_more_is_no_reason_to_leave_things_broken() {
    let mut sleeper = Program::new("sleep").arg("60").spawn().unwrap();
    let mut nemesis = Nemesis::start();
    nemesis.init(&[lone_site()]);
    assert!(nemesis.perform(Action::Pause { node: NodeId(1) }, Some(sleeper.id())).outcome.is_installed());
    let (reader, _) = std::io::pipe().unwrap();
    // Its standard output breaks while its input stays open.
    nemesis.output = BufReader::new(ChildStdout::from(std::os::fd::OwnedFd::from(reader)));
    nemesis.send(Request { id: 9, command: Command::Heal }.to_line().as_bytes());
    assert!(nemesis.child.wait().unwrap().success());
    assert!(!look(sleeper.id()).unwrap().is_stopped());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn bad_lines_are_refused_and_the_next_one_is_served() {
    let mut nemesis = Nemesis::start();
    let mut refused = |line: &[u8]| {
        nemesis.send(line);
        let Reply { id, answer } = nemesis.reply();
        (id, refusal(answer))
    };
    assert!(refused(b"what?\n").1.contains("not understood"));
    assert!(refused(b"\xff\xfe\n").1.contains("not understood"));
    assert!(refused(&[b"[".repeat(5000), b"\n".to_vec()].concat()).1.contains("not understood"));
    let (id, error) = refused(b"{\"id\":7,\"command\":\"perform\",\"action\":{\"do\":\"explode\"}}\n");
    assert_eq!(id, Some(7), "{error}");
    assert!(error.contains("explode"), "{error}");
    assert!(refused(b"{\"id\":8,\"command\":\"heal\"}\n").1.contains("no nodes were handed over yet"));
    let long = [vec![b'x'; LINE_BYTES_MAX + 1], b"\n".to_vec()].concat();
    assert!(refused(&long).1.contains("more than 1048576 bytes"));
    let version = Command::Init { version: VERSION + 1, nodes: vec![lone_site()] };
    assert!(refusal(nemesis.ask(version)).contains("version 2 is spoken"));
    assert!(refusal(nemesis.init(&[])).contains("0 nodes"));
    assert!(matches!(nemesis.init(&[lone_site()]), Answer::Ready { links: None, .. }));
    assert!(refusal(nemesis.init(&[lone_site()])).contains("before"));
    let start = Command::Perform { action: Action::Start { node: NodeId(1) }, process: None };
    assert!(refusal(nemesis.ask(start)).contains("whoever owns them"));
    assert_eq!(nemesis.ask(Command::Heal), Answer::Healed { reports: Vec::new() });
    drop(nemesis.input.take());
    assert!(nemesis.exit().success());
}
