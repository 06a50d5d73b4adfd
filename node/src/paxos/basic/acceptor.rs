//! The acceptor: promises, and accepts what its promise allows (Paxos Made Simple, section 2.2).
//!
//! *Promised* and *accepted* are two variables (PP2): the ballot last promised may be far above the one last accepted in.

use serde::{Deserialize, Serialize};

use crate::paxos::basic::Ballot;

/// A value together with the ballot that it was accepted in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted<V> {
    /// The proposal's ballot.
    pub ballot: Ballot,
    /// Its value.
    pub value: V,
}

/// The proposal's ballot is too low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What has been promised instead; a proposer has to go above it.
    pub promised: Ballot,
}

/// An acceptor's promise to take no part in ballots below it. One serves one decree, or all those of Multi-Paxos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promised(Ballot);

impl Promised {
    /// The ballot.
    pub fn ballot(self) -> Ballot {
        self.0
    }

    /// Takes part in `ballot` from now on and in none below, if nothing higher was promised before. A repetition of the
    /// same ballot is its own proposer's, and harmless. Returns whether the promise rose and has to be written down.
    ///
    /// # Errors
    /// When a higher ballot was promised.
    pub fn raise(&mut self, ballot: Ballot) -> Result<bool, Refused> {
        if ballot < self.0 {
            return Err(Refused { promised: self.0 });
        }
        let rises = ballot > self.0;
        self.0 = ballot;
        Ok(rises)
    }
}

/// The acceptor of one decree. All of it has to be on stable storage before an answer leaves (PP2, PP3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptor<V> {
    promised: Promised,
    accepted: Option<Accepted<V>>,
}

impl<V> Default for Acceptor<V> {
    fn default() -> Self {
        Self { promised: Promised::default(), accepted: None }
    }
}

impl<V: Clone> Acceptor<V> {
    /// Phase 1: promises, and tells what it has accepted.
    ///
    /// # Errors
    /// When a higher ballot was promised.
    pub fn prepare(&mut self, ballot: Ballot) -> Result<Option<Accepted<V>>, Refused> {
        self.promised.raise(ballot)?;
        Ok(self.accepted.clone())
    }

    /// Phase 2: accepts, which is a promise as well: without it, a delayed proposal of a lower ballot could overwrite
    /// this one (PP3).
    ///
    /// # Errors
    /// When a higher ballot was promised.
    pub fn accept(&mut self, ballot: Ballot, value: V) -> Result<(), Refused> {
        self.promised.raise(ballot)?;
        self.accepted = Some(Accepted { ballot, value });
        Ok(())
    }

    /// The ballot last promised.
    pub fn promised(&self) -> Ballot {
        self.promised.ballot()
    }

    /// What was accepted last.
    pub fn accepted(&self) -> Option<&Accepted<V>> {
        self.accepted.as_ref()
    }
}
