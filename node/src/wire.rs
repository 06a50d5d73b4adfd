//! How values travel over a TCP stream: length-prefixed postcard frames.
//!
//! A frame is a 4-byte little-endian length and as many bytes. The codec refuses frames above [`FRAME_BYTES_MAX`]
//! before it allocates anything for them, so that a stranger on the port costs nothing but his own connection.

use std::fmt;
use std::io;
use std::marker::PhantomData;

use bytes::{Buf, BufMut, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, Encoder, Framed};

/// Largest frame accepted or sent, in bytes.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

const LENGTH_BYTES: usize = 4;

/// Encodes `Out`, decodes `In`.
pub struct Postcard<In, Out> {
    direction: PhantomData<fn(Out) -> In>,
}

/// A TCP stream that carries `In` one way and `Out` the other.
pub type Transport<In, Out> = Framed<TcpStream, Postcard<In, Out>>;

/// Wraps a connected stream; small frames leave at once (no Nagle).
pub fn transport<In: DeserializeOwned, Out: Serialize>(stream: TcpStream) -> io::Result<Transport<In, Out>> {
    stream.set_nodelay(true)?;
    Ok(Framed::new(stream, Postcard { direction: PhantomData }))
}

impl<In, Out: Serialize> Encoder<Out> for Postcard<In, Out> {
    type Error = io::Error;

    fn encode(&mut self, item: Out, buffer: &mut BytesMut) -> io::Result<()> {
        let start = buffer.len();
        buffer.put_u32_le(0);
        postcard::to_io(&item, buffer.writer()).map_err(io::Error::other)?;
        let length = buffer.len() - start - LENGTH_BYTES;
        if length > FRAME_BYTES_MAX {
            buffer.truncate(start);
            return Err(too_long(length));
        }
        let length = u32::try_from(length).expect("FRAME_BYTES_MAX fits u32");
        buffer[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }
}

impl<In: DeserializeOwned, Out> Decoder for Postcard<In, Out> {
    type Item = In;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<In>> {
        let Some(prefix) = buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(too_long(length));
        }
        if buffer.len() < LENGTH_BYTES + length {
            buffer.reserve(LENGTH_BYTES + length - buffer.len());
            return Ok(None);
        }
        buffer.advance(LENGTH_BYTES);
        let frame = buffer.split_to(length);
        let item = postcard::from_bytes(&frame).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("not a frame of this service: {error}"))
        })?;
        Ok(Some(item))
    }
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a frame of {length} bytes exceeds the limit of {FRAME_BYTES_MAX}"),
    )
}

/// Bytes that postcard copies as one piece instead of one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl serde::de::Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

/// Shared bytes that postcard copies as one piece: for `#[serde(with = "shared_bytes")]`.
pub mod shared_bytes {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Blob;

    /// Writes them.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// Reads them.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        Blob::deserialize(deserializer).map(|blob| blob.0.into())
    }
}
