//! The arena with a network namespace per node: one bridge, one veth pair and one address each.
//!
//! ```text
//!            the run's own network namespace: bridge `arena`, 10.77.0.254, the clients
//!               │ link1           │ link2           │ link3
//!         n1: eth0 10.77.0.1   n2: eth0 10.77.0.2   n3: eth0 10.77.0.3      + `lo` in each
//! ```
//!
//! Every packet between two nodes crosses a namespace of each, so a rule in the node's own namespace is
//! enough to cut it, in one direction if so wished. Nothing here exists outside the run's namespaces: the
//! kernel removes it with them.
//!
//! Refuses to know faults and nodes' programs. Read next: [`process`](super::process).

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use rashomon_nemesis::NodeId;

use super::{ArenaError, tool};

/// Where `ip netns` and its users look for names.
const NETNS_FOLDER: &str = "/run/netns";
const BRIDGE: &str = "arena";
const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// Settings of a namespace, in place before any server starts. Those that a kernel lacks are left out.
///
/// The first two bound how long a connection lies dead after a heal: by default a cut of 40 s is followed by
/// 14 more seconds in which the retransmission timer, doubled again and again, has yet to fire; with a timer
/// of at most one second (kernels from 6.15) it is 0.6 s. Many retries keep the connection from being given
/// up instead. No IPv6 on the links: partitions are made of IPv4 rules, and a path around them would make a
/// fault that does not bite.
const SETTINGS: [(&str, &str); 3] = [
    ("net/ipv4/tcp_rto_max_ms", "1000"),
    ("net/ipv4/tcp_retries2", "127"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
];

/// In order of preference: a new namespace may inherit bbr, whose probing makes a cut look different from
/// host to host. Outside the machine's own namespace the kernel allows only those it calls unrestricted; reno
/// always is.
const CONGESTION_CONTROLS: [&str; 2] = ["cubic", "reno"];

/// The bridge, links, namespaces and addresses of one run.
#[derive(Debug)]
pub struct Namespaces {
    node_count: u32,
}

impl Namespaces {
    /// Creates everything, node namespaces first, then all links in one batch.
    pub(super) fn create(node_count: u32) -> Result<Namespaces, ArenaError> {
        let arena = Namespaces { node_count };
        prepare_namespace().map_err(|error| ArenaError::setup("settings of the run's namespace", error))?;
        fs::create_dir_all(NETNS_FOLDER).map_err(|error| ArenaError::setup(NETNS_FOLDER, error))?;
        for node in arena.nodes() {
            let path = arena.netns(node);
            new_namespace(&path).map_err(|error| ArenaError::setup(path.display().to_string(), error))?;
        }
        tool::run(tool::IP, &["-batch", "-"], &arena.links())?;
        for node in arena.nodes() {
            let script = format!(
                "link set lo up\naddress add {}/24 dev eth0\nlink set eth0 up\n",
                arena.address(node)
            );
            within(&arena.netns(node), || tool::run(tool::IP, &["-batch", "-"], &script))
                .map_err(|error| ArenaError::setup(format!("namespace of {node}"), error))??;
        }
        Ok(arena)
    }

    /// The batch for the run's own namespace. Without spanning tree and snooping a bridge forwards from the
    /// first packet.
    fn links(&self) -> String {
        let mut script = format!(
            "link set lo up\n\
             link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
             address add {CLIENT_ADDRESS}/24 dev {BRIDGE}\n\
             link set {BRIDGE} up\n"
        );
        for node in self.nodes() {
            let link = link_name(node);
            let _infallible = writeln!(
                script,
                "link add {link} type veth peer name eth0 netns {node}\nlink set {link} master {BRIDGE} up"
            );
        }
        script
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        rashomon_nemesis::node::nodes(self.node_count)
    }

    pub(super) fn node_count(&self) -> u32 {
        self.node_count
    }

    pub(super) fn address(&self, node: NodeId) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, u8::try_from(node.0).expect("at most 100 nodes"))
    }

    pub(super) fn client_address(&self) -> Ipv4Addr {
        CLIENT_ADDRESS
    }

    pub(super) fn netns(&self, node: NodeId) -> PathBuf {
        Path::new(NETNS_FOLDER).join(node.to_string())
    }

    /// Removes links, bridge and names, so that another arena can be created in the same run. Processes still
    /// inside a namespace keep it alive, without a way out.
    pub(super) fn remove(self) -> Result<(), ArenaError> {
        let mut script = String::new();
        for node in self.nodes() {
            let _infallible = writeln!(script, "link delete {}", link_name(node));
        }
        let _infallible = writeln!(script, "link delete {BRIDGE}");
        tool::run(tool::IP, &["-batch", "-"], &script)?;
        for node in self.nodes() {
            let path = self.netns(node);
            umount2(&path, MntFlags::MNT_DETACH)
                .map_err(io::Error::from)
                .and_then(|()| fs::remove_file(&path))
                .map_err(|error| ArenaError::setup(format!("removing {}", path.display()), error))?;
        }
        Ok(())
    }
}

fn link_name(node: NodeId) -> String {
    format!("link{}", node.0)
}

/// Makes a network namespace and gives it a name: a file with the namespace mounted on it, as `ip netns add`
/// does. The thread that made it is gone afterwards; the mount keeps it.
fn new_namespace(path: &Path) -> io::Result<()> {
    File::create_new(path)?;
    in_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let none = None::<&str>;
        mount(Some("/proc/thread-self/ns/net"), path, none, MsFlags::MS_BIND, none)?;
        prepare_namespace()
    })?
}

/// Applies [`SETTINGS`] to the calling thread's namespace: `/proc/sys/net` shows the one of whoever looks.
fn prepare_namespace() -> io::Result<()> {
    for (name, value) in SETTINGS {
        set(name, value)?;
    }
    for algorithm in CONGESTION_CONTROLS {
        match set("net/ipv4/tcp_congestion_control", algorithm) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {}
            other => return other,
        }
    }
    Ok(())
}

fn set(name: &str, value: &str) -> io::Result<()> {
    match fs::write(Path::new("/proc/sys").join(name), value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("{name}={value}: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Runs `action` in a thread that lives in the network namespace of `netns`; what it starts lives there too.
pub fn within<T: Send>(netns: &Path, action: impl FnOnce() -> T + Send) -> io::Result<T> {
    in_thread(|| {
        move_thread_into(netns)?;
        Ok(action())
    })?
}

/// Moves the calling thread, for good, into the network namespace that `netns` names.
pub(super) fn move_thread_into(netns: &Path) -> io::Result<()> {
    Ok(setns(File::open(netns)?, CloneFlags::CLONE_NEWNET)?)
}

fn in_thread<T: Send>(action: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, action)?;
        thread.join().map_err(|_| io::Error::other("a thread of the arena panicked"))
    })
}
