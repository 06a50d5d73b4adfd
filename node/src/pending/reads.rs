//! Reads that wait: at the node that was asked, and at the leader that confirms them.
//!
//! The node that was asked needs a position from the leader, and serves once it has applied up to that one. The leader
//! notes how far it knows the log to be decided when the read arrives, and gives that position away once a quorum has
//! answered a round that started *after* it. All reads that arrive while a round is on its way share the next one.
//!
//! A node's questions carry its incarnation, so no two of them are ever named alike. A node that asks again uses a new
//! name and forgets the old one: an answer to an earlier question must never release a later read.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::pending::{Answers, overloaded, take_if};
use crate::protocol::{Incarnation, Millis, OperationId};

/// Reads that wait at one node at most; more are refused as overload.
pub const READS_MAX: usize = 16_384;
/// Rounds under way before reads wait for the next one.
const ROUNDS_MAX: usize = 4;

/// Names a node's question to its leader, for that node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuestionId(pub u64);

/// Reads of this node's clients.
#[derive(Debug)]
pub struct LocalReads<I> {
    incarnation: Incarnation,
    asked_count: u64,
    /// Not answered yet, with the time to give up. The lists below may name reads that are no longer in here.
    open: BTreeMap<OperationId, Millis>,
    /// Waiting for somebody to ask.
    unasked: Vec<OperationId>,
    asked: BTreeMap<QuestionId, Question>,
    /// May be served once this position has been handed out to be applied.
    confirmed: BTreeMap<I, Vec<OperationId>>,
}

#[derive(Debug)]
struct Question {
    asked_at: Millis,
    reads: Vec<OperationId>,
}

impl<I: Ord + Copy> LocalReads<I> {
    /// None yet.
    pub fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            asked_count: 0,
            open: BTreeMap::new(),
            unasked: Vec::new(),
            asked: BTreeMap::new(),
            confirmed: BTreeMap::new(),
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes in a read, which waits `until` then at most.
    ///
    /// # Errors
    /// When [`READS_MAX`] wait here.
    pub fn hold(&mut self, id: OperationId, until: Millis) -> Result<(), Refusal> {
        if self.open.len() >= READS_MAX {
            return Err(overloaded(READS_MAX, "reads"));
        }
        self.open.insert(id, until);
        self.unasked.push(id);
        Ok(())
    }

    /// Whether reads wait for somebody to ask.
    pub fn has_unasked(&self) -> bool {
        !self.unasked.is_empty()
    }

    /// Takes the reads that nobody has asked for, to deal with them otherwise.
    pub fn take_unasked(&mut self) -> Vec<OperationId> {
        std::mem::take(&mut self.unasked)
    }

    /// Names a question on behalf of all that wait for one; `None` if nothing does.
    pub fn ask(&mut self, now: Millis) -> Option<QuestionId> {
        if self.unasked.is_empty() {
            return None;
        }
        self.asked_count += 1;
        let id = QuestionId(self.incarnation.id(self.asked_count));
        self.ask_as(id, now);
        Some(id)
    }

    /// As [`LocalReads::ask`], under a given name: a sound node uses none twice.
    pub fn ask_as(&mut self, id: QuestionId, now: Millis) {
        let reads = self.take_unasked();
        self.asked.insert(id, Question { asked_at: now, reads });
    }

    /// The questions that have not been answered, by name.
    pub fn questions(&self) -> impl Iterator<Item = QuestionId> {
        self.asked.keys().copied()
    }

    /// A question was answered: its reads may be served from `position` on. One that was forgotten releases nothing.
    pub fn answered(&mut self, id: QuestionId, position: I) {
        if let Some(question) = self.asked.remove(&id) {
            self.confirm(position, question.reads);
        }
    }

    /// These reads may be served from `position` on.
    pub fn confirm(&mut self, position: I, reads: Vec<OperationId>) {
        if !reads.is_empty() {
            self.confirmed.entry(position).or_default().extend(reads);
        }
    }

    /// Moves the reads that may be served, now that `handed` has been handed out, to `read`.
    pub fn release(&mut self, handed: I, read: &mut Vec<OperationId>) {
        while let Some(entry) = self.confirmed.first_entry()
            && *entry.key() <= handed
        {
            read.extend(entry.remove().into_iter().filter(|id| self.open.remove(id).is_some()));
        }
    }

    /// There is a new leader: it is to be asked what the old one has not answered.
    pub fn ask_anew(&mut self) {
        self.forget_questions(|_| true);
    }

    /// Forgets questions that have been under way for so long that they, or their answers, may be lost: their reads ask
    /// again.
    pub fn ask_lost_again(&mut self, now: Millis, again_ms: u64) {
        self.forget_questions(|question| now.since(question.asked_at) >= again_ms);
    }

