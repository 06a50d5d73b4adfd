//! The thread that owns the log. Whatever piled up during one `fdatasync` goes into the next frame: group commit, as
//! [`crate::driver`] has it.

use std::sync::mpsc;
use std::thread;

use tokio::sync::mpsc as tokio_mpsc;

use crate::driver::{self, Batch};
use crate::protocol::Ticket;
use crate::storage::{Disk, StorageError, Wal};

/// Hands batches to the thread.
pub type Batches = mpsc::Sender<Batch>;

/// Tells up to which ticket everything is durable; an error is the last thing it tells.
pub type Durable = tokio_mpsc::UnboundedReceiver<Result<Ticket, StorageError>>;

/// Starts the thread. It ends when `Batches` is dropped.
pub fn start<D: Disk + Send + 'static>(mut wal: Wal<D>) -> (Batches, Durable) {
    let (batches, queue) = mpsc::channel::<Batch>();
    let (report, durable) = tokio_mpsc::unbounded_channel();
    let body = move || {
        while let Ok(first) = queue.recv() {
            let group = driver::gather(first, || queue.try_recv().ok());
            let ticket = group.last().expect("a group starts with a batch").ticket;
            let outcome = driver::write(&mut wal, &group).map(|()| ticket);
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::api::NodeId;
    use crate::defect::{Defect, Defects};
    use crate::storage::disk::SegmentNumber;
    use crate::storage::wal::encode_batch;

    /// Counts syncs, and fails from some count on.
    struct FailingDisk {
        syncs: usize,
        fails_from: usize,
    }

    fn batch(number: u64) -> Batch {
        Batch { ticket: Ticket(number), replaces: false, bytes: encode_batch(&[number]) }
    }

    impl Disk for FailingDisk {
        fn segments(&mut self) -> io::Result<Vec<SegmentNumber>> {
            Ok(Vec::new())
        }

        fn read(&mut self, _: SegmentNumber) -> io::Result<Vec<u8>> {
            Ok(Vec::new())
        }

        fn create(&mut self, _: SegmentNumber, _: usize, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn expect_create(&mut self, _: usize) {}

        fn write(&mut self, _: SegmentNumber, _: usize, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn sync(&mut self, _: SegmentNumber) -> io::Result<()> {
            self.syncs += 1;
            if self.syncs < self.fails_from { Ok(()) } else { Err(io::Error::other("input/output error")) }
        }

        fn remove(&mut self, _: SegmentNumber) -> io::Result<()> {
            Ok(())
        }

        fn name(&self, segment: SegmentNumber) -> String {
            format!("segment {segment}")
        }
    }

    fn wal(fails_from: usize) -> Wal<FailingDisk> {
        let disk = FailingDisk { syncs: 0, fails_from };
        Wal::open::<u64>(disk, NodeId(1), 4096).unwrap().0
    }

    /// The first sync is that of opening the log.
    #[test]
    fn a_failed_sync_is_told_and_nothing_is_written_after_it() {
        let (batches, mut durable) = start(wal(3));
        batches.send(batch(1)).unwrap();
        assert_eq!(durable.blocking_recv().unwrap().unwrap(), Ticket(1));
        batches.send(batch(2)).unwrap();
        let error = durable.blocking_recv().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "segment 1: input/output error");
        // The thread may already be gone; either way nothing is reported any more.
        let _ = batches.send(batch(3));
        assert!(durable.blocking_recv().is_none());
    }

    /// Defect R03, and the proof that a sound log syncs before it reports.
    #[test]
    fn only_a_log_that_stopped_syncing_reports_what_no_sync_covers() {
        let mut sound = wal(2);
        assert!(sound.append(&[encode_batch(&[1_u64])]).is_err());
        let mut defective = wal(2);
        defective.stop_syncing();
        assert!(defective.append(&[encode_batch(&[1_u64])]).is_ok());
    }

    #[test]
    fn g08_what_a_failed_sync_did_not_write_is_reported_durable() {
        for (defects, reported) in [(Defects::NONE, false), (Defects::from_iter([Defect::G08]), true)] {
            let disk = FailingDisk { syncs: 0, fails_from: 2 };
            let (mut wal, _) =
                Wal::open_with::<u64>(disk, NodeId(1), 4096, crate::protocol::Incarnation(1), defects)
                    .unwrap();
            assert_eq!(wal.append(&[encode_batch(&[1_u64])]).is_ok(), reported);
        }
    }
}
