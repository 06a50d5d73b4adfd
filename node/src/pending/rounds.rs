//! A leader's rounds of heartbeats: what a quorum answers vouches for it.
//!
//! Rounds are numbered within a leader's time in office, which is never repeated, so their numbers are never reused. With
//! leases, a round that a quorum has answered vouches for the leader for a while after it was *sent*, not after the
//! answers came: those who answered began to refuse others in between.

use std::collections::VecDeque;

use crate::protocol::Millis;

/// Unanswered rounds remembered; more than this mean that there is no lease.
const REMEMBERED_MAX: usize = 64;

/// The rounds of one leader in one period of office.
#[derive(Debug, Default)]
pub struct Rounds {
    latest: u64,
    /// The latest that a quorum had answered when that was counted last; `None` when it may be a later one by now.
    counted: Option<u64>,
    /// When those that no quorum has answered yet were sent.
    sent: VecDeque<(u64, Millis)>,
    /// When the latest one that a quorum has answered was sent.
    vouched_at: Option<Millis>,
}

impl Rounds {
    /// Numbers a round that is being sent now.
    pub fn open(&mut self, now: Millis) -> u64 {
        self.latest += 1;
        self.counted = None;
        self.sent.push_back((self.latest, now));
        if self.sent.len() > REMEMBERED_MAX {
            self.sent.pop_front();
        }
        self.latest
    }

    /// Whether a quorum has answered all that are remembered.
    pub fn is_settled(&self) -> bool {
        self.sent.is_empty()
    }

    /// The latest round; 0 before the first.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// Somebody has answered `round`.
    pub fn heard(&mut self, round: u64) {
        self.counted.take_if(|counted| round > *counted);
    }

    /// Who is a quorum has changed.
    pub fn recount(&mut self) {
        self.counted = None;
    }

    /// The latest round that a quorum has answered; `None` when that is to be counted anew.
    pub fn counted(&self) -> Option<u64> {
        self.counted
    }

    /// A quorum has answered `round`, and with it every earlier one. Returns whether that is news.
    pub fn answered(&mut self, round: u64) -> bool {
        let mut is_news = false;
        self.counted = Some(round);
        while let Some((sent, at)) = self.sent.front().copied()
            && sent <= round
        {
            self.vouched_at = self.vouched_at.max(Some(at));
            self.sent.pop_front();
            is_news = true;
        }
        is_news
    }

    /// Whether a round that was sent less than `lease_ms` ago has been answered by a quorum.
    pub fn vouch(&self, now: Millis, lease_ms: u64) -> bool {
        self.vouched_at.is_some_and(|at| now.since(at) < lease_ms)
    }

    /// Has the lease start now, as no sound leader does.
    pub fn vouch_from(&mut self, now: Millis) {
        self.vouched_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_starts_when_its_round_was_sent() {
        let mut rounds = Rounds::default();
        let first = rounds.open(Millis(100));
        let second = rounds.open(Millis(150));
        assert!(!rounds.vouch(Millis(150), 1_000), "nobody has answered");
        assert!(rounds.answered(first));
        assert!(!rounds.answered(first), "it is known");
        assert!(rounds.vouch(Millis(219), 120));
        assert!(!rounds.vouch(Millis(220), 120));
        assert!(rounds.answered(second));
        assert!(rounds.vouch(Millis(269), 120));
        assert!(!rounds.vouch(Millis(270), 120));
    }

    #[test]
    fn answers_are_counted_anew_once_there_are_others() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.counted(), None);
        let first = rounds.open(Millis(100));
        rounds.answered(first);
        rounds.heard(first);
        assert_eq!(rounds.counted(), Some(first), "more than a quorum adds nothing");
        rounds.recount();
        assert_eq!(rounds.counted(), None, "fewer may be one now");
        let second = rounds.open(Millis(150));
        assert_eq!(rounds.counted(), None, "who is a quorum alone has answered it by now");
        rounds.answered(first);
        rounds.heard(second);
        assert_eq!(rounds.counted(), None);
    }

    #[test]
    fn the_answer_to_a_round_too_old_to_be_remembered_vouches_for_nothing() {
        let mut rounds = Rounds::default();
        let first = rounds.open(Millis(0));
        (0..REMEMBERED_MAX).for_each(|_| _ = rounds.open(Millis(1)));
        assert!(!rounds.answered(first));
        assert!(!rounds.vouch(Millis(1), 1_000));
    }
}
