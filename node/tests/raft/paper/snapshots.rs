//! Snapshots and log compaction (Raft 7, Figure 13; thesis 5).

use super::*;
use rashomon_node::raft::message::{Image, Part};
use rashomon_node::settings::Bounds;
use rashomon_node::wire::Blob;

const THRESHOLD: u64 = 10;

/// A cluster that compacts after ten entries, led by n1.
fn compacting(count: u32) -> Cluster {
    let mut cluster = Cluster::with(count, |config| config.snapshot_entries = THRESHOLD);
    led_by_n1(&mut cluster);
    cluster
}

fn write(cluster: &mut Cluster, from: u64, count: u64) {
    for sequence in from..from + count {
        let value = i64::try_from(sequence).unwrap();
        cluster.ask(N1, Some((2, sequence)), Operation::write("x", value));
        cluster.settle();
    }
}

fn base_of(cluster: &Cluster, id: NodeId) -> u64 {
    cluster.replica(id).core().log().base().index.0
}

fn snapshot_of(cluster: &Cluster, id: NodeId) -> u64 {
    cluster.replica(id).core().image().map_or(0, |image| image.last.index.0)
}

fn sound(cluster: &Cluster) {
    assert_eq!(cluster.invariants.violations, Vec::<String>::new());
}

/// A snapshot of a real state, taken elsewhere: the leader's after its tenth entry and some more.
pub(super) fn image() -> Image {
    let mut cluster = compacting(3);
    write(&mut cluster, 1, 20);
    cluster.replica(N1).core().image().unwrap().clone()
}

pub(super) fn whole(image: &Image) -> Body {
    Body::Install(Box::new(Part {
        last: image.last,
        membership: image.membership.clone(),
        offset: 0,
        bytes: Blob(image.state.to_vec()),
        is_last: true,
    }))
}

#[test]
fn s7_each_server_takes_snapshots_of_its_own_and_drops_its_log_up_to_there() {
    let mut cluster = compacting(3);
    write(&mut cluster, 1, 100);
    cluster.timeout(N1);
    cluster.settle();
    for id in [N1, N2, N3] {
        let core = cluster.replica(id).core();
        assert!(core.view().commit - snapshot_of(&cluster, id) < 2 * THRESHOLD, "{id}");
        let held = core.view().last - base_of(&cluster, id);
        assert!(held < 2 * THRESHOLD, "{id} holds {held} entries");
        let Some(Record::Snapshot(_)) = cluster.nodes[&id].disk.first() else { panic!("{id}") };
        assert!(cluster.nodes[&id].disk.len() < 3 * THRESHOLD as usize, "the disk forgets, too");
    }
    sound(&cluster);
}

#[test]
fn s7_a_restarted_server_goes_on_from_its_snapshot() {
    let mut cluster = compacting(3);
    write(&mut cluster, 1, 100);
    let digest = cluster.replica(N1).machine().digest();
    let (term, base) = (cluster.replica(N1).core().view().term, snapshot_of(&cluster, N1));
    for id in [N1, N2, N3] {
        cluster.crash(id);
    }
    for id in [N1, N2, N3] {
        cluster.start(id);
    }
    let view = cluster.replica(N1).core().view();
    assert_eq!((view.term, view.commit), (term, base), "never less than the snapshot");
    cluster.elect(N1);
    assert_eq!(cluster.replica(N1).machine().digest(), digest);
    let read = cluster.ask(N1, None, Operation::read("x"));
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, read)], Ok(Reply::Value(Some(100))));
    sound(&cluster);
}

#[test]
fn s7_a_crash_before_the_snapshot_is_durable_leaves_the_log_before_it() {
    let mut cluster = compacting(3);
    write(&mut cluster, 1, 6);
    cluster.node(N1).syncs = false;
    write(&mut cluster, 7, 10);
    assert!(snapshot_of(&cluster, N1) > 0);
    cluster.crash(N1);
    cluster.start(N1);
    assert_eq!(snapshot_of(&cluster, N1), 0);
    assert_eq!(terms_of(&cluster, N1).len(), 8, "no-op, session and six writes were durable");
    cluster.node(N1).syncs = true;
    cluster.pass(1_000);
    let states: Vec<u64> = [N1, N2, N3].map(|id| cluster.replica(id).machine().digest()).to_vec();
    assert!(states.iter().all(|state| *state == states[0]));
    sound(&cluster);
}

