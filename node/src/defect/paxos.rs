//! Bugs of Multi-Paxos nodes: section 2.2 of the catalogue.

use super::{Description, Home};

pub(super) static P01: Description = Description {
    id: "P01",
    title: "promises are not written down",
    rule: "persist a promise before answering (PP2)",
    faults: &["kill"],
    reachable: true,
    home: Home::Node,
    note: "As with Paxos rows that expired in ScyllaDB (6149). A restarted acceptor has forgotten its promise and \
           accepts what an older leader still sends; both values find majorities. It needs a deposed leader that is \
           alive and in reach of the restarted node only: rare on real processes.",
};

pub(super) static P02: Description = Description {
    id: "P02",
    title: "acknowledge before fsync",
    rule: "persist what is accepted before answering (PP3)",
    faults: &["power loss"],
    reachable: false,
    home: Home::Node,
    note: "Acceptances count before they are durable, the own one included, and nothing is synced: the page cache \
           survives kill -9, so only power loss shows it.",
};

pub(super) static P03: Description = Description {
    id: "P03",
    title: "the first report is taken for the whole, the highest ballot is not looked for",
    rule: "adopt the value of the highest ballot among a majority (PP4)",
    faults: &["partition", "kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "A candidate proposes what its own acceptor, the first to answer, has accepted, whatever the others report: a node \
           that missed the latest values, or was cut off with some of its own, overwrites what was chosen without it.",
};

pub(super) static P05: Description = Description {
    id: "P05",
    title: "accepting does not raise the promise",
    rule: "accepting is promising (PP3)",
    faults: &["delay"],
    reachable: false,
    home: Home::Node,
    note: "An acceptor that never saw the Prepare of a ballot accepts in it, follows whoever leads it, and then accepts in a \
           lower one all the same. Needs messages that overtake each other between different nodes.",
};

pub(super) static P06: Description = Description {
    id: "P06",
    title: "accepts below its promise",
    rule: "accept only what the promise allows (PP3)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "Nobody is ever refused, and no leader steps down for want of a majority: after the heal a deposed leader \
           goes on choosing values in slots that are taken.",
};

pub(super) static P08: Description = Description {
    id: "P08",
    title: "ballots without a server id",
    rule: "ballots are unique (PP1)",
    faults: &["partition", "kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "Two candidates that begin at the same time share a ballot, both get promises, and acceptors take either's \
           values for the other's.",
};

pub(super) static P09: Description = Description {
    id: "P09",
    title: "applies past a gap",
    rule: "apply strictly in slot order (PP6)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "A follower that is told that slots are chosen takes those it lacks for empty when it has later ones: as \
           the hole in the committed log of ZooKeeper 3.9.3 (4925). Its state differs from then on.",
};

pub(super) static P11: Description = Description {
    id: "P11",
    title: "gaps are never filled",
    rule: "a new leader finishes every slot (PP6)",
    faults: &["kill", "partition"],
    reachable: true,
    home: Home::Node,
    note: "A slot that no acceptor in reach of the new leader has accepted is left alone: the log waits for it for \
           ever, and nothing is served any more.",
};

pub(super) static P12: Description = Description {
    id: "P12",
    title: "the leader reads its local state unconfirmed",
    rule: "a majority confirms the leader after the read arrived, or a lease does (PP8)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "No confirmation, and no stepping down for want of a majority: a leader that is cut off, or wakes from a \
           pause, serves what it knew.",
};

pub(super) static P13: Description = Description {
    id: "P13",
    title: "reads do not wait for what is in progress",
    rule: "a read settles proposals in progress before it looks (PP8)",
    faults: &["kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "As with CAS reads of Cassandra (12126). A new leader confirms its office and reads what it knows to be \
           chosen, while values that the old one chose and acknowledged are still to be finished.",
};

pub(super) static P14: Description = Description {
    id: "P14",
    title: "acceptors forget the lease that they granted",
    rule: "acceptors refuse others while a lease runs, also after a restart (PP9)",
    faults: &["partition", "pause", "kill"],
    reachable: true,
    home: Home::Node,
    note: "Turns lease reads on. A leader relies on a round for several election timeouts, as long as it was \
           promised; acceptors listen to others as soon as these ask.",
};

pub(super) static P16: Description = Description {
    id: "P16",
    title: "an acceptor with an empty disk votes",
    rule: "an acceptor that lost its disk is a new server (PP10)",
    faults: &["wipe"],
    reachable: false,
    home: Home::Node,
    note: "A node without any record takes part at once, whatever it may have promised and accepted before its disk \
           was lost.",
};

pub(super) static P17: Description = Description {
    id: "P17",
    title: "compacted slots look empty",
    rule: "compacted slots are chosen, not empty (PP12)",
    faults: &["partition", "kill", "pause", "tiny snapshots"],
    reachable: true,
    home: Home::Node,
    note: "Promises keep quiet about compaction. A node that lags behind it fills those slots with no-ops when it \
           gets to lead. Needs snapshots every few entries.",
};

pub(super) static P18: Description = Description {
    id: "P18",
    title: "a command proposed again is applied again",
    rule: "apply a repeated command once (PP13)",
    faults: &["kill", "partition", "retries"],
    reachable: true,
    home: Home::Node,
    note: "A command that goes to a second leader goes under a new name, so that the session does not recognise it \
           when the first one had it chosen, too.",
};
