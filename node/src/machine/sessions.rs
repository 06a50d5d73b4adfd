//! Sessions: (session, sequence) → the reply already given, so that a retried operation applies once.
//!
//! Part of the replicated state (thesis 6.3), because a table of one node's own would forget at the next failover. A
//! session is named by the log position that opened it, so no name is ever given twice and a forgotten session cannot
//! come back: its retries are refused, never carried out as if they were new.
//!
//! Sessions end in two ways, and every node decides both alike, as no clock is asked. The table is bounded: when it is
//! full, the session whose last operation lies furthest back *in the log* goes. And a session that was not used for
//! [`Limits::idle_max`] positions goes. Safety needs neither; the bound keeps memory finite, and expiry keeps the table, and
//! with it every snapshot, as small as the clients that are really there.
//!
//! Log time is counted in positions, not in a leader's timestamps inside the commands (the thesis's other proposal):
//! positions need no rule for a leader whose clock runs ahead or back, and a store in which nothing happens forgets
//! nobody, however long a client sleeps.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::api::{RefusalCode, Reply, Sequence, SessionId, Sessioned};
use crate::machine::digest::{self, Digest};

/// How many sessions are remembered, and for how long. Part of the replicated state's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most sessions at a time; at least one.
    pub count_max: usize,
    /// Positions of the log that a session may pass without an operation.
    pub idle_max: u64,
}

impl Default for Limits {
    /// Some megabytes of sessions, and half a minute at the highest load that nodes with disks bear.
    fn default() -> Self {
        Self { count_max: 65_536, idle_max: 1_000_000 }
    }
}

/// Uses listed beyond twice the sessions before those that count no more are dropped.
const USES_SPARE: usize = 64;

/// The sessions that the store remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sessions {
    sessions: BTreeMap<SessionId, Session>,
    /// Positions and their sessions, rising: of each session the last use, and some of those before, which count no more.
    uses: VecDeque<(u64, SessionId)>,
    limits: Limits,
    digest: Digest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    used_at: u64,
    /// The highest sequence applied and its reply; `None` until the first.
    last: Option<(Sequence, Reply)>,
}

impl Sessions {
    /// No session yet.
    pub fn new(limits: Limits) -> Self {
        Self { sessions: BTreeMap::new(), uses: VecDeque::new(), limits, digest: Digest::default() }
    }

    /// Opens a session at position `index` of the log.
    pub fn open(&mut self, id: SessionId, index: u64) {
        while self.sessions.len() >= self.limits.count_max.max(1) {
            self.remove_oldest();
        }
        let session = Session { used_at: index, last: None };
        self.digest.add(digest_of(id, &session));
        self.sessions.insert(id, session);
        self.used(index, id);
    }

    /// Position `index` has come: forgets who was idle for too long. Costs nothing while nobody was.
    pub fn expire(&mut self, index: u64) {
        while self.uses.front().is_some_and(|(used, _)| index - used > self.limits.idle_max) {
            self.take_first_use();
        }
    }

