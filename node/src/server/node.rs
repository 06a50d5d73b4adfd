//! The task that owns the replica: takes what has been posted, lets the replica decide, keeps the duties of its output.

use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::api::{Answer, NodeId, Refusal, RefusalCode, Request, Status};
use crate::driver::{Batch, Outbox};
use crate::protocol::{Millis, Note, OperationId, Protocol, Ticket};
use crate::replica::{Event, Output, Replica};
use crate::server::ServerError;
use crate::server::clock::Clock;
use crate::server::peers::Links;
use crate::server::writer::{Batches, Durable};
use crate::storage::StorageError;
use crate::storage::wal::encode_batch;

/// Posts that may wait for the task; beyond it clients are refused and messages dropped.
pub const INBOX_MAX: usize = 16_384;
/// Posts taken in at once.
const TAKE_MAX: usize = 1_024;
/// Least time between two lines about progress.
const PROGRESS_MS: u64 = 1_000;

/// Something for the replica's task.
#[derive(Debug)]
pub enum Post<M> {
    /// A client's request, and where its answer goes.
    Request(Request, oneshot::Sender<Answer>),
    /// A client asks for the status.
    Status(oneshot::Sender<Status>),
    /// A peer's messages, in order.
    Messages(NodeId, Vec<M>),
}

/// Where handlers post to.
pub type Posts<M> = mpsc::Sender<Post<M>>;

/// Runs a replica until its disk fails.
///
/// # Errors
/// That failure.
pub async fn run<P: Protocol>(
    replica: Replica<P>,
    clock: Clock,
    mut inbox: mpsc::Receiver<Post<P::Message>>,
    links: Links<P::Message>,
    writer: Batches,
    mut durable: Durable,
) -> Result<(), ServerError> {
    let mut node = Node {
        replica,
        clock,
        links,
        writer,
        outbox: Outbox::default(),
        output: Output::default(),
        released: Vec::new(),
        clients: FxHashMap::default(),
        progress: Progress::default(),
    };
    let mut posts = Vec::with_capacity(TAKE_MAX);
    loop {
        let idle_ms = node.replica.wake_at().since(clock.now());
        tokio::select! {
            biased;
            report = durable.recv() => node.on_durable(report.ok_or(ServerError::WriterGone)?)?,
            _ = inbox.recv_many(&mut posts, TAKE_MAX) => node.take(&mut posts)?,
            () = tokio::time::sleep(Duration::from_millis(idle_ms)) => {}
        }
        node.tick()?;
        // The connections' tasks get their turn, so that what they bring comes in as one batch.
        tokio::task::yield_now().await;
    }
}

struct Node<P: Protocol> {
    replica: Replica<P>,
    clock: Clock,
    links: Links<P::Message>,
    writer: Batches,
    outbox: Outbox<P::Message>,
    /// What the last step wants done, and what may leave because the disk has caught up: kept for their memory.
    output: Output<P>,
    released: Vec<(NodeId, P::Message)>,
    clients: FxHashMap<OperationId, oneshot::Sender<Answer>>,
    progress: Progress,
}

impl<P: Protocol> Node<P> {
    fn on_durable(&mut self, report: Result<Ticket, StorageError>) -> Result<(), ServerError> {
        let ticket = report?;
        self.outbox.release(ticket, &mut self.released);
        self.links.send(self.released.drain(..));
        self.step(Event::Durable(ticket))
    }

    /// Messages first, each a step; then all clients' requests in one.
    fn take(&mut self, posts: &mut Vec<Post<P::Message>>) -> Result<(), ServerError> {
        let mut requests = Vec::new();
        for post in posts.drain(..) {
            match post {
                Post::Messages(from, messages) => {
                    for message in messages {
                        self.step(Event::Message(from, message))?;
                    }
                }
                Post::Status(reply) => {
                    // A client that gave up does not need the answer.
                    let _ = reply.send(self.replica.status());
                }
                Post::Request(request, reply) => {
                    let id = self.replica.name();
                    self.clients.insert(id, reply);
                    requests.push((id, request));
                }
            }
        }
        if requests.is_empty() { Ok(()) } else { self.step(Event::Requests(requests)) }
    }

    fn tick(&mut self) -> Result<(), ServerError> {
        let now = self.clock.now();
        if now >= self.replica.wake_at() {
            self.step(Event::Tick)?;
        }
        self.progress.log(now, &self.replica);
        Ok(())
    }

    fn step(&mut self, event: Event<P::Message>) -> Result<(), ServerError> {
        self.replica.step(self.clock.now(), event, &mut self.output);
        let Output { persist, replaces, ticket, send, send_durable, answers, notes, .. } = &mut self.output;
        notes.iter().for_each(log_note);
        if !persist.is_empty() {
            let batch = Batch { ticket: *ticket, replaces: *replaces, bytes: encode_batch(persist) };
            self.writer.send(batch).map_err(|_| ServerError::WriterGone)?;
        }
        self.links.send(send.drain(..));
        self.outbox.hold(*ticket, send_durable);
        self.links.send(send_durable.drain(..));
        // What was answered on the way may rest on less; to ask for more of other nodes is safe.
        let position = self.replica.machine().applied();
        for (id, outcome) in answers.drain(..) {
            if let Some(client) = self.clients.remove(&id) {
                // A client that gave up does not need the answer.
                let _ = client.send(Answer { position, outcome });
            }
        }
        Ok(())
    }
}

/// The refusal for what does not even fit the inbox.
pub fn inbox_full() -> Refusal {
    Refusal::definite(RefusalCode::Overloaded, format!("{INBOX_MAX} posts are waiting at this node"))
}

/// When progress was last logged.
#[derive(Default)]
struct Progress {
    logged_at: Millis,
    commit: u64,
}

impl Progress {
    fn log<P: Protocol>(&mut self, now: Millis, replica: &Replica<P>) {
        if now.since(self.logged_at) < PROGRESS_MS {
            return;
        }
        let view = replica.core().view();
        self.logged_at = now;
        if view.commit > self.commit {
            self.commit = view.commit;
            let applied = replica.machine().applied();
            info!("committed up to {}, applied up to {applied}, term {}", view.commit, view.term);
        }
    }
}

fn log_note(note: &Note) {
    match note {
        Note::SnapshotRefused { .. } => warn!("{note}"),
        _ => info!("{note}"),
    }
}
