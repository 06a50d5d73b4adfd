//! A disk that forgets as real ones do: what no sync covered is lost or torn at power loss, a sync may fail, bits rot.
//!
//! Three places hold data. The *platter* survives everything; the *cache* (the kernel's) survives the death of a process
//! but not of the machine; operations *in flight* were handed over by the log's writer, which waits for them: a crash on
//! the way leaves any prefix of them done. The log's own assumptions ([`rashomon_node::storage`], numbered) are what is
//! kept here, and no more than that.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;

use rand::RngExt as _;
use rashomon_nemesis::random::Stream;
use rashomon_node::storage::Disk;
use rashomon_node::storage::disk::SegmentNumber;

/// What a disk writes as a whole, in bytes (assumption 3).
pub const SECTOR_BYTES: usize = 512;

/// A node's disk; clones are the same disk, so that it outlives the process that writes to it.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    inner: Rc<RefCell<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What survives a power loss.
    platter: BTreeMap<SegmentNumber, Segment>,
    /// Segments removed since the directory was synced last: a power loss may bring them back.
    removed: Vec<(SegmentNumber, Segment)>,
    /// Written and not synced, in order.
    cache: Vec<Write>,
    in_flight: VecDeque<Step>,
    /// The next sync fails.
    fails_next: bool,
    /// Where the last write went: what is damaged from there on looks torn.
    tail: (SegmentNumber, usize),
}

/// Bytes beyond those held are zeros.
#[derive(Clone, Debug, Default)]
struct Segment {
    size: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Write {
    segment: SegmentNumber,
    offset: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Step {
    Create { segment: SegmentNumber, size: usize, head: Vec<u8> },
    Write(Write),
    Sync(SegmentNumber),
    Remove(SegmentNumber),
}

/// What a crash did to a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes that were written and are gone.
    pub lost_bytes: u64,
    /// Writes of which some sectors are new and some old.
    pub torn_count: u64,
}

impl SimDisk {
    /// What is in flight is done: syncs have taken effect.
    pub fn complete(&self) {
        let mut inner = self.inner.borrow_mut();
        while let Some(step) = inner.in_flight.pop_front() {
            inner.carry_out(step);
        }
    }

    /// How many barriers are in flight: what a writer waits for.
    pub fn barriers_in_flight(&self) -> usize {
        let inner = self.inner.borrow();
        inner.in_flight.iter().filter(|step| matches!(step, Step::Create { .. } | Step::Sync(_))).count()
    }

    /// The process dies: of what is in flight a prefix is done, the last write perhaps in part; the cache lives on.
    pub fn process_died(&self, rng: &mut Stream) {
        self.inner.borrow_mut().interrupt(rng);
    }

    /// The machine loses power: as when the process dies, and of the cache any subset of sectors was written.
    pub fn power_lost(&self, rng: &mut Stream) -> Damage {
        let mut inner = self.inner.borrow_mut();
        inner.interrupt(rng);
        let mut damage = Damage::default();
        for write in std::mem::take(&mut inner.cache) {
            let (mut kept, mut lost) = (0, 0);
            let keeps_all = rng.random_ratio(1, 4);
            let mut from = 0;
            while from < write.bytes.len() {
                let to = ((write.offset + from) / SECTOR_BYTES + 1) * SECTOR_BYTES - write.offset;
                let to = to.min(write.bytes.len());
                if keeps_all || rng.random_bool(0.5) {
                    inner.put(write.segment, write.offset + from, &write.bytes[from..to]);
                    kept += 1;
                } else {
                    damage.lost_bytes += (to - from) as u64;
                    lost += 1;
                }
                from = to;
            }
            damage.torn_count += u64::from(kept > 0 && lost > 0);
        }
        for (segment, content) in std::mem::take(&mut inner.removed) {
            if rng.random_bool(0.5) {
                inner.platter.entry(segment).or_insert(content);
            }
        }
        damage
    }

    /// The next sync fails, and what it was to write may be gone (assumption 2).
    pub fn fail_next_sync(&self) {
        self.inner.borrow_mut().fails_next = true;
    }

    /// The next sync will not fail.
    pub fn mend(&self) {
        self.inner.borrow_mut().fails_next = false;
    }

    /// The sync that was asked for has failed: what it was to write is in the cache, or marked clean and gone.
    pub fn sync_failed(&self, rng: &mut Stream) {
        let mut inner = self.inner.borrow_mut();
        inner.interrupt(rng);
        inner.cache.retain(|_| rng.random_bool(0.5));
    }

    /// Everything is gone.
    pub fn wipe(&self) {
        *self.inner.borrow_mut() = Inner::default();
    }

