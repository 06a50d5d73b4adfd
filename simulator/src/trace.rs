//! What happened, event by event: a hash of it for every run, and the glyphs of a run that is to be looked at.

use std::hash::{Hash, Hasher};

use rashomon_histories::Nanos;
use rashomon_node::protocol::Note;
use rustc_hash::FxHasher;
use serde::Serialize;

/// One thing that happened to one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happening {
    /// When.
    pub at: Nanos,
    /// To the node at this position.
    pub node: usize,
    /// What.
    pub what: What,
}

/// What happened to a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum What {
    /// A message of that node arrived, sent then.
    Message {
        /// The sender's position.
        from: usize,
        /// When it was sent.
        sent: Nanos,
    },
    /// A message did not get through.
    Dropped {
        /// The sender's position.
        from: usize,
    },
    /// A client's request came in.
    Request,
    /// A client was answered.
    Answered {
        /// Whether the operation was carried out.
        done: bool,
    },
    /// Its log is on disk up to a later point.
    Written,
    /// It looks for votes.
    Campaigns {
        /// In this term.
        term: u64,
    },
    /// It leads.
    Leads {
        /// In this term.
        term: u64,
    },
    /// It leads no more.
    StepsDown {
        /// The term it had led.
        term: u64,
    },
    /// It dropped entries.
    Truncated,
    /// It was started.
    Started,
    /// It died, because …
    Died {
        /// Why.
        why: String,
    },
    /// It fell asleep.
    Paused,
    /// It woke up.
    Resumed,
    /// An invariant broke at it.
    Broken {
        /// Which.
        invariant: &'static str,
    },
}

impl What {
    /// One sign for a column.
    pub fn glyph(&self) -> char {
        match self {
            What::Message { .. } => '<',
            What::Dropped { .. } => 'x',
            What::Request => '?',
            What::Answered { done: true } => '!',
            What::Answered { done: false } => '-',
            What::Written => 'w',
            What::Campaigns { .. } => 'c',
            What::Leads { .. } => 'L',
            What::StepsDown { .. } => 'd',
            What::Truncated => 't',
            What::Started => '^',
            What::Died { .. } => '#',
            What::Paused => 'z',
            What::Resumed => 'a',
            What::Broken { .. } => '*',
        }
    }

    /// What a note of the core says, where it is worth a glyph.
    pub(crate) fn of(note: &Note) -> Option<Self> {
        Some(match note {
            Note::ElectionStarted { term } => What::Campaigns { term: *term },
            Note::BecameLeader { term } => What::Leads { term: *term },
            Note::SteppedDown { term, .. } => What::StepsDown { term: *term },
            Note::Truncated { .. } => What::Truncated,
            _ => return None,
        })
    }
}

/// The meaning of the glyphs, for people.
pub const LEGEND: &str = "< message in, x message lost, ? request in, ! carried out, - refused, w written to disk, \
                          c campaigns, L leads, d deposed, t truncates, ^ started, # died, z asleep, a awake, \
                          * invariant broken";

/// Takes in everything that happens.
#[derive(Default)]
pub(crate) struct Trace {
    hasher: FxHasher,
    count: u64,
    happenings: Option<Vec<Happening>>,
}

impl Trace {
    /// Keeps the happenings as well, if they are wanted.
    pub(crate) fn new(keeps: bool) -> Self {
        Self { happenings: keeps.then(Vec::new), ..Self::default() }
    }

    /// Something happened.
    #[inline]
    pub(crate) fn add(&mut self, at: Nanos, node: usize, what: What) {
        self.count += 1;
        (at.0, node).hash(&mut self.hasher);
        what.hash(&mut self.hasher);
        if let Some(happenings) = &mut self.happenings {
            happenings.push(Happening { at, node, what });
        }
    }

    pub(crate) fn finish(self) -> (u64, u64, Vec<Happening>) {
        (self.hasher.finish(), self.count, self.happenings.unwrap_or_default())
    }
}
