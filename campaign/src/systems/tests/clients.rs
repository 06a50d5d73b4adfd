//! Each client against a node that is really there, and each client against nothing, silence and nonsense.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use rashomon_histories::{Invocation, Process, Value};
use rashomon_nemesis::{NodeId, Role};
use rashomon_node::server;
use rashomon_workloads::{Connector, ErrorCode, Objects, Outcome, Reply, by_name};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::systems::program::{Command, Programs};
use crate::systems::watcher::ProgramProbe;
use crate::systems::{ClientSettings, Cluster, Member, Probe as _, Retries, System};

const DEADLINE: Duration = Duration::from_secs(5);

fn settings() -> ClientSettings {
    ClientSettings {
        connect_timeout: DEADLINE,
        call_timeout: DEADLINE,
        objects: Objects::Registers,
        retries: Retries::Never,
        log: None,
    }
}

fn quick() -> ClientSettings {
    let timeout = Duration::from_millis(300);
    ClientSettings { connect_timeout: timeout, call_timeout: timeout, ..settings() }
}

/// One node on a loopback address of its own, so that tests side by side do not meet.
fn alone(last: u8, protocol: Option<&str>, data: &Path) -> Cluster {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 192 | (high & 0x3f), low, last);
    let members = vec![Member { id: NodeId(1), address, data: data.to_owned() }];
    Cluster { members, protocol: protocol.map(str::to_owned), seed: 1, snapshot_entries: None }
}

fn operation(f: &str, value: impl Into<Value>) -> Invocation {
    Invocation::new(Process::client(0), f).key("x").value(value).node("n1")
}

fn code(outcome: &Outcome) -> (&str, bool) {
    let error = outcome.as_ref().expect_err("an error");
    (&*error.code, error.definite)
}

/// What every client of registers does.
async fn check_registers(connector: &dyn Connector) {
    let refused = (ErrorCode::Precondition.name(), true);
    let mut client = connector.open(0, "n1");
    let read = operation("read", Value::Null);
    assert_eq!(client.call_dyn(&read).await, Ok(Reply::value(Value::Null)), "absent");
    assert_eq!(code(&client.call_dyn(&operation("cas", Value::pair(1, 2))).await), refused, "absent");
    assert_eq!(client.call_dyn(&read).await, Ok(Reply::value(Value::Null)), "still absent");
    assert_eq!(client.call_dyn(&operation("write", -7)).await, Ok(Reply::done()));
    assert_eq!(client.call_dyn(&read).await, Ok(Reply::value(-7)));
    assert_eq!(code(&client.call_dyn(&operation("cas", Value::pair(7, 8))).await), refused);
    assert_eq!(client.call_dyn(&read).await, Ok(Reply::value(-7)), "a refused cas changes nothing");
    assert_eq!(client.call_dyn(&operation("cas", Value::pair(-7, i64::MAX))).await, Ok(Reply::done()));
    let mut other = connector.open(1, "n1");
    assert_eq!(other.call_dyn(&read).await, Ok(Reply::value(i64::MAX)), "seen by another process");
    let outcome = other.call_dyn(&operation("enqueue", 1)).await;
    assert_eq!(code(&outcome), (ErrorCode::Unsupported.name(), true));
    assert_eq!(other.call_dyn(&read).await, Ok(Reply::value(i64::MAX)), "the client is still of use");
}

/// Sets, counters, lists and queues: what is asked, and what comes back.
async fn check_other_objects(system: &System, cluster: &Cluster) {
    let list = |elements: &[i64]| Some(Value::List(elements.iter().copied().map(Value::Int).collect()));
    let done = || None;
    let asked: [(Objects, &str, Value, Option<Value>); 15] = [
        (Objects::Sets, "read", Value::Null, list(&[])),
        (Objects::Sets, "add", 5.into(), done()),
        (Objects::Sets, "add", 3.into(), done()),
        (Objects::Sets, "read", Value::Null, list(&[3, 5])),
        (Objects::Counters, "add", 5.into(), done()),
        (Objects::Counters, "add", (-7).into(), done()),
        (Objects::Counters, "read", Value::Null, Some(Value::Int(-2))),
        (Objects::Lists, "append", 5.into(), done()),
        (Objects::Lists, "append", 3.into(), done()),
        (Objects::Lists, "read", Value::Null, list(&[5, 3])),
        (Objects::Queues, "enqueue", 5.into(), done()),
        (Objects::Queues, "enqueue", 3.into(), done()),
        (Objects::Queues, "dequeue", Value::Null, Some(Value::Int(5))),
        (Objects::Queues, "dequeue", Value::Null, Some(Value::Int(3))),
        (Objects::Queues, "dequeue", Value::Null, Some(Value::Null)),
    ];
    for (objects, f, argument, value) in asked {
        let settings = ClientSettings { objects, retries: Retries::SameNumber, ..settings() };
        let mut client = system.connector(cluster, &settings).unwrap().open(0, "n1");
        let outcome = client.call_dyn(&operation(f, argument)).await;
        assert_eq!(outcome, Ok(Reply { value }), "{f} on {objects}");
    }
    let adapted =
        by_name("mutex").unwrap().adapter().unwrap()(system.connector(cluster, &settings()).unwrap());
    let mut client = adapted.open(0, "n1");
    let refused = (ErrorCode::Precondition.name(), true);
    for round in 0..2 {
        let on_lock = |f| operation(f, 7 + round).key("lock");
        assert_eq!(client.call_dyn(&on_lock("acquire")).await, Ok(Reply::done()), "round {round}");
        assert_eq!(code(&client.call_dyn(&on_lock("acquire")).await), refused, "round {round}");
        assert_eq!(client.call_dyn(&on_lock("release")).await, Ok(Reply::done()), "round {round}");
    }
}

