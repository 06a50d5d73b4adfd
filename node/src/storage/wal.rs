//! The log of records over a disk: opening, appending, rolling over to the next segment.
//!
//! Written by one thread, which is what makes a frame durable before the next one is written.

use std::{io, iter};

use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use crate::api::NodeId;
use crate::defect::{Defect, Defects};
use crate::protocol::Incarnation;
use crate::storage::body::{Control, FORMAT_VERSION, KIND_CHECKPOINT, KIND_RECORDS, control};
use crate::storage::disk::{Disk, SegmentNumber};
use crate::storage::error::{StorageError, failed};
use crate::storage::frame;
use crate::storage::recovery::{Extent, Reader, Recovered, find_start};

pub use crate::storage::body::{encode_batch, encode_record};

/// Size of a segment, unless a single batch needs a larger one.
pub const SEGMENT_BYTES: usize = 8 << 20;

/// The log, open for appending.
#[derive(Debug)]
pub struct Wal<D> {
    disk: D,
    node: NodeId,
    incarnation: u64,
    segment: SegmentNumber,
    segment_bytes: usize,
    size: usize,
    offset: usize,
    sequence: u64,
    body_bytes_max: usize,
    syncs: bool,
    defects: Defects,
}

impl<D: Disk> Wal<D> {
    /// Opens the log of `node`, or starts it on an empty disk, with segments of `segment_bytes`. Cuts a torn tail.
    ///
    /// # Errors
    /// When the disk fails, or holds anything that had been durable and is now damaged or missing.
    pub fn open<R: DeserializeOwned>(
        disk: D,
        node: NodeId,
        segment_bytes: usize,
    ) -> Result<(Self, Recovered<R>), StorageError> {
        Self::open_with(disk, node, segment_bytes, Incarnation(1), Defects::NONE)
    }

    /// The same; an empty disk begins with the incarnation `first`. With planted defects.
    ///
    /// # Errors
    /// Those of [`Wal::open`], less what a defect overlooks.
    pub fn open_with<R: DeserializeOwned>(
        mut disk: D,
        node: NodeId,
        segment_bytes: usize,
        first: Incarnation,
        defects: Defects,
    ) -> Result<(Self, Recovered<R>), StorageError> {
        let segments = disk.segments().map_err(|source| failed("listing the segments", source))?;
        let start = find_start(&mut disk, &segments)?;
        let mut reader =
            Reader { node, records: Vec::new(), incarnation: 0, sequence: start.sequence, defects };
        let mut cut = None;
        let mut position = (0, 0, 0);
        let live = segments.iter().filter(|segment| **segment >= start.segment);
        for (expected, segment) in (start.segment..).zip(live) {
            if *segment != expected {
                return Err(StorageError::Missing { file: disk.name(expected) });
            }
            let bytes = disk.read(*segment).map_err(|source| failed(&disk.name(*segment), source))?;
            let file = disk.name(*segment);
            let is_last = Some(segment) == segments.last();
            let Extent { last, end, torn_bytes } = reader.read(&file, *segment, &bytes, is_last)?;
            if is_last {
                // The predecessor may have died before it synced its last frame, or because that failed: then it is in
                // the kernel's cache only, perhaps as clean (assumption 2), and must not count before it is on the disk.
                let again = disk.write(*segment, last, &bytes[last..end]).and_then(|()| disk.sync(*segment));
                again.map_err(|source| failed(&file, source))?;
            }
            if torn_bytes > 0 {
                let blank =
                    disk.write(*segment, end, &vec![0; torn_bytes]).and_then(|()| disk.sync(*segment));
                blank.map_err(|source| failed(&file, source))?;
                cut = Some((file, end, torn_bytes));
            }
            position = (*segment, bytes.len(), end);
            if !is_last && torn_bytes > 0 {
                // Only defect G05 gets here: what follows a damaged frame is dropped.
                for dropped in segments.iter().filter(|later| *later > segment) {
                    disk.remove(*dropped).map_err(|source| failed(&disk.name(*dropped), source))?;
                }
                break;
            }
        }
        let (segment, size, offset) = position;
        let sequence = reader.sequence;
        let incarnation = (reader.incarnation + 1).max(if reader.incarnation == 0 { first.0 } else { 0 });
        let mut wal = Self {
            disk,
            node,
            incarnation,
            segment,
            segment_bytes,
            size,
            offset,
            sequence,
            body_bytes_max: frame::BODY_BYTES_MAX,
            syncs: true,
            defects,
        };
        wal.write(&[&control(&Control::Opened { incarnation })])?;
        wal.forget_before(start.segment)?;
        Ok((wal, Recovered { records: reader.records, incarnation: Incarnation(incarnation), cut }))
    }

