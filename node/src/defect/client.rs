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
