//! Real processes on loopback: what was acknowledged survives kill -9 of the leader, and bad starts say why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;
mod members;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;

use rashomon_node::api::{CallError, Client, Operation, RefusalCode, Reply, Retries};

use harness::{
    CALL, PATIENCE, PROTOCOLS, Processes, agree, connect, free_ports, id, node_command, read, write,
};

#[tokio::test]
async fn acknowledged_writes_survive_a_killed_leader() {
    for protocol in PROTOCOLS {
        let mut processes = Processes::start(protocol, 3);
        let leader = processes.leader().await;
        let mut client = Client::connect(processes.address(leader), CALL).await.unwrap();
        for value in 0..50 {
            assert_eq!(client.operate(Operation::write("x", value), CALL).await.unwrap(), Reply::Written);
        }
        assert_eq!(client.operate(Operation::cas("x", 49, 50), CALL).await.unwrap(), Reply::Swapped);
        let mismatch = client.operate(Operation::cas("x", 49, 51), CALL).await.unwrap();
        assert_eq!(mismatch, Reply::Mismatch { found: Some(50) });

        processes.kill(leader);
        let survivor = (leader + 1) % 3;
        let mut client = Client::connect(processes.address(survivor), CALL).await.unwrap();
        assert_eq!(read(&mut client, "x").await, Reply::Value(Some(50)));
        write(&mut client, "y", 1).await;

        processes.start_node(leader);
        let mut client = connect(processes.address(leader)).await;
        assert_eq!(read(&mut client, "y").await, Reply::Value(Some(1)));
        agree(&processes, &[0, 1, 2]).await;
    }
}

/// Election timeouts end at 300 ms; an operation has to get through before a second is over.
#[tokio::test]
async fn a_cluster_serves_again_within_a_second_of_a_killed_leader() {
    for protocol in PROTOCOLS {
        let mut processes = Processes::start(protocol, 3);
        let leader = processes.leader().await;
        let mut client = Client::connect(processes.address((leader + 1) % 3), CALL).await.unwrap();
        write(&mut client, "x", 1).await;
        // A machine busy with other tests may be late; a cluster that always takes longer is not.
        let mut best = Duration::MAX;
        for value in 2..5 {
            let leader = processes.leader().await;
            processes.kill(leader);
            let mut client = connect(processes.address((leader + 1) % 3)).await;
            let start = tokio::time::Instant::now();
            write(&mut client, "x", value).await;
            best = best.min(start.elapsed());
            processes.start_node(leader);
            connect(processes.address(leader)).await;
        }
        assert!(best < Duration::from_secs(1), "{protocol} took {best:?}");
    }
}

#[tokio::test]
async fn all_nodes_killed_at_once_come_back_with_everything() {
    for protocol in PROTOCOLS {
        let mut processes = Processes::start(protocol, 3);
        processes.leader().await;
        let mut client = Client::connect(processes.address(1), CALL).await.unwrap();
        for value in 0..20 {
            write(&mut client, "x", value).await;
        }
        let before = processes.status(2).await.unwrap().incarnation;
        (0..3).for_each(|number| processes.kill(number));
        (0..3).for_each(|number| processes.start_node(number));
        let mut client = connect(processes.address(2)).await;
        assert_eq!(read(&mut client, "x").await, Reply::Value(Some(19)));
        assert_eq!(processes.status(2).await.unwrap().incarnation, before + 1);
    }
}

/// A leader that sleeps is replaced; awake again, it serves what the others decided meanwhile, never what it remembers.
#[tokio::test]
async fn a_leader_that_slept_follows_the_new_one() {
    for protocol in PROTOCOLS {
        let processes = Processes::start(protocol, 3);
        let leader = processes.leader().await;
        let mut sleeper = Client::connect(processes.address(leader), CALL).await.unwrap();
        write(&mut sleeper, "x", 1).await;
        processes.signal(leader, Signal::STOP);
        let mut other = Client::connect(processes.address((leader + 1) % 3), CALL).await.unwrap();
        write(&mut other, "x", 2).await;
        processes.signal(leader, Signal::CONT);
        assert_eq!(read(&mut sleeper, "x").await, Reply::Value(Some(2)));
        agree(&processes, &[0, 1, 2]).await;
    }
}

/// Strangers on either port lose their connection and nothing else happens.
#[tokio::test]
async fn garbage_on_a_port_harms_nobody() {
    let processes = Processes::start("raft", 1);
    processes.leader().await;
    let mut client = Client::connect(processes.address(0), CALL).await.unwrap();
    let garbage: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &[0, 0, 0, 0, 1, 0, 0, 0, 9], &[4, 0, 0, 0, 1, 2, 3, 4]];
    for port in [processes.client_ports[0], processes.peer_ports[0]] {
        for bytes in garbage {
            let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            std::io::Write::write_all(&mut stream, bytes).unwrap();
        }
        write(&mut client, "x", i64::from(port)).await;
    }
}

