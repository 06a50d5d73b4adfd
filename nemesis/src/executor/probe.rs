//! Probes: a datagram along every directed link, to see which arrive.
//!
//! A socket stays open inside each node's namespace, bound to the node's own address, so a probe meets the same links
//! and rules as the node's packets, whatever its process is doing. Between namespaces of one machine it arrives in
//! microseconds; only links held to be cut cost a wait.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rashomon_histories::Nanos;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::deadline::{Deadline, timespec};
use super::netns::{self, Place};
use crate::evidence::Link;
use crate::node::NodeId;

/// How long a probe on a cut link is given to arrive all the same.
const CUT_WINDOW: Duration = Duration::from_millis(60);

/// How often a probe is sent again on an open link where none arrived.
const AGAIN_AFTER: Duration = Duration::from_millis(25);

/// How many datagrams are read from one socket before the others get their turn.
const READ_MAX: usize = 1024;

/// One end of the probes.
#[derive(Debug)]
struct End {
    node: NodeId,
    address: SocketAddr,
    socket: UdpSocket,
}

/// A socket in each node's namespace.
#[derive(Debug)]
pub(crate) struct Probes {
    ends: Vec<End>,
    round: u64,
}

/// Which probes arrived, and after how long.
pub(crate) type Arrivals = BTreeMap<Link, Nanos>;

impl Probes {
    /// Opens the sockets.
    pub(crate) fn open(places: &[Place]) -> io::Result<Self> {
        let opened = netns::each(places, |place| {
            let socket = UdpSocket::bind((place.address, 0))?;
            socket.set_nonblocking(true)?;
            Ok(End { node: place.node, address: socket.local_addr()?, socket })
        });
        let named = places.iter().zip(opened).map(|(Place { node, address, .. }, end)| {
            end.map_err(|error| {
                io::Error::new(error.kind(), format!("no socket at {address} of {node}: {error}"))
            })
        });
        let ends = named.collect::<io::Result<_>>()?;
        // A fresh start, so that a stray datagram of an earlier nemesis is never taken for ours.
        let round = u64::from(std::process::id()) << 32;
        Ok(Probes { ends, round })
    }

    /// Every directed link.
    pub(crate) fn links(&self) -> BTreeSet<Link> {
        let nodes = || self.ends.iter().map(|end| end.node);
        let pairs = nodes().flat_map(|from| nodes().map(move |to| Link { from, to }));
        pairs.filter(|link| link.from != link.to).collect()
    }

    /// Sends a probe along every link and waits: for those on open links at most `open_bound`, sending again where
    /// one was lost, and for those on cut ones a short while.
    pub(crate) fn send(&mut self, cut: &BTreeSet<Link>, open_bound: Duration) -> io::Result<Arrivals> {
        self.round += 1;
        let links = self.links();
        let mut missing: BTreeSet<_> = links.difference(cut).copied().collect();
        let (window, bound) = (Deadline::after(CUT_WINDOW), Deadline::after(open_bound.max(CUT_WINDOW)));
        let mut arrivals = Arrivals::new();
        self.fire(links.iter());
        let mut again = Deadline::after(AGAIN_AFTER);
        loop {
            self.collect(&bound, &mut arrivals)?;
            missing.retain(|link| !arrivals.contains_key(link));
            let cut_given_time = cut.is_empty() || window.passed();
            if bound.passed() || (missing.is_empty() && cut_given_time) {
                return Ok(arrivals);
            }
            if !missing.is_empty() && again.passed() {
                self.fire(missing.iter());
                again = Deadline::after(AGAIN_AFTER);
            }
            let wait = if missing.is_empty() { window.left() } else { again.left().min(bound.left()) };
            self.wait(wait)?;
        }
    }

    /// A probe that cannot be sent is one that does not arrive: no error, the evidence shows it.
    fn fire<'a>(&self, links: impl Iterator<Item = &'a Link>) {
        let end = |node: NodeId| self.ends.iter().find(|end| end.node == node);
        for link in links {
            if let (Some(from), Some(to)) = (end(link.from), end(link.to)) {
                let _unsent = from.socket.send_to(&self.datagram(*link), to.address);
            }
        }
    }

    /// Reads what has arrived.
    fn collect(&self, since: &Deadline, arrivals: &mut Arrivals) -> io::Result<()> {
        let mut buffer = [0; 64];
        for end in &self.ends {
            for _ in 0..READ_MAX {
                let (count, from) = match end.socket.recv_from(&mut buffer) {
                    Ok(received) => received,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An earlier probe met a closed port: said of another datagram, nothing to do with this read.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                let sender = self.ends.iter().find(|other| other.address == from);
                let Some(link) = sender.map(|sender| Link { from: sender.node, to: end.node }) else {
                    continue;
                };
                if buffer[..count] == self.datagram(link) {
                    arrivals.entry(link).or_insert_with(|| since.elapsed_nanos());
                }
            }
        }
        Ok(())
    }

    fn wait(&self, bound: Duration) -> io::Result<()> {
        let mut watched: Vec<_> =
            self.ends.iter().map(|end| PollFd::new(&end.socket, PollFlags::IN)).collect();
        match poll(&mut watched, Some(&timespec(bound))) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tag, round, sender, receiver: a late one of another round is not mistaken for this one's.
    fn datagram(&self, link: Link) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(b"rashomon");
        bytes[8..16].copy_from_slice(&self.round.to_le_bytes());
        bytes[16..20].copy_from_slice(&link.from.0.to_le_bytes());
        bytes[20..].copy_from_slice(&link.to.0.to_le_bytes());
        bytes
    }
}
