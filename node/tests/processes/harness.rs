//! Nodes as processes, and what a test waits for from them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use rashomon_node::api::{Client, NodeId, Operation, Reply, Role, Status};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const CALL: Duration = Duration::from_secs(5);
/// Every protocol has to pass the same tests.
pub(crate) const PROTOCOLS: [&str; 3] = ["raft", "paxos", "zab"];

/// Nodes as processes; whatever happens, they do not outlive the test.
pub(crate) struct Processes {
    protocol: &'static str,
    directory: tempfile::TempDir,
    pub(crate) client_ports: Vec<u16>,
    pub(crate) peer_ports: Vec<u16>,
    /// Numbers of the first members; none: all.
    first_members: Vec<usize>,
    children: Vec<Option<Child>>,
}

impl Processes {
    pub(crate) fn start(protocol: &'static str, count: usize) -> Self {
        Self::founded_by(protocol, count, &[])
    }

    /// `count` nodes, of which these, numbered from 0, are the first members.
    pub(crate) fn founded_by(protocol: &'static str, count: usize, first_members: &[usize]) -> Self {
        let ports = free_ports(2 * count);
        let (client_ports, peer_ports) = ports.split_at(count);
        let mut processes = Self {
            protocol,
            directory: tempfile::tempdir().unwrap(),
            client_ports: client_ports.to_vec(),
            peer_ports: peer_ports.to_vec(),
            first_members: first_members.to_vec(),
            children: (0..count).map(|_| None).collect(),
        };
        (0..count).for_each(|number| processes.start_node(number));
        processes
    }

    pub(crate) fn start_node(&mut self, number: usize) {
        assert!(self.children[number].is_none());
        let data = self.data(number);
        let mut command = node_command(number + 1, &data, self.client_ports[number], self.peer_ports[number]);
        command.args(["--protocol", self.protocol]);
        for (peer, port) in self.peer_ports.iter().enumerate() {
            command.args(["--peer", &format!("{}=127.0.0.1:{port}", peer + 1)]);
        }
        for member in &self.first_members {
            command.args(["--member", &id(*member).0.to_string()]);
        }
        self.children[number] = Some(command.stderr(Stdio::null()).spawn().unwrap());
    }

    fn data(&self, number: usize) -> PathBuf {
        self.directory.path().join(id(number).to_string())
    }

    /// Takes everything from a node that is down.
    pub(crate) fn wipe(&self, number: usize) {
        assert!(self.children[number].is_none());
        std::fs::remove_dir_all(self.data(number)).unwrap();
    }

    pub(crate) fn kill(&mut self, number: usize) {
        let mut child = self.children[number].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn signal(&self, number: usize, signal: Signal) {
        let child = self.children[number].as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.client_ports[number]).into()
    }

    pub(crate) async fn status(&self, number: usize) -> Option<Status> {
        let client = Client::connect(self.address(number), CALL).await.ok()?;
        client.status(CALL).await.ok()
    }

    /// Waits until some running node leads and has followers' consent, i.e. has committed something.
    pub(crate) async fn leader(&self) -> usize {
        let search = async {
            loop {
                for number in 0..self.children.len() {
                    if self.children[number].is_some()
                        && let Some(status) = self.status(number).await
                        && status.role == Role::Leader
                        // A ZAB node says that it leads only once a quorum has its history, which may be empty.
                        && (status.commit > 0 || self.protocol == "zab")
                    {
                        return number;
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("a leader is elected")
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The name of a node by its number here, from 0.
pub(crate) fn id(number: usize) -> NodeId {
    NodeId(u32::try_from(number).unwrap() + 1)
}

/// Ports that were free a moment ago, all different.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

pub(crate) fn node_command(id: usize, data: &Path, client_port: u16, peer_port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rashomon-node"));
    command.args(["--id", &id.to_string(), "--data", data.to_str().unwrap()]);
    command.args(["--client-listen", &format!("127.0.0.1:{client_port}")]);
    command.args(["--peer-listen", &format!("127.0.0.1:{peer_port}")]);
    command
}

/// Repeats a read, which is harmless, until a leader is there to confirm it.
pub(crate) async fn read(client: &mut Client, key: &str) -> Reply {
    let attempts = async {
        loop {
            if let Ok(reply) = client.operate(Operation::read(key), CALL).await {
                return reply;
            }
        }
    };
    tokio::time::timeout(PATIENCE, attempts).await.expect("the cluster serves again")
}

/// Repeats a write, whose values only go up, until it is acknowledged.
pub(crate) async fn write(client: &mut Client, key: &str, value: i64) {
    let attempts = async { while client.operate(Operation::write(key, value), CALL).await.is_err() {} };
    tokio::time::timeout(PATIENCE, attempts).await.expect("the cluster serves again");
}

pub(crate) async fn connect(address: SocketAddr) -> Client {
    let attempts = async {
        loop {
            match Client::connect(address, CALL).await {
                Ok(client) => return client,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, attempts).await.expect("the node listens")
}

/// Waits until all these nodes have applied the same and say that their states are equal.
pub(crate) async fn agree(processes: &Processes, numbers: &[usize]) {
    let agreed = async {
        loop {
            let mut statuses = Vec::new();
            for number in numbers {
                statuses.extend(processes.status(*number).await);
            }
            let states: Vec<(u64, u64)> = statuses.iter().map(|one| (one.applied, one.digest)).collect();
            if states.len() == numbers.len() && states.iter().all(|state| *state == states[0]) {
                return;
            }
            let equal_depth = states.iter().filter(|state| state.0 == states[0].0);
            assert!(equal_depth.clone().all(|state| state.1 == states[0].1), "replicas diverge: {states:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, agreed).await.expect("the nodes converge");
}