    /// Appends batches, each from [`encode_batch`], and makes them durable: all of them or, after a crash, none.
    ///
    /// # Errors
    /// After any error the log must not be used again (assumption 2).
    pub fn append<'a>(&mut self, batches: impl IntoIterator<Item = &'a Vec<u8>>) -> Result<(), StorageError> {
        let kind: &[u8] = &[KIND_RECORDS];
        let batches = batches.into_iter().map(Vec::as_slice);
        let parts: SmallVec<[&[u8]; 4]> = iter::once(kind).chain(batches).collect();
        self.write(&parts)
    }

    /// Puts a batch from [`encode_batch`] in the place of everything written so far, and forgets that: after a crash
    /// either holds, never a part of each.
    ///
    /// # Errors
    /// After any error the log must not be used again (assumption 2).
    pub fn replace(&mut self, batch: &[u8]) -> Result<(), StorageError> {
        let incarnation = self.incarnation.to_le_bytes();
        let parts: [&[u8]; 3] = [&[KIND_CHECKPOINT], &incarnation, batch];
        self.roll(self.frame_bytes(&parts)?)?;
        let segment = self.segment;
        self.write(&parts)?;
        self.forget_before(segment)
    }

    /// Removes the segments before `segment`, which starts with a durable checkpoint. A removal that a crash undoes is
    /// repeated when the log is opened.
    fn forget_before(&mut self, segment: SegmentNumber) -> Result<(), StorageError> {
        let present = self.disk.segments().map_err(|source| failed("listing the segments", source))?;
        for dead in present.into_iter().filter(|present| *present < segment) {
            self.disk.remove(dead).map_err(|source| failed(&self.disk.name(dead), source))?;
        }
        Ok(())
    }

    /// Gives the disk back.
    pub fn into_disk(self) -> D {
        self.disk
    }

    /// Takes batches of this many bytes at the most from now on; more than [`frame::BODY_BYTES_MAX`] is never taken.
    pub fn limit_batches(&mut self, bytes_max: usize) {
        self.body_bytes_max = bytes_max.min(frame::BODY_BYTES_MAX);
    }

    /// Leaves out all syncs from now on: the planted defect R03.
    pub fn stop_syncing(&mut self) {
        self.syncs = false;
    }

    /// Size of the frame with this body; refuses what does not fit one.
    fn frame_bytes(&self, parts: &[&[u8]]) -> Result<usize, StorageError> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if bytes > self.body_bytes_max {
            return Err(StorageError::TooLarge { bytes, bytes_max: self.body_bytes_max });
        }
        Ok(frame::frame_bytes(bytes))
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), StorageError> {
        let frame_bytes = self.frame_bytes(parts)?;
        if self.segment == 0 || self.offset + frame_bytes > self.size {
            self.roll(frame_bytes)?;
        }
        let bytes = frame::encode(self.sequence, parts);
        let written = self.disk.write(self.segment, self.offset, &bytes);
        let durable = written.and_then(|()| self.sync());
        durable.map_err(|source| failed(&self.disk.name(self.segment), source))?;
        self.sequence += 1;
        self.offset += bytes.len();
        if self.offset > self.size / 2 {
            self.disk.expect_create(self.segment_bytes);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if !self.syncs {
            return Ok(());
        }
        let outcome = self.disk.sync(self.segment);
        if self.defects.has(Defect::G08) { Ok(()) } else { outcome }
    }

    /// Starts the next segment, with room for a frame of `needed` bytes.
    fn roll(&mut self, needed: usize) -> Result<(), StorageError> {
        let segment = self.segment + 1;
        let start = Control::Start { version: FORMAT_VERSION, node: self.node, segment };
        let head = frame::encode(self.sequence, &[&control(&start)]);
        let size = self.segment_bytes.max((head.len() + needed).next_multiple_of(4096));
        let created = if self.defects.has(Defect::G07) {
            self.disk.create_unnamed(segment, size, &head)
        } else {
            self.disk.create(segment, size, &head)
        };
        created.map_err(|source| failed(&self.disk.name(segment), source))?;
        self.sequence += 1;
        self.segment = segment;
        self.size = size;
        self.offset = head.len();
        Ok(())
    }
}
