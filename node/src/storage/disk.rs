//! What the log asks of a disk, and the real one: a directory of files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rustix::fs::FlockOperation;

/// Numbers segments from 1, without gaps.
pub type SegmentNumber = u64;

/// A disk that holds segments. The assumptions made of it are numbered in [`crate::storage`].
pub trait Disk {
    /// The segments there are, ascending.
    fn segments(&mut self) -> io::Result<Vec<SegmentNumber>>;

    /// A segment's content.
    fn read(&mut self, segment: SegmentNumber) -> io::Result<Vec<u8>>;

    /// Makes a segment of `size` bytes that starts with `head` and is zeros from there on. When this returns, it is
    /// durable under its name; after a crash on the way, it is there as a whole or not at all.
    fn create(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()>;

    /// As [`Disk::create`], but the name may be lost in a crash: what defect G07 asks for. A disk whose names are durable by
    /// themselves does the same for both.
    fn create_unnamed(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
        self.create(segment, size, head)
    }

    /// Hints that a segment of `size` bytes will be created before long.
    fn expect_create(&mut self, size: usize);

    /// Writes into a segment.
    fn write(&mut self, segment: SegmentNumber, offset: usize, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written to a segment durable.
    fn sync(&mut self, segment: SegmentNumber) -> io::Result<()>;

    /// Removes a segment. Not durable by itself: after a crash it may be there again.
    fn remove(&mut self, segment: SegmentNumber) -> io::Result<()>;

    /// How to call a segment in a message to people.
    fn name(&self, segment: SegmentNumber) -> String;
}

/// A directory with a file per segment, held by one process at a time.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    /// The directory itself: its lock, and what to sync after a rename.
    handle: File,
    open: Option<(SegmentNumber, File)>,
    /// Zeros on the way for the next segment.
    spare: Option<(usize, JoinHandle<io::Result<()>>)>,
}

const SPARE: &str = "spare.tmp";
const SUFFIX: &str = ".wal";

impl FileDisk {
    /// Opens the directory, which is created if it is missing, and locks it.
    ///
    /// # Errors
    /// Also when another process holds it.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let in_directory =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", directory.display()));
        fs::create_dir_all(directory).map_err(in_directory)?;
        let handle = File::open(directory).map_err(in_directory)?;
        rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            let held =
                format!("{}: another process holds this data directory ({error})", directory.display());
            io::Error::new(io::ErrorKind::WouldBlock, held)
        })?;
        if let Some(parent) = directory.canonicalize().map_err(in_directory)?.parent() {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(in_directory)?;
        }
        match fs::remove_file(directory.join(SPARE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_directory(error)),
            _ => {}
        }
        // A process that died after renaming a segment may not have come to making its name durable.
        handle.sync_all().map_err(in_directory)?;
        Ok(Self { directory: directory.to_owned(), handle, open: None, spare: None })
    }

    fn path(&self, segment: SegmentNumber) -> PathBuf {
        self.directory.join(format!("{segment:08}{SUFFIX}"))
    }

    fn file(&mut self, segment: SegmentNumber) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != segment) {
            let file = OpenOptions::new().read(true).write(true).open(self.path(segment))?;
            self.open = Some((segment, file));
        }
        Ok(&self.open.as_ref().expect("just opened").1)
    }
}

impl Disk for FileDisk {
    fn segments(&mut self) -> io::Result<Vec<SegmentNumber>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            let Some(number) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
            let number = number.parse().map_err(|_| {
                let text = format!("{}: not the name of a segment", self.directory.join(&name).display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            segments.push(number);
        }
        segments.sort_unstable();
        Ok(segments)
    }

    fn read(&mut self, segment: SegmentNumber) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(segment))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
        self.create_unnamed(segment, size, head)?;
        self.handle.sync_all()
    }

    fn create_unnamed(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
        let spare = self.directory.join(SPARE);
        let is_ready = match self.spare.take() {
            Some((spare_size, zeros)) => {
                zeros.join().map_err(|_| io::Error::other("the thread that writes zeros panicked"))??;
                spare_size == size
            }
            None => false,
        };
        if !is_ready {
            write_zeros(&spare, size)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(&spare)?;
        file.write_all_at(head, 0)?;
        file.sync_all()?;
        fs::rename(&spare, self.path(segment))?;
        self.open = Some((segment, file));
        Ok(())
    }

    fn expect_create(&mut self, size: usize) {
        if self.spare.is_none() {
            let path = self.directory.join(SPARE);
            self.spare = Some((size, std::thread::spawn(move || write_zeros(&path, size))));
        }
    }

    fn write(&mut self, segment: SegmentNumber, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.file(segment)?.write_all_at(bytes, offset as u64)
    }

    fn sync(&mut self, segment: SegmentNumber) -> io::Result<()> {
        self.file(segment)?.sync_data()
    }

    fn remove(&mut self, segment: SegmentNumber) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(open, _)| *open == segment) {
            self.open = None;
        }
        fs::remove_file(self.path(segment))
    }

    fn name(&self, segment: SegmentNumber) -> String {
        self.path(segment).display().to_string()
    }
}

/// Real zeros, not a hole: their blocks are allocated and need no metadata when they are overwritten.
fn write_zeros(path: &Path, size: usize) -> io::Result<()> {
    const CHUNK_BYTES: usize = 256 << 10;
    let mut file = File::create(path)?;
    let zeros = vec![0; CHUNK_BYTES.min(size)];
    let mut left = size;
    while left > 0 {
        let chunk = left.min(zeros.len());
        file.write_all(&zeros[..chunk])?;
        left -= chunk;
    }
    file.sync_all()
}
