//! A disk that forgets as real ones do: what no sync covered is lost or torn at power loss, a sync may fail, bits rot.
//!
//! Three places hold data. The *platter* survives everything; the *cache* (the kernel's, [`cache`]) survives the death of a
//! process but not of the machine; operations *in flight* were handed over by the log's writer, which waits for them: a
//! crash on the way leaves any prefix of them done. Names of segments are a matter of their own: until the directory is
//! synced a power loss may take new ones and bring removed ones back. The log's own assumptions
//! ([`rashomon_node::storage`], numbered) are what is kept here, and no more than that.

mod cache;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;

use rand::{RngExt as _, SeedableRng as _};
use rashomon_nemesis::random::Stream;
use rashomon_node::storage::Disk;
use rashomon_node::storage::disk::SegmentNumber;

use cache::{Cache, Write};

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
    /// Segments added since the directory was synced last: a power loss may take them.
    added: Vec<SegmentNumber>,
    /// Written and not synced.
    cache: Cache,
    in_flight: VecDeque<Step>,
    /// The next sync fails; what becomes of its pages is drawn from this.
    fails_next: Option<Stream>,
    /// Where the last write went: what is damaged from there on looks torn.
    tail: (SegmentNumber, usize),
}

/// Bytes beyond those held are zeros.
#[derive(Clone, Debug, Default)]
struct Segment {
    size: usize,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Step {
    Create { segment: SegmentNumber, size: usize, head: Vec<u8> },
    Write(Write),
    Sync(SegmentNumber),
    SyncFails(SegmentNumber, Box<Stream>),
    SyncNames,
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

    /// What a power loss could take of all that is done: bytes that no sync covered, and names of segments.
    pub fn at_risk(&self) -> (u64, usize) {
        let inner = self.inner.borrow();
        (inner.cache.dirty_bytes(), inner.added.len())
    }

    /// How many barriers are in flight: what a writer waits for.
    pub fn barriers_in_flight(&self) -> usize {
        let is_barrier = |step: &&Step| !matches!(step, Step::Write(_) | Step::Remove(_) | Step::SyncNames);
        self.inner.borrow().in_flight.iter().filter(is_barrier).count()
    }

    /// A process opens it. What an earlier one handed over and was told to have failed is done, and the names that are
    /// there are made durable, as the real disk does it.
    pub fn open(&self) {
        self.complete();
        self.inner.borrow_mut().in_flight.push_back(Step::SyncNames);
    }

    /// The process dies: of what is in flight a prefix is done, the last write perhaps in part; the cache lives on.
    pub fn process_died(&self, rng: &mut Stream) {
        let mut inner = self.inner.borrow_mut();
        inner.interrupt(rng);
        inner.cache.evict(rng);
    }

    /// The machine loses power: as when the process dies, and of what is dirty in the cache any subset of sectors was
    /// written, and of the changes of names any.
    pub fn power_lost(&self, rng: &mut Stream) -> Damage {
        let mut inner = self.inner.borrow_mut();
        inner.interrupt(rng);
        let mut damage = Damage::default();
        for segment in std::mem::take(&mut inner.added) {
            if rng.random_bool(0.5)
                && let Some(gone) = inner.platter.remove(&segment)
            {
                damage.lost_bytes += gone.bytes.len() as u64 + inner.cache.forget(segment);
            }
        }
        let (writes, lost_bytes) = inner.cache.lose();
        damage.lost_bytes += lost_bytes;
        for write in writes {
            let (mut kept, mut lost) = (0, 0);
            let keeps_all = rng.random_ratio(1, 4);
            for part in write.parts(SECTOR_BYTES) {
                if keeps_all || rng.random_bool(0.5) {
                    inner.put(&part);
                    kept += 1;
                } else {
                    damage.lost_bytes += part.bytes.len() as u64;
                    lost += 1;
                }
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

    /// The next sync fails, and what it was to write may be gone, or seem to be there (assumption 2).
    pub fn fail_next_sync(&self, rng: &mut Stream) {
        self.inner.borrow_mut().fails_next = Some(Stream::from_rng(rng));
    }

    /// The next sync will not fail.
    pub fn mend(&self) {
        self.inner.borrow_mut().fails_next = None;
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
                self.added.push(segment);
                let mut bytes = Vec::with_capacity(size);
                bytes.extend_from_slice(&head);
                self.platter.insert(segment, Segment { size, bytes });
            }
            Step::SyncNames => {
                self.added.clear();
                self.removed.clear();
            }
            Step::Write(write) => self.cache.write(write),
            Step::Sync(segment) => {
                let written = self.cache.sync(segment);
                written.iter().for_each(|write| self.put(write));
            }
            Step::SyncFails(segment, mut rng) => {
                let written = self.cache.sync_fails(segment, &mut rng);
                written.iter().for_each(|write| self.put(write));
            }
            Step::Remove(segment) => {
                self.cache.forget(segment);
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
            self.cache.write(write);
        }
    }

    fn put(&mut self, Write { segment, offset, bytes }: &Write) {
        self.tail = (*segment, *offset);
        let Some(segment) = self.platter.get_mut(segment) else { return };
        let end = offset + bytes.len();
        if segment.bytes.len() < end {
            segment.bytes.resize(end, 0);
        }
        segment.bytes[*offset..end].copy_from_slice(bytes);
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
                Step::Write(_) | Step::Sync(_) | Step::SyncFails(..) | Step::SyncNames => {}
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
        inner.cache.overlay(segment, &mut bytes);
        Ok(bytes)
    }

    fn create(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
        self.create_unnamed(segment, size, head)?;
        self.inner.borrow_mut().in_flight.push_back(Step::SyncNames);
        Ok(())
    }

    fn create_unnamed(&mut self, segment: SegmentNumber, size: usize, head: &[u8]) -> io::Result<()> {
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
        if let Some(rng) = inner.fails_next.take() {
            inner.in_flight.push_back(Step::SyncFails(segment, Box::new(rng)));
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
mod tests;
