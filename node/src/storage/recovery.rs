//! Reading the log back: where it starts, what its segments hold, what is torn, and what is damaged. Writes nothing.

use serde::de::DeserializeOwned;

use crate::api::NodeId;
use crate::defect::{Defect, Defects};
use crate::protocol::Incarnation;
use crate::storage::body::{self, Control, FORMAT_VERSION, KIND_CHECKPOINT, KIND_CONTROL, KIND_RECORDS};
use crate::storage::disk::{Disk, SegmentNumber};
use crate::storage::error::{StorageError, failed};
use crate::storage::frame;
use crate::storage::segment::{self, Damage, Scan};

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

/// Where reading starts.
pub(super) struct StartOfLog {
    pub(super) segment: SegmentNumber,
    /// Number of its first frame.
    pub(super) sequence: u64,
}

/// Finds the latest segment that starts with an intact checkpoint: what comes before it is dead, and may be there in
/// parts. Without one, the log starts with segment 1.
pub(super) fn find_start<D: Disk>(
    disk: &mut D,
    segments: &[SegmentNumber],
) -> Result<StartOfLog, StorageError> {
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
pub(super) struct Extent {
    /// Where its last intact frame starts.
    pub(super) last: usize,
    /// Where that frame ends.
    pub(super) end: usize,
    /// Bytes of a torn frame that stand there.
    pub(super) torn_bytes: usize,
}

/// Gathers what segments hold.
pub(super) struct Reader<R> {
    pub(super) node: NodeId,
    pub(super) records: Vec<R>,
    pub(super) incarnation: u64,
    pub(super) sequence: u64,
    pub(super) defects: Defects,
}

impl<R: DeserializeOwned> Reader<R> {
    /// Reads one segment.
    pub(super) fn read(
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
                Some((&KIND_RECORDS, body)) => {
                    body::decode_batch(body, &mut self.records).map_err(|what| corrupt(offset, what))?
                }
                Some((&KIND_CHECKPOINT, body)) => {
                    let (incarnation, batch) = body
                        .split_first_chunk()
                        .ok_or_else(|| corrupt(offset, "a checkpoint is cut short".into()))?;
                    self.incarnation = u64::from_le_bytes(*incarnation);
                    self.records.clear();
                    body::decode_batch(batch, &mut self.records).map_err(|what| corrupt(offset, what))?;
                }
                _ => return Err(corrupt(offset, "a frame of unknown kind".into())),
            }
        }
        if scan.torn_bytes > 0 && self.defects.has(Defect::G06) {
            let torn = bytes[scan.end..].get(frame::HEADER_BYTES..).and_then(<[u8]>::split_first);
            if let Some((&KIND_RECORDS, body)) = torn {
                body::decode_torn(body, &mut self.records);
            }
        }
        Ok(Extent { last, end: scan.end, torn_bytes: scan.torn_bytes })
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
}
