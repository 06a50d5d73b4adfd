//! The follower's side: checking, truncating and accepting entries, learning what is committed (Raft 5.3).

use crate::api::NodeId;
use crate::defect::Defect;
use crate::protocol::Note;
use crate::raft::log::{Entry, Index, Position, Term};
use crate::raft::message::{Body, Hint};
use crate::raft::{Raft, Role};

impl Raft {
    /// Accepts entries that follow an entry it has. Repeated and overtaken messages change nothing.
    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        term: Term,
        prev: Position,
        entries: Vec<Entry>,
        commit: Index,
    ) {
        if self.has_rival() {
            return;
        }
        self.follow(from, term);
        let (prev, entries) = self.skip_compacted(prev, entries);
        let is_unchecked = self.config.defects.has(Defect::R15);
        if !self.log.term_at(prev.index).is_some_and(|term| term == prev.term || is_unchecked) {
            let hint = self.hint(prev.index);
            return self.reply_durable_term(from, Body::Rejected { prev: prev.index, hint });
        }
        let matched = Index(prev.index.0 + entries.len() as u64);
        if entries.iter().zip(prev.index.0 + 1..).any(|(entry, index)| entry.index != Index(index)) {
            // Not what a leader sends: drop it like any message that does not decode.
            return;
        }
        if self.config.defects.has(Defect::R13) && self.log.last_index() > prev.index {
            self.truncate(prev.index.next());
        }
        for entry in entries {
            self.accept(entry);
        }
        // Not beyond the last new entry: what follows in the own log may not be the leader's (RL3).
        self.learn_commit(commit.min(matched));
        self.reply_durable(from, Body::Appended { matched }, matched);
    }

    /// Leaves out what a snapshot stands for here: it is committed, so the leader has the same.
    fn skip_compacted(&self, prev: Position, mut entries: Vec<Entry>) -> (Position, Vec<Entry>) {
        let base = self.log.base();
        if prev.index >= base.index {
            return (prev, entries);
        }
        let count = usize::try_from(base.index.0 - prev.index.0).unwrap_or(usize::MAX).min(entries.len());
        entries.drain(..count);
        (base, entries)
    }

    /// Deletes a suffix only where the terms differ (RL2).
    fn accept(&mut self, entry: Entry) {
        match self.log.term_at(entry.index) {
            Some(term) if term == entry.term => {}
            Some(_) if self.config.defects.has(Defect::R14) => {}
            Some(_) => {
                self.config.must(
                    entry.index > self.commit,
                    "what is committed is never truncated (leader completeness)",
                );
                self.note(Note::Truncated { from: entry.index.0, to: self.log.last_index().0 });
                self.truncate(entry.index);
                self.append_entry(entry);
            }
            None => self.append_entry(entry),
        }
    }

    pub(super) fn on_heartbeat(&mut self, from: NodeId, term: Term, round: u64, commit: Index) {
        if self.has_rival() {
            return;
        }
        self.follow(from, term);
        self.learn_commit(commit);
        self.reply_durable_term(from, Body::HeartbeatReply { round });
    }

    pub(super) fn on_commit(&mut self, from: NodeId, term: Term, index: Index) {
        if self.has_rival() {
            return;
        }
        self.follow(from, term);
        self.learn_commit(index);
    }

    /// The leader vouches that everything up to here is committed and in this log. Never falls (RL3).
    fn learn_commit(&mut self, index: Index) {
        self.config.must(index <= self.log.last_index(), "a leader tells a follower what the follower has");
        let index = index.min(self.log.last_index());
        self.commit = if self.config.defects.has(Defect::R17) { index } else { self.commit.max(index) };
    }

    fn hint(&self, prev: Index) -> Hint {
        match self.log.term_at(prev) {
            None => Hint { term: None, first: self.log.last_index().next() },
            Some(term) => Hint {
                term: Some(term),
                first: self.log.first_of_term_at(prev).unwrap_or(self.log.base().index.next()),
            },
        }
    }

    /// Whether this node leads although a leader speaks to it: only those of defect R21 stay in office side by side.
    pub(super) fn has_rival(&self) -> bool {
        let leads = matches!(self.role, Role::Leader(_));
        self.config.must(!leads, "a term has one leader (Raft 5.2, election safety)");
        leads
    }
}
