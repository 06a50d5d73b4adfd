//! A small network of real namespaces for tests: nodes on a bridge, inside private mount, network and PID namespaces
//! that the kernel takes away with the test.
//!
//! A test body runs in a second process: the test starts itself again under `unshare`. Where the machine lacks what
//! that takes, the test fails and names the package.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rashomon_nemesis::protocol::Site;
use rashomon_nemesis::{Action, Grudge, NodeId};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const INSIDE: &str = "RASHOMON_TEST_INSIDE";

/// Where system programs live that an ordinary user's PATH may lack.
fn path() -> String {
    format!("{}:/usr/local/sbin:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Runs `body` inside fresh namespaces: as an ordinary user would, in a user namespace, and, when started by root,
/// as root as well. `name` is the test's own name.
pub(crate) fn inside(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        shell("mount -t tmpfs tmpfs /run");
        return body();
    }
    let root = rustix::process::geteuid().is_root();
    let ways: Vec<&[&str]> = [&["-Urnmpf"][..], &["-nmpf"]]
        .into_iter()
        .filter(|way| unshare(way).arg("true").output().is_ok_and(|output| output.status.success()))
        .collect();
    assert!(
        !ways.is_empty(),
        "this machine refuses {} (unshare is in the package util-linux): run the tests as root",
        if root { "network namespaces even to root" } else { "unprivileged user namespaces" }
    );
    for way in ways {
        let own = std::env::current_exe().unwrap();
        let output =
            unshare(way).arg(own).args(["--exact", name, "--nocapture"]).env(INSIDE, "1").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "inside {way:?}:\n{out}\n{err}");
        assert!(
            out.contains("1 passed"),
            "{name} did not run inside {way:?}: is its name right?\n{out}\n{err}"
        );
    }
}

fn unshare(way: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(way).args(["--kill-child", "--mount-proc", "--"]).env("PATH", path()).stdin(Stdio::null());
    command
}

/// Runs a line of shell; its output. Fails the test when the line fails.
pub(crate) fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).env("PATH", path()).output().unwrap();
    let Output { status, stdout, stderr } = output;
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        status.success(),
        "{line}: {stderr} (`ip` is in the package iproute2, `iptables` in the package iptables)"
    );
    String::from_utf8(stdout).unwrap()
}

/// Nodes n1… on a bridge.
pub(crate) struct Network {
    pub(crate) sites: Vec<Site>,
}

impl Network {
    /// Makes `count` namespaces and links them.
    pub(crate) fn new(count: u32) -> Self {
        let mut script = "ip link set lo up; ip link add sw type bridge; ip link set sw up; ".to_owned();
        for n in 1..=count {
            script += &format!(
                "ip netns add n{n}; ip link add v{n} type veth peer name eth0 netns n{n}; \
                 ip link set v{n} master sw up; ip -n n{n} addr add 10.77.0.{n}/24 dev eth0; \
                 ip -n n{n} link set lo up; ip -n n{n} link set eth0 up; "
            );
        }
        shell(&format!("set -e; {script}"));
        let site = |n: u32| Site {
            node: NodeId(n),
            address: IpAddr::from([10, 77, 0, u8::try_from(n).unwrap()]),
            netns: Some(PathBuf::from(format!("/run/netns/n{n}"))),
        };
        Network { sites: (1..=count).map(site).collect() }
    }

    /// Whether a TCP connection from the one node to the other comes about: a check that shares no code with probes.
    pub(crate) fn connects(&self, from: u32, to: u32) -> bool {
        let address = self.sites[to as usize - 1].address;
        let listener = self.within(to, || TcpListener::bind((address, 0)).unwrap());
        let peer: SocketAddr = listener.local_addr().unwrap();
        self.within(from, || TcpStream::connect_timeout(&peer, Duration::from_millis(150)).is_ok())
    }

    /// Does something in a thread inside the node's network namespace.
    pub(crate) fn within<T: Send>(&self, node: u32, work: impl FnOnce() -> T + Send) -> T {
        let path = self.sites[node as usize - 1].netns.clone().unwrap();
        std::thread::scope(|scope| {
            let inside = || {
                let netns = std::fs::File::open(path).unwrap();
                move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            };
            scope.spawn(inside).join().unwrap()
        })
    }

    /// The node's rules, without counters.
    pub(crate) fn rules(&self, node: u32) -> String {
        shell(&format!("ip netns exec n{node} iptables-save -t filter | grep -v '^#' || true"))
    }
}

/// Cuts these `(destination, source)` pairs.
pub(crate) fn cut(pairs: &[(u32, u32)]) -> Action {
    let pairs = pairs.iter().map(|(to, from)| (NodeId(*to), NodeId(*from)));
    Action::Cut { grudge: Grudge::from_pairs(pairs).unwrap() }
}
