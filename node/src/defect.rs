//! Planted defects, by name: off by default, shown loudly by status and log when on.
//!
//! Each is a bug that real systems had, put back behind a switch, so that a campaign can prove that it would find it.
//! The registry below is the only place that knows them all; the code that misbehaves asks [`Defects::has`] at the very
//! line where a sound node does the right thing. The number of each is that of the project's catalogue of bugs.

use std::fmt;
use std::str::FromStr;

/// A planted defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Defect {
    /// Acknowledge before fsync.
    R03,
    /// Vote without looking at the candidate's log.
    R05,
    /// No no-op on election, reads before the first commit of the own term.
    R08,
    /// The leader reads its local state unconfirmed.
    R09,
    /// The read lease runs from the arrival of acknowledgements, and too long.
    R12,
    /// A conflicting tail is never truncated.
    R14,
    /// Entries of a lower term are accepted; the deposed leader stays.
    R21,
    /// Reply on append, before a quorum has it.
    R22,
    /// A definite error for an operation that may yet commit.
    R36,
    /// The client library retries under a new sequence.
    G01,
}

/// Where a defect lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In the node: started with `--defect`.
    Node,
    /// In the client library: the node is sound, the client is asked to misbehave.
    Client,
}

/// What a defect is, for people and for the campaign that looks for it.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Its name on the command line.
    pub id: &'static str,
    /// What is wrong, in a line.
    pub title: &'static str,
    /// The rule it breaks, with its source.
    pub rule: &'static str,
    /// Faults that make it visible to a client.
    pub faults: &'static [&'static str],
    /// Whether kill -9, pause and partition on real processes suffice to see it within a minute.
    pub reachable: bool,
    /// Where it lives.
    pub home: Home,
    /// How it becomes visible, and why the plant is shaped as it is.
    pub note: &'static str,
}

impl Defect {
    /// Every defect, in the order of the catalogue.
    pub const ALL: [Self; 10] = [
        Self::R03,
        Self::R05,
        Self::R08,
        Self::R09,
        Self::R12,
        Self::R14,
        Self::R21,
        Self::R22,
        Self::R36,
        Self::G01,
    ];

    /// Its name on the command line.
    pub fn id(self) -> &'static str {
        self.description().id
    }

    /// What it is and how it shows.
    pub fn description(self) -> &'static Description {
        match self {
            Self::R03 => &R03,
            Self::R05 => &R05,
            Self::R08 => &R08,
            Self::R09 => &R09,
            Self::R12 => &R12,
            Self::R14 => &R14,
            Self::R21 => &R21,
            Self::R22 => &R22,
            Self::R36 => &R36,
            Self::G01 => &G01,
        }
    }
}

static R03: Description = Description {
    id: "R03",
    title: "acknowledge before fsync",
    rule: "persist before answering (Raft Figure 2; thesis 3.8)",
    faults: &["power loss"],
    reachable: false,
    home: Home::Node,
    note: "Records count as durable once written to the page cache, which survives kill -9: only power loss shows it.",
};
static R05: Description = Description {
    id: "R05",
    title: "vote without looking at the candidate's log",
    rule: "election restriction (Raft 5.4.1)",
    faults: &["kill", "pause", "partition"],
    reachable: true,
    home: Home::Node,
    note: "Votes and pre-votes are granted to whoever asks first. A node that was cut off, or slept, comes back while the \
           leader is gone, wins with a short log and makes the others drop acknowledged writes.",
};
static R08: Description = Description {
    id: "R08",
    title: "reads before the first commit of the own term",
    rule: "no-op on election, reads only after it is committed (Raft 8; thesis 6.4)",
    faults: &["kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "The new leader appends no no-op and answers reads at the commit index that it happens to know. Followers learn \
           of commits with periodic heartbeats only, so a write acknowledged just before the old leader died is missing \
           from reads on the new one until it has committed something of its own.",
};
static R09: Description = Description {
    id: "R09",
    title: "the leader reads its local state unconfirmed",
    rule: "confirm leadership by a round of heartbeats after the read arrived (Raft 8; thesis 6.4)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "As in etcd 0.4 and Consul of 2014: no confirmation and no check-quorum, so a leader that is cut off, or wakes \
           from a pause, serves what it knew while a new leader moves on.",
};
static R12: Description = Description {
    id: "R12",
    title: "the lease runs from the arrival of acknowledgements, and too long",
    rule: "a lease runs from the sending of the round, shorter than any election (thesis 6.4.1)",
    faults: &["pause", "partition"],
    reachable: true,
    home: Home::Node,
    note: "Turns lease reads on. The lease starts when acknowledgements are read, so a leader that slept between sending \
           and reading them believes in a lease granted before it slept; and it lasts several election timeouts, so an \
           isolated leader outlives it.",
};
static R14: Description = Description {
    id: "R14",
    title: "a conflicting tail is never truncated",
    rule: "delete the suffix from the first entry that conflicts (Raft 5.3)",
    faults: &["partition", "kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "A follower keeps its own entry where the leader has another one and says that it accepted. A leader cut off \
           with writes in flight thus keeps them and later applies what nobody else has. No check-quorum: a deposed \
           leader is to have a tail worth keeping.",
};
static R21: Description = Description {
    id: "R21",
    title: "entries of a lower term are accepted; the deposed leader stays",
    rule: "refuse a lower term, step down at a higher one (Raft 5.1)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "No check-quorum; a leader ignores higher terms and followers obey whoever sends entries. After the heal two \
           leaders overwrite each other's entries.",
};
static R22: Description = Description {
    id: "R22",
    title: "reply on append, before a quorum has it",
    rule: "reply after the entry is committed and applied (Raft 5.3)",
    faults: &["partition", "kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "The leader acknowledges its own clients' writes as soon as they are in its log. Cut off or killed, it loses \
           them to the next leader.",
};
static R36: Description = Description {
    id: "R36",
    title: "a definite error for an operation that may yet commit",
    rule: "an operation once proposed is unknown until applied (thesis 6.3)",
    faults: &["partition", "pause", "kill"],
    reachable: true,
    home: Home::Node,
    note: "When the leader changes, a node answers 'did not happen' for everything it had proposed or forwarded. What had \
           reached a majority commits all the same under the new leader.",
};
static G01: Description = Description {
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

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Not the name of a defect.
#[derive(Debug, thiserror::Error)]
#[error("no defect is called {0:?}; there are {known}", known = Defect::ALL.map(Defect::id).join(", "))]
pub struct UnknownDefect(String);

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(name: &str) -> Result<Self, UnknownDefect> {
        let found = Self::ALL.into_iter().find(|defect| defect.id().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownDefect(name.to_owned()))
    }
}

/// The defects in force; empty on a sound node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Defects {
    bits: u64,
}

impl Defects {
    /// A sound node.
    pub const NONE: Self = Self { bits: 0 };

    /// Whether `defect` is in force.
    pub fn has(self, defect: Defect) -> bool {
        self.bits & (1 << defect as u8) != 0
    }

    /// Whether the node is sound.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The defects in force, in the order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.into_iter().filter(move |defect| self.has(*defect))
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self { bits: defects.into_iter().fold(0, |bits, defect| bits | 1 << defect as u8) }
    }
}