#[test]
fn what_a_client_cannot_ask_for_is_refused_before_anything_starts() {
    let etcd = System::load("etcd").unwrap();
    let error = etcd.check(None, false, Objects::Lists).unwrap_err().to_string();
    assert_eq!(error, "etcd: the workload asks for lists, and its client knows registers only");
    etcd.check(None, false, by_name("mutex").unwrap().objects()).unwrap();
}

/// Waits until the node leads.
async fn lead(system: &System, cluster: &Cluster) {
    let probe = system.probe(cluster, DEADLINE).unwrap();
    let mut last = String::new();
    for _ in 0..300 {
        match probe.status(NodeId(1)).await {
            Ok(status) if status.is_ready => {
                assert_eq!(status.view.role, Role::Leader, "the only node leads");
                assert!(status.view.term > 0);
                return;
            }
            Ok(status) => last = format!("{status:?}"),
            Err(error) => last = error,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} is not ready after 15 s: {last}", system.name());
}

/// Starts one etcd as the system file says; it dies with what is returned.
async fn etcd(system: &System, cluster: &Cluster) -> tokio::process::Child {
    let launch = system.launch(cluster, 0, &[]).unwrap_or_else(|error| panic!("{error}"));
    let child = tokio::process::Command::new(launch.program)
        .args(launch.arguments)
        .envs(launch.environment)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    lead(system, cluster).await;
    child
}

#[tokio::test]
async fn the_reference_node_keeps_registers() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::load("reference").unwrap();
    let cluster = alone(1, Some("raft"), folder.path());
    let arguments = system.arguments(&cluster, 0, &[]).unwrap();
    let options = std::iter::once("rashomon-node".to_owned()).chain(arguments);
    let options = server::options::Options::try_parse_from(options).unwrap();
    let local = LocalSet::new();
    local.spawn_local(async { server::run(options).await.unwrap() });
    let asking = async {
        lead(&system, &cluster).await;
        check_registers(&*system.connector(&cluster, &settings()).unwrap()).await;
        check_other_objects(&system, &cluster).await;
    };
    local.run_until(asking).await;
}

#[test]
fn the_node_takes_its_defects_as_the_system_file_gives_them() {
    let system = System::load("reference").unwrap();
    let cluster = super::files::cluster(5, Some("raft"));
    let defects = ["R09".to_owned(), "R22".to_owned()];
    let arguments = system.arguments(&cluster, 2, &defects).unwrap();
    let arguments = std::iter::once("rashomon-node".to_owned()).chain(arguments);
    let options = server::options::Options::try_parse_from(arguments).unwrap();
    assert_eq!(options.defects.len(), 2);
    assert_eq!((options.id, options.peers.len(), options.seed), (3, 5, 7));
}

#[tokio::test]
async fn etcd_keeps_registers() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::load("etcd").unwrap();
    let cluster = alone(2, None, folder.path());
    let mut node = etcd(&system, &cluster).await;
    check_registers(&*system.connector(&cluster, &settings()).unwrap()).await;

    let mut client = system.connector(&cluster, &settings()).unwrap().open(9, "n1");
    let created = operation("cas", Value::List(vec![Value::Null, Value::Int(1)])).key("fresh");
    assert_eq!(client.call_dyn(&created).await, Ok(Reply::done()), "an absent key has the value null");
    assert_eq!(code(&client.call_dyn(&created).await), (ErrorCode::Precondition.name(), true));

    node.kill().await.unwrap();
    let outcome = client.call_dyn(&operation("write", 1)).await;
    assert!(outcome.is_err(), "{outcome:?}");
    let outcome = client.call_dyn(&operation("write", 1)).await;
    assert_eq!(code(&outcome), (ErrorCode::ConnectionRefused.name(), true));
}

