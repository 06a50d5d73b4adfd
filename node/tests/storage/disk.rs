//! A disk in memory that knows what a power loss would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rashomon_node::storage::Disk;
use rashomon_node::storage::disk::SegmentNumber;

pub(crate) type Files = BTreeMap<SegmentNumber, Vec<u8>>;

/// A disk in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk {
    /// As they are read, through the cache.
    pub(crate) files: Files,
    /// What a power loss leaves.
    pub(crate) durable: Files,
    /// Writes that the next sync of their segment makes durable.
    dirty: Vec<(SegmentNumber, usize, Vec<u8>)>,
    /// Segments whose names a power loss takes.
    pub(crate) unnamed: BTreeSet<SegmentNumber>,
}

impl Disk for MemoryDisk {
    fn segments(&mut self) -> io::Result<Vec<SegmentNumber>> {
        Ok(self.files.keys().copied().collect())
    }

    fn read(&mut self, segment: SegmentNumber) -> io::Result<Vec<u8>> {
        Ok(self.files[&segment].clone())
    }

    fn create(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
        let mut bytes = head.to_vec();
        bytes.resize(size, 0);
        self.durable.insert(segment, bytes.clone());
        self.files.insert(segment, bytes);
        Ok(())
    }

    fn create_unnamed(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
        self.unnamed.insert(segment);
        self.create(segment, size, head)
    }

    fn expect_create(&mut self, _: usize) {}

    fn write(&mut self, segment: SegmentNumber, offset: usize, bytes: &[u8]) -> io::Result<()> {
        put(&mut self.files, segment, offset, bytes);
        self.dirty.push((segment, offset, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self, segment: SegmentNumber) -> io::Result<()> {
        for (_, offset, bytes) in self.dirty.extract_if(.., |(dirty, ..)| *dirty == segment) {
            put(&mut self.durable, segment, offset, &bytes);
        }
        Ok(())
    }

    fn remove(&mut self, segment: SegmentNumber) -> io::Result<()> {
        self.dirty.retain(|(dirty, ..)| *dirty != segment);
        self.durable.remove(&segment);
        self.files.remove(&segment);
        Ok(())
    }

    fn name(&self, segment: SegmentNumber) -> String {
        format!("segment {segment}")
    }
}

fn put(files: &mut Files, segment: SegmentNumber, offset: usize, bytes: &[u8]) {
    files.get_mut(&segment).unwrap()[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl MemoryDisk {
    /// All of these files are on the disk.
    pub(crate) fn holding(files: &Files) -> Self {
        Self { files: files.clone(), durable: files.clone(), ..Self::default() }
    }
}
