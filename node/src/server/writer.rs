//! The thread that owns the log. Whatever piled up during one `fdatasync` goes into the next frame: group commit.

use std::sync::mpsc;
use std::thread;

use tokio::sync::mpsc as tokio_mpsc;

use crate::protocol::Ticket;
use crate::storage::{Disk, StorageError, Wal};

/// A batch of records on its way to the disk. The queue is not bounded by itself: what can be under way is bounded by
/// the core's limits on waiting operations and unanswered messages.
pub type Batch = (Ticket, Vec<u8>);

/// Hands batches to the thread.
pub type Batches = mpsc::Sender<Batch>;

/// Tells up to which ticket everything is durable; an error is the last thing it tells.
pub type Durable = tokio_mpsc::UnboundedReceiver<Result<Ticket, StorageError>>;

/// Most bytes in one frame, so that a replay reads frames of reasonable size.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// Starts the thread. It ends when `Batches` is dropped.
pub fn start<D: Disk + Send + 'static>(mut wal: Wal<D>) -> (Batches, Durable) {
    let (batches, queue) = mpsc::channel::<Batch>();
    let (report, durable) = tokio_mpsc::unbounded_channel();
    let body = move || {
        let mut group = Vec::new();
        while let Ok((mut ticket, batch)) = queue.recv() {
            let mut bytes = batch.len();
            group.push(batch);
            while bytes < FRAME_BYTES_MAX
                && let Ok((later, batch)) = queue.try_recv()
            {
                ticket = later;
                bytes += batch.len();
                group.push(batch);
            }
            let outcome = wal.append(&group).map(|()| ticket);
            group.clear();
            let is_end = outcome.is_err();
            if report.send(outcome).is_err() || is_end {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("log-writer".into())
        .spawn(body)
        .expect("a process may start its second thread");
    (batches, durable)
}