#[tokio::test]
async fn a_program_in_python_keeps_registers() {
    let folder = tempfile::tempdir().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/systems/examples/etcd_by_program.toml");
    let system = System::load(path).unwrap();
    let cluster = alone(3, None, folder.path());
    let mut node = etcd(&system, &cluster).await;
    check_registers(&*system.connector(&cluster, &settings()).unwrap()).await;
    node.kill().await.unwrap();
    let mut client = system.connector(&cluster, &settings()).unwrap().open(0, "n1");
    let outcome = client.call_dyn(&operation("write", 1)).await;
    assert_eq!(code(&outcome), (ErrorCode::ConnectionRefused.name(), true));
}

const READY: &str = "echo '{\"type\":\"ready\"}'; ";

/// A system whose client is this shell script, once it is ready.
fn shell(folder: &Path, script: &str) -> Arc<dyn Connector> {
    let path = folder.join("shell.toml");
    let script = format!("{READY}{script}");
    let script = script.replace('{', "{{").replace('}', "}}");
    let text = format!(
        "name = \"shell\"\ndoc = \"A script.\"\n[node]\nprogram = \"/bin/true\"\n[probe]\nkind = \"port\"\n\
         [client]\nkind = \"program\"\ncommand = [\"sh\", \"-c\", {script:?}, \"{{process}}\", \"{{name}}\"]\n"
    );
    std::fs::write(&path, text).unwrap();
    let system = System::load(path.to_str().unwrap()).unwrap();
    system.connector(&alone(4, None, folder), &quick()).unwrap()
}

#[tokio::test]
async fn what_a_program_says_decides_and_what_it_does_not_say_is_unknown() {
    let scripts = [
        ("read l; echo '{\"type\":\"ok\",\"value\":3}'", None),
        ("read l; echo '{\"type\":\"fail\",\"error\":\"busy\"}'", Some(("busy", true))),
        ("read l; echo '{\"type\":\"info\",\"error\":\"hm\",\"text\":\"who knows\"}'", Some(("hm", false))),
        ("read l; echo '{\"type\":\"info\"}'", Some(("unknown", false))),
        ("read l; echo '{\"type\":\"ok\"}'", Some(("malformed-reply", false))),
        ("read l; echo '{\"type\":\"ready\"}'", Some(("malformed-reply", false))),
        ("read l; echo '{\"type\":\"okay\"}'", Some(("malformed-reply", false))),
        ("read l; echo nonsense", Some(("malformed-reply", false))),
        ("read l; printf '{\"type\"'", Some(("connection-lost", false))),
        ("read l; exit 3", Some(("connection-lost", false))),
        ("read l; sleep 5", Some(("timeout", false))),
        ("read l; head -c 100000 /dev/zero | tr '\\\\0' x", Some(("connection-lost", false))),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (script, expected) in scripts {
        let connector = shell(folder.path(), script);
        let outcome = connector.open(0, "n1").call_dyn(&operation("read", Value::Null)).await;
        match expected {
            None => assert_eq!(outcome, Ok(Reply::value(3)), "{script}"),
            Some(expected) => assert_eq!(code(&outcome), expected, "{script}"),
        }
    }
}

#[tokio::test]
async fn before_a_program_is_ready_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let fifo = go.to_str().unwrap();
    let script = format!(
        "mkfifo {fifo}; read l < {fifo}; {READY} read l; echo '{{\"type\":\"ok\",\"value\":1}}'; read l"
    );
    let command = |script: &str| Command {
        node: NodeId(1),
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
    };
    let read = operation("read", Value::Null);
    let mut slow = Programs::new(vec![command(&script)], quick()).open(0, "n1");
    for _ in 0..2 {
        assert_eq!(code(&slow.call_dyn(&read).await), (ErrorCode::NotSent.name(), true), "still starting");
    }
    std::fs::write(&go, "go\n").unwrap();
    let mut outcome = slow.call_dyn(&read).await;
    for _ in 0..20 {
        if outcome.is_ok() {
            break;
        }
        assert_eq!(code(&outcome), (ErrorCode::NotSent.name(), true));
        outcome = slow.call_dyn(&read).await;
    }
    assert_eq!(outcome, Ok(Reply::value(1)), "the same program, now ready");

    for never in ["exit 1", "echo hello; read l", "echo '{\"type\":\"ok\"}'; read l", "printf '{'"] {
        let outcome = Programs::new(vec![command(never)], quick()).open(0, "n1").call_dyn(&read).await;
        assert_eq!(code(&outcome), (ErrorCode::NotSent.name(), true), "{never}");
    }
}

#[tokio::test]
async fn a_program_that_ended_between_operations_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let connector = shell(folder.path(), "read l; echo '{\"type\":\"ok\",\"value\":'$$'}'");
    let mut client = connector.open(0, "n1");
    let first = client.call_dyn(&operation("read", Value::Null)).await.unwrap();
    ended(first.value.as_ref().and_then(Value::as_int).unwrap()).await;
    let second = client.call_dyn(&operation("read", Value::Null)).await.unwrap();
    assert_ne!(first, second, "another process answers");
}