    /// Flips a bit somewhere in what has been written; false if nothing has.
    pub fn flip_bit(&self, rng: &mut Stream) -> bool {
        let mut inner = self.inner.borrow_mut();
        let total: usize = inner.platter.values().map(|segment| segment.bytes.len()).sum();
        if total == 0 {
            return false;
        }
        let mut position = rng.random_range(0..total);
        for segment in inner.platter.values_mut() {
            if position < segment.bytes.len() {
                segment.bytes[position] ^= 1 << rng.random_range(0..8);
                return true;
            }
            position -= segment.bytes.len();
        }
        false
    }

    /// A sector's content lands where another one belongs (misdirected), or stays as it was before it was written
    /// (lost: zeros); false if there is none. The last write is spared: its loss cannot be told from one that never was.
    pub fn misplace_sector(&self, rng: &mut Stream) -> bool {
        let mut inner = self.inner.borrow_mut();
        let count = inner.platter.len();
        if count == 0 {
            return false;
        }
        let tail = inner.tail;
        let (number, segment) =
            inner.platter.iter_mut().nth(rng.random_range(0..count)).expect("counted just now");
        let settled = if *number == tail.0 { tail.1 } else { segment.bytes.len() };
        let sectors = settled / SECTOR_BYTES;
        if sectors == 0 {
            return false;
        }
        let to = rng.random_range(0..sectors) * SECTOR_BYTES;
        if rng.random_bool(0.5) {
            segment.bytes[to..to + SECTOR_BYTES].fill(0);
        } else {
            let from = rng.random_range(0..sectors) * SECTOR_BYTES;
            segment.bytes.copy_within(from..from + SECTOR_BYTES, to);
        }
        true
    }
}

impl Inner {
    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Create { segment, size, head } => {
                // The directory is synced with it, and so are the removals before it.
                self.removed.clear();
                self.platter.insert(segment, Segment { size, bytes: head });
            }
            Step::Write(write) => self.cache.push(write),
            Step::Sync(segment) => {
                for write in std::mem::take(&mut self.cache) {
                    if write.segment == segment {
                        self.put(write.segment, write.offset, &write.bytes);
                    } else {
                        self.cache.push(write);
                    }
                }
            }
            Step::Remove(segment) => {
                self.cache.retain(|write| write.segment != segment);
                if let Some(content) = self.platter.remove(&segment) {
                    self.removed.push((segment, content));
                }
            }
        }
    }

    /// A prefix of what is in flight takes effect, and a prefix of the bytes of the write at its end.
    fn interrupt(&mut self, rng: &mut Stream) {
        let mut in_flight = std::mem::take(&mut self.in_flight);
        let done = rng.random_range(0..=in_flight.len());
        for step in in_flight.drain(..done) {
            self.carry_out(step);
        }
        if let Some(Step::Write(mut write)) = in_flight.pop_front() {
            write.bytes.truncate(rng.random_range(0..=write.bytes.len()));
            self.cache.push(write);
        }
    }

    fn put(&mut self, segment: SegmentNumber, offset: usize, bytes: &[u8]) {
        self.tail = (segment, offset);
        let Some(segment) = self.platter.get_mut(&segment) else { return };
        let end = offset + bytes.len();
        if segment.bytes.len() < end {
            segment.bytes.resize(end, 0);
        }
        segment.bytes[offset..end].copy_from_slice(bytes);
    }
}

