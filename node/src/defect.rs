//! Planted defects, by name: off by default, shown loudly by status and log when on.
//!
//! Each is a bug that real systems had, put back behind a switch, so that a campaign can prove that it would find it.
//! The registry below is the only place that knows them all; the code that misbehaves asks [`Defects::has`] at the very
//! line where a sound node does the right thing. The number of each is that of the project's catalogue of bugs.

use std::fmt;
use std::str::FromStr;

mod client;
mod paxos;
mod raft;
mod storage;
mod zab;

/// Makes the enumeration, its order and its descriptions of one line per defect.
macro_rules! catalogue {
    ($($id:ident => $file:ident,)*) => {
        /// A planted defect; what it is stands in its description.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Defect {
            $(#[doc = concat!("`", stringify!($id), "`, see [`Defect::description`].")] $id,)*
        }

        impl Defect {
            /// Every defect, in the order of the catalogue.
            pub const ALL: [Self; [$(stringify!($id)),*].len()] = [$(Self::$id),*];

            /// The protocol that it is a bug of; `None` for bugs of clients and of what all protocols share.
            pub fn protocol(self) -> Option<&'static str> {
                let file = match self {
                    $(Self::$id => stringify!($file),)*
                };
                ["raft", "paxos", "zab"].contains(&file).then_some(file)
            }

            /// What it is and how it shows.
            pub fn description(self) -> &'static Description {
                match self {
                    $(Self::$id => &$file::$id,)*
                }
            }
        }
    };
}

catalogue! {
    R01 => raft,
    R02 => raft,
    R03 => raft,
    R04 => raft,
    R05 => raft,
    R07 => raft,
    R08 => raft,
    R09 => raft,
    R10 => raft,
    R11B => raft,
    R12 => raft,
    R13 => raft,
    R14 => raft,
    R15 => raft,
    R17 => raft,
    R19 => raft,
    R20 => raft,
    R21 => raft,
    R22 => raft,
    R23 => raft,
    R25 => raft,
    R26 => raft,
    R27 => raft,
    R28 => raft,
    R29 => raft,
    R30 => raft,
    R32 => raft,
    R33 => raft,
    R34 => raft,
    R35 => raft,
    R36 => raft,
    P01 => paxos,
    P02 => paxos,
    P03 => paxos,
    P05 => paxos,
    P06 => paxos,
    P08 => paxos,
    P09 => paxos,
    P11 => paxos,
    P12 => paxos,
    P13 => paxos,
    P14 => paxos,
    P16 => paxos,
    P17 => paxos,
    P18 => paxos,
    Z01 => zab,
    Z02 => zab,
    Z03 => zab,
    Z04 => zab,
    Z05 => zab,
    Z07 => zab,
    Z08 => zab,
    Z10 => zab,
    Z11 => zab,
    Z13 => zab,
    Z14 => zab,
    Z15 => zab,
    G01 => client,
    G02 => client,
    G04 => client,
    G05 => storage,
    G06 => storage,
    G07 => storage,
    G08 => storage,
    G09 => raft,
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
    /// What makes it visible to a client: faults, and other circumstances such as `tiny snapshots`.
    pub faults: &'static [&'static str],
    /// Whether real processes show it within a minute, more often than once in a while, to a run with [`Defect::flags`].
    pub reachable: bool,
    /// Where it lives.
    pub home: Home,
    /// How it becomes visible, and why the plant is shaped as it is.
    pub note: &'static str,
}

impl Defect {
    /// How many nodes it takes to show it, where not any number does.
    pub fn nodes(self) -> Option<u32> {
        match self {
            // Half of an odd number is no majority.
            Self::R23 => Some(4),
            // Two majorities that share no node of those who matter.
            Self::R07 | Self::R26 | Self::R27 => Some(5),
            _ => None,
        }
    }

    /// What a run of real processes needs beside the defect, as it is typed, where the defaults do not show it.
    pub fn flags(self) -> &'static str {
        match self {
            Self::R23 => "--nodes 4",
            Self::R32 => "--workload list --snapshot-entries 10",
            Self::R33 => "--faults kill --snapshot-entries 10",
            Self::P17 => "--snapshot-entries 10",
            Self::G02 | Self::P18 => "--workload list",
            _ => "",
        }
    }

    /// Its name on the command line.
    pub fn id(self) -> &'static str {
        self.description().id
    }

    /// Refuses a defect of another protocol: it would never misbehave, and a campaign that looks for it finds nothing.
    ///
    /// # Errors
    /// When it is a bug of a protocol other than `protocol`.
    pub fn check_protocol(self, protocol: &str) -> Result<(), ForeignDefect> {
        match self.protocol() {
            Some(own) if own != protocol => {
                Err(ForeignDefect { defect: self, own, protocol: protocol.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// A defect that a node of this protocol cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{defect} is a defect of {own}, which {protocol} cannot have")]
pub struct ForeignDefect {
    /// The defect.
    pub defect: Defect,
    /// The protocol that it is a bug of.
    pub own: &'static str,
    /// The protocol that it was asked for.
    pub protocol: String,
}

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
    bits: u128,
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
