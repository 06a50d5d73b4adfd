//! A frame: the unit that is written at once and survives a crash whole or not at all. Pure encoding and decoding.
//!
//! ```text
//! offset  bytes
//!      0      4  magic
//!      4      4  length of the body
//!      8      8  sequence number, from 1, without gaps over all segments
//!     16      4  CRC-32C of the body
//!     20      4  CRC-32C of the 20 bytes before
//!     24      n  body: a kind (1 byte), then what the kind says
//!             p  padding, so that the frame ends at a multiple of 8
//!             4  end mark
//! ```
//! Numbers are little-endian. No byte of padding and end mark is zero: see [`crate::storage`] on torn frames.

/// Frames start at multiples of this.
pub const ALIGNMENT: usize = 8;
/// Bytes before the body.
pub const HEADER_BYTES: usize = 24;
/// Longest body; a longer length is damage, not a frame.
pub const BODY_BYTES_MAX: usize = 256 << 20;

const MAGIC: u32 = u32::from_le_bytes(*b"RshW");
const END_MARK: [u8; 4] = *b"EndF";
const PADDING: u8 = b'.';

/// An intact frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number.
    pub sequence: u64,
    /// Its body.
    pub body: &'a [u8],
    /// Its size, all in all.
    pub bytes: usize,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The header is damaged or missing.
    Header,
    /// The header is intact and announces a frame of this size, but the rest does not fit it.
    Body {
        /// Size of the frame announced.
        bytes: usize,
    },
}

/// Size of a frame with a body of this length.
pub fn frame_bytes(body_bytes: usize) -> usize {
    (HEADER_BYTES + body_bytes + END_MARK.len()).next_multiple_of(ALIGNMENT)
}

/// Encodes a frame with a body put together from `parts`.
///
/// # Panics
/// When the body is longer than [`BODY_BYTES_MAX`].
pub fn encode(sequence: u64, parts: &[&[u8]]) -> Vec<u8> {
    let body_bytes: usize = parts.iter().map(|part| part.len()).sum();
    assert!(body_bytes <= BODY_BYTES_MAX, "a batch is bounded by what one step of a core can produce");
    let body_crc = parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
    let mut frame = Vec::with_capacity(frame_bytes(body_bytes));
    frame.extend_from_slice(&MAGIC.to_le_bytes());
    frame.extend_from_slice(&u32::try_from(body_bytes).expect("asserted above").to_le_bytes());
    frame.extend_from_slice(&sequence.to_le_bytes());
    frame.extend_from_slice(&body_crc.to_le_bytes());
    let header_crc = crc32c::crc32c(&frame);
    frame.extend_from_slice(&header_crc.to_le_bytes());
    for part in parts {
        frame.extend_from_slice(part);
    }
    frame.resize(frame_bytes(body_bytes) - END_MARK.len(), PADDING);
    frame.extend_from_slice(&END_MARK);
    frame
}

/// Decodes the frame that `bytes` starts with.
///
/// # Errors
/// Says how far it is intact.
pub fn decode(bytes: &[u8]) -> Result<Frame<'_>, Broken> {
    let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Broken::Header)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let body_bytes = word(4) as usize;
    if word(0) != MAGIC || word(20) != crc32c::crc32c(&header[..20]) || body_bytes > BODY_BYTES_MAX {
        return Err(Broken::Header);
    }
    let size = frame_bytes(body_bytes);
    let broken = Broken::Body { bytes: size };
    let rest = bytes.get(HEADER_BYTES..size).ok_or(broken)?;
    let (body, end) = rest.split_at(body_bytes);
    let (padding, end_mark) = end.split_at(end.len() - END_MARK.len());
    if end_mark != END_MARK || padding.iter().any(|byte| *byte != PADDING) || crc32c::crc32c(body) != word(16)
    {
        return Err(broken);
    }
    let sequence = u64::from(word(8)) | u64::from(word(12)) << 32;
    Ok(Frame { sequence, body, bytes: size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        for body_bytes in 0..40 {
            let body: Vec<u8> = (0..body_bytes).collect();
            let (head, tail) = body.split_at(body.len() / 3);
            let bytes = encode(7, &[head, tail]);
            assert_eq!(bytes.len() % ALIGNMENT, 0);
            let frame = decode(&bytes).unwrap();
            assert_eq!(frame, Frame { sequence: 7, body: &body, bytes: bytes.len() });
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let bytes = encode(3, &[b"some body"]);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_end_of_a_frame_has_no_zero_byte() {
        for body_bytes in 0..16 {
            let bytes = encode(1, &[&vec![0; body_bytes]]);
            assert!(bytes[HEADER_BYTES + body_bytes..].iter().all(|byte| *byte != 0));
        }
    }
}
