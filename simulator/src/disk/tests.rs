//! The log over a disk that forgets: what it keeps, and what planted bugs of storage make it lose.

use rashomon_nemesis::random::stream;
use rashomon_node::api::NodeId;
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::protocol::Incarnation;
use rashomon_node::storage::wal::encode_batch;
use rashomon_node::storage::{Recovered, StorageError, Wal};

use super::*;

const SMALL_SEGMENT_BYTES: usize = 2048;

fn open(disk: &SimDisk) -> Result<(Wal<SimDisk>, Recovered<u64>), StorageError> {
    open_with(disk, Defects::NONE)
}

fn open_with(disk: &SimDisk, defects: Defects) -> Result<(Wal<SimDisk>, Recovered<u64>), StorageError> {
    disk.open();
    let opened = Wal::open_with(disk.clone(), NodeId(1), SMALL_SEGMENT_BYTES, Incarnation(1), defects);
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
        assert!(found == (1..=20).collect::<Vec<_>>() || found == (1..=21).collect::<Vec<_>>(), "{found:?}");
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

/// Records that a log with these defects has acknowledged, and those found after a power loss and a start of a sound one.
fn after_power_loss(
    seed: u64,
    defects: Defects,
    acts: impl Fn(&SimDisk, &mut Stream, u64),
) -> (Vec<u64>, Vec<u64>) {
    let (disk, mut rng) = (SimDisk::default(), stream(seed, "disk", 0));
    let mut wal = open_with(&disk, defects).unwrap().0;
    let mut acknowledged = Vec::new();
    for record in 1..=20 {
        acts(&disk, &mut rng, record);
        let outcome = wal.append(&[encode_batch(&[record; 20])]);
        disk.complete();
        if outcome.is_err() {
            break;
        }
        acknowledged.push(record);
    }
    disk.power_lost(&mut rng);
    let found = open(&disk).map(|(_, recovered)| recovered.records).unwrap_or_default();
    let mut found: Vec<u64> = found.into_iter().filter(|record| acknowledged.contains(record)).collect();
    found.dedup();
    (acknowledged, found)
}

fn fails_the_tenth(disk: &SimDisk, rng: &mut Stream, record: u64) {
    if record == 10 {
        disk.fail_next_sync(rng);
    }
}

#[test]
fn a_log_that_stops_at_a_failed_sync_keeps_its_word_and_g08_does_not() {
    let g08: Defects = [Defect::G08].into_iter().collect();
    let mut broken = 0;
    for seed in 0..200 {
        let (acknowledged, found) = after_power_loss(seed, Defects::NONE, fails_the_tenth);
        assert_eq!((acknowledged.len(), found), (9, (1..10).collect()), "seed {seed}");
        let (acknowledged, found) = after_power_loss(seed, g08, fails_the_tenth);
        assert_eq!(acknowledged.len(), 20, "it notices nothing");
        broken += u32::from(acknowledged != found);
    }
    assert!(broken > 20, "found in {broken} of 200 seeds");
}

#[test]
fn a_segment_whose_name_was_not_synced_is_gone_after_a_power_loss_with_g07_only() {
    let g07: Defects = [Defect::G07].into_iter().collect();
    let mut broken = 0;
    for seed in 0..200 {
        let (acknowledged, found) = after_power_loss(seed, Defects::NONE, |_, _, _| {});
        assert_eq!(acknowledged, found, "seed {seed}");
        let (acknowledged, found) = after_power_loss(seed, g07, |_, _, _| {});
        broken += u32::from(acknowledged != found);
    }
    assert!(broken > 50, "found in {broken} of 200 seeds");
}

#[test]
fn a_process_that_opens_the_disk_makes_the_names_durable() {
    let g07: Defects = [Defect::G07].into_iter().collect();
    for seed in 0..50 {
        let (disk, mut rng) = (SimDisk::default(), stream(seed, "disk", 0));
        let mut wal = open_with(&disk, g07).unwrap().0;
        (1..=20).for_each(|record| {
            append(&mut wal, record);
            disk.complete();
        });
        disk.process_died(&mut rng);
        open(&disk).unwrap();
        disk.power_lost(&mut rng);
        assert_eq!(records(&disk), (1..=20).collect::<Vec<_>>(), "seed {seed}");
    }
}

/// The frame of a failed sync may be there at the next start, and is written again before anybody relies on it.
#[test]
fn what_a_start_reads_back_survives_the_next_power_loss() {
    let mut read_back = 0;
    for seed in 0..300 {
        let (disk, mut rng) = (SimDisk::default(), stream(seed, "disk", 0));
        let mut wal = open(&disk).unwrap().0;
        (1..=5).for_each(|record| {
            append(&mut wal, record);
            disk.complete();
        });
        disk.fail_next_sync(&mut rng);
        wal.append(&[encode_batch(&[6_u64; 20])]).unwrap_err();
        disk.complete();
        disk.process_died(&mut rng);
        let found = records(&disk);
        assert!(found == [1, 2, 3, 4, 5] || found == [1, 2, 3, 4, 5, 6], "seed {seed}: {found:?}");
        read_back += u32::from(found.len() == 6);
        disk.power_lost(&mut rng);
        assert_eq!(records(&disk), found, "seed {seed}");
    }
    assert!((50..250).contains(&read_back), "{read_back} of 300");
}

/// What a log reports is out of danger as soon as it is done, and not only by luck at the next power loss.
#[test]
fn nothing_that_a_sound_log_reports_is_at_risk() {
    let planted = [None, Some(Defect::G07)].map(Defects::from_iter);
    for (defects, at_risk) in planted.into_iter().zip([false, true]) {
        let disk = SimDisk::default();
        let mut wal = open_with(&disk, defects).unwrap().0;
        for record in 1..=20 {
            append(&mut wal, record);
            disk.complete();
        }
        assert_eq!(disk.at_risk() != (0, 0), at_risk);
        wal.stop_syncing();
        append(&mut wal, 21);
        disk.complete();
        assert!(disk.at_risk().0 > 0);
    }
}
