//! The executor of one machine: signals to processes, and rules in each node's own network namespace.
//!
//! Everything it may touch is handed over once, as [`Site`]s; identities of processes come with each action, as
//! restarts change them. Nodes without namespaces of their own (the loopback arena) can be signalled but not cut off.
//! Before any fault it proves that its probes work at all: every link must carry one. Works as root and as an
//! ordinary user inside a user namespace alike, from within the nodes' PID namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use rustix::fs::OFlags;

use super::firewall::Firewall;
use super::netns::{self, Place};
use super::probe::Probes;
use super::signal::{Purpose, signal};
use super::{Executor, ExecutorError, Report};
use crate::action::Action;
use crate::capability::{Capabilities, Capability};
use crate::evidence::{CutLink, Evidence, Link, LinkEvidence, Outcome, ProcessIdentity};
use crate::grudge::Grudge;
use crate::node::NodeId;
use crate::protocol::Site;

/// How long a probe on an open link is waited for, sent again meanwhile. A busy machine is slow, not cut off.
const OPEN_BOUND: Duration = Duration::from_millis(500);

/// How long links may take to come up before the first fault.
const FIRST_BOUND: Duration = Duration::from_secs(3);

/// The most nodes that are taken: a probe goes along every ordered pair of them.
pub const NODES_MAX: usize = 128;

/// Signals, and links where every node has a namespace of its own.
#[derive(Debug)]
pub struct Namespaces {
    nodes: BTreeSet<NodeId>,
    links: Option<Links>,
    /// Processes stopped and not yet resumed, to be resumed when all is healed.
    paused: BTreeMap<NodeId, ProcessIdentity>,
}

/// What cutting links takes.
#[derive(Debug)]
struct Links {
    places: Vec<Place>,
    firewall: Firewall,
    hooked: bool,
    probes: Probes,
}

