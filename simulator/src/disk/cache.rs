//! The kernel's page cache of a simulated disk: what was written and is not on the platter yet.
//!
//! A sync that fails leaves its pages *clean* without having written them: they read as new, no later sync writes them,
//! and a power loss or an eviction takes them; or they read as old at once (Rebello et al., "Can Applications Recover
//! from fsync Failures?", ATC 2020: ext4 and XFS do the one, Btrfs the other). Who writes to such a page again makes all of
//! it dirty.

use rand::RngExt as _;
use rashomon_nemesis::random::Stream;
use rashomon_node::storage::disk::SegmentNumber;

/// What the kernel caches, marks and forgets as a whole, in bytes.
const PAGE_BYTES: usize = 4096;

/// Bytes written to a segment.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) segment: SegmentNumber,
    pub(super) offset: usize,
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Cached {
    write: Write,
    /// Whether a sync writes it. What is not dirty lies within one page.
    dirty: bool,
}

/// Writes in order; later ones lie over earlier ones.
#[derive(Debug, Default)]
pub(super) struct Cache {
    writes: Vec<Cached>,
}

impl Write {
    fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }

    /// The parts that lie in blocks of this size.
    pub(super) fn parts(&self, block_bytes: usize) -> impl Iterator<Item = Write> {
        let mut from = self.offset;
        std::iter::from_fn(move || {
            let to = ((from / block_bytes + 1) * block_bytes).min(self.end());
            let bytes = self.bytes[from - self.offset..to - self.offset].to_vec();
            let part = Write { segment: self.segment, offset: from, bytes };
            from = to;
            (!part.bytes.is_empty()).then_some(part)
        })
    }

    fn page(&self) -> usize {
        self.offset / PAGE_BYTES
    }

    fn touches(&self, page: usize) -> bool {
        self.page() <= page && page * PAGE_BYTES < self.end()
    }
}

impl Cache {
    /// Something was written; a page that it touches is dirty from now on, all of it.
    pub(super) fn write(&mut self, write: Write) {
        for cached in self.writes.iter_mut().filter(|cached| !cached.dirty) {
            cached.dirty = cached.write.segment == write.segment && write.touches(cached.write.page());
        }
        self.writes.push(Cached { write, dirty: true });
    }

    /// A sync of this segment succeeds: what it writes, in order.
    pub(super) fn sync(&mut self, segment: SegmentNumber) -> Vec<Write> {
        let synced = self.writes.extract_if(.., |cached| cached.dirty && cached.write.segment == segment);
        synced.map(|cached| cached.write).collect()
    }

    /// A sync of this segment fails: of its pages some are written all the same, and given back; some stay as they read,
    /// clean; some read as they were before.
    pub(super) fn sync_fails(&mut self, segment: SegmentNumber, rng: &mut Stream) -> Vec<Write> {
        let dirty = self.sync(segment);
        let pieces: Vec<Write> = dirty.iter().flat_map(|write| write.parts(PAGE_BYTES)).collect();
        let mut pages: Vec<usize> = pieces.iter().map(Write::page).collect();
        pages.sort_unstable();
        pages.dedup();
        let mut written = Vec::new();
        for page in pages {
            let of_page = pieces.iter().filter(|piece| piece.page() == page).cloned();
            match rng.random_range(0..4) {
                0 => written.extend(of_page),
                1 => {}
                _ => self.writes.extend(of_page.map(|write| Cached { write, dirty: false })),
            }
        }
        written
    }

    /// Some clean pages are evicted: they read as they were before. Any moment will do; who reads finds out at the next
    /// start only.
    pub(super) fn evict(&mut self, rng: &mut Stream) {
        let mut pages: Vec<(SegmentNumber, usize)> = self.clean().collect();
        pages.sort_unstable();
        pages.dedup();
        for (segment, page) in pages {
            if rng.random_ratio(1, 4) {
                self.writes.retain(|cached| cached.dirty || !cached.is_of(segment, page));
            }
        }
    }

    fn clean(&self) -> impl Iterator<Item = (SegmentNumber, usize)> {
        let clean = self.writes.iter().filter(|cached| !cached.dirty);
        clean.map(|cached| (cached.write.segment, cached.write.page()))
    }

