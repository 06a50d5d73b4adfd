//! The driver: everything that waits. Sockets, the disk's thread, the clock, and one task around the replica.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`options`] | the command line |
//! | [`node`] | the task that owns the replica and keeps the duties of its outputs |
//! | [`writer`] | the thread that owns the log: group commit |
//! | [`peers`] | links to other nodes, and the service for their messages |
//! | [`clients`] | the service for clients |
//! | [`clock`] | the time |
//!
//! One runtime thread and one disk thread. Handlers of remote calls only post to the replica's task and wait for its
//! answer: a call that its client gives up on is dropped at an await, which must not be in the middle of anything.

pub mod clients;
pub mod clock;
pub mod node;
pub mod options;
pub mod peers;
pub mod writer;

use std::io;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::api::Status;
use crate::driver;
use crate::paxos::Paxos;
use crate::protocol::{Incarnation, Protocol};
use crate::raft::Raft;
use crate::replica::Replica;
use crate::settings::{Reads, Settings, SettingsError};
use crate::storage::wal::SEGMENT_BYTES;
use crate::storage::{FileDisk, Recovered, StorageError};
use crate::zab::Zab;
use clock::Clock;
use options::{Options, ProtocolName};

/// Why a node did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The options contradict each other.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The log cannot be used, or can no longer be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A port cannot be had.
    #[error("{what}: {source}")]
    Listen {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The thread that writes the log is gone.
    #[error("the thread that writes the log is gone")]
    WriterGone,
}

/// The first incarnation of an empty disk is drawn below this: ids leave room for 2^24 incarnations.
const FIRST_INCARNATION_MAX: u64 = 1 << 23;

/// Runs a node until a signal asks it to stop.
///
/// # Errors
/// When it cannot start, or its disk fails. A node whose disk failed must not go on.
pub async fn run(options: Options) -> Result<(), ServerError> {
    match options.protocol {
        ProtocolName::Raft => serve::<Raft>(options).await,
        ProtocolName::Paxos => serve::<Paxos>(options).await,
        ProtocolName::Zab => serve::<Zab>(options).await,
    }
}

async fn serve<P: Protocol>(options: Options) -> Result<(), ServerError> {
    // A name that this node has given on a disk since lost comes again only by one chance in millions.
    let first_incarnation = Incarnation(rand::random_range(1..FIRST_INCARNATION_MAX));
    let settings = Settings { first_incarnation, ..options.settings() };
    settings.check_for(P::NAME)?;
    P::check(&settings)?;
    options.check_observers(&settings)?;
    // Ports before data: a node that cannot be reached should not count as started.
    let client_listener = listen("--client-listen", &options.client_listen).await?;
    let peer_listener = listen("--peer-listen", &options.peer_listen).await?;
    let disk = FileDisk::open(&options.data)
        .map_err(|source| StorageError::Disk { what: "opening the data directory".into(), source })?;
    let (wal, recovered) = driver::open_log(disk, &settings, segment_bytes(settings.snapshot_entries))?;
    let Recovered { records, incarnation, cut } = recovered;
    if let Some((file, offset, bytes)) = cut {
        warn!(
            "cut a torn tail of {bytes} bytes at offset {offset} of {file}: a write that was never acknowledged"
        );
    }
    if settings.reads == Reads::Local {
        warn!("reads are local: sequentially consistent, not linearizable");
    }
    for defect in settings.defects.iter() {
        warn!("DEFECT {defect} IS ON: {}", defect.description().title);
    }
    let clock = Clock::start();
    let replica = Replica::<P>::restore(settings, incarnation, records, clock.now());
    log_start(&options, &replica.status());

    let (posts, inbox) = mpsc::channel(node::INBOX_MAX);
    let links = peers::connect(options.node(), options.peer_addresses());
    tokio::spawn(clients::serve(client_listener, posts.clone()));
    tokio::spawn(peers::serve::<P>(peer_listener, posts));
    let (writer, durable) = writer::start(wal);
    tokio::select! {
        outcome = node::run(replica, clock, inbox, links, writer, durable) => outcome,
        () = stop_signal() => {
            info!("stopping: a signal asked for it");
            Ok(())
        }
    }
}

/// Size of a segment of the log. Each snapshot starts a new one, so those that are taken often get small ones.
fn segment_bytes(snapshot_entries: u64) -> usize {
    const ENTRY_BYTES: usize = 256;
    const SEGMENT_BYTES_MIN: usize = 64 << 10;
    let entries = usize::try_from(snapshot_entries).unwrap_or(usize::MAX);
    entries.saturating_mul(ENTRY_BYTES).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES)
}

fn log_start(options: &Options, status: &Status) {
    info!(
        "start {} of {}, {}: term {}, last entry {}, clients on {}, peers on {}, reads by {}",
        status.incarnation,
        status.node,
        status.protocol,
        status.term,
        status.last,
        options.client_listen,
        options.peer_listen,
        status.reads
    );
}

async fn listen(what: &str, address: &str) -> Result<TcpListener, ServerError> {
    let failed = |source| ServerError::Listen { what: format!("{what} {address}"), source };
    TcpListener::bind(address).await.map_err(failed)
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        }
        // Without handlers the signals kill the process, which is as good.
        _ => std::future::pending().await,
    }
}
