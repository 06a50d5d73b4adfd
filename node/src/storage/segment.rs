//! Reading a segment back: which frames it holds, and whether what follows them is nothing, a torn frame, or damage.
//!
//! Pure: it is given the bytes. The reasoning behind the distinction stands in [`crate::storage`].

use crate::storage::frame::{self, ALIGNMENT, Broken, HEADER_BYTES};

/// What a disk writes as a whole, in bytes (assumption 3).
const SECTOR_BYTES: usize = 512;

/// What a segment holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan<'a> {
    /// Offsets and bodies of the intact frames, in order.
    pub frames: Vec<(usize, &'a [u8])>,
    /// Where the next frame goes.
    pub end: usize,
    /// Bytes of a torn frame that stand there and have to be overwritten with zeros.
    pub torn_bytes: usize,
}

/// A segment that must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where.
    pub offset: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Reads a segment whose first frame has number `sequence`. Only in the last segment may a frame be torn.
///
/// # Errors
/// When anything is missing or damaged that had been durable.
pub fn scan(bytes: &[u8], mut sequence: u64, is_last: bool) -> Result<Scan<'_>, Damage> {
    let mut frames = Vec::new();
    let mut offset = 0;
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |position| position + 1);
    while offset < used {
        match frame::decode(&bytes[offset..]) {
            Ok(frame) if frame.sequence == sequence => {
                frames.push((offset, frame.body));
                offset += frame.bytes;
                sequence += 1;
            }
            Ok(_) => return Err(Damage { offset, what: "a frame is out of sequence" }),
            Err(broken) => {
                is_torn(bytes, offset, used, sequence, is_last, broken)?;
                return Ok(Scan { frames, end: offset, torn_bytes: used - offset });
            }
        }
    }
    Ok(Scan { frames, end: offset, torn_bytes: 0 })
}

/// Whether the broken frame at `offset` is one that was being written when the node died.
fn is_torn(
    bytes: &[u8],
    offset: usize,
    used: usize,
    sequence: u64,
    is_last: bool,
    broken: Broken,
) -> Result<(), Damage> {
    let damage = |what| Err(Damage { offset, what });
    if !is_last {
        return damage("a frame is damaged, and a later segment exists");
    }
    if offset == 0 {
        return damage(
            "the first frame of a segment is damaged; it was durable before the segment got its name",
        );
    }
    if has_later_frame(&bytes[offset..used], sequence) {
        return damage("a frame is damaged, and a later one is intact");
    }
    let lacks_its_end = match broken {
        Broken::Header => used < offset + HEADER_BYTES,
        Broken::Body { bytes: size } if used > offset + size => {
            return damage("a frame is damaged, and something follows it");
        }
        Broken::Body { bytes: size } => used < offset + size,
    };
    if lacks_its_end || has_blank_sector(bytes, offset, used) {
        return Ok(());
    }
    damage("a frame is complete but damaged")
}

fn has_later_frame(bytes: &[u8], sequence: u64) -> bool {
    let starts = (ALIGNMENT..bytes.len()).step_by(ALIGNMENT);
    starts
        .into_iter()
        .any(|start| frame::decode(&bytes[start..]).is_ok_and(|frame| frame.sequence >= sequence))
}

/// Whether a sector that the bytes from `start` to `end` touch holds nothing but zeros of them.
fn has_blank_sector(bytes: &[u8], start: usize, end: usize) -> bool {
    let mut from = start;
    while from < end {
        let to = (from / SECTOR_BYTES + 1) * SECTOR_BYTES;
        if bytes[from..to.min(end)].iter().all(|byte| *byte == 0) {
            return true;
        }
        from = to;
    }
    false
}
