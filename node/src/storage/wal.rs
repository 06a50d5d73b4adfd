//! The log of records over a disk: recovery, appending, rolling over to the next segment.
//!
//! Written by one thread, which is what makes a frame durable before the next one is written.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::NodeId;
use crate::defect::{Defect, Defects};
use crate::protocol::Incarnation;
use crate::storage::disk::{Disk, SegmentNumber};
use crate::storage::frame;
use crate::storage::segment::{self, Damage, Scan};

/// Size of a segment, unless a single batch needs a larger one.
pub const SEGMENT_BYTES: usize = 8 << 20;

const FORMAT_VERSION: u32 = 1;

/// What the bodies of frames say; the kind is the first byte.
const KIND_CONTROL: u8 = 1;
const KIND_RECORDS: u8 = 2;
const KIND_CHECKPOINT: u8 = 3;

/// Frames of the log's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Control {
    /// The first frame of each segment.
    Start { version: u32, node: NodeId, segment: SegmentNumber },
    /// The node was started.
    Opened { incarnation: u64 },
}

/// Why the log cannot be used. The node must not run on it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk failed.
    #[error("{what}: {source}")]
    Disk {
        /// At what.
        what: String,
        /// How.
        source: io::Error,
    },
    /// Something that had been durable is damaged.
    #[error("{file}: corrupt at offset {offset}: {what}")]
    Corrupt {
        /// The file.
        file: String,
        /// Offset of the frame in it.
        offset: usize,
        /// What is wrong.
        what: String,
    },
    /// A segment is missing.
    #[error("{file} is missing, although later segments exist")]
    Missing {
        /// The file.
        file: String,
    },
    /// The data belongs to another node.
    #[error("{file}: the data belongs to node {found}, not to node {expected}")]
    Foreign {
        /// The file.
        file: String,
        /// Whose data it is.
        found: NodeId,
        /// Who wanted to use it.
        expected: NodeId,
    },
    /// The data was written by another version of this program.
    #[error("{file}: format {found} is not format {FORMAT_VERSION}, which this program writes")]
    Version {
        /// The file.
        file: String,
        /// Its format.
        found: u32,
    },
}

