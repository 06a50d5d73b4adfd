//! Measures what a long log costs: a node alone writes entries to a directory, and is started again on it, in a process of
//! its own, until it serves a read.
//!
//! `cargo run --release -p rashomon-node --example restart -- --protocol zab --entries 1000000 --snapshot-entries 2000000
//! --data FOLDER`, then the same with `--entries 0`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use rashomon_node::api::{NodeId, Operation, Reply, Request, Sequence, SessionId, Sessioned};
use rashomon_node::paxos::Paxos;
use rashomon_node::protocol::{Millis, Protocol};
use rashomon_node::raft::Raft;
use rashomon_node::replica::{Event, Output, Replica};
use rashomon_node::server::options::ProtocolName;
use rashomon_node::settings::{SNAPSHOT_ENTRIES, Settings};
use rashomon_node::storage::wal::{SEGMENT_BYTES, encode_batch};
use rashomon_node::storage::{FileDisk, Wal};
use rashomon_node::zab::Zab;

#[derive(Parser)]
struct Options {
    /// Replication protocol
    #[arg(long, default_value = "raft")]
    protocol: ProtocolName,
    /// Where the log is, or is to be
    #[arg(long)]
    data: PathBuf,
    /// Entries to write; none: only start on what is there
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Keys
    #[arg(long, default_value_t = 1_000)]
    keys: u64,
    /// Entries after which the log is compacted
    #[arg(long, default_value_t = SNAPSHOT_ENTRIES)]
    snapshot_entries: u64,
}

/// Operations that travel together.
const BATCH: u64 = 512;
const NODE: NodeId = NodeId(1);

/// A node alone, on its disk.
struct Node<P: Protocol> {
    replica: Replica<P>,
    wal: Wal<FileDisk>,
    now: Millis,
    replies: Vec<Reply>,
}

impl<P: Protocol> Node<P> {
    fn start(options: &Options) -> Self {
        let settings =
            Settings { snapshot_entries: options.snapshot_entries, ..Settings::new(NODE, vec![NODE]) };
        let disk = FileDisk::open(&options.data).expect("the directory is usable");
        let (wal, recovered) = Wal::open::<P::Record>(disk, NODE, SEGMENT_BYTES).expect("the log is usable");
        let replica = Replica::restore(settings, recovered.incarnation, recovered.records, Millis(0));
        Self { replica, wal, now: Millis(0), replies: Vec::new() }
    }

    /// Takes an event and all that follows from it.
    fn step(&mut self, event: Event<P::Message>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut output = Output::default();
            self.replica.step(self.now, event, &mut output);
            let Output { persist, replaces, ticket, answers, .. } = output;
            if !persist.is_empty() {
                let batch = encode_batch(&persist);
                let written = if replaces { self.wal.replace(&batch) } else { self.wal.append(&[batch]) };
                written.expect("the disk works");
                events.push_back(Event::Durable(ticket));
            }
            self.replies.extend(answers.into_iter().filter_map(|(_, answer)| answer.ok()));
        }
    }

    /// Asks for these operations and waits for the replies; time passes as the node wants.
    fn ask(&mut self, requests: Vec<Request>) -> Vec<Reply> {
        let count = requests.len();
        let named = requests.into_iter().map(|request| (self.replica.name(), request)).collect();
        self.step(Event::Requests(named));
        while self.replies.len() < count {
            self.now = self.now.max(self.replica.wake_at());
            self.step(Event::Tick);
        }
        std::mem::take(&mut self.replies)
    }
}

#[allow(clippy::disallowed_methods, reason = "a measurement measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Memory of this process, now and at most, as the kernel tells it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name| status.lines().find_map(|line| line.strip_prefix(name)).map_or("unknown", str::trim);
    format!("memory {}, at most {}", line("VmRSS:"), line("VmHWM:"))
}

fn main() {
    let options = Options::parse();
    match options.protocol {
        ProtocolName::Raft => measure::<Raft>(&options),
        ProtocolName::Paxos => measure::<Paxos>(&options),
        ProtocolName::Zab => measure::<Zab>(&options),
    }
}

fn measure<P: Protocol>(options: &Options) {
    let started = now();
    let mut node = Node::<P>::start(options);
    let recovered = started.elapsed();
    let read = node.ask(vec![Request { sessioned: None, seen: 0, operation: Operation::read("k0") }]);
    println!(
        "{}: {} positions on disk; started in {recovered:.2?}, read {read:?} after {:.2?}, {}",
        P::NAME,
        node.replica.core().view().last,
        started.elapsed(),
        memory()
    );
    if options.entries > 0 {
        fill(&mut node, options);
    }
}

fn fill<P: Protocol>(node: &mut Node<P>, options: &Options) {
    let opened = node.ask(vec![Request { sessioned: None, seen: 0, operation: Operation::OpenSession }]);
    let [Reply::Opened(session)] = opened[..] else { panic!("no session: {opened:?}") };
    let started = now();
    for first in (1..=options.entries).step_by(usize::try_from(BATCH).expect("small")) {
        let last = (first + BATCH - 1).min(options.entries);
        let requests = (first..=last).map(|sequence| write(session, sequence, options.keys));
        node.ask(requests.collect());
    }
    println!(
        "{}: wrote {} entries in {:.2?}, snapshots every {}, {}",
        P::NAME,
        options.entries,
        started.elapsed(),
        options.snapshot_entries,
        memory()
    );
}

fn write(session: SessionId, sequence: u64, keys: u64) -> Request {
    let sessioned = Some(Sessioned { session, sequence: Sequence(sequence) });
    let value = i64::try_from(sequence).expect("fits");
    Request { sessioned, seen: 0, operation: Operation::write(format!("k{}", sequence % keys), value) }
}
