//! The log on disk: what was durable comes back, what was torn is cut, what is damaged is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod disk;

use std::fs;

use rashomon_node::api::NodeId;
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::protocol::Incarnation;
use rashomon_node::storage::disk::SegmentNumber;
use rashomon_node::storage::frame;
use rashomon_node::storage::wal::encode_batch;
use rashomon_node::storage::{FileDisk, Recovered, StorageError, Wal};

use disk::{Files, MemoryDisk};

/// Small, so that a few batches roll over several segments.
const SEGMENT_BYTES: usize = 2048;
const NODE: NodeId = NodeId(1);

/// Records of growing size; the last batches are larger than a sector.
fn batch(number: u64) -> Vec<(u64, Vec<u8>)> {
    (0..=number % 3).map(|part| (number * 10 + part, vec![number as u8 + 1; 40 * number as usize])).collect()
}

fn open(files: &Files) -> Result<Recovered<(u64, Vec<u8>)>, StorageError> {
    let disk = MemoryDisk::holding(files);
    Wal::open(disk, NODE, SEGMENT_BYTES).map(|(_, recovered)| recovered)
}

fn open_with(files: &Files, defect: Defect) -> Result<Recovered<(u64, Vec<u8>)>, StorageError> {
    let disk = MemoryDisk::holding(files);
    let defects = Defects::from_iter([defect]);
    Wal::open_with(disk, NODE, SEGMENT_BYTES, Incarnation(1), defects).map(|(_, recovered)| recovered)
}

/// The files after `count` batches, and after each of them where its frame ends in the last file.
fn written(count: u64) -> (Files, Vec<(SegmentNumber, usize)>) {
    let directory = tempfile::tempdir().unwrap();
    let disk = FileDisk::open(directory.path()).unwrap();
    let (mut wal, recovered) = Wal::open::<(u64, Vec<u8>)>(disk, NODE, SEGMENT_BYTES).unwrap();
    assert_eq!(recovered.incarnation, Incarnation(1));
    let mut ends = vec![end(&files_of(directory.path()))];
    for number in 0..count {
        wal.append(&[encode_batch(&batch(number))]).unwrap();
        ends.push(end(&files_of(directory.path())));
    }
    (files_of(directory.path()), ends)
}

fn files_of(directory: &std::path::Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wal") {
            let number = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            files.insert(number, fs::read(&path).unwrap());
        }
    }
    files
}

fn end(files: &Files) -> (SegmentNumber, usize) {
    let (number, bytes) = files.last_key_value().unwrap();
    (*number, bytes.iter().rposition(|byte| *byte != 0).map_or(0, |position| position + 1))
}

fn records(count: u64) -> Vec<(u64, Vec<u8>)> {
    (0..count).flat_map(batch).collect()
}

#[test]
fn what_was_appended_comes_back_over_many_segments_and_starts() {
    let directory = tempfile::tempdir().unwrap();
    for start in 0..4 {
        let disk = FileDisk::open(directory.path()).unwrap();
        let (mut wal, recovered) = Wal::open(disk, NODE, SEGMENT_BYTES).unwrap();
        let expected =
            Recovered { records: records(start * 5), incarnation: Incarnation(start + 1), cut: None };
        assert_eq!(recovered, expected);
        for number in start * 5..start * 5 + 5 {
            wal.append(&[encode_batch(&batch(number))]).unwrap();
        }
    }
    assert!(files_of(directory.path()).len() > 3, "the log has rolled over");
}

#[test]
fn several_batches_share_a_frame() {
    let directory = tempfile::tempdir().unwrap();
    let reopened = || {
        let disk = FileDisk::open(directory.path()).unwrap();
        Wal::open::<(u64, Vec<u8>)>(disk, NODE, SEGMENT_BYTES).unwrap()
    };
    let (mut wal, _) = reopened();
    wal.append(&[encode_batch(&batch(1)), encode_batch(&batch(2))]).unwrap();
    drop(wal);
    let (_, recovered) = reopened();
    assert_eq!(recovered.records, [batch(1), batch(2)].concat());
}