    /// Forgets the session whose last operation lies furthest back in the log.
    pub fn forget_oldest(&mut self) {
        if !self.sessions.is_empty() {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&mut self) {
        while !self.take_first_use() {}
    }

    /// Forgets the first use, and its session with it if that was its last one; then true.
    fn take_first_use(&mut self) -> bool {
        let (used_at, id) = self.uses.pop_front().expect("each session has its last use in the list");
        let is_last = self.sessions.get(&id).is_some_and(|session| session.used_at == used_at);
        if is_last && let Some(session) = self.sessions.remove(&id) {
            self.digest.remove(digest_of(id, &session));
        }
        is_last
    }

    /// A session's last use is this one.
    fn used(&mut self, index: u64, id: SessionId) {
        self.uses.push_back((index, id));
        if self.uses.len() > 2 * self.sessions.len() + USES_SPARE {
            let Self { uses, sessions, .. } = self;
            uses.retain(|(used_at, id)| sessions.get(id).is_some_and(|session| session.used_at == *used_at));
        }
    }

    /// The reply to the operation at position `index`, which counts as a use of its session. It is carried out only if it is
    /// new there: a repetition gets the reply of the first time, one overtaken by a later operation is refused.
    pub fn once(&mut self, sessioned: Sessioned, index: u64, operate: impl FnOnce() -> Reply) -> Reply {
        let Sessioned { session: id, sequence } = sessioned;
        let Some(session) = self.sessions.get_mut(&id) else {
            return Reply::NotApplied(RefusalCode::SessionUnknown);
        };
        self.digest.remove(digest_of(id, session));
        session.used_at = index;
        let reply = match &session.last {
            Some((last, reply)) if *last == sequence => reply.clone(),
            Some((last, _)) if *last > sequence => Reply::NotApplied(RefusalCode::Superseded),
            _ => {
                let reply = operate();
                session.last = Some((sequence, reply.clone()));
                reply
            }
        };
        self.digest.add(digest_of(id, session));
        self.used(index, id);
        reply
    }

    /// Forgets what a session was answered, as a sound node never does.
    pub(super) fn forget(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            self.digest.remove(digest_of(id, session));
            session.last = None;
            self.digest.add(digest_of(id, session));
        }
    }

    /// [`Sessions::forget`] for all.
    pub(super) fn forget_all(&mut self) {
        let all: Vec<SessionId> = self.sessions.keys().copied().collect();
        all.into_iter().for_each(|id| self.forget(id));
    }

    /// The last sequence of a session that was carried out; `None` for one that is unknown or has done nothing yet.
    pub fn last_of(&self, id: SessionId) -> Option<Sequence> {
        self.sessions.get(&id)?.last.as_ref().map(|(sequence, _)| *sequence)
    }

    /// Digest of all sessions.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same, from the sessions as their last uses name them: one that has none there would never end.
    pub fn digest_anew(&self) -> Digest {
        let used = self.uses.iter().filter_map(|(used_at, id)| Some((*used_at, *id, self.sessions.get(id)?)));
        let rightly = used.filter(|(used_at, _, session)| session.used_at == *used_at);
        Digest::of(rightly.map(|(_, id, session)| digest_of(id, session)))
    }
}

