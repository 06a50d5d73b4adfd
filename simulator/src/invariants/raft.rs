//! Raft, shown to those who check.

use rashomon_node::raft::Raft;
use rashomon_node::raft::log::Payload;
use rashomon_node::raft::message::Record;

use super::{Entry, Inspect, Said, fingerprint, of_bytes};

impl Inspect for Raft {
    const KINDS: &'static [&'static str] = &[
        "Message",
        "PreVote",
        "PreVoteReply",
        "Vote",
        "VoteReply",
        "Append",
        "Appended",
        "Rejected",
        "Heartbeat",
        "HeartbeatReply",
        "Commit",
        "Install",
        "InstallReply",
        "StaleTerm",
        "Propose",
        "Admin",
        "AdminReply",
        "TimeoutNow",
        "ReadIndex",
        "ReadIndexReply",
        "HardState",
        "Entry",
        "Snapshot",
    ];

    fn said(record: &Record) -> Said {
        match record {
            Record::HardState(hard) => Said::Promise { term: hard.term.0, to: hard.vote },
            Record::Snapshot(image) => Said::Base { index: image.last.index.0, term: image.last.term.0 },
            Record::Entry(entry) => Said::Entry(Entry {
                index: entry.index.0,
                term: entry.term.0,
                fingerprint: match &entry.payload {
                    Payload::Noop => 0,
                    Payload::Command(command) => fingerprint(Some(command)),
                    Payload::Membership(membership) => of_bytes(membership),
                },
            }),
        }
    }
}