#[test]
fn a_batch_larger_than_a_segment_gets_a_larger_segment() {
    let directory = tempfile::tempdir().unwrap();
    let large = vec![(7, vec![9; 3 * SEGMENT_BYTES])];
    {
        let disk = FileDisk::open(directory.path()).unwrap();
        let (mut wal, _) = Wal::open::<(u64, Vec<u8>)>(disk, NODE, SEGMENT_BYTES).unwrap();
        wal.append(&[encode_batch(&large)]).unwrap();
        wal.append(&[encode_batch(&batch(1))]).unwrap();
    }
    let disk = FileDisk::open(directory.path()).unwrap();
    let (_, recovered) = Wal::open::<(u64, Vec<u8>)>(disk, NODE, SEGMENT_BYTES).unwrap();
    assert_eq!(recovered.records, [large, batch(1)].concat());
}

/// The process died while it wrote: any prefix of the last frame may be there (assumption 3).
#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let (files, ends) = written(5);
    let (segment, frame_end) = ends[5];
    let (_, frame_start) = ends[4];
    assert_eq!(ends[4].0, segment, "the last frame shares its segment with the one before");
    for cut in frame_start..frame_end {
        for shortens in [false, true] {
            let mut files = files.clone();
            let file = files.get_mut(&segment).unwrap();
            if shortens {
                file.truncate(cut)
            } else {
                file[cut..].fill(0)
            }
            let recovered = open(&files).unwrap();
            assert_eq!(recovered.records, records(4), "cut at {cut}");
            assert_eq!(recovered.cut.is_some(), cut > frame_start, "cut at {cut}");
        }
    }
}

/// The power failed while the last frame was on its way: any subset of its sectors may be missing (assumption 3).
#[test]
fn a_tail_that_lacks_any_sectors_is_cut() {
    let (files, ends) = written(14);
    let (segment, frame_end) = ends[14];
    let frame_start = ends[13].1;
    assert_eq!(ends[13].0, segment);
    let borders: Vec<usize> = std::iter::once(frame_start)
        .chain((frame_start..frame_end).filter(|offset| offset % 512 == 0 && *offset > frame_start))
        .chain([frame_end])
        .collect();
    let sectors = borders.len() - 1;
    assert!(sectors >= 3, "the last frame spans several sectors");
    for missing in 1_u32..1 << sectors {
        let mut files = files.clone();
        let file = files.get_mut(&segment).unwrap();
        for sector in (0..sectors).filter(|sector| missing & 1 << sector != 0) {
            file[borders[sector]..borders[sector + 1]].fill(0);
        }
        let recovered = open(&files).unwrap();
        assert_eq!(recovered.records, records(13), "sectors {missing:b} are missing");
    }
}

