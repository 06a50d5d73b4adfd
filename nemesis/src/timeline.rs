//! Directed time lines: at this moment, or when this has been seen, this fault, for so long. Plain data, TOML-able.
//!
//! For what a random schedule meets too seldom: one paper's counterexample, a shrunk finding. It yields the same steps
//! as [`crate::Schedule`], so drivers do not know which one they follow. Moments alone may stand in any order; as
//! soon as an entry waits for something, the entries are a story and are followed in the order of the file.
//!
//! ```toml
//! about = "what it provokes, and how"
//! rounds = 3              # the whole story three times, with the pause of rest_ms in between
//!
//! [[fault]]
//! at_ms = 2000            # since the round began
//! for_ms = 2500
//! isolate = ["leader", "follower"]
//!
//! [[fault]]
//! when = { role = "leader", by = "other" }   # see `Condition`; `it` is from then on the node that this was about
//! for_ms = 3000
//! until = { note = "follows", by = "it" }    # or when this is seen, if that is earlier
//! pause = "it"
//!
//! [[fault]]
//! after_ms = 500          # since the entry before it began
//! for_ms = 300
//! kill = "deposed"        # or fault = "partition-ring", or cut = { n1 = ["n2"] }
//!
//! # Only where a world delivers every message itself, and sees what reaches a disk:
//! [[fault]]
//! when = { durable = "HardState", by = "it" }    # or sent = "VoteReply true", or answered = "Ok"
//! for_ms = 2000
//! hold = { sent = "Vote|PreVote", by = "n1", to = ["n2", "n3"] }     # or drop, or repeat
//! [[fault]]
//! for_ms = 200
//! power_loss = "it"       # or slow_disk, or fail_sync
//!
//! # Only where the system can be asked, and for as long as it may be waited for:
//! [[fault]]
//! for_ms = 1000
//! members = { of = ["n1", "n2", "n3"], at = "leader" }    # or lead = { node = "it" }; asked at whoever leads if not said
//! ```
//!
//! This file is the format; the machine that follows it is [`Directed`], what it waits for [`Condition`], the ready-made
//! ones are the [`library`]. A schedule as it happened, with nothing left to aim, is a [`Script`].

mod aim;
mod condition;
mod deed;
mod directed;
pub mod library;
mod script;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::UnknownFault;
use crate::grudge::Grudge;
use crate::node::NodeId;

use directed::LOOK_EVERY;

pub use aim::{Aim, Aims, Handover, Mail, Members, Whos};
pub use condition::{Condition, NotAWho, Observation, Sight, Who};
pub use directed::{CONDITION_WAIT, Directed, LEADER_WAIT};
pub use script::{Follow, Recording, Script, ScriptError, Scripted};

/// A time line, or, where an entry waits for something, a story.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// How many nodes it is written for; none: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// How often the whole of it is followed, as far as there is time; 0 counts as 1.
    #[serde(default)]
    pub rounds: u32,
    /// Between one round and the next, in milliseconds.
    #[serde(default)]
    pub rest_ms: u64,
    /// How long an entry waits for its condition, in milliseconds; 0 counts as that of [`CONDITION_WAIT`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub patience_ms: u64,
    /// The entries.
    #[serde(default)]
    pub fault: Vec<Entry>,
}

/// Exactly one of the deeds, from a moment on, for so long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Not before this, in milliseconds since the round began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at_ms: u64,
    /// Not before this, in milliseconds since the entry before it began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after_ms: u64,
    /// Not before this has been seen, looked for from the two moments above on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// It ends earlier when this is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Condition>,
    /// A fault of the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Kill these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<Aims>,
    /// Pause these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Aims>,
    /// Take the power from these: they are gone, and what they had not synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_loss: Option<Aims>,
    /// Make the syncs of these take many times as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_disk: Option<Aims>,
    /// Fail the next sync of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_sync: Option<Aims>,
    /// Cut these, together, off from all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolate: Option<Aims>,
    /// Drop exactly these packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Grudge>,
    /// Keep these messages back until the end of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Mail>,
    /// Let these messages never arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<Mail>,
    /// Let these messages arrive once more at the end of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Mail>,
    /// Ask the system for these members. They stay when this is over; the final heal asks for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
    /// Ask the system to have this node lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<Handover>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