    fn forget_questions(&mut self, is_forgotten: impl Fn(&Question) -> bool) {
        let forgotten = take_if(&mut self.asked, |_, question| is_forgotten(question));
        self.unasked.extend(forgotten.into_iter().flat_map(|(_, question)| question.reads));
    }

    /// A leader left office: its own clients' reads ask the next one.
    pub fn give_back(&mut self, reads: LeaderReads<I>) {
        let LeaderReads { waiting, rounds } = reads;
        for reader in waiting.into_iter().chain(rounds.into_iter().flat_map(|round| round.readers)) {
            if let Reader::Local(ids) = reader {
                self.unasked.extend(ids);
            }
        }
    }

    /// Gives up on reads that have waited too long, here and in `leads`, what this node confirms as a leader. A read
    /// changes nothing, so giving up is always definite.
    pub fn give_up(&mut self, now: Millis, leads: Option<&mut LeaderReads<I>>) -> Answers {
        let late = take_if(&mut self.open, |_, until| *until <= now);
        let refusal = Refusal::definite(RefusalCode::NoLeader, "no leader confirmed the read in time");
        let Self { open, unasked, asked, .. } = self;
        unasked.retain(|id| open.contains_key(id));
        asked.retain(|_, question| {
            question.reads.retain(|id| open.contains_key(id));
            !question.reads.is_empty()
        });
        for reader in leads.into_iter().flat_map(|leads| &mut leads.waiting) {
            if let Reader::Local(ids) = reader {
                ids.retain(|id| open.contains_key(id));
            }
        }
        late.into_iter().map(|(id, _)| (id, Err(refusal.clone()))).collect()
    }
}

/// Who wants to read.
#[derive(Debug, PartialEq, Eq)]
pub enum Reader {
    /// Clients of the leader itself.
    Local(Vec<OperationId>),
    /// Another node, and its name for the question.
    Remote(NodeId, QuestionId),
}

/// Reads that a leader is to confirm.
#[derive(Debug)]
pub struct LeaderReads<I> {
    waiting: Vec<Reader>,
    rounds: VecDeque<Round<I>>,
}

/// Readers that wait for a round to be answered, and the position noted when it was sent.
#[derive(Debug)]
struct Round<I> {
    number: u64,
    position: I,
    readers: Vec<Reader>,
}

impl<I> Default for LeaderReads<I> {
    /// None yet.
    fn default() -> Self {
        Self { waiting: Vec::new(), rounds: VecDeque::new() }
    }
}

/// How a leader stands to reads that have just arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may not know of everything that was decided before it took office: they wait.
    Unsettled,
    /// Somebody may have taken its place: a round confirms that nobody has.
    Unconfirmed,
    /// Something vouches that nobody has: they are answered at once.
    Vouched,
}

/// What comes of a leader's look at its reads.
#[derive(Debug)]
pub struct Step<I> {
    /// Who may be told which position.
    pub ready: Vec<(I, Vec<Reader>)>,
    /// Whether a round is to start, to be named in [`LeaderReads::await_round`].
    pub needs_round: bool,
}