#[test]
fn after_a_cut_the_log_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (files, ends) = written(5);
    for (number, bytes) in &files {
        fs::write(directory.path().join(format!("{number:08}.wal")), bytes).unwrap();
    }
    let (segment, frame_end) = ends[5];
    let path = directory.path().join(format!("{segment:08}.wal"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[frame_end - 60..].fill(0);
    fs::write(&path, bytes).unwrap();
    let reopened = || Wal::open(FileDisk::open(directory.path()).unwrap(), NODE, SEGMENT_BYTES);
    let (mut wal, recovered) = reopened().unwrap();
    assert!(recovered.cut.is_some());
    assert_eq!(recovered.records, records(4));
    wal.append(&[encode_batch(&batch(4))]).unwrap();
    drop(wal);
    let (_, recovered) = reopened().unwrap();
    assert_eq!((recovered.records, recovered.cut), (records(5), None));
}

/// Whatever bit flips wherever: all records come back, or the log is refused, naming file and offset.
#[test]
fn no_flipped_bit_loses_a_record() {
    let (files, _) = written(11);
    assert!(files.len() > 1, "there is more than one segment");
    let mut refused = 0;
    for (segment, content) in &files {
        for byte in 0..content.len() {
            let mut files = files.clone();
            files.get_mut(segment).unwrap()[byte] ^= 1 << (byte % 8);
            match open(&files) {
                Ok(recovered) => assert_eq!(recovered.records, records(11), "{segment}:{byte}"),
                Err(StorageError::Corrupt { file, offset, .. }) => {
                    refused += 1;
                    assert_eq!(file, format!("segment {segment}"));
                    assert!(offset <= byte, "{segment}:{byte} refused at {offset}");
                }
                Err(error) => panic!("{segment}:{byte}: {error}"),
            }
        }
    }
    assert!(refused > 1_000);
}

/// The process died before the sync of its last frame, or because that failed and left the page marked clean: the next
/// start finds a frame that is only in the cache. What that start acted upon must still be there after a power loss, also
/// when its own first frame goes to the next segment.
#[test]
fn what_a_start_has_read_outlives_a_power_loss() {
    let mut rolled = 0;
    // A segment is a multiple of 4096 bytes.
    for size in (3_600..4_096).step_by(8) {
        let appended = [(1, vec![0; 40]), (2, vec![7; size])];
        let (mut wal, _) = Wal::open::<(u64, Vec<u8>)>(MemoryDisk::default(), NODE, SEGMENT_BYTES).unwrap();
        appended.iter().for_each(|record| wal.append(&[encode_batch(&[record])]).unwrap());
        let mut disk = wal.into_disk();
        let segment_count = disk.files.len();
        let file = disk.durable.last_entry().unwrap().into_mut();
        let (mut start, mut end) = (0, 0);
        while let Ok(frame) = frame::decode(&file[end..]) {
            (start, end) = (end, end + frame.bytes);
        }
        file[start..].fill(0);

        let (wal, recovered) = Wal::open::<(u64, Vec<u8>)>(disk, NODE, SEGMENT_BYTES).unwrap();
        assert_eq!(recovered.records, appended);
        let after = wal.into_disk().durable;
        rolled += usize::from(after.len() > segment_count);
        let recovered = open(&after).unwrap();
        assert_eq!((recovered.records, recovered.incarnation), (appended.to_vec(), Incarnation(3)));
    }
    assert!(rolled > 0, "some start rolled over to the next segment");
}

/// What a crash may leave of a log that was being replaced, and the removal of the old one, which is not durable.
#[test]
fn a_replaced_log_is_the_old_one_or_the_new_one() {
    let (files, _) = written(12);
    let opened = || Wal::open::<(u64, Vec<u8>)>(MemoryDisk::holding(&files), NODE, SEGMENT_BYTES).unwrap().0;
    let (mut wal, before) = (opened(), opened().into_disk().files);
    let old = open(&before).unwrap().records;
    let new = vec![(7_u64, vec![9_u8; 3000]), (8, Vec::new())];
    wal.replace(&encode_batch(&new)).unwrap();
    wal.append(&[encode_batch(&[(9_u64, vec![1_u8])])]).unwrap();
    let after = wal.into_disk().files;
    let (segment, bytes) = after.first_key_value().unwrap();
    assert!(before.keys().all(|old| old < segment), "the old segments are gone");

    let records = [new.clone(), vec![(9, vec![1])]].concat();
    let recovered = open(&after).unwrap();
    assert_eq!((recovered.records, recovered.incarnation), (records.clone(), Incarnation(3)));
    for revived in before.keys() {
        let mut files = after.clone();
        files.insert(*revived, before[revived].clone());
        assert_eq!(open(&files).unwrap().records, records, "segment {revived} came back");
    }

    let head = frame::decode(bytes).unwrap().bytes;
    let checkpoint = head + frame::decode(&bytes[head..]).unwrap().bytes;
    for written in head..=checkpoint {
        let mut files = before.clone();
        let mut torn = bytes[..written].to_vec();
        torn.resize(bytes.len(), 0);
        files.insert(*segment, torn);
        let expected = if written == checkpoint { &new } else { &old };
        assert_eq!(open(&files).unwrap().records, *expected, "{written} bytes written");
    }
}

/// Zeros where a frame had been, with an intact frame behind: not torn, but lost.
#[test]
fn a_blank_sector_in_the_middle_is_refused() {
    let (mut files, ends) = written(5);
    let (segment, start) = ends[3];
    let end = ends[4].1;
    files.get_mut(&segment).unwrap()[start..end].fill(0);
    let error = open(&files).err().unwrap();
    assert!(matches!(error, StorageError::Corrupt { offset, .. } if offset == start), "{error}");
}

#[test]
fn a_missing_segment_is_refused() {
    let (mut files, _) = written(24);
    assert!(files.len() > 2);
    files.remove(&1);
    assert!(matches!(open(&files), Err(StorageError::Missing { .. })));
    let (mut files, _) = written(24);
    files.remove(&2);
    assert!(matches!(open(&files), Err(StorageError::Missing { .. })));
}

#[test]
fn another_nodes_data_is_refused() {
    let (files, _) = written(1);
    let outcome = Wal::open::<(u64, Vec<u8>)>(MemoryDisk::holding(&files), NodeId(2), SEGMENT_BYTES);
    assert!(matches!(outcome, Err(StorageError::Foreign { found: NODE, .. })));
}

#[test]
fn records_of_another_shape_are_refused() {
    let (files, _) = written(3);
    let outcome = Wal::open::<(String, String)>(MemoryDisk::holding(&files), NODE, SEGMENT_BYTES);
    assert!(matches!(outcome, Err(StorageError::Corrupt { .. })));
}

#[test]
fn a_directory_serves_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let _held = FileDisk::open(directory.path()).unwrap();
    let error = FileDisk::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("another process holds"), "{error}");
}

