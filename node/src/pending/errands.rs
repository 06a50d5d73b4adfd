//! Wishes for other members, or another leader, on their way to a leader and back.
//!
//! A node keeps what it was asked for until it is so, or until the leader has answered, and asks every new leader again:
//! repeated, a wish asks for what is already so. A refusal is definite only if no other leader has been asked before, as
//! that one may have begun.

use std::collections::BTreeMap;

use crate::api::{Admin, Refusal, RefusalCode, Reply};
use crate::pending::{Answers, Patience, overloaded, take_if};
use crate::protocol::{Millis, OperationId};

/// Wishes asked of one node that may wait.
const ERRANDS_MAX: usize = 64;

/// What this node's clients have asked for and not been answered. `L` names a leader in a period of office.
#[derive(Debug)]
pub struct Errands<L> {
    open: BTreeMap<OperationId, Errand<L>>,
}

#[derive(Debug)]
struct Errand<L> {
    admin: Admin,
    since: Millis,
    /// The leader that has been asked last; none: nobody yet.
    asked: Option<L>,
    asked_at: Millis,
    /// How many different leaders have been asked.
    leaders: u32,
}

impl<L> Default for Errands<L> {
    /// None yet.
    fn default() -> Self {
        Self { open: BTreeMap::new() }
    }
}

impl<L: Copy + PartialEq> Errands<L> {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes in a wish.
    ///
    /// # Errors
    /// When too many wait here.
    pub fn hold(&mut self, id: OperationId, admin: Admin, now: Millis) -> Result<(), Refusal> {
        if self.open.len() >= ERRANDS_MAX {
            return Err(overloaded(ERRANDS_MAX, "changes of the cluster"));
        }
        self.open.insert(id, Errand { admin, since: now, asked: None, asked_at: now, leaders: 0 });
        Ok(())
    }

    /// Answers the wishes that have come true, by what was wished and whom this node asked last.
    pub fn fulfilled(&mut self, is_so: impl Fn(&Admin, Option<L>) -> bool) -> Answers {
        let fulfilled = take_if(&mut self.open, |_, errand| is_so(&errand.admin, errand.asked));
        fulfilled.into_iter().map(|(id, _)| (id, Ok(Reply::Done))).collect()
    }

    /// What this leader is to be asked and has not been.
    pub fn ask(&mut self, leader: L, now: Millis) -> Vec<(OperationId, Admin)> {
        let mut asks = Vec::new();
        for (id, errand) in &mut self.open {
            if errand.asked != Some(leader) {
                errand.leaders += 1;
                errand.asked = Some(leader);
                errand.asked_at = now;
                asks.push((*id, errand.admin.clone()));
            }
        }
        asks
    }

    /// What this leader was asked so long ago that question or answer may be lost.
    pub fn ask_lost_again(&mut self, leader: L, now: Millis, again_ms: u64) -> Vec<(OperationId, Admin)> {
        let mut asks = Vec::new();
        for (id, errand) in &mut self.open {
            if errand.asked == Some(leader) && now.since(errand.asked_at) >= again_ms {
                errand.asked_at = now;
                asks.push((*id, errand.admin.clone()));
            }
        }
        asks
    }

    /// The leader has answered; `None` if nobody waits for that any more.
    pub fn close(
        &mut self,
        id: OperationId,
        outcome: Result<(), Refusal>,
    ) -> Option<(OperationId, Result<Reply, Refusal>)> {
        let errand = self.open.remove(&id)?;
        let is_first = errand.leaders <= 1;
        let refusal = |refusal: Refusal| Refusal { definite: refusal.definite && is_first, ..refusal };
        Some((id, outcome.map(|()| Reply::Done).map_err(refusal)))
    }

    /// Gives up on what has waited too long.
    pub fn give_up(&mut self, now: Millis, patience: Patience) -> Answers {
        let is_late = |errand: &Errand<L>| {
            let patience_ms = if errand.asked.is_some() { patience.operation_ms } else { patience.hold_ms };
            now.since(errand.since) >= patience_ms
        };
        let late = take_if(&mut self.open, |_, errand| is_late(errand));
        let refusal = |(id, errand): (_, Errand<L>)| {
            let refusal = match errand.asked {
                None => Refusal::definite(RefusalCode::NoLeader, "no leader was known; nobody was asked"),
                Some(_) => Refusal::indefinite(
                    RefusalCode::Timeout,
                    "asked of the leader, but not known to be so in time",
                ),
            };
            (id, Err(refusal))
        };
        late.into_iter().map(refusal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::NodeId;

    const WISH: OperationId = OperationId(1);

    fn holding() -> Errands<u64> {
        let mut errands = Errands::default();
        errands.hold(WISH, Admin::Lead(NodeId(2)), Millis(0)).unwrap();
        errands
    }

    #[test]
    fn every_leader_is_asked_once_and_again_when_the_answer_may_be_lost() {
        let mut errands = holding();
        assert_eq!(errands.ask(7, Millis(0)).len(), 1);
        assert_eq!(errands.ask(7, Millis(1)), []);
        assert_eq!(errands.ask_lost_again(7, Millis(599), 600), []);
        assert_eq!(errands.ask_lost_again(7, Millis(600), 600).len(), 1);
        assert_eq!(errands.ask(8, Millis(601)).len(), 1);
    }

    #[test]
    fn a_refusal_is_definite_only_if_no_other_leader_may_have_begun() {
        for (leaders, definite) in [(1, true), (2, false)] {
            let mut errands = holding();
            (0..leaders).for_each(|leader| _ = errands.ask(leader, Millis(0)));
            let refusal = Refusal::definite(RefusalCode::Conflict, "no");
            let (_, answer) = errands.close(WISH, Err(refusal)).unwrap();
            assert_eq!(answer.unwrap_err().definite, definite);
            assert_eq!(errands.close(WISH, Ok(())), None);
        }
    }

    #[test]
    fn a_wish_that_came_true_is_answered_whoever_did_it() {
        let mut errands = holding();
        assert_eq!(errands.fulfilled(|_, _| false), []);
        assert_eq!(errands.fulfilled(|admin, _| *admin == Admin::Lead(NodeId(2))), [(WISH, Ok(Reply::Done))]);
        assert!(errands.is_empty());
    }

    #[test]
    fn what_was_asked_of_nobody_is_refused_for_sure_and_what_was_asked_is_not() {
        let patience = Patience { hold_ms: 500, operation_ms: 3_000 };
        for (is_asked, at, definite) in [(false, 500, true), (true, 3_000, false)] {
            let mut errands = holding();
            if is_asked {
                errands.ask(7, Millis(0));
            }
            assert_eq!(errands.give_up(Millis(at - 1), patience), []);
            let answers = errands.give_up(Millis(at), patience);
            assert_eq!(answers[0].1.as_ref().unwrap_err().definite, definite);
        }
    }

    #[test]
    fn a_full_node_refuses_as_overloaded() {
        let mut errands = holding();
        for id in 2..=ERRANDS_MAX as u64 {
            errands.hold(OperationId(id), Admin::Lead(NodeId(1)), Millis(0)).unwrap();
        }
        let refusal = errands.hold(OperationId(0), Admin::Lead(NodeId(1)), Millis(0)).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::Overloaded);
    }
}