    /// The power is gone: what could still have been written, in order, and the bytes that no one was going to write.
    pub(super) fn lose(&mut self) -> (Vec<Write>, u64) {
        let (dirty, clean): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.writes).into_iter().partition(|cached| cached.dirty);
        let lost_bytes = clean.iter().map(|cached| cached.write.bytes.len() as u64).sum();
        (dirty.into_iter().map(|cached| cached.write).collect(), lost_bytes)
    }

    /// A segment is gone; how many bytes of it were here.
    pub(super) fn forget(&mut self, segment: SegmentNumber) -> u64 {
        let gone = self.writes.extract_if(.., |cached| cached.write.segment == segment);
        gone.map(|cached| cached.write.bytes.len() as u64).sum()
    }

    /// How many bytes wait for a sync.
    pub(super) fn dirty_bytes(&self) -> u64 {
        self.writes.iter().filter(|cached| cached.dirty).map(|cached| cached.write.bytes.len() as u64).sum()
    }

    /// Lays what was written to a segment over what its platter holds.
    pub(super) fn overlay(&self, segment: SegmentNumber, bytes: &mut [u8]) {
        for Cached { write, .. } in self.writes.iter().filter(|cached| cached.write.segment == segment) {
            bytes[write.offset..write.end()].copy_from_slice(&write.bytes);
        }
    }
}

impl Cached {
    fn is_of(&self, segment: SegmentNumber, page: usize) -> bool {
        self.write.segment == segment && self.write.page() == page
    }
}

#[cfg(test)]
mod tests {
    use rashomon_nemesis::random::stream;

    use super::*;

    fn write(offset: usize, byte: u8) -> Write {
        Write { segment: 1, offset, bytes: vec![byte; 100] }
    }

    fn read(cache: &Cache, at: usize) -> u8 {
        let mut bytes = vec![0; 3 * PAGE_BYTES];
        cache.overlay(1, &mut bytes);
        bytes[at]
    }

    #[test]
    fn parts_are_those_of_the_blocks_that_a_write_touches() {
        let write = Write { segment: 1, offset: 500, bytes: (0..50).collect() };
        let parts: Vec<(usize, Vec<u8>)> = write.parts(512).map(|part| (part.offset, part.bytes)).collect();
        assert_eq!(parts, [(500, (0..12).collect()), (512, (12..50).collect())]);
    }

    #[test]
    fn after_a_failed_sync_a_page_is_written_or_reads_new_or_reads_old_and_a_second_sync_writes_none() {
        let mut seen = [0, 0, 0];
        for seed in 0..100 {
            let (mut cache, mut rng) = (Cache::default(), stream(seed, "disk", 0));
            cache.write(write(10, 7));
            let written = cache.sync_fails(1, &mut rng);
            let reads_new = read(&cache, 10) == 7;
            seen[match (written.len(), reads_new) {
                (1, false) => 0,
                (0, true) => 1,
                (0, false) => 2,
                other => panic!("{other:?}"),
            }] += 1;
            assert!(cache.sync(1).is_empty(), "a second sync has nothing to write");
            let (dirty, lost_bytes) = cache.lose();
            assert_eq!((dirty.len(), lost_bytes), (0, if reads_new { 100 } else { 0 }));
        }
        assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
    }

    #[test]
    fn who_writes_to_a_clean_page_makes_all_of_it_dirty() {
        let (mut cache, mut rng) = (Cache::default(), stream(1, "disk", 0));
        while cache.clean().count() < 2 {
            cache = Cache::default();
            cache.write(write(10, 7));
            cache.write(write(PAGE_BYTES + 10, 8));
            cache.sync_fails(1, &mut rng);
        }
        cache.write(write(300, 9));
        let synced: Vec<u8> = cache.sync(1).iter().map(|write| write.bytes[0]).collect();
        assert_eq!(synced, [7, 9], "the other page stays clean");
        assert_eq!(read(&cache, PAGE_BYTES + 10), 8);
    }

    #[test]
    fn an_evicted_page_reads_as_before() {
        let (mut cache, mut rng) = (Cache::default(), stream(2, "disk", 0));
        while cache.clean().count() == 0 {
            cache.write(write(10, 7));
            cache.sync_fails(1, &mut rng);
        }
        assert_eq!(read(&cache, 10), 7);
        (0..50).for_each(|_| cache.evict(&mut rng));
        assert_eq!(read(&cache, 10), 0);
    }
}