/// What was found when the log was opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Recovered<R> {
    /// All records, in order.
    pub records: Vec<R>,
    /// This start; recorded durably.
    pub incarnation: Incarnation,
    /// A torn frame that was cut: file, offset, bytes.
    pub cut: Option<(String, usize, usize)>,
}

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
        Self::open_with(disk, node, segment_bytes, Defects::NONE)
    }

    /// The same, with planted defects.
    ///
    /// # Errors
    /// Those of [`Wal::open`], less what a defect overlooks.
    pub fn open_with<R: DeserializeOwned>(
        mut disk: D,
        node: NodeId,
        segment_bytes: usize,
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
        let incarnation = reader.incarnation + 1;
        let mut wal = Self {
            disk,
            node,
            incarnation,
            segment,
            segment_bytes,
            size,
            offset,
            sequence,
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
    pub fn append(&mut self, batches: &[Vec<u8>]) -> Result<(), StorageError> {
        let mut parts: Vec<&[u8]> = vec![&[KIND_RECORDS]];
        parts.extend(batches.iter().map(Vec::as_slice));
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
        self.roll(frame::frame_bytes(parts.iter().map(|part| part.len()).sum()))?;
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

    /// Leaves out all syncs from now on: the planted defect R03.
    pub fn stop_syncing(&mut self) {
        self.syncs = false;
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), StorageError> {
        let frame_bytes = frame::frame_bytes(parts.iter().map(|part| part.len()).sum());
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

/// Appends a record to a batch under construction.
pub fn encode_record<R: Serialize>(record: &R, batch: &mut Vec<u8>) {
    let start = batch.len();
    batch.extend_from_slice(&[0; LENGTH_BYTES]);
    postcard::to_io(record, &mut *batch)
        .expect("writing to memory does not fail, and records are plain data");
    let length = u32::try_from(batch.len() - start - LENGTH_BYTES).expect("a record is small");
    batch[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Encodes a batch of records.
pub fn encode_batch<R: Serialize>(records: &[R]) -> Vec<u8> {
    let mut batch = Vec::with_capacity(64 * records.len());
    records.iter().for_each(|record| encode_record(record, &mut batch));
    batch
}

const LENGTH_BYTES: usize = 4;

fn control(control: &Control) -> Vec<u8> {
    let mut body = vec![KIND_CONTROL];
    body.extend(postcard::to_stdvec(control).expect("a control frame is plain data"));
    body
}

fn failed(what: &str, source: io::Error) -> StorageError {
    StorageError::Disk { what: what.to_owned(), source }
}

/// Where reading starts.
struct StartOfLog {
    segment: SegmentNumber,
    /// Number of its first frame.
    sequence: u64,
}

/// Finds the latest segment that starts with an intact checkpoint: what comes before it is dead, and may be there in
/// parts. Without one, the log starts with segment 1.
fn find_start<D: Disk>(disk: &mut D, segments: &[SegmentNumber]) -> Result<StartOfLog, StorageError> {
    for segment in segments.iter().rev() {
        let bytes = disk.read(*segment).map_err(|source| failed(&disk.name(*segment), source))?;
        let Ok(head) = frame::decode(&bytes) else { continue };
        let second = frame::decode(&bytes[head.bytes..]);
        if second.is_ok_and(|frame| frame.body.first() == Some(&KIND_CHECKPOINT)) {
            return Ok(StartOfLog { segment: *segment, sequence: head.sequence });
        }
    }
    Ok(StartOfLog { segment: 1, sequence: 1 })
}

/// How far a segment is used.
struct Extent {
    /// Where its last intact frame starts.
    last: usize,
    /// Where that frame ends.
    end: usize,
    /// Bytes of a torn frame that stand there.
    torn_bytes: usize,
}

/// Gathers what segments hold.
struct Reader<R> {
    node: NodeId,
    records: Vec<R>,
    incarnation: u64,
    sequence: u64,
    defects: Defects,
}

impl<R: DeserializeOwned> Reader<R> {
    /// Reads one segment.
    fn read(
        &mut self,
        file: &str,
        segment: SegmentNumber,
        bytes: &[u8],
        is_last: bool,
    ) -> Result<Extent, StorageError> {
        let corrupt = |offset, what: String| StorageError::Corrupt { file: file.to_owned(), offset, what };
        let scan = match segment::scan(bytes, self.sequence, is_last) {
            Err(Damage { offset, .. }) if offset > 0 && self.defects.has(Defect::G05) => {
                let intact = segment::scan(&bytes[..offset], self.sequence, false);
                intact.map(|intact| Scan { torn_bytes: bytes.len() - offset, ..intact })
            }
            other => other,
        };
        let scan = scan.map_err(|Damage { offset, what }| corrupt(offset, what.to_owned()))?;
        let Some(&(last, _)) = scan.frames.last() else {
            return Err(corrupt(
                0,
                "the segment is empty; its first frame was durable before it got its name".into(),
            ));
        };
        self.sequence += scan.frames.len() as u64;
        for (offset, body) in scan.frames {
            match body.split_first() {
                Some((&KIND_CONTROL, body)) => {
                    let control =
                        postcard::from_bytes(body).map_err(|error| corrupt(offset, error.to_string()))?;
                    self.control(file, segment, offset, control)?;
                }
                Some((&KIND_RECORDS, body)) => self.batch(body).map_err(|what| corrupt(offset, what))?,
                Some((&KIND_CHECKPOINT, body)) => {
                    let (incarnation, batch) = body
                        .split_first_chunk()
                        .ok_or_else(|| corrupt(offset, "a checkpoint is cut short".into()))?;
                    self.incarnation = u64::from_le_bytes(*incarnation);
                    self.records.clear();
                    self.batch(batch).map_err(|what| corrupt(offset, what))?;
                }
                _ => return Err(corrupt(offset, "a frame of unknown kind".into())),
            }
        }
        if scan.torn_bytes > 0 && self.defects.has(Defect::G06) {
            self.replay_torn(&bytes[scan.end..]);
        }
        Ok(Extent { last, end: scan.end, torn_bytes: scan.torn_bytes })
    }

    /// Defect G06: the records of a torn frame, as far as they decode.
    fn replay_torn(&mut self, bytes: &[u8]) {
        let Some((&KIND_RECORDS, mut body)) = bytes.get(frame::HEADER_BYTES..).and_then(<[u8]>::split_first)
        else {
            return;
        };
        while let Some((length, rest)) = body.split_first_chunk::<LENGTH_BYTES>()
            && let Some((record, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)
            && let Ok((record, [])) = postcard::take_from_bytes(record)
        {
            self.records.push(record);
            body = rest;
        }
    }

    fn control(
        &mut self,
        file: &str,
        segment: SegmentNumber,
        offset: usize,
        control: Control,
    ) -> Result<(), StorageError> {
        let file = file.to_owned();
        match control {
            Control::Start { version, .. } if version != FORMAT_VERSION => {
                Err(StorageError::Version { file, found: version })
            }
            Control::Start { node, .. } if node != self.node => {
                Err(StorageError::Foreign { file, found: node, expected: self.node })
            }
            Control::Start { segment: found, .. } if found != segment || offset != 0 => {
                Err(StorageError::Corrupt {
                    file,
                    offset,
                    what: format!("this is the start of segment {found}"),
                })
            }
            Control::Start { .. } => Ok(()),
            Control::Opened { incarnation } => {
                self.incarnation = self.incarnation.max(incarnation);
                Ok(())
            }
        }
    }

    fn batch(&mut self, mut body: &[u8]) -> Result<(), String> {
        while let Some((length, rest)) = body.split_first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_le_bytes(*length) as usize;
            let record = rest.get(..length).ok_or("a record is cut short")?;
            match postcard::take_from_bytes(record) {
                Ok((record, [])) => self.records.push(record),
                Ok(_) => return Err("a record is followed by bytes that are not its own".into()),
                Err(error) => return Err(format!("a record does not decode: {error}")),
            }
            body = &rest[length..];
        }
        if body.is_empty() { Ok(()) } else { Err("bytes follow the last record".into()) }
    }
}