/// Waits until the process has ended; nobody has reaped it yet.
async fn ended(pid: i64) {
    for _ in 0..500 {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) if !stat.contains(") Z ") => tokio::time::sleep(Duration::from_millis(10)).await,
            _ => return,
        }
    }
    panic!("process {pid} did not end within 5 s");
}

#[tokio::test]
async fn a_program_is_told_its_process_and_node() {
    let folder = tempfile::tempdir().unwrap();
    let connector =
        shell(folder.path(), "read l; [ \"$0 $1\" = '12 n1' ] && echo '{\"type\":\"ok\",\"value\":1}'");
    let outcome = connector.open(12, "n1").call_dyn(&operation("read", Value::Null)).await;
    assert_eq!(outcome, Ok(Reply::value(1)));
}

#[tokio::test]
async fn a_probe_program_is_believed_while_its_words_are_fresh() {
    let script = "echo '{\"role\":\"leader\",\"term\":4}'; exec sleep 60";
    let command = |arguments: &[&str]| Command {
        node: NodeId(1),
        program: "/bin/sh".into(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
    };
    let probe = ProgramProbe::new(vec![command(&["-c", script])], DEADLINE);
    let status = probe.status(NodeId(1)).await.unwrap();
    assert_eq!((status.view.role, status.view.term, status.is_ready), (Role::Leader, 4, true));
    // It says nothing more, so in time it is no longer believed.
    let stale = tokio::time::timeout(DEADLINE, async {
        while tokio::time::timeout(Duration::from_millis(50), probe.status(NodeId(1))).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    stale.await.expect("an old word is no answer");
    drop(probe);

    let nonsense = ProgramProbe::new(vec![command(&["-c", "echo leader; sleep 60"])], DEADLINE);
    let error = nonsense.status(NodeId(1)).await.unwrap_err();
    assert!(error.contains("wrote \"leader\""), "{error}");
    let dead = ProgramProbe::new(vec![command(&["-c", "exit 1"])], DEADLINE);
    assert_eq!(dead.status(NodeId(1)).await.unwrap_err(), "the probe program ended without an answer");
    assert!(nonsense.status(NodeId(2)).await.is_err());
}

/// The clients that speak over the network.
async fn network_clients(last: u8) -> Vec<(SocketAddr, Arc<dyn Connector>)> {
    let folder = tempfile::tempdir().unwrap();
    let of = |(name, protocol): (&str, Option<&str>)| {
        let system = System::load(name).unwrap();
        let cluster = alone(last, protocol, folder.path());
        let address = cluster.members[0].client_address(system.description().ports);
        (address, system.connector(&cluster, &quick()).unwrap())
    };
    [("reference", Some("raft")), ("etcd", None)].map(of).into()
}

#[tokio::test]
async fn nobody_there_is_definite() {
    for (address, connector) in network_clients(5).await {
        let mut client = connector.open(0, "n1");
        for f in ["read", "write"] {
            let outcome = client.call_dyn(&operation(f, 1)).await;
            assert_eq!(code(&outcome), (ErrorCode::ConnectionRefused.name(), true), "{address}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn silence_is_unknown() {
    for (address, connector) in network_clients(6).await {
        let _silent = TcpListener::bind(address).await.unwrap();
        let outcome = connector.open(0, "n1").call_dyn(&operation("read", Value::Null)).await;
        assert_eq!(code(&outcome), (ErrorCode::Timeout.name(), false), "{address}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_unknown() {
    for (address, connector) in network_clients(7).await {
        let listener = TcpListener::bind(address).await.unwrap();
        let breaking = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16];
            stream.read_exact(&mut request).await.unwrap();
        };
        let mut client = connector.open(0, "n1");
        let read = operation("read", Value::Null);
        let (outcome, ()) = tokio::join!(client.call_dyn(&read), breaking);
        assert_eq!(code(&outcome), (ErrorCode::ConnectionLost.name(), false), "{address}: {outcome:?}");
    }
}

#[tokio::test]
async fn nonsense_is_unknown() {
    for (address, connector) in network_clients(8).await {
        let listener = TcpListener::bind(address).await.unwrap();
        let talking = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nwhat?!").await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
        let outcome = connector.open(0, "n1").call_dyn(&operation("write", 1)).await;
        talking.abort();
        let (code, definite) = code(&outcome);
        match address.port() {
            // Without a session the reference node's client has not sent its write.
            7001 => assert_eq!((code, definite), (ErrorCode::NotSent.name(), true), "{outcome:?}"),
            _ => assert_eq!((code, definite), (ErrorCode::MalformedReply.name(), false), "{outcome:?}"),
        }
    }
}
