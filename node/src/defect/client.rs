//! Bugs of clients and of the server around the protocol: section 2.4 of the catalogue.

use super::{Description, Home};

pub(super) static G01: Description = Description {
    id: "G01",
    title: "the client library retries under a new sequence",
    rule: "a retry repeats the sequence (thesis 6.3)",
    faults: &["kill", "pause", "partition"],
    reachable: true,
    home: Home::Client,
    note: "As jetcd 0.8.2 did. The first attempt committed, its reply was lost, the second applies again: a write comes \
           back from the dead, a cas that happened reports a mismatch. The node is sound: ask the client for \
           `Retries::NewSequence`.",
};
pub(super) static G02: Description = Description {
    id: "G02",
    title: "a retry is recognised only by the node that has the first attempt in hand",
    rule: "what a session was answered is replicated state (thesis 6.3)",
    faults: &["kill", "pause", "partition"],
    reachable: true,
    home: Home::Node,
    note: "As where a table per connection recognises duplicates. What a leader's fall left in the log and was handed to \
           the next one as well is applied twice, on every node alike: elements of a list are doubled, sums too high, a \
           write comes back from the dead.",
};
pub(super) static G04: Description = Description {
    id: "G04",
    title: "a cas is applied without its compare by the nodes that nobody asked",
    rule: "equal commands have equal effects on every node (thesis 6.3; Raft 2)",
    faults: &["none"],
    reachable: true,
    home: Home::Node,
    note: "As etcd #18667, where members stripped parts of a txn that only its own member was to answer. The first refused \
           cas makes the nodes differ for good. No fault is needed; sets, counters, lists and queues know no cas.",
};
