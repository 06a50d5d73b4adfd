//! Transcripts of phases 1 and 2: what leader and followers say to each other, and what is on whose disk by then.
//!
//! Each file under `transcripts/` is the trace of one cluster from its start until everybody serves: `n1 writes …` once the
//! record is durable, `n1 to n2: …` when a message leaves, `n1: …` for what a node notes. Votes, pings and their answers
//! are left out. Rewrite the files with `UPDATE_EXPECT=1`, and read them.

use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use rashomon_node::api::NodeId;
use rashomon_node::replica::Event;
use rashomon_node::settings::Settings;
use rashomon_node::zab::history::Transaction;
use rashomon_node::zab::message::{Down, Frame, Message, Record, Up};
use rashomon_node::zab::zxid::Zxid;

use crate::rules::{Cluster, N1, N2, N3, led, records, with_disks, write, zxids};

/// A cluster whose every step is written down.
struct Trace {
    cluster: Cluster,
    text: String,
    noted: usize,
}

impl Trace {
    fn of(cluster: Cluster, story: &str) -> Self {
        let mut trace = Self { noted: cluster.notes.len(), cluster, text: String::new() };
        story.lines().for_each(|line| trace.line(format_args!("# {line}")));
        for id in [N1, N2, N3] {
            trace.history(id);
        }
        trace
    }

    fn line(&mut self, line: impl std::fmt::Display) {
        writeln!(self.text, "{line}").expect("writing to a string");
    }

    fn history(&mut self, id: NodeId) {
        if self.cluster.nodes[&id].replica.is_none() {
            return self.line(format_args!("{id} is down"));
        }
        let (accepted, current) = self.cluster.replica(id).core().epochs();
        let history = match self.cluster.replica(id).core().history().checkpoint() {
            Some(checkpoint) => {
                format!("checkpoint of {}, {}", checkpoint.zxid, list(zxids(&self.cluster, id)))
            }
            None => list(zxids(&self.cluster, id)),
        };
        self.line(format_args!("{id} has accepted epoch {}, entered {}: {history}", accepted.0, current.0));
    }

    fn step(&mut self, id: NodeId, event: Event<Message>) {
        let on_disk = self.cluster.nodes[&id].disk.clone();
        let under_way = self.cluster.network.len();
        self.cluster.step(id, event);
        let disk = &self.cluster.nodes[&id].disk;
        let added = disk.strip_prefix(on_disk.as_slice());
        let is_rewritten = added.is_none();
        let written: Vec<String> = added.unwrap_or(disk).iter().map(record).collect();
        if !written.is_empty() {
            let how = if is_rewritten { "writes anew" } else { "writes" };
            self.line(format_args!("{id} {how} {}", written.join(", ")));
        }
        for (_, note) in self.cluster.notes.split_off(self.noted) {
            self.line(format_args!("{id}: {note}"));
        }
        let told = self.cluster.network[under_way..].iter();
        let told: Vec<String> = told
            .filter_map(|one| Some(format!("{} to {}: {}", one.from, one.to, message(&one.message)?)))
            .collect();
        told.into_iter().for_each(|line| self.line(line));
    }

    /// Time passes, with all ticks and messages, until all that are up serve.
    fn until_all_serve(mut self) -> String {
        let ids: Vec<NodeId> = self.cluster.nodes.keys().copied().collect();
        for _ in 0..1_000 {
            self.cluster.now = self.cluster.now + 5;
            for id in &ids {
                let replica = self.cluster.nodes[id].replica.as_ref();
                if replica.is_some_and(|replica| replica.wake_at() <= self.cluster.now) {
                    self.step(*id, Event::Tick);
                }
            }
            while !self.cluster.network.is_empty() {
                let envelope = self.cluster.network.remove(0);
                if self.cluster.nodes[&envelope.to].replica.is_some() {
                    self.step(envelope.to, Event::Message(envelope.from, envelope.message));
                }
            }
            let mut up = self.cluster.nodes.values().filter_map(|node| node.replica.as_ref());
            if up.all(|replica| replica.core().serves()) {
                self.line("# All serve.");
                ids.iter().for_each(|id| self.history(*id));
                assert_eq!(self.cluster.invariants.violations, Vec::<String>::new());
                return self.text;
            }
        }
        panic!("nobody serves:\n{}", self.text);
    }
}