impl Disk for SimDisk {
    fn segments(&mut self) -> io::Result<Vec<SegmentNumber>> {
        let inner = self.inner.borrow();
        let mut segments: Vec<SegmentNumber> = inner.platter.keys().copied().collect();
        for step in &inner.in_flight {
            match step {
                Step::Create { segment, .. } => segments.push(*segment),
                Step::Remove(gone) => segments.retain(|segment| segment != gone),
                Step::Write(_) | Step::Sync(_) => {}
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// As the kernel shows it: the cache over the platter.
    fn read(&mut self, segment: SegmentNumber) -> io::Result<Vec<u8>> {
        let inner = self.inner.borrow();
        let found = inner.platter.get(&segment);
        let found = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such segment"))?;
        let mut bytes = found.bytes.clone();
        bytes.resize(found.size.max(bytes.len()), 0);
        for write in inner.cache.iter().filter(|write| write.segment == segment) {
            bytes[write.offset..write.offset + write.bytes.len()].copy_from_slice(&write.bytes);
        }
        Ok(bytes)
    }

    fn create(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
        let create = Step::Create { segment, size, head: head.to_vec() };
        self.inner.borrow_mut().in_flight.push_back(create);
        Ok(())
    }

    fn expect_create(&mut self, _size: usize) {}

    fn write(&mut self, segment: SegmentNumber, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let write = Write { segment, offset, bytes: bytes.to_vec() };
        self.inner.borrow_mut().in_flight.push_back(Step::Write(write));
        Ok(())
    }

    fn sync(&mut self, segment: SegmentNumber) -> io::Result<()> {
        let mut inner = self.inner.borrow_mut();
        if std::mem::take(&mut inner.fails_next) {
            return Err(io::Error::other("input/output error"));
        }
        inner.in_flight.push_back(Step::Sync(segment));
        Ok(())
    }

    fn remove(&mut self, segment: SegmentNumber) -> io::Result<()> {
        self.inner.borrow_mut().in_flight.push_back(Step::Remove(segment));
        Ok(())
    }

    fn name(&self, segment: SegmentNumber) -> String {
        format!("segment {segment}")
    }
}

#[cfg(test)]
mod tests {
    use rashomon_nemesis::random::stream;
    use rashomon_node::api::NodeId;
    use rashomon_node::storage::wal::encode_batch;
    use rashomon_node::storage::{Recovered, StorageError, Wal};

    use super::*;

    const SMALL_SEGMENT_BYTES: usize = 2048;

    fn open(disk: &SimDisk) -> Result<(Wal<SimDisk>, Recovered<u64>), StorageError> {
        let opened = Wal::open(disk.clone(), NodeId(1), SMALL_SEGMENT_BYTES);
        disk.complete();
        opened
    }

    fn append(wal: &mut Wal<SimDisk>, record: u64) {
        wal.append(&[encode_batch(&[record; 20])]).unwrap();
    }

    fn records(disk: &SimDisk) -> Vec<u64> {
        let mut records = open(disk).unwrap().1.records;
        records.dedup();
        records
    }

    #[test]
    fn what_was_synced_survives_every_crash_and_what_was_not_is_whole_or_gone() {
        let (mut gone, mut kept) = (0, 0);
        for seed in 0..300 {
            let (disk, mut rng) = (SimDisk::default(), stream(seed, "disk", 0));
            let mut wal = open(&disk).unwrap().0;
            (1..=20).for_each(|record| {
                append(&mut wal, record);
                disk.complete();
            });
            append(&mut wal, 21);
            if seed % 2 == 0 {
                disk.power_lost(&mut rng);
            } else {
                disk.process_died(&mut rng);
            }
            let found = records(&disk);
            assert!(
                found == (1..=20).collect::<Vec<_>>() || found == (1..=21).collect::<Vec<_>>(),
                "{found:?}"
            );
            *if found.len() == 20 { &mut gone } else { &mut kept } += 1;
        }
        assert!(gone > 30 && kept > 30, "{gone} gone, {kept} kept");
    }

    #[test]
    fn a_log_without_syncs_survives_the_process_and_not_the_power() {
        let disk = SimDisk::default();
        let mut wal = open(&disk).unwrap().0;
        wal.stop_syncing();
        for record in 1..=5 {
            append(&mut wal, record);
            disk.complete();
        }
        disk.process_died(&mut stream(1, "disk", 0));
        assert_eq!(records(&disk), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn power_loss_takes_what_no_sync_covered() {
        let lost = (0..50).filter(|seed| {
            let disk = SimDisk::default();
            let mut wal = open(&disk).unwrap().0;
            wal.stop_syncing();
            append(&mut wal, 1);
            disk.complete();
            disk.power_lost(&mut stream(*seed, "disk", 0));
            open(&disk).map_or(true, |(_, recovered)| recovered.records.is_empty())
        });
        assert!(lost.count() > 10);
    }

    #[test]
    fn a_log_is_replaced_as_a_whole_or_not_at_all() {
        for seed in 0..300 {
            let disk = SimDisk::default();
            let mut wal = open(&disk).unwrap().0;
            (1..=20).for_each(|record| {
                append(&mut wal, record);
                disk.complete();
            });
            wal.replace(&encode_batch(&[99_u64])).unwrap();
            disk.power_lost(&mut stream(seed, "disk", 0));
            let found = records(&disk);
            assert!(found == [99] || found == (1..=20).collect::<Vec<_>>(), "seed {seed}: {found:?}");
        }
    }

    #[test]
    fn rot_never_changes_a_record_unnoticed() {
        for seed in 0..300 {
            let (disk, mut rng) = (SimDisk::default(), stream(seed, "disk", 0));
            let mut wal = open(&disk).unwrap().0;
            (1..=20).for_each(|record| {
                append(&mut wal, record);
                disk.complete();
            });
            assert!(disk.flip_bit(&mut rng));
            if let Ok((_, recovered)) = open(&disk) {
                let mut found = recovered.records;
                found.dedup();
                assert_eq!(found, (1..=20).collect::<Vec<_>>(), "seed {seed}");
            }
        }
    }
}
