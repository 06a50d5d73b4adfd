//! Sessions: (session, sequence) → the reply already given, so that a retried operation applies once.
//!
//! Part of the replicated state (thesis 6.3), because a table of one node's own would forget at the next failover. A
//! session is named by the log position that opened it, so no name is ever given twice and an evicted session cannot
//! come back. The table is bounded: when it is full, the session whose last operation lies furthest back *in the log*
//! goes, which every node decides alike; no clock is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{RefusalCode, Reply, Sequence, SessionId, Sessioned};
use crate::machine::digest::{self, Digest};

/// The sessions that the store remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sessions {
    sessions: BTreeMap<SessionId, Session>,
    /// Position of each session's last operation → session. Positions are unique: one entry, one session.
    by_use: BTreeMap<u64, SessionId>,
    sessions_max: usize,
    digest: Digest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    used_at: u64,
    /// The highest sequence applied and its reply; `None` until the first.
    last: Option<(Sequence, Reply)>,
}

/// Whether a session's operation is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is new: carry it out, then [`Sessions::record`] its reply.
    Fresh,
    /// It was carried out before, with this reply.
    Repeated(Reply),
    /// It must not be carried out.
    Refused(RefusalCode),
}

impl Sessions {
    /// No session yet, at most `sessions_max` ever (at least one).
    pub fn new(sessions_max: usize) -> Self {
        Self {
            sessions: BTreeMap::new(),
            by_use: BTreeMap::new(),
            sessions_max: sessions_max.max(1),
            digest: Digest::default(),
        }
    }

    /// Opens a session at position `index` of the log.
    pub fn open(&mut self, id: SessionId, index: u64) {
        if self.sessions.len() >= self.sessions_max
            && let Some((_, oldest)) = self.by_use.pop_first()
            && let Some(session) = self.sessions.remove(&oldest)
        {
            self.digest.remove(digest_of(oldest, &session));
        }
        let session = Session { used_at: index, last: None };
        self.digest.add(digest_of(id, &session));
        self.by_use.insert(index, id);
        self.sessions.insert(id, session);
    }

    /// Decides on the operation at position `index`, and counts it as a use of its session.
    pub fn admit(&mut self, sessioned: Sessioned, index: u64) -> Admission {
        let Sessioned { session: id, sequence } = sessioned;
        let Some(session) = self.sessions.get_mut(&id) else {
            return Admission::Refused(RefusalCode::SessionUnknown);
        };
        self.digest.remove(digest_of(id, session));
        self.by_use.remove(&session.used_at);
        session.used_at = index;
        self.by_use.insert(index, id);
        self.digest.add(digest_of(id, session));
        match &session.last {
            Some((last, reply)) if *last == sequence => Admission::Repeated(reply.clone()),
            Some((last, _)) if *last > sequence => Admission::Refused(RefusalCode::Superseded),
            _ => Admission::Fresh,
        }
    }

    /// Remembers the reply of an operation that was admitted as fresh.
    pub fn record(&mut self, sessioned: Sessioned, reply: Reply) {
        let id = sessioned.session;
        let session = self.sessions.get_mut(&id).expect("an admitted session is in the table");
        self.digest.remove(digest_of(id, session));
        session.last = Some((sessioned.sequence, reply));
        self.digest.add(digest_of(id, session));
    }

    /// Digest of all sessions.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

fn digest_of(id: SessionId, session: &Session) -> u64 {
    let (sequence, reply) = match &session.last {
        None => (0, [0, 0]),
        Some((sequence, reply)) => (sequence.0, words_of(reply)),
    };
    digest::record(b"session", &[id.0, session.used_at, sequence, reply[0], reply[1]])
}

fn words_of(reply: &Reply) -> [u64; 2] {
    match reply {
        Reply::Opened(id) => [1, id.0],
        Reply::Value(None) => [2, 0],
        Reply::Value(Some(value)) => [3, value.cast_unsigned()],
        Reply::Written => [4, 0],
        Reply::Swapped => [5, 0],
        Reply::Mismatch { found: None } => [6, 0],
        Reply::Mismatch { found: Some(value) } => [7, value.cast_unsigned()],
        Reply::Done => [9, 0],
        Reply::NotApplied(code) => [8, *code as u64],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(session: u64, sequence: u64) -> Sessioned {
        Sessioned { session: SessionId(session), sequence: Sequence(sequence) }
    }

    #[test]
    fn a_repetition_gets_the_reply_of_the_first_time() {
        let mut sessions = Sessions::new(8);
        sessions.open(SessionId(1), 1);
        assert_eq!(sessions.admit(at(1, 1), 2), Admission::Fresh);
        sessions.record(at(1, 1), Reply::Mismatch { found: Some(3) });
        assert_eq!(sessions.admit(at(1, 1), 3), Admission::Repeated(Reply::Mismatch { found: Some(3) }));
    }

    #[test]
    fn a_sequence_overtaken_by_a_higher_one_never_applies() {
        let mut sessions = Sessions::new(8);
        sessions.open(SessionId(1), 1);
        assert_eq!(sessions.admit(at(1, 2), 2), Admission::Fresh);
        sessions.record(at(1, 2), Reply::Written);
        assert_eq!(sessions.admit(at(1, 1), 3), Admission::Refused(RefusalCode::Superseded));
    }

    #[test]
    fn the_session_least_recently_used_in_the_log_is_evicted() {
        let mut sessions = Sessions::new(2);
        sessions.open(SessionId(1), 1);
        sessions.open(SessionId(2), 2);
        assert_eq!(sessions.admit(at(1, 1), 3), Admission::Fresh);
        sessions.open(SessionId(4), 4);
        assert_eq!(sessions.admit(at(2, 1), 5), Admission::Refused(RefusalCode::SessionUnknown));
        assert_eq!(sessions.admit(at(1, 2), 6), Admission::Fresh);
    }

    #[test]
    fn the_digest_of_a_table_is_that_of_its_sessions() {
        let mut grown = Sessions::new(1);
        grown.open(SessionId(1), 1);
        grown.admit(at(1, 1), 2);
        grown.record(at(1, 1), Reply::Written);
        grown.open(SessionId(3), 3);
        let mut fresh = Sessions::new(1);
        fresh.open(SessionId(3), 3);
        assert_eq!(grown.digest(), fresh.digest());
    }
}