#[test]
fn s7_a_follower_too_far_behind_gets_the_snapshot() {
    let mut cluster = compacting(3);
    cluster.isolate(N3);
    write(&mut cluster, 1, 100);
    cluster.heal();
    cluster.pass(200);
    assert!(
        cluster.notes.iter().any(|(id, note)| *id == N3 && matches!(note, Note::SnapshotInstalled { .. }))
    );
    assert_eq!(cluster.replica(N3).machine().digest(), cluster.replica(N1).machine().digest());
    sound(&cluster);
}

/// RS2: the boundary included. A follower whose log ends where the leader's begins needs no snapshot; one entry less, and
/// it does, as the leader no longer has the entry to send.
#[test]
fn s7_a_snapshot_is_sent_exactly_when_the_next_entry_has_been_dropped() {
    for lacks in [0, 1] {
        let mut cluster = compacting(3);
        write(&mut cluster, 1, 40);
        // Restarted, the leader has nothing before its snapshot, and knows nothing of its followers.
        [N1, N3].into_iter().for_each(|id| cluster.crash(id));
        cluster.start(N1);
        cluster.elect(N1);
        let base = base_of(&cluster, N1);
        assert_eq!(base, snapshot_of(&cluster, N1));
        let kept = base - lacks;
        let entries: Vec<Record> = (1..=kept)
            .map(|index| {
                let entry = cluster.invariants.committed[index as usize - 1].clone();
                assert_eq!(entry.index, Index(index));
                Record::Entry(entry)
            })
            .collect();
        cluster.node(N3).disk = entries;
        cluster.node(N3).disk.push(Record::HardState(HardState { term: Term(1), vote: None }));
        cluster.start(N3);
        cluster.notes.clear();
        cluster.pass(200);
        let installed = cluster.notes.iter().any(|(_, note)| matches!(note, Note::SnapshotInstalled { .. }));
        assert_eq!(installed, lacks > 0);
        assert_eq!(cluster.replica(N3).machine().digest(), cluster.replica(N1).machine().digest());
        sound(&cluster);
    }
}

#[test]
fn figure_13_a_snapshot_arrives_in_parts_and_lost_parts_are_sent_again() {
    let mut cluster = compacting(3);
    cluster.isolate(N3);
    // Long keys make a state of several parts.
    let keys = u64::try_from(3 * Bounds::default().part_bytes_max / 256).unwrap();
    for sequence in 1..=keys {
        let key = format!("{sequence:0250}");
        cluster.ask(N1, Some((2, sequence)), Operation::write(key, 1));
        cluster.settle();
    }
    assert!(cluster.replica(N1).core().image().unwrap().state.len() > 2 * Bounds::default().part_bytes_max);
    cluster.heal();
    let (mut parts, mut lost) = (0, 0);
    for _ in 0..100 {
        cluster.timeout(N1);
        while !cluster.network.is_empty() {
            let is_part = matches!(cluster.network[0].message.body, Body::Install(_));
            parts += u32::from(is_part);
            if is_part && parts % 2 == 0 {
                lost += 1;
                cluster.network.remove(0);
            } else {
                cluster.deliver_at(0);
            }
        }
    }
    assert!(parts >= 5 && lost >= 2, "{parts} parts, {lost} lost");
    assert_eq!(cluster.replica(N3).machine().digest(), cluster.replica(N1).machine().digest());
    sound(&cluster);
}

/// RS1: no term, commit index or applied index ever falls.
#[test]
fn figure_13_a_snapshot_that_is_no_news_is_ignored() {
    let image = image();
    let mut cluster = compacting(3);
    write(&mut cluster, 1, 60);
    cluster.timeout(N1);
    cluster.settle();
    let (before, commit) = (cluster.replica(N2).machine().applied(), commit_of(&cluster, N2));
    assert!(image.last.index.0 < commit);
    cluster.step(N2, Event::Message(N1, message(1, whole(&image))));
    assert_eq!((cluster.replica(N2).machine().applied(), commit_of(&cluster, N2)), (before, commit));
    let answer = &cluster.network.last().unwrap().message.body;
    assert_eq!(*answer, Body::Appended { matched: image.last.index }, "it has all that");
}