fn digest_of(id: SessionId, session: &Session) -> u64 {
    const NAME: u64 = digest::named(b"session");
    let (sequence, reply) = match &session.last {
        None => (0, [0, 0]),
        Some((sequence, reply)) => (sequence.0, words_of(reply)),
    };
    digest::with(NAME, &[id.0, session.used_at, sequence, reply[0], reply[1]])
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
        Reply::NotApplied(code) => [8, *code as u64],
        Reply::Done => [9, 0],
        Reply::Added => [10, 0],
        Reply::Sum(sum) => [11, sum.cast_unsigned()],
        Reply::Elements(elements) => {
            let words: Vec<u64> = elements.iter().map(|element| element.cast_unsigned()).collect();
            [12, digest::record(b"elements", &words)]
        }
        Reply::Taken(None) => [13, 0],
        Reply::Taken(Some(element)) => [14, element.cast_unsigned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(count_max: usize) -> Sessions {
        Sessions::new(Limits { count_max, ..Limits::default() })
    }

    fn at(session: u64, sequence: u64) -> Sessioned {
        Sessioned { session: SessionId(session), sequence: Sequence(sequence) }
    }

    const UNKNOWN: Reply = Reply::NotApplied(RefusalCode::SessionUnknown);

    /// Whether the operation is carried out.
    fn is_new(sessions: &mut Sessions, sessioned: Sessioned, index: u64) -> bool {
        let mut is_new = false;
        let reply = sessions.once(sessioned, index, || {
            is_new = true;
            Reply::Written
        });
        assert!(!is_new || reply == Reply::Written);
        is_new
    }

    /// The reply to an operation that must not be carried out.
    fn repeated(sessions: &mut Sessions, sessioned: Sessioned, index: u64) -> Reply {
        sessions.once(sessioned, index, || unreachable!("it is not new"))
    }

    #[test]
    fn a_repetition_gets_the_reply_of_the_first_time() {
        let mut sessions = sessions(8);
        sessions.open(SessionId(1), 1);
        let reply = Reply::Mismatch { found: Some(3) };
        assert_eq!(sessions.once(at(1, 1), 2, || reply.clone()), reply);
        assert_eq!(repeated(&mut sessions, at(1, 1), 3), reply);
    }

    #[test]
    fn a_sequence_overtaken_by_a_higher_one_never_applies() {
        let mut sessions = sessions(8);
        sessions.open(SessionId(1), 1);
        assert!(is_new(&mut sessions, at(1, 2), 2));
        assert_eq!(repeated(&mut sessions, at(1, 1), 3), Reply::NotApplied(RefusalCode::Superseded));
    }

    #[test]
    fn the_session_least_recently_used_in_the_log_is_evicted() {
        let mut sessions = sessions(2);
        sessions.open(SessionId(1), 1);
        sessions.open(SessionId(2), 2);
        assert!(is_new(&mut sessions, at(1, 1), 3));
        sessions.open(SessionId(4), 4);
        assert_eq!(repeated(&mut sessions, at(2, 1), 5), UNKNOWN);
        assert!(is_new(&mut sessions, at(1, 2), 6));
    }

    #[test]
    fn the_digest_of_a_table_is_that_of_its_sessions() {
        let mut grown = sessions(1);
        grown.open(SessionId(1), 1);
        assert!(is_new(&mut grown, at(1, 1), 2));
        grown.open(SessionId(3), 3);
        let mut fresh = sessions(1);
        fresh.open(SessionId(3), 3);
        assert_eq!(grown.digest(), fresh.digest());
    }

    #[test]
    fn a_session_idle_for_too_many_positions_expires_and_one_in_use_does_not() {
        let mut sessions = Sessions::new(Limits { count_max: 8, idle_max: 10 });
        sessions.open(SessionId(1), 1);
        sessions.open(SessionId(2), 2);
        sessions.expire(11);
        assert!(is_new(&mut sessions, at(2, 1), 11));
        sessions.expire(12);
        assert_eq!(repeated(&mut sessions, at(1, 1), 12), UNKNOWN);
        sessions.expire(21);
        assert!(is_new(&mut sessions, at(2, 2), 21), "ten positions are not too many");
        sessions.expire(1_000);
        assert_eq!(sessions.digest(), Sessions::new(Limits::default()).digest(), "nothing is left");
    }

    #[test]
    fn uses_that_count_no_more_are_dropped_and_those_that_count_are_not() {
        let mut sessions = Sessions::new(Limits { count_max: 8, idle_max: 10_000 });
        (1..=3).for_each(|id| sessions.open(SessionId(id), id));
        for index in 4..5_000 {
            assert!(is_new(&mut sessions, at(1 + index % 2, index), index));
            assert!(sessions.uses.len() <= 2 * 3 + USES_SPARE);
        }
        assert_eq!(sessions.digest_anew(), sessions.digest());
        sessions.expire(10_004);
        assert_eq!(repeated(&mut sessions, at(3, 1), 10_005), UNKNOWN, "it was last used at 3");
        assert!(is_new(&mut sessions, at(1, 9_999), 10_006));
    }

    #[test]
    fn a_forgotten_session_does_not_come_back_under_its_old_name() {
        let mut sessions = sessions(1);
        sessions.open(SessionId(1), 1);
        assert!(is_new(&mut sessions, at(1, 1), 2));
        sessions.open(SessionId(3), 3);
        assert_eq!(repeated(&mut sessions, at(1, 1), 4), UNKNOWN);
    }
}
