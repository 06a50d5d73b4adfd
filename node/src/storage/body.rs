//! What the bodies of frames say: the log's own words, and batches of records. Pure encoding and decoding.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::NodeId;
use crate::storage::disk::SegmentNumber;

pub(super) const FORMAT_VERSION: u32 = 1;

/// What the bodies of frames say; the kind is the first byte.
pub(super) const KIND_CONTROL: u8 = 1;
pub(super) const KIND_RECORDS: u8 = 2;
pub(super) const KIND_CHECKPOINT: u8 = 3;

/// Frames of the log's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Control {
    /// The first frame of each segment.
    Start { version: u32, node: NodeId, segment: SegmentNumber },
    /// The node was started.
    Opened { incarnation: u64 },
}

/// Appends a record to a batch under construction.
pub fn encode_record<R: Serialize>(record: &R, batch: &mut Vec<u8>) {
    let start = batch.len();
    batch.extend_from_slice(&[0; LENGTH_BYTES]);
    postcard::to_io(record, &mut *batch)
        .expect("writing to memory does not fail, and records are plain data");
    // One of 4 GiB or more is in a batch that is longer than a frame can be, which the log refuses.
    let length = u32::try_from(batch.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
    batch[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Encodes a batch of records.
pub fn encode_batch<R: Serialize>(records: &[R]) -> Vec<u8> {
    let mut batch = Vec::with_capacity(64 * records.len());
    records.iter().for_each(|record| encode_record(record, &mut batch));
    batch
}

const LENGTH_BYTES: usize = 4;

pub(super) fn control(control: &Control) -> Vec<u8> {
    let mut body = vec![KIND_CONTROL];
    body.extend(postcard::to_stdvec(control).expect("a control frame is plain data"));
    body
}

/// Decodes the records of a batch into `records`.
///
/// # Errors
/// Says what is wrong; the records before that are in `records`.
pub(super) fn decode_batch<R: DeserializeOwned>(mut body: &[u8], records: &mut Vec<R>) -> Result<(), String> {
    while let Some((length, rest)) = body.split_first_chunk::<LENGTH_BYTES>() {
        let length = u32::from_le_bytes(*length) as usize;
        let record = rest.get(..length).ok_or("a record is cut short")?;
        match postcard::take_from_bytes(record) {
            Ok((record, [])) => records.push(record),
            Ok(_) => return Err("a record is followed by bytes that are not its own".into()),
            Err(error) => return Err(format!("a record does not decode: {error}")),
        }
        body = &rest[length..];
    }
    if body.is_empty() { Ok(()) } else { Err("bytes follow the last record".into()) }
}

/// Decodes the records of a torn batch into `records`, as far as they are there: what defect G06 takes for durable.
pub(super) fn decode_torn<R: DeserializeOwned>(mut body: &[u8], records: &mut Vec<R>) {
    while let Some((length, rest)) = body.split_first_chunk::<LENGTH_BYTES>()
        && let Some((record, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)
        && let Ok((record, [])) = postcard::take_from_bytes(record)
    {
        records.push(record);
        body = rest;
    }
}
