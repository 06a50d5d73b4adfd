//! What every driver of a node does the same way, without waiting for anything: which messages are held back until
//! the disk has caught up, and how batches of records go to the log in groups.
//!
//! A server ([`crate::server`]) does it with a socket and a thread, a simulator on simulated time; the rules are here
//! once. Read [`crate::protocol::Effects`] for the duties that they keep.

use std::collections::VecDeque;

use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::protocol::Ticket;
use crate::settings::Settings;
use crate::storage::{Disk, Recovered, StorageError, Wal};

/// Messages that must not leave before their ticket is durable.
#[derive(Debug)]
pub struct Outbox<M> {
    durable: Ticket,
    /// Rising.
    held: VecDeque<(Ticket, (NodeId, M))>,
}

impl<M> Default for Outbox<M> {
    /// Nothing held, nothing written yet by this start of the node.
    fn default() -> Self {
        Self { durable: Ticket::default(), held: VecDeque::new() }
    }
}

impl<M> Outbox<M> {
    /// Takes the messages of a step that depend on `ticket` and must wait for it; leaves those that may go now.
    pub fn hold(&mut self, ticket: Ticket, messages: &mut Vec<(NodeId, M)>) {
        if ticket > self.durable && !messages.is_empty() {
            self.held.extend(messages.drain(..).map(|message| (ticket, message)));
        }
    }

    /// Everything up to `ticket` is durable: gives what may leave now, in the order in which it was held.
    pub fn release(&mut self, ticket: Ticket, released: &mut Vec<(NodeId, M)>) {
        self.durable = ticket;
        let count = self.held.partition_point(|(held, _)| *held <= ticket);
        released.extend(self.held.drain(..count).map(|(_, message)| message));
    }
}

/// A batch of records on its way to the disk. The queue is not bounded by itself: what can be under way is bounded by
/// the core's limits on waiting operations and unanswered messages.
#[derive(Debug)]
pub struct Batch {
    /// Told once it is durable.
    pub ticket: Ticket,
    /// Whether it stands for everything before it.
    pub replaces: bool,
    /// As [`crate::storage::wal::encode_batch`] gives them.
    pub bytes: Vec<u8>,
}

/// Most bytes in one frame, so that a replay reads frames of reasonable size.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// What is written at once: one batch, unless the disk is slower than what comes in.
pub type Group = SmallVec<[Batch; 2]>;

/// Group commit: `first` and what has piled up behind it, up to the size of a frame.
pub fn gather(first: Batch, mut next: impl FnMut() -> Option<Batch>) -> Group {
    let mut bytes = first.bytes.len();
    let mut group = Group::from_iter([first]);
    while bytes < FRAME_BYTES_MAX
        && let Some(batch) = next()
    {
        bytes += batch.bytes.len();
        group.push(batch);
    }
    group
}

/// Makes a group durable. Of batches before one that replaces everything nothing needs to be written.
///
/// # Errors
/// After any error the log must not be used again.
pub fn write<D: Disk>(wal: &mut Wal<D>, group: &[Batch]) -> Result<(), StorageError> {
    let mut rest = group;
    if let Some(position) = group.iter().rposition(|batch| batch.replaces) {
        wal.replace(&group[position].bytes)?;
        rest = &group[position + 1..];
    }
    if rest.is_empty() { Ok(()) } else { wal.append(rest.iter().map(|batch| &batch.bytes)) }
}

/// Opens a node's log as its settings want it.
///
/// # Errors
/// As [`Wal::open`]: the node must not start.
pub fn open_log<D: Disk, R: DeserializeOwned>(
    disk: D,
    settings: &Settings,
    segment_bytes: usize,
) -> Result<(Wal<D>, Recovered<R>), StorageError> {
    let (mut wal, recovered) =
        Wal::open_with(disk, settings.node, segment_bytes, settings.first_incarnation, settings.defects)?;
    if [Defect::R03, Defect::P02, Defect::Z01].into_iter().any(|defect| settings.defects.has(defect)) {
        wal.stop_syncing();
    }
    Ok((wal, recovered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_for_the_records_it_depends_on_and_no_longer() {
        let to = NodeId(2);
        let mut outbox = Outbox::default();
        let hold = |outbox: &mut Outbox<char>, ticket, message| {
            let mut messages = vec![(to, message)];
            outbox.hold(Ticket(ticket), &mut messages);
            messages
        };
        let release = |outbox: &mut Outbox<char>, ticket| {
            let mut released = Vec::new();
            outbox.release(Ticket(ticket), &mut released);
            released
        };
        assert_eq!(hold(&mut outbox, 0, 'a'), [(to, 'a')]);
        assert_eq!(hold(&mut outbox, 1, 'b'), []);
        assert_eq!(hold(&mut outbox, 3, 'c'), []);
        assert_eq!(release(&mut outbox, 2), [(to, 'b')]);
        assert_eq!(hold(&mut outbox, 2, 'd'), [(to, 'd')]);
        assert_eq!(release(&mut outbox, 3), [(to, 'c')]);
    }

    #[test]
    fn a_group_takes_all_that_piled_up_until_the_frame_is_full() {
        let batch = |number, size| Batch { ticket: Ticket(number), replaces: false, bytes: vec![0; size] };
        let mut queue: VecDeque<Batch> =
            [(2, 10), (3, FRAME_BYTES_MAX), (4, 1)].map(|(n, s)| batch(n, s)).into();
        let group = gather(batch(1, 10), || queue.pop_front());
        assert_eq!(group.iter().map(|batch| batch.ticket.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(queue.len(), 1);
    }
}