fn list(zxids: Vec<Zxid>) -> String {
    let names: Vec<String> = zxids.iter().map(Zxid::to_string).collect();
    format!("[{}]", names.join(" "))
}

fn names(transactions: &[Transaction]) -> String {
    list(transactions.iter().map(|transaction| transaction.zxid).collect())
}

fn record(record: &Record) -> String {
    match record {
        Record::AcceptedEpoch(epoch) => format!("acceptedEpoch {}", epoch.0),
        Record::CurrentEpoch(epoch) => format!("currentEpoch {}", epoch.0),
        Record::Transaction { transaction, .. } => format!("transaction {}", transaction.zxid),
        Record::Truncated { last } => format!("end of history at place {}", last.0),
        Record::Checkpoint(checkpoint) => format!("checkpoint of {}", checkpoint.zxid),
    }
}

/// `None` for what is of no interest here.
fn message(message: &Message) -> Option<String> {
    Some(match message {
        Message::Notification(_) => return None,
        Message::Up(Frame { body, .. }) => match body {
            Up::Join { accepted } => format!("Join, accepted epoch {}", accepted.0),
            Up::AckEpoch { epoch, credentials, outline, .. } => {
                let ends = list(outline.ends.clone());
                format!("AckEpoch {}, entered {}, epochs end at {ends}", epoch.0, credentials.current.0)
            }
            Up::AckNewLeader { epoch } => format!("AckNewLeader {}", epoch.0),
            Up::Ack { zxid } => format!("Ack {zxid}"),
            Up::Request { commands } => format!("Request, {} commands", commands.len()),
            Up::Sync { .. } => "Sync".into(),
            Up::Pong { .. } => return None,
        },
        Message::Down(Frame { body, .. }) => match body {
            Down::NewEpoch { epoch } => format!("NewEpoch {}", epoch.0),
            Down::Diff => "Diff".into(),
            Down::Trunc { last } => format!("Trunc after {last}"),
            Down::Snap { zxid, is_last, .. } => {
                format!("Snap of {zxid}{}", if *is_last { ", last piece" } else { "" })
            }
            Down::Propose { transactions, commit } => {
                format!("Propose {}, committed {commit}", names(transactions))
            }
            Down::NewLeader { epoch } => format!("NewLeader {}", epoch.0),
            Down::UpToDate { commit } => format!("UpToDate, committed {commit}"),
            Down::Commit { zxid } => format!("Commit {zxid}"),
            Down::SyncReply { index, .. } => format!("SyncReply up to {}", index.0),
            Down::Ping { .. } | Down::Reset => return None,
        },
    })
}

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/zab/transcripts/{name}.txt"));
    expect_file![path].assert_eq(text);
}

#[test]
fn histories_that_parted_become_one_by_diff_and_trunc() {
    let disks = [
        records(2, 2, &[(1, 1), (1, 2)]),
        records(2, 2, &[(1, 1), (1, 2), (2, 1)]),
        records(1, 1, &[(1, 1), (1, 2), (1, 3)]),
    ];
    let story = "n2 led epoch 2 with n1, and its transaction 2:1 has not reached n1. n3 led epoch 1, and 1:3 has reached\n\
                 nobody; it has slept through epoch 2. n2 is elected: its history is the best.";
    let text = Trace::of(with_disks(disks, |_| {}), story).until_all_serve();
    check("diff_and_trunc", &text);
}

#[test]
fn who_lacks_what_was_compacted_is_sent_a_checkpoint() {
    let configure = |settings: &mut Settings| settings.snapshot_entries = 4;
    let mut cluster = led(configure);
    cluster.crash(N1);
    (1..=11).for_each(|value| write(&mut cluster, N3, value, value as i64));
    cluster.start(N1);
    cluster.network.clear();
    let story = "n1 was down while the others wrote, and compacted what they wrote. It joins the leader n3, which goes on\n\
                 leading its epoch.";
    let text = Trace::of(cluster, story).until_all_serve();
    check("snap", &text);
}
