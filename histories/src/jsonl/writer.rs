//! Writes a file, whole lines only.
//!
//! A line is made in memory first, so a line that cannot be said or is too long leaves no half of itself behind;
//! a full disk may, and the reader knows that as a torn tail. Next: the reader beside it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::LINE_BYTES_MAX;
use crate::event::{Event, Header};
use crate::recorder::Sink;

/// Writes lines into `W`. What is still buffered when it is dropped is written then, without a word about
/// failure: end with [`Writer::finish`] or flush.
#[derive(Debug)]
pub struct Writer<W: Write> {
    output: BufWriter<W>,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Plain lines into `output`.
    pub fn new(output: W) -> Self {
        Writer { output: BufWriter::with_capacity(1 << 16, output), line: Vec::with_capacity(256) }
    }

    fn line(&mut self, data: &impl serde::Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, data).map_err(io::Error::from)?;
        if self.line.len() as u64 > LINE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("an event of {} bytes; a line has at most {LINE_BYTES_MAX}", self.line.len()),
            ));
        }
        self.line.push(b'\n');
        self.output.write_all(&self.line)
    }

    /// Writes out what is buffered and gives back the output.
    ///
    /// # Errors
    /// The output's own trouble.
    pub fn finish(self) -> io::Result<W> {
        self.output.into_inner().map_err(std::io::IntoInnerError::into_error)
    }
}

impl<W: Write> Sink for Writer<W> {
    fn header(&mut self, header: &Header) -> io::Result<()> {
        self.line(header)
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.line(event)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Writes a file of lines: zstd at level 1 when its name ends in `.zst`.
///
/// Flushing ends a block of compressed data, so that what was flushed can be read while the file grows, and
/// after its writer was killed.
#[derive(Debug)]
pub struct FileWriter(Output);

#[derive(Debug)]
enum Output {
    Plain(Writer<File>),
    Zstd(Box<Writer<Encoder>>),
}

struct Encoder(zstd::Encoder<'static, File>);

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl FileWriter {
    /// Makes the file, or empties it if there is one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        if path.extension().is_some_and(|extension| extension == "zst") {
            let mut encoder = zstd::Encoder::new(file, 1)?;
            encoder.include_checksum(true)?;
            Ok(FileWriter(Output::Zstd(Box::new(Writer::new(Encoder(encoder))))))
        } else {
            Ok(FileWriter(Output::Plain(Writer::new(file))))
        }
    }

    /// Writes out what is buffered, ends the compressed data, and waits until the disk has it all.
    ///
    /// # Errors
    /// The disk's own trouble; the file may then have a torn tail.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Output::Plain(writer) => sync(&writer.finish()?),
            Output::Zstd(writer) => sync(&writer.finish()?.0.finish()?),
        }
    }
}

/// What has no disk under it, such as a pipe, is as safe as it can be.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

impl Sink for FileWriter {
    fn header(&mut self, header: &Header) -> io::Result<()> {
        match &mut self.0 {
            Output::Plain(writer) => writer.header(header),
            Output::Zstd(writer) => writer.header(header),
        }
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &mut self.0 {
            Output::Plain(writer) => writer.event(event),
            Output::Zstd(writer) => writer.event(event),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Output::Plain(writer) => writer.flush(),
            Output::Zstd(writer) => writer.flush(),
        }
    }
}

/// Writes a whole history to a file, as [`FileWriter`] does.
///
/// # Errors
/// When the file cannot be made or written.
pub fn write_file<'a>(
    path: &Path,
    header: &Header,
    events: impl IntoIterator<Item = &'a Event>,
) -> io::Result<()> {
    let mut writer = FileWriter::create(path)?;
    writer.header(header)?;
    for event in events {
        writer.event(event)?;
    }
    writer.finish()
}
