//! Bugs of ZAB nodes: section 2.3 of the catalogue.

use super::{Description, Home};

pub(super) static Z01: Description = Description {
    id: "Z01",
    title: "acknowledge a proposal before fsync",
    rule: "a follower logs and syncs before it acknowledges (Zab, phase 3)",
    faults: &["power loss"],
    reachable: false,
    home: Home::Node,
    note: "As ZooKeeper with forceSync=no. Leader and followers count a transaction once they have handed it to the disk. \
           Kill -9 leaves it in the page cache: only power loss, or a kill between the two, shows it.",
};
pub(super) static Z02: Description = Description {
    id: "Z02",
    title: "acknowledge NEWLEADER before the history is durable",
    rule: "transactions durable, then the epoch, then the acknowledgement (Zab, phase 2)",
    faults: &["power loss", "kill"],
    reachable: false,
    home: Home::Node,
    note: "ZOOKEEPER-3911, 4646, 4785. Followers that fail right after the acknowledgement have lost what the leader took \
           for safe and answered clients for; if the old leader stays away, nobody has it. Hopeless at random on real \
           processes: the window is one fsync.",
};
pub(super) static Z03: Description = Description {
    id: "Z03",
    title: "the epoch is durable before the history that it stands for",
    rule: "transactions durable, then the epoch (Zab, phase 2)",
    faults: &["power loss", "kill"],
    reachable: false,
    home: Home::Node,
    note: "ZOOKEEPER-4643. A follower that fails between the two has the latest epoch and a short history: it wins the \
           next election and the others drop what was committed. The window is one fsync.",
};
pub(super) static Z04: Description = Description {
    id: "Z04",
    title: "the accepted epoch is neither durable nor checked",
    rule: "persist acceptedEpoch before ACKEPOCH, accept only a later one (Zab, phase 1)",
    faults: &["kill", "partition"],
    reachable: false,
    home: Home::Node,
    note: "ZOOKEEPER-2307. After a restart a node accepts the same epoch again, from somebody else: two leaders number \
           different transactions alike. Two leaders have to follow each other within a \
           restart: not seen in a minute of kills and partitions.",
};
pub(super) static Z05: Description = Description {
    id: "Z05",
    title: "election and discovery ignore epochs",
    rule: "votes compare (currentEpoch, zxid, id), a total order (Zab, phase 1)",
    faults: &["kill", "partition"],
    reachable: true,
    home: Home::Node,
    note: "ZOOKEEPER-1419 is of this class. Histories are compared by the counter of their last transaction: whoever had \
           proposed much in an earlier epoch beats who has committed little in a later one, and makes the others drop it.",
};
pub(super) static Z07: Description = Description {
    id: "Z07",
    title: "TRUNC is skipped",
    rule: "TRUNC removes from log and memory what the leader does not have (Zab, phase 2)",
    faults: &["partition", "kill"],
    reachable: true,
    home: Home::Node,
    note: "ZOOKEEPER-2845, 3526. A leader cut off with proposals in flight keeps them when it comes back as a follower, and \
           everything after them stands in other places than elsewhere.",
};
pub(super) static Z08: Description = Description {
    id: "Z08",
    title: "proposals made while a follower synchronises are not sent to it",
    rule: "whoever has acknowledged the epoch hears every proposal (Zab, phase 2)",
    faults: &["kill"],
    reachable: true,
    home: Home::Node,
    note: "ZOOKEEPER-2418, 4925. A follower that joins under writes has a hole in its history, and acknowledges what comes \
           after it.",
};
pub(super) static Z10: Description = Description {
    id: "Z10",
    title: "sync without a quorum",
    rule: "a sync passes a quorum (ZOOKEEPER-1675)",
    faults: &["pause", "partition"],
    reachable: true,
    home: Home::Node,
    note: "The leader answers a sync from what it knows. One that was paused or cut off, and does not know yet that it was \
           replaced, serves what is outdated. Its limit is longer than its followers' patience, so that this lasts.",
};
pub(super) static Z11: Description = Description {
    id: "Z11",
    title: "a leader that is alone never steps down",
    rule: "a leader without a quorum of live followers for syncLimit stops serving (Zab1.0)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "Followers that were heard once count as alive for ever, for staying in office as for a sync. Cut off, the leader \
           serves outdated reads and its writes hang.",
};
pub(super) static Z13: Description = Description {
    id: "Z13",
    title: "apply and serve before UPTODATE",
    rule: "a follower applies nothing uncommitted, and serves after UPTODATE only (Zab, phase 2)",
    faults: &["kill"],
    reachable: true,
    home: Home::Node,
    note: "ZOOKEEPER-4394. What a synchronisation brings is applied and read as it arrives. If the leader dies before a \
           quorum has it, the next one may not have it at all: a dirty read, and a state that nobody else has.",
};
pub(super) static Z14: Description = Description {
    id: "Z14",
    title: "the position that a client has seen is not looked at",
    rule: "a server refuses a client that has seen more than it has (single system image)",
    faults: &["pause", "partition", "local reads"],
    reachable: false,
    home: Home::Node,
    note: "Only with local reads: the others are linearizable whatever the client has seen. A client that goes on at a node \
           that lags sees the past: the simulator has such clients (`rashomon sim --protocol zab --reads local`), runs \
           have not.",
};
pub(super) static Z15: Description = Description {
    id: "Z15",
    title: "sessions are closed by each node for itself",
    rule: "sessions are opened and closed by transactions",
    faults: &["kill"],
    reachable: true,
    home: Home::Node,
    note: "The store has no ephemeral objects, and its sessions leave by places in the log; so the plant is that a node \
           that takes office closes the session that was used least recently, in its own state only. Its digest differs \
           from then on, and so do answers to that session.",
};
