//! Bugs of storage: section 2.4 of the catalogue.

use super::{Description, Home};

pub(super) static G05: Description = Description {
    id: "G05",
    title: "replay stops at the first damaged frame and drops the rest",
    rule: "what was durable and is damaged is refused, never dropped (Protocol-Aware Recovery, FAST 2018)",
    faults: &["corruption"],
    reachable: false,
    home: Home::Node,
    note: "As NATS 2.12.1. A flipped bit in the middle of the log, and everything after it is gone without a word: votes and \
           acknowledged writes. Needs a fault that damages files of a node that is down.",
};
pub(super) static G06: Description = Description {
    id: "G06",
    title: "a torn frame is replayed as far as it decodes",
    rule: "a frame counts as a whole or not at all",
    faults: &["power loss"],
    reachable: false,
    home: Home::Node,
    note: "As etcd #14098. What was never durable is taken for durable, with zeros where sectors are missing, and is gone again \
           after the next start. kill -9 hardly ever tears a frame: it is one write.",
};
pub(super) static G07: Description = Description {
    id: "G07",
    title: "the directory is not synced when a segment is added",
    rule: "a new file's name is durable only after a sync of its directory",
    faults: &["power loss"],
    reachable: false,
    home: Home::Node,
    note: "As etcd #6368. A segment is written and synced, but after a power loss nothing has its name. kill -9 loses no names.",
};
pub(super) static G08: Description = Description {
    id: "G08",
    title: "a failed fsync is ignored",
    rule: "after a failed fsync the node stops (Rebello et al., ATC 2020)",
    faults: &["disk errors", "power loss"],
    reachable: false,
    home: Home::Node,
    note: "What the failed sync was to write may be gone from the page cache, too, and is acknowledged all the same. Needs a disk \
           that fails.",
};
