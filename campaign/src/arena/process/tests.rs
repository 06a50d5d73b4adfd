//! Nodes' processes on the arena that needs no privilege: how they end, what goes with them, what is told of
//! it.

use super::*;
use crate::arena::{Arena, ArenaKind};

const NODE: NodeId = NodeId(1);
const LONG: Duration = Duration::from_secs(20);

/// An arena, and a folder for its log that goes with the test.
struct Fixture {
    arena: Arena,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture {
            arena: Arena::create(ArenaKind::Loopback, 2).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn shell(&self, script: &str) -> NodeCommand {
        NodeCommand {
            program: "sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: vec![("GREETING".to_owned(), "hello".to_owned())],
            cwd: self.folder.path().join("new folder"),
            log: self.folder.path().join("logs/n1.log"),
        }
    }

    fn spawn(&self, script: &str) -> NodeProcess {
        self.arena.spawn(NODE, &self.shell(script)).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("logs/n1.log")).unwrap()
    }

    /// Waits until the log says so: the shell needs its time to get there.
    async fn logged(&self, line: &str) {
        tokio::time::timeout(LONG, async {
            while !self.log().lines().any(|logged| logged == line) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("never logged {line:?}: {:?}", self.log()));
    }
}

#[tokio::test]
async fn how_it_ended_is_told() {
    let fixture = Fixture::new();
    assert_eq!(fixture.spawn("exit 7").exited().await, Exit::Code(7));
    assert_eq!(fixture.spawn("kill -6 $$").exited().await, Exit::Signal(6));
    assert_eq!(Exit::Signal(6).to_string(), "was killed by SIGABRT");
    assert_eq!(Exit::Code(7).to_string(), "exited with code 7");
}

#[tokio::test]
async fn its_output_is_appended_from_one_life_to_the_next() {
    let fixture = Fixture::new();
    fixture.spawn("echo $GREETING; pwd").exited().await;
    fixture.spawn("echo again >&2").exited().await;
    let folder = fixture.folder.path().join("new folder");
    assert_eq!(fixture.log(), format!("hello\n{}\nagain\n", folder.display()));
}

#[tokio::test]
async fn what_it_started_goes_with_it() {
    let fixture = Fixture::new();
    let node = fixture.spawn("sleep 1000 & echo $! ; kill -9 $$");
    assert_eq!(node.exited().await, Exit::Signal(9));
    let helper: i32 = fixture.log().trim().parse().unwrap();
    // It was dead before the exit was published; whoever adopted it may take a moment to reap it.
    let state = processes::stat(helper).map(|stat| stat.state);
    assert!(matches!(state, Err(_) | Ok('Z')), "the helper is in state {state:?}");
}

#[tokio::test]
async fn asked_to_stop_it_stops_even_when_paused() {
    let fixture = Fixture::new();
    let node = fixture.spawn("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done");
    fixture.logged("ready").await;
    assert!(node.signal(Signal::STOP).unwrap());
    assert_eq!(node.stop(LONG).await.unwrap(), Exit::Code(3));
}

#[tokio::test]
async fn one_that_will_not_stop_is_killed() {
    let fixture = Fixture::new();
    let node = fixture.spawn("trap '' TERM; echo ready; sleep 1000");
    fixture.logged("ready").await;
    assert_eq!(node.stop(Duration::from_millis(20)).await.unwrap(), Exit::Signal(9));
}

#[tokio::test]
async fn a_signal_to_one_that_ended_is_no_error_and_reaches_nobody() {
    let fixture = Fixture::new();
    let node = fixture.spawn("exit 0");
    node.exited().await;
    assert!(!node.signal(Signal::KILL).unwrap());
    assert_eq!(node.exit(), Some(Exit::Code(0)));
}

#[tokio::test]
async fn identities_differ_from_one_life_to_the_next() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.spawn("exit 0"), fixture.spawn("sleep 1000"));
    first.exited().await;
    assert_ne!((first.pid(), first.start_ticks()), (second.pid(), second.start_ticks()));
    assert_eq!(processes::stat(second.pid()).unwrap().start_ticks, second.start_ticks());
    second.kill().await.unwrap();
}

#[test]
fn a_program_that_is_missing_is_named() {
    let fixture = Fixture::new();
    let command = NodeCommand { program: "/no/such/program".into(), ..fixture.shell("") };
    let error = fixture.arena.spawn(NODE, &command).unwrap_err().to_string();
    assert_eq!(error, "node n1: cannot start /no/such/program: No such file or directory (os error 2)");
}

#[tokio::test]
async fn tearing_down_ends_everything_that_was_started() {
    let fixture = Fixture::new();
    let nodes = [fixture.spawn("sleep 1000"), fixture.spawn("trap '' TERM; sleep 1000")];
    nodes[0].signal(Signal::STOP).unwrap();
    fixture.arena.tear_down().await.unwrap();
    assert!(nodes.iter().all(|node| node.exit() == Some(Exit::Signal(9))));
}