/// A time line that cannot be followed. Entries are counted from 1, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimelineError {
    /// An entry with no deed, or with several.
    #[error("entry {entry} has {count} deeds such as fault, kill, isolate or hold; it needs exactly one")]
    NotOneDeed {
        /// Which.
        entry: usize,
        /// How many it has.
        count: usize,
    },
    /// An entry that names no known fault.
    #[error("entry {entry}: {source}")]
    UnknownFault {
        /// Which.
        entry: usize,
        /// The known ones.
        source: UnknownFault,
    },
    /// A fault that needs more nodes.
    #[error("entry {entry}: {fault} needs at least {needs} nodes, there are {has}")]
    TooFewNodes {
        /// Which.
        entry: usize,
        /// The fault.
        fault: &'static str,
        /// The fewest.
        needs: usize,
        /// The nodes there are.
        has: usize,
    },
    /// A time line for another number of nodes.
    #[error("the time line is written for {needs} nodes, there are {has}")]
    OtherNodes {
        /// The nodes it is written for.
        needs: u32,
        /// The nodes there are.
        has: usize,
    },
    /// An entry about a node that does not exist.
    #[error("entry {entry} is about {node}, which does not exist")]
    UnknownNode {
        /// Which.
        entry: usize,
        /// The node.
        node: NodeId,
    },
    /// A condition that contradicts itself.
    #[error("entry {entry}: its condition cannot be used: {problem}")]
    Condition {
        /// Which.
        entry: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Words that nobody in this world ever says.
    #[error("entry {entry}: nothing here is called {word:?}; there are {known}")]
    UnknownWord {
        /// Which.
        entry: usize,
        /// The word.
        word: String,
        /// What is called something.
        known: String,
    },
    /// A condition on what this world does not see.
    #[error("entry {entry} waits for {what}, which cannot be seen here")]
    Unseen {
        /// Which.
        entry: usize,
        /// What.
        what: Sight,
    },
}

impl Timeline {
    /// Refuses conditions on what is not `seen`.
    ///
    /// # Errors
    /// [`TimelineError::Unseen`] with the first entry that waits for such a thing.
    pub fn check_sight(&self, seen: &BTreeSet<Sight>) -> Result<(), TimelineError> {
        for (entry, what) in self.sights() {
            if !seen.contains(&what) {
                return Err(TimelineError::Unseen { entry, what });
            }
        }
        Ok(())
    }

    /// What must be seen to follow it, entry by entry.
    pub fn sights(&self) -> impl Iterator<Item = (usize, Sight)> + '_ {
        let conditions =
            |entry: &Entry| [entry.when.as_ref(), entry.until.as_ref()].map(|one| one.map(Condition::needs));
        (1..).zip(&self.fault).flat_map(move |(number, entry)| {
            conditions(entry).into_iter().flatten().map(move |sight| (number, sight))
        })
    }

    /// Refuses messages and records that are not called by any of these names: they would be waited for in vain.
    ///
    /// # Errors
    /// [`TimelineError::UnknownWord`] with the first entry whose first word is not among them.
    pub fn check_words(&self, known: &[&str]) -> Result<(), TimelineError> {
        for (entry, words) in self.words() {
            let first = words.split_whitespace().next().unwrap_or_default();
            if let Some(word) = first.split('|').find(|word| !word.is_empty() && !known.contains(word)) {
                let (word, known) = (word.to_owned(), known.join(", "));
                return Err(TimelineError::UnknownWord { entry, word, known });
            }
        }
        Ok(())
    }

    /// What it looks for in messages and records, entry by entry.
    fn words(&self) -> impl Iterator<Item = (usize, &str)> + '_ {
        (1..).zip(&self.fault).flat_map(|(number, entry)| {
            let conditions = entry.when.iter().chain(&entry.until);
            let seen = conditions.flat_map(|one| one.sent.iter().chain(&one.durable));
            let handled = [&entry.hold, &entry.drop, &entry.repeat].into_iter().flatten();
            let words = seen.chain(handled.map(|mail| &mail.sent));
            words.map(move |words| (number, &words[..])).collect::<Vec<_>>()
        })
    }

    /// Whether its entries are a story, to be followed in the order of the file, rather than moments.
    pub fn is_story(&self) -> bool {
        self.fault.iter().any(|entry| entry.when.is_some() || entry.after_ms > 0)
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sight::Roles => "a role",
            Sight::Notes => "what a node writes down",
            Sight::Messages => "a message",
            Sight::Records => "what a node has on disk",
            Sight::Answers => "an answer to a client",
        })
    }
}

#[cfg(test)]
mod tests;