#[tokio::test]
async fn a_malformed_operation_is_refused_as_definite() {
    let processes = Processes::start("raft", 1);
    processes.leader().await;
    let mut client = Client::connect(processes.address(0), CALL).await.unwrap();
    let error = client.operate(Operation::write("k".repeat(257), 1), CALL).await.unwrap_err();
    let is_bad_request = |error: &CallError| matches!(error, CallError::Refused(refusal) if refusal.code == RefusalCode::BadRequest);
    assert!(is_bad_request(&error) && error.is_definite(), "{error}");
    let error = client.operate(Operation::read("k".repeat(257)), CALL).await.unwrap_err();
    assert!(is_bad_request(&error), "{error}");
}

#[tokio::test]
async fn a_minority_refuses_in_a_definite_way() {
    for protocol in PROTOCOLS {
        let mut processes = Processes::start(protocol, 3);
        processes.leader().await;
        processes.kill(0);
        processes.kill(1);
        let mut client = Client::connect(processes.address(2), CALL).await.unwrap();
        let refused = async {
            // Until it has noticed, what it proposes may be unknown for a while; a read never is.
            let error = client.operate(Operation::read("x"), CALL).await.unwrap_err();
            assert!(error.is_definite(), "{error}");
            loop {
                let error = client.operate(Operation::OpenSession, CALL).await.unwrap_err();
                if error.is_definite() {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, refused).await.expect("it says that there is no leader");
    }
}

/// Both kinds of retry outlive the node they talk to; only one of them may apply twice.
#[tokio::test]
async fn a_retrying_client_reconnects_to_a_restarted_node() {
    for retries in
        [Retries::SameSequence(Duration::from_millis(300)), Retries::NewSequence(Duration::from_millis(300))]
    {
        let mut processes = Processes::start("raft", 1);
        processes.leader().await;
        let mut client = Client::connect(processes.address(0), CALL).await.unwrap().with_retries(retries);
        client.operate(Operation::write("x", 1), CALL).await.unwrap();
        processes.kill(0);
        processes.start_node(0);
        client.operate(Operation::write("x", 2), PATIENCE).await.unwrap();
        assert_eq!(read(&mut client, "x").await, Reply::Value(Some(2)));
    }
}

#[tokio::test]
async fn status_tells_who_and_what_a_node_is() {
    for protocol in PROTOCOLS {
        let processes = Processes::start(protocol, 3);
        let leader = processes.leader().await;
        let status = processes.status(leader).await.unwrap();
        assert_eq!(status.node, id(leader));
        assert_eq!(status.leader, Some(status.node));
        assert_eq!((status.protocol.as_str(), status.reads.as_str()), (protocol, "read-index"));
        assert!(status.term > 0 && status.defects.is_empty() && status.incarnation > 0);
    }
}

/// Runs a node that must not start, and returns its exit code and what it says.
fn refused(change: impl Fn(&mut Command, &Path)) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    let ports = free_ports(2);
    let mut command = node_command(1, &directory.path().join("n1"), ports[0], ports[1]);
    change(&mut command, directory.path());
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn bad_arguments_end_with_254_and_say_what_is_wrong() {
    let cases: [(&[&str], &str); 10] = [
        (&["--flag"], "unexpected argument '--flag'"),
        (&["--protocol", "gossip"], "invalid value 'gossip'"),
        (&["--defect", "R99"], "no defect is called \"R99\""),
        (&["--defect", "G01"], "a defect of the client library"),
        (&["--protocol", "zab", "--defect", "R05"], "R05 is a defect of raft, which zab cannot have"),
        (&["--defect", "G04,Z14"], "Z14 is a defect of zab, which raft cannot have"),
        (&["--peer", "two=here"], "is not of the form N=ADDRESS:PORT"),
        (&["--peer", "2=127.0.0.1:1", "--peer", "2=127.0.0.1:2"], "listed twice"),
        (&["--election-ms", "300..150"], "is not of the form MIN..MAX"),
        (&["--heartbeat-ms", "100"], "too rare for election timeouts from 150 ms"),
    ];
    for (arguments, complaint) in cases {
        let (code, stderr) = refused(|command, _| {
            command.args(arguments);
        });
        assert!(code == 254 && stderr.contains(complaint), "{arguments:?}: {code}: {stderr}");
    }
}

#[test]
fn a_taken_port_ends_with_255_and_says_which() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let output = node_command(1, directory.path(), port, free_ports(1)[0]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(stderr.contains(&format!("--client-listen 127.0.0.1:{port}")), "{stderr}");
}

#[test]
fn a_corrupt_log_ends_with_255_and_names_file_and_offset() {
    let (code, stderr) = refused(|_, directory| {
        let data = directory.join("n1");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("00000001.wal"), [7; 4096]).unwrap();
    });
    assert_eq!(code, 255);
    assert!(stderr.contains("00000001.wal: corrupt at offset 0"), "{stderr}");
}