impl<I: Copy> LeaderReads<I> {
    /// Whether nobody wants to read.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.rounds.is_empty()
    }

    /// Somebody wants to read.
    pub fn arrive(&mut self, reader: Reader) {
        if reader != Reader::Local(Vec::new()) {
            self.waiting.push(reader);
        }
    }

    /// Looks what can be done, now that a quorum has answered round `answered` and the log is known to be decided up to
    /// `position`.
    pub fn step(&mut self, answered: u64, standing: Standing, position: I) -> Step<I> {
        let mut ready = Vec::new();
        // Each read in these rounds arrived before its round was sent.
        let count = self.rounds.iter().take_while(|round| round.number <= answered).count();
        if count > 0 {
            ready.extend(self.rounds.drain(..count).map(|round| (round.position, round.readers)));
        }
        if standing == Standing::Vouched && !self.waiting.is_empty() {
            ready.push((position, std::mem::take(&mut self.waiting)));
        }
        let needs_round =
            standing == Standing::Unconfirmed && !self.waiting.is_empty() && self.rounds.len() < ROUNDS_MAX;
        Step { ready, needs_round }
    }

    /// All that wait are confirmed by the answers to round `number`, which is being sent now, and may then read `position`.
    pub fn await_round(&mut self, number: u64, position: I) {
        let readers = std::mem::take(&mut self.waiting);
        self.rounds.push_back(Round { number, position, readers });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Incarnation = Incarnation(1);

    fn holding(ids: &[u64]) -> LocalReads<u64> {
        let mut reads = LocalReads::new(START);
        ids.iter().for_each(|id| reads.hold(OperationId(*id), Millis(500)).unwrap());
        reads
    }

    fn released(reads: &mut LocalReads<u64>, handed: u64) -> Vec<u64> {
        let mut read = Vec::new();
        reads.release(handed, &mut read);
        read.into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn a_read_is_served_once_its_position_is_applied_and_only_once() {
        let mut reads = holding(&[1, 2]);
        let question = reads.ask(Millis(0)).unwrap();
        assert_eq!(reads.ask(Millis(0)), None, "one question for all");
        reads.answered(question, 7);
        assert_eq!(released(&mut reads, 6), []);
        assert_eq!(released(&mut reads, 7), [1, 2]);
        reads.answered(question, 7);
        assert_eq!(released(&mut reads, 9), []);
        assert!(reads.is_empty());
    }

    #[test]
    fn the_answer_to_a_forgotten_question_releases_nothing() {
        let mut reads = holding(&[1]);
        let first = reads.ask(Millis(0)).unwrap();
        reads.ask_lost_again(Millis(149), 150);
        assert!(!reads.has_unasked());
        reads.ask_lost_again(Millis(150), 150);
        let second = reads.ask(Millis(150)).unwrap();
        reads.answered(first, 1);
        assert_eq!(released(&mut reads, 9), []);
        reads.answered(second, 2);
        assert_eq!(released(&mut reads, 9), [1]);
    }

    #[test]
    fn what_has_waited_too_long_is_refused_everywhere() {
        let mut reads = holding(&[1, 2]);
        let mut leads = LeaderReads::default();
        let question = reads.ask(Millis(0)).unwrap();
        reads.hold(OperationId(3), Millis(500)).unwrap();
        leads.arrive(Reader::Local(reads.take_unasked()));
        let refused = reads.give_up(Millis(500), Some(&mut leads));
        assert_eq!(refused.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(refused.iter().all(|(_, answer)| answer.as_ref().is_err_and(|refusal| refusal.definite)));
        reads.answered(question, 1);
        assert_eq!(released(&mut reads, 9), []);
        assert_eq!(leads.waiting, [Reader::Local(vec![])]);
    }

    #[test]
    fn a_full_node_refuses_as_overloaded() {
        let mut reads = holding(&(1..=READS_MAX as u64).collect::<Vec<_>>());
        let refusal = reads.hold(OperationId(0), Millis(500)).unwrap_err();
        assert_eq!((refusal.code, refusal.definite), (RefusalCode::Overloaded, true));
    }

    #[test]
    fn a_round_confirms_the_reads_that_arrived_before_it_and_no_later_ones() {
        let mut leads = LeaderReads::default();
        leads.arrive(Reader::Remote(NodeId(2), QuestionId(1)));
        assert!(leads.step(0, Standing::Unconfirmed, 5).needs_round);
        leads.await_round(1, 5);
        leads.arrive(Reader::Remote(NodeId(3), QuestionId(1)));
        let step = leads.step(1, Standing::Unconfirmed, 6);
        assert_eq!(step.ready, [(5, vec![Reader::Remote(NodeId(2), QuestionId(1))])]);
        assert!(step.needs_round, "the later one has a round of its own");
        leads.await_round(2, 6);
        assert_eq!(leads.step(1, Standing::Unconfirmed, 6).ready, []);
        assert_eq!(leads.step(2, Standing::Unconfirmed, 6).ready.len(), 1);
    }

    #[test]
    fn a_leader_that_is_vouched_for_answers_at_once_and_an_unsettled_one_not_at_all() {
        let mut leads = LeaderReads::default();
        leads.arrive(Reader::Local(vec![OperationId(1)]));
        let step = leads.step(9, Standing::Unsettled, 5);
        assert!(step.ready.is_empty() && !step.needs_round);
        let step = leads.step(0, Standing::Vouched, 5);
        assert_eq!(step.ready, [(5, vec![Reader::Local(vec![OperationId(1)])])]);
        assert!(!step.needs_round);
    }

    #[test]
    fn reads_wait_while_many_rounds_are_under_way() {
        let mut leads = LeaderReads::default();
        for number in 1..=ROUNDS_MAX as u64 {
            leads.arrive(Reader::Remote(NodeId(2), QuestionId(number)));
            assert!(leads.step(0, Standing::Unconfirmed, 0).needs_round);
            leads.await_round(number, 0);
        }
        leads.arrive(Reader::Remote(NodeId(2), QuestionId(99)));
        assert!(!leads.step(0, Standing::Unconfirmed, 0).needs_round);
    }

    #[test]
    fn what_a_deposed_leader_has_not_confirmed_for_its_own_clients_asks_the_next_one() {
        let mut reads = holding(&[1]);
        let mut leads = LeaderReads::default();
        leads.arrive(Reader::Local(reads.take_unasked()));
        leads.await_round(1, 5);
        reads.hold(OperationId(2), Millis(500)).unwrap();
        leads.arrive(Reader::Local(reads.take_unasked()));
        reads.give_back(leads);
        let question = reads.ask(Millis(0)).unwrap();
        reads.answered(question, 5);
        assert_eq!(released(&mut reads, 5), [2, 1]);
    }
}
