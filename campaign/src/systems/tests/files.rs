//! System files: what is started from the ones that come along, and how mistakes are told.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use expect_test::{Expect, expect};
use rashomon_nemesis::NodeId;
use rashomon_workloads::Objects;

use crate::systems::{Cluster, Member, System, SystemError};

pub(super) fn cluster(count: u32, protocol: Option<&str>) -> Cluster {
    let member = |number: u32| Member {
        id: NodeId(number),
        address: Ipv4Addr::new(10, 0, 0, number as u8),
        data: PathBuf::from(format!("/run/n{number}")),
    };
    Cluster {
        members: (1..=count).map(member).collect(),
        protocol: protocol.map(str::to_owned),
        seed: 7,
        snapshot_entries: None,
    }
}

fn check_arguments(system: &str, protocol: Option<&str>, defects: &[&str], expected: &Expect) {
    let system = System::load(system).unwrap();
    let defects: Vec<String> = defects.iter().map(|defect| (*defect).to_owned()).collect();
    let arguments = system.arguments(&cluster(3, protocol), 1, &defects).unwrap();
    expected.assert_eq(&arguments.join("\n"));
}

#[test]
fn the_reference_node_is_started_like_this() {
    check_arguments(
        "reference",
        Some("raft"),
        &["R09", "R22"],
        &expect![[r#"
        --id=2
        --protocol=raft
        --data=/run/n2
        --client-listen=10.0.0.2:7001
        --peer-listen=10.0.0.2:7002
        --peer=1=10.0.0.1:7002
        --peer=2=10.0.0.2:7002
        --peer=3=10.0.0.3:7002
        --seed=7
        --defect=R09
        --defect=R22"#]],
    );
}

#[test]
fn etcd_is_started_like_this() {
    check_arguments(
        "etcd",
        None,
        &[],
        &expect![[r#"
        --name=n2
        --data-dir=/run/n2
        --listen-client-urls=http://10.0.0.2:2379
        --advertise-client-urls=http://10.0.0.2:2379
        --listen-peer-urls=http://10.0.0.2:2380
        --initial-advertise-peer-urls=http://10.0.0.2:2380
        --initial-cluster=n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380,n3=http://10.0.0.3:2380
        --initial-cluster-token=rashomon-7
        --initial-cluster-state=new
        --heartbeat-interval=50
        --election-timeout=500
        --logger=zap
        --log-level=warn"#]],
    );
}

#[test]
fn every_built_in_file_is_read_under_its_own_name() {
    for system in System::built_in() {
        assert_eq!(System::load(system.name()).unwrap().doc(), system.doc());
    }
}

#[test]
fn the_examples_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/systems/examples");
    for name in ["etcd_by_program", "etcd_serializable"] {
        let path = format!("{folder}/{name}.toml");
        let system = System::load(&path).unwrap();
        assert_eq!(system.name(), name.replace('_', "-"));
        assert_eq!(system.origin(), path);
        assert!(!system.arguments(&cluster(3, None), 0, &[]).unwrap().is_empty());
    }
}

const SOUND: &str = r#"name = "mine"
doc = "Mine."
protocols = ["raft"]
[node]
program = "/bin/true"
arguments = ["--id={id}"]
[probe]
kind = "port"
[client]
kind = "program"
command = ["cat"]
"#;

/// The sound file with one text replaced, and what is said about it.
fn told(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "{from:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, SOUND.replacen(from, to, 1)).unwrap();
    let error = System::load(path.to_str().unwrap()).unwrap_err();
    error.to_string().replace(folder.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_place() {
    let mistakes = [
        ("doc = ", "dok = "),
        ("kind = \"port\"", "kind = \"ports\""),
        ("\"--id={id}\"", "\"--id={di}\""),
        ("\"--id={id}\"", "{ eahc = \"--id={id}\" }"),
        ("\"--id={id}\"", "\"--process={process}\""),
        ("name = \"mine\"", "name = \"mine own\""),
        ("name = \"mine\"", "name = mine"),
        ("command = [\"cat\"]", ""),
        ("kind = \"program\"", "kind = \"etcd-v3-json\""),
        ("[node]", "[ports]\nclient = 1\npeer = 1\n[node]"),
        ("[node]", "[ports]\nclient = 65536\n[node]"),
        ("kind = \"port\"", "kind = \"port\"\nready_ms_max = 99999999"),
    ];
    let messages: Vec<String> = mistakes.iter().map(|(from, to)| told(from, to)).collect();
    expect![[r#"
        DIR/mine.toml: TOML parse error at line 2, column 1
          |
        2 | dok = "Mine."
          | ^^^
        unknown field `dok`, expected one of `name`, `doc`, `protocols`, `ports`, `node`, `probe`, `client`, `admin`
        ---
        DIR/mine.toml: TOML parse error at line 8, column 8
          |
        8 | kind = "ports"
          |        ^^^^^^^
        unknown variant `ports`, expected one of `rashomon-node`, `etcd-v3-json`, `port`, `program`
        ---
        DIR/mine.toml: TOML parse error at line 6, column 14
          |
        6 | arguments = ["--id={di}"]
          |              ^^^^^^^^^^^
        nothing is called {di}; there are {id}, {name}, {address}, {data}, {client_port}, {peer_port}, {node_count}, {protocol}, {seed}, {folder}, {defect}, {process}, {timeout_ms}, {snapshot_entries}, {heir}, {members}, {each:JOINT}…{end}, {others:JOINT}…{end}
        ---
        DIR/mine.toml: TOML parse error at line 6, column 14
          |
        6 | arguments = [{ eahc = "--id={id}" }]
          |              ^^^^^^^^^^^^^^^^^^^^^^
        unknown field `eahc`, expected `each` or `others`
        ---
        DIR/mine.toml: node.arguments: "--process={process}" uses {process} (number of the client process; in the client's command only), which has no value here
        ---
        DIR/mine.toml: name "mine own": expected 1 to 64 letters, digits, '-', '_' or '.'
        ---
        DIR/mine.toml: TOML parse error at line 1, column 8
          |
        1 | name = mine
          |        ^^^^
        string values must be quoted, expected literal string
        ---
        DIR/mine.toml: client.kind = "program" needs client.command, a list of words
        ---
        DIR/mine.toml: client.command is for client.kind = "program"
        ---
        DIR/mine.toml: ports: client 1, peer 1: expected two different ports from 1 on
        ---
        DIR/mine.toml: TOML parse error at line 5, column 10
          |
        5 | client = 65536
          |          ^^^^^
        invalid value: integer `65536`, expected u16
        ---
        DIR/mine.toml: probe.ready_ms_max = 99999999: expected at most 600000"#]].assert_eq(&messages.join("\n---\n"));
}

#[test]
fn a_system_that_does_not_exist_is_told_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("large.toml"), "#".repeat(100_000)).unwrap();
    std::fs::write(path("binary.toml"), [0xff, 0xfe]).unwrap();
    let wrong =
        ["ectd".to_owned(), "redis".to_owned(), path("none.toml"), path("large.toml"), path("binary.toml")];
    let messages = wrong.map(|name| System::load(&name).unwrap_err().to_string());
    expect![[r#"
        no system is called "ectd" (did you mean "etcd"?); there are reference, etcd, or a file of yours whose name ends in .toml
        no system is called "redis"; there are reference, etcd, or a file of yours whose name ends in .toml
        DIR/none.toml: No such file or directory (os error 2)
        DIR/large.toml: 100000 bytes; expected at most 65536
        DIR/binary.toml: stream did not contain valid UTF-8"#]].assert_eq(&messages.join("\n").replace(folder.path().to_str().unwrap(), "DIR"));
}

#[test]
fn a_plan_that_a_system_cannot_serve_is_refused() {
    let [reference, etcd] = ["reference", "etcd"].map(|name| System::load(name).unwrap());
    let refusals = [
        reference.check(None, false, Objects::Registers),
        reference.check(Some("viewstamped"), false, Objects::Registers),
        etcd.check(Some("raft"), false, Objects::Registers),
        etcd.check(None, true, Objects::Registers),
    ];
    let messages = refusals.map(|refusal| refusal.unwrap_err().to_string());
    expect![[r#"
        reference: it needs a protocol: raft, paxos, zab
        reference: it has no protocol "viewstamped"; there are raft, paxos, zab
        etcd: protocol "raft" was asked for, but it offers no choice
        etcd: it has no planted defects to switch on"#]]
    .assert_eq(&messages.join("\n"));
    assert!(reference.check(Some("raft"), true, Objects::Queues).is_ok());
    assert!(etcd.check(None, false, Objects::Registers).is_ok());
}

#[test]
fn a_program_that_is_missing_is_told_with_its_package() {
    let mut system = System::load("etcd").unwrap();
    system.description.node.program = "etcd-of-nowhere".to_owned();
    let error = system.launch(&cluster(1, None), 0, &[]).unwrap_err();
    assert!(matches!(error, SystemError::Missing { .. }));
    expect!["etcd: etcd-of-nowhere is not installed; install it with `apt-get install etcd-server`"]
        .assert_eq(&error.to_string());
}