#[test]
fn a_segment_that_was_never_finished_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("spare.tmp"), [7; 100]).unwrap();
    let disk = FileDisk::open(directory.path()).unwrap();
    let (_, recovered) = Wal::open::<(u64, Vec<u8>)>(disk, NODE, SEGMENT_BYTES).unwrap();
    assert_eq!(recovered.records, []);
}

#[test]
fn g05_damage_in_the_middle_drops_the_rest_without_a_word() {
    let (mut files, ends) = written(12);
    let (segment, offset) = ends[4];
    assert!(files.keys().last() > Some(&segment), "there are later segments");
    files.get_mut(&segment).unwrap()[offset + frame::HEADER_BYTES] ^= 1;
    assert!(matches!(open(&files), Err(StorageError::Corrupt { .. })), "a sound node refuses");
    let recovered = open_with(&files, Defect::G05).unwrap();
    assert_eq!(recovered.records, records(4));
}

#[test]
fn g06_part_of_a_torn_frame_is_replayed_and_gone_the_next_time() {
    let (files, ends) = written(12);
    let (segment, start) = ends[11];
    let (last, end) = ends[12];
    assert_eq!(segment, last);
    let mut accepted = 0;
    for cut in start + frame::HEADER_BYTES..end {
        let mut torn = files.clone();
        torn.get_mut(&segment).unwrap()[cut..].fill(0);
        assert_eq!(open(&torn).unwrap().records, records(11), "a sound node cuts it");
        accepted += usize::from(open_with(&torn, Defect::G06).unwrap().records != records(11));
    }
    assert!(accepted > 0);
}

/// A power loss after every batch: what was appended must be there.
#[test]
fn g07_a_power_loss_takes_a_segment_whose_name_was_not_synced() {
    for (defects, lost) in [(Defects::NONE, false), (Defects::from_iter([Defect::G07]), true)] {
        let disk = MemoryDisk::default();
        let (mut wal, _) =
            Wal::open_with::<(u64, Vec<u8>)>(disk, NODE, SEGMENT_BYTES, Incarnation(1), defects).unwrap();
        for number in 0..12 {
            wal.append(&[encode_batch(&batch(number))]).unwrap();
        }
        let MemoryDisk { mut files, unnamed, .. } = wal.into_disk();
        assert!(files.len() > 1);
        files.retain(|segment, _| !unnamed.contains(segment));
        assert_eq!(open(&files).map_or(0, |recovered| recovered.records.len()) < records(12).len(), lost);
    }
}

#[test]
fn what_is_too_long_for_a_frame_is_refused_and_nothing_of_it_is_written() {
    const BYTES_MAX: usize = 1000;
    let (mut wal, _) = Wal::open::<Vec<u8>>(MemoryDisk::default(), NODE, SEGMENT_BYTES).unwrap();
    wal.limit_batches(BYTES_MAX);
    let fits = encode_batch(&[vec![1_u8; 900]]);
    let is_too_long = encode_batch(&[vec![2_u8; 1000]]);
    wal.append(std::slice::from_ref(&fits)).unwrap();
    for refused in [wal.append(std::slice::from_ref(&is_too_long)), wal.replace(&is_too_long)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, StorageError::TooLarge { bytes: 1007.., bytes_max: BYTES_MAX }), "{error}");
        assert!(error.to_string().contains("too large for a snapshot"), "{error}");
    }
    let (_, recovered) = Wal::open::<Vec<u8>>(wal.into_disk(), NODE, SEGMENT_BYTES).unwrap();
    assert_eq!(recovered.records, [vec![1_u8; 900]]);
}