/// Nodes that cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// None, or too many.
    #[error("{count} nodes were handed over; 1 to {NODES_MAX} can be taken")]
    BadCount {
        /// How many.
        count: usize,
    },
    /// The same node or address twice.
    #[error("{what} was handed over twice")]
    Twice {
        /// Which.
        what: String,
    },
    /// Some nodes have namespaces and some do not, or addresses are of both families.
    #[error("nodes differ: {0}")]
    Mixed(&'static str),
    /// A namespace that cannot be opened.
    #[error("the network namespace of {node}, {}: {source}", path.display())]
    Namespace {
        /// Whose.
        node: NodeId,
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No program to write rules with.
    #[error("neither iptables-restore nor iptables-save is installed: install the package iptables")]
    NoFirewall,
    /// Rules cannot be written.
    #[error("iptables does not work in the nodes' network namespaces: {reason}")]
    FirewallRefused {
        /// What each back end said.
        reason: String,
    },
    /// A probe socket cannot be opened.
    #[error("the probes: {0}")]
    Probe(#[from] io::Error),
    /// The network is not up: evidence would prove nothing.
    #[error("before any fault no probe arrived on {links}: the nodes' network is not up")]
    NotConnected {
        /// Which links.
        links: String,
    },
}

impl Namespaces {
    /// Takes the nodes over. With links, also measures them before any fault.
    pub fn attach(sites: &[Site]) -> Result<(Self, Option<LinkEvidence>), AttachError> {
        if sites.is_empty() || sites.len() > NODES_MAX {
            return Err(AttachError::BadCount { count: sites.len() });
        }
        twice(sites.iter().map(|site| site.node))?;
        let nodes = sites.iter().map(|site| site.node).collect();
        let mut links = attach_links(sites)?;
        let measured = match &mut links {
            None => None,
            Some(links) => Some(links.measure_connected()?),
        };
        Ok((Namespaces { nodes, links, paused: BTreeMap::new() }, measured))
    }

    fn signal(
        &mut self,
        node: NodeId,
        purpose: Purpose,
        process: Option<ProcessIdentity>,
    ) -> Result<Evidence, ExecutorError> {
        if !self.nodes.contains(&node) {
            return Err(ExecutorError::UnknownNode { node });
        }
        let stopped = self.paused.get(&node).copied().filter(|_| purpose == Purpose::Resume);
        let process = process.or(stopped).ok_or(ExecutorError::NoProcess { node })?;
        if purpose == Purpose::Pause {
            // Before the signal: should the wait for its effect break off, the heal must still resume it.
            self.paused.insert(node, process);
        }
        let evidence = signal(process, purpose)?;
        if evidence.after.is_gone() || (purpose == Purpose::Resume && !evidence.after.is_stopped()) {
            self.paused.remove(&node);
        }
        Ok(Evidence::Process(evidence))
    }

    fn cut(&mut self, grudge: &Grudge) -> Result<Evidence, ExecutorError> {
        if let Some(node) = grudge.nodes().difference(&self.nodes).next() {
            return Err(ExecutorError::UnknownNode { node: *node });
        }
        let links =
            self.links.as_mut().ok_or(ExecutorError::Unsupported { capability: Capability::Links })?;
        links.install(grudge)?;
        Ok(Evidence::Links(links.measure(grudge, OPEN_BOUND)?))
    }
}

impl Executor for Namespaces {
    fn capabilities(&self) -> Capabilities {
        if self.links.is_some() { Capabilities::namespaces() } else { Capabilities::loopback() }
    }

    fn measure(
        &mut self,
        action: &Action,
        process: Option<ProcessIdentity>,
    ) -> Result<Evidence, ExecutorError> {
        match action {
            Action::Kill { node } => self.signal(*node, Purpose::Kill, process),
            Action::Pause { node } => self.signal(*node, Purpose::Pause, process),
            Action::Resume { node } => self.signal(*node, Purpose::Resume, process),
            Action::Start { .. } => Err(ExecutorError::NotMine),
            Action::Cut { grudge } => self.cut(grudge),
            Action::Mend => self.cut(&Grudge::default()),
            beyond => match beyond.needs() {
                Some(capability) => Err(ExecutorError::Unsupported { capability }),
                None => Err(ExecutorError::NotMine),
            },
        }
    }

    fn heal(&mut self) -> Vec<Report> {
        let paused: Vec<_> = self.paused.iter().map(|(node, process)| (*node, *process)).collect();
        let resume = |(node, process)| self.perform(&Action::Resume { node }, Some(process));
        let mut reports: Vec<_> = paused.into_iter().map(resume).collect();
        if let Some(links) = &mut self.links {
            let removed = links.remove();
            let mut report = self.perform_mended();
            if let Err(error) = removed {
                report.outcome = Outcome::indeterminate(error.to_string());
            }
            reports.push(report);
        }
        reports
    }
}

impl Namespaces {
    /// Measures that nothing is cut, without writing a rule.
    fn perform_mended(&mut self) -> Report {
        let measured = match &mut self.links {
            Some(links) => links.measure(&Grudge::default(), OPEN_BOUND),
            None => Err(ExecutorError::Unsupported { capability: Capability::Links }),
        };
        let (outcome, evidence) = match measured.map(Evidence::Links) {
            Ok(evidence) => (crate::evidence::judge(&Action::Mend, &evidence), Some(evidence)),
            Err(error) => (Outcome::indeterminate(error.to_string()), None),
        };
        Report { action: Action::Mend, outcome, evidence }
    }
}

fn attach_links(sites: &[Site]) -> Result<Option<Links>, AttachError> {
    let with_netns = sites.iter().filter(|site| site.netns.is_some()).count();
    if with_netns == 0 {
        return Ok(None);
    }
    if with_netns < sites.len() {
        return Err(AttachError::Mixed("some have a network namespace of their own and some do not"));
    }
    twice(sites.iter().map(|site| site.address))?;
    let v6 = sites[0].address.is_ipv6();
    if sites.iter().any(|site| site.address.is_ipv6() != v6) {
        return Err(AttachError::Mixed("some addresses are of IPv4 and some of IPv6"));
    }
    let open = |site: &Site| {
        let path = site.netns.clone().expect("all were just seen to have one");
        // Opening must not block, whatever kind of file the path names.
        let opened =
            File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(&path);
        match opened {
            Ok(netns) => Ok(Place { node: site.node, address: site.address, netns }),
            Err(source) => Err(AttachError::Namespace { node: site.node, path, source }),
        }
    };
    let places = sites.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let probes = Probes::open(&places)?;
    let firewall = choose_firewall(&places, v6)?;
    Ok(Some(Links { places, firewall, hooked: true, probes }))
}

/// The first back end of iptables with which an empty chain can be put into every namespace.
fn choose_firewall(places: &[Place], v6: bool) -> Result<Firewall, AttachError> {
    let candidates = Firewall::candidates(v6);
    if candidates.is_empty() {
        return Err(AttachError::NoFirewall);
    }
    let mut refusals = Vec::new();
    for firewall in candidates {
        let tried = netns::each(places, |_| {
            let hooked = firewall.read().is_ok_and(|rules| rules.hooked);
            firewall.drop_from(&[], hooked)?;
            firewall.read().map(|_| ())
        });
        match joined("trying", places, tried) {
            Ok(_) => return Ok(firewall),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Err(AttachError::FirewallRefused { reason: refusals.join("; ") })
}

impl Links {
    /// Puts this grudge in force instead of the one before.
    fn install(&mut self, grudge: &Grudge) -> Result<(), ExecutorError> {
        let addresses: BTreeMap<_, _> = self.places.iter().map(|place| (place.node, place.address)).collect();
        let hooked = self.hooked;
        let written = netns::each(&self.places, |place| {
            let sources: Vec<_> = grudge.dropped_by(place.node).map(|source| addresses[&source]).collect();
            self.firewall.drop_from(&sources, hooked)
        });
        self.hooked = true;
        joined("writing rules", &self.places, written).map(|_| ())
    }

    /// Takes every rule and our chain away.
    fn remove(&mut self) -> Result<(), ExecutorError> {
        self.hooked = false;
        joined("removing rules", &self.places, netns::each(&self.places, |_| self.firewall.remove()))
            .map(|_| ())
    }

    /// Probes every link and reads every counter.
    fn measure(&mut self, grudge: &Grudge, open_bound: Duration) -> Result<LinkEvidence, ExecutorError> {
        let cut: BTreeSet<_> = grudge.pairs().map(|(to, from)| Link { from, to }).collect();
        let arrivals = self.probes.send(&cut, open_bound).map_err(|error| broke_off("probing", error))?;
        let rules = netns::each(&self.places, |_| self.firewall.read());
        let rules = joined("reading counters", &self.places, rules)?;
        let address = |node| self.places.iter().find(|place| place.node == node).map(|place| place.address);
        let dropped_count = |link: &Link| {
            let from = address(link.from)?;
            rules.get(&link.to)?.dropped_count.get(&from).copied()
        };
        let links = self.probes.links();
        let open: Vec<_> = links.difference(&cut).collect();
        let wanted = cut.iter().filter(|link| dropped_count(link).is_some()).count();
        let found: usize =
            rules.values().map(|rules| rules.dropped_count.len() + rules.strange_count as usize).sum();
        let seen = |link: &Link| CutLink {
            link: *link,
            dropped_count: dropped_count(link).unwrap_or(0),
            arrived: arrivals.contains_key(link),
        };
        Ok(LinkEvidence {
            cut: cut.iter().map(seen).collect(),
            open_count: u32::try_from(open.len()).unwrap_or(u32::MAX),
            open_lost: open.into_iter().filter(|link| !arrivals.contains_key(link)).copied().collect(),
            rules_left: u32::try_from(found - wanted).unwrap_or(u32::MAX),
            arrived_ns_max: arrivals.values().max().copied().unwrap_or_default(),
        })
    }

    /// The control measurement: before any fault every link carries a probe, or later evidence would prove nothing.
    fn measure_connected(&mut self) -> Result<LinkEvidence, AttachError> {
        let measured = self.measure(&Grudge::default(), FIRST_BOUND);
        let measured =
            measured.map_err(|error| AttachError::FirewallRefused { reason: error.to_string() })?;
        match measured.open_lost.is_empty() {
            true => Ok(measured),
            false => {
                let links: Vec<_> = measured.open_lost.iter().map(Link::to_string).collect();
                Err(AttachError::NotConnected { links: links.join(" ") })
            }
        }
    }
}

/// All results by node, or one error that names every node where it failed.
fn joined<T>(
    what: &str,
    places: &[Place],
    results: Vec<io::Result<T>>,
) -> Result<BTreeMap<NodeId, T>, ExecutorError> {
    let (mut done, mut failed) = (BTreeMap::new(), Vec::new());
    for (place, result) in places.iter().zip(results) {
        match result {
            Ok(value) => drop(done.insert(place.node, value)),
            Err(error) => failed.push(format!("{}: {error}", place.node)),
        }
    }
    match failed.is_empty() {
        true => Ok(done),
        false => Err(broke_off(what, failed.join("; "))),
    }
}

fn broke_off(what: &str, reason: impl fmt::Display) -> ExecutorError {
    ExecutorError::BrokeOff { what: what.to_owned(), reason: reason.to_string() }
}

fn twice<T: Ord + Copy + fmt::Display>(all: impl Iterator<Item = T>) -> Result<(), AttachError> {
    let mut seen = BTreeSet::new();
    for one in all {
        if !seen.insert(one) {
            return Err(AttachError::Twice { what: one.to_string() });
        }
    }
    Ok(())
}