#[test]
fn figure_13_entries_beyond_the_snapshot_stay_if_they_follow_from_it() {
    let image = image();
    let Position { term: Term(term), index: Index(last) } = image.last;
    let mut terms = vec![term; usize::try_from(last).unwrap()];
    terms.extend([term; 3]);
    let mut cluster = alone_with(5, &terms);
    let answer = answer_to(&mut cluster, 5, whole(&image));
    assert_eq!(answer, [message(5, Body::Appended { matched: Index(last) })]);
    let core = cluster.replica(N1).core();
    assert_eq!((core.log().base(), core.view().last), (image.last, last + 3));
    assert_eq!((core.view().commit, cluster.replica(N1).machine().applied()), (last, last));
}

#[test]
fn figure_13_a_log_that_does_not_hold_the_snapshots_last_entry_is_dropped() {
    let image = image();
    let last = image.last.index.0;
    let mut terms = vec![0; usize::try_from(last).unwrap()];
    terms.extend([4; 3]);
    let mut cluster = alone_with(5, &terms);
    answer_to(&mut cluster, 5, whole(&image));
    let core = cluster.replica(N1).core();
    assert_eq!((core.log().base(), core.view().last), (image.last, last));
    // On disk as well.
    cluster.crash(N1);
    cluster.start(N1);
    let core = cluster.replica(N1).core();
    assert_eq!((core.view().last, core.view().commit, core.view().term), (last, last, 5));
}

#[test]
fn figure_13_a_snapshot_is_on_disk_before_the_answer_leaves() {
    let image = image();
    let mut cluster = alone_with(5, &[]);
    cluster.node(N1).syncs = false;
    assert_eq!(answer_to(&mut cluster, 5, whole(&image)), []);
    cluster.sync(N1);
    let answers = cluster.network.iter().map(|one| &one.message.body);
    assert_eq!(answers.collect::<Vec<_>>(), [&Body::Appended { matched: image.last.index }]);
}

#[test]
fn what_does_not_decode_is_not_installed() {
    let mut image = image();
    image.state = image.state[..image.state.len() - 1].into();
    let mut cluster = alone_with(5, &[]);
    assert_eq!(answer_to(&mut cluster, 5, whole(&image)), []);
    assert!(cluster.notes.contains(&(N1, Note::SnapshotRefused { index: image.last.index.0 })));
    assert_eq!(cluster.replica(N1).machine().applied(), 0);
}

#[test]
fn thesis_6_3_the_session_table_travels_with_the_snapshot() {
    let mut cluster = compacting(3);
    cluster.isolate(N3);
    write(&mut cluster, 1, 40);
    cluster.heal();
    cluster.pass(200);
    // A retry of the last write, asked of the node that has it from the snapshot only.
    let first = cluster.ask(N1, Some((2, 41)), Operation::cas("x", 40, 41));
    cluster.settle();
    assert_eq!(cluster.answers[&(N1, first)], Ok(Reply::Swapped));
    cluster.crash(N1);
    cluster.elect(N3);
    let again = cluster.ask(N3, Some((2, 41)), Operation::cas("x", 40, 41));
    cluster.settle();
    assert_eq!(cluster.answers[&(N3, again)], Ok(Reply::Swapped), "not applied twice");
    sound(&cluster);
}

#[test]
fn s7_an_append_from_before_the_snapshot_is_answered_without_harm() {
    let mut cluster = compacting(3);
    write(&mut cluster, 1, 40);
    cluster.timeout(N1);
    cluster.settle();
    let base = base_of(&cluster, N2);
    let before = cluster.replica(N2).core().log().clone();
    let late = Body::Append { prev: position(0, 0), entries: vec![noop(1, 1)], commit: Index(1) };
    cluster.step(N2, Event::Message(N1, message(1, late)));
    assert_eq!(cluster.network.last().unwrap().message.body, Body::Appended { matched: Index(base) });
    assert_eq!(*cluster.replica(N2).core().log(), before);
    sound(&cluster);
}
