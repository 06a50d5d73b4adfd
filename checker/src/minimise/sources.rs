//! What an answer may owe its legality to, found by its place in time.
//!
//! A function of what was asked and answered, not of who asked when: one list serves all equal operations. It is in
//! the order of invocation and knows the latest return so far, so that those that overlap a span of time are found without
//! looking at all the others. Cost of an answer: the operations that it visits, and those that overlap them.

use crate::budget::{Poll, Stopped};
use crate::model::{Call, Effect, Model};

/// The operations that all operations with the same words may need, by their places among the calls.
pub(super) struct Sources {
    /// Those of known outcome, in the order of invocation, each with the latest return so far.
    known: Vec<(u32, u32)>,
    /// Those of unknown outcome, in the order of invocation.
    unknown: Vec<u32>,
}

impl Sources {
    pub(super) fn of<M: Model>(
        model: &M,
        calls: &[Call<M::Operation>],
        operation: &M::Operation,
        poll: &mut Poll<'_>,
    ) -> Result<Self, Stopped> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (at, other) in calls.iter().enumerate() {
            poll.go_on()?;
            if model.effect(&other.operation) != Effect::None && model.needs(operation, &other.operation) {
                (if other.is_unknown() { &mut unknown } else { &mut known }).push(at as u32);
            }
        }
        let invoked = |at: &u32| calls[*at as usize].invoked;
        poll.sort(&mut known, invoked, |at| *at)?;
        poll.sort(&mut unknown, invoked, |at| *at)?;
        let mut latest = 0;
        let with_latest = known.into_iter().map(|at| {
            latest = latest.max(calls[at as usize].returned);
            (at, latest)
        });
        Ok(Sources { known: with_latest.collect(), unknown })
    }

    /// Those invoked by `until` that had not returned before `horizon`, each once, in no order.
    pub(super) fn visible<'s, O>(
        &'s self,
        calls: &'s [Call<O>],
        horizon: u32,
        until: u32,
    ) -> impl Iterator<Item = u32> + 's {
        let (known, unknown) = self.invoked_by(calls, until);
        let overlapping = known.iter().rev().take_while(move |&&(_, latest)| latest >= horizon);
        let overlapping =
            overlapping.map(|&(at, _)| at).filter(move |&at| calls[at as usize].returned >= horizon);
        overlapping.chain(unknown.iter().copied())
    }

    /// Whether one of those invoked by `until` had returned before `horizon`.
    pub(super) fn has_hidden<O>(&self, calls: &[Call<O>], horizon: u32, until: u32) -> bool {
        // The first invoked is nearly always one of them, where there are any.
        self.invoked_by(calls, until).0.iter().any(|&(at, _)| calls[at as usize].returned < horizon)
    }

    /// The last invoked by `until` but `except`, of known outcome if there is one.
    pub(super) fn nearest<O>(&self, calls: &[Call<O>], until: u32, except: u32) -> Option<u32> {
        let (known, unknown) = self.invoked_by(calls, until);
        let mut latest_first = known.iter().rev().map(|&(at, _)| at).chain(unknown.iter().rev().copied());
        latest_first.find(|&at| at != except)
    }

    fn invoked_by<O>(&self, calls: &[Call<O>], until: u32) -> (&[(u32, u32)], &[u32]) {
        let is_early = |at: u32| calls[at as usize].invoked <= until;
        let known = self.known.partition_point(|&(at, _)| is_early(at));
        let unknown = self.unknown.partition_point(|&at| is_early(at));
        (&self.known[..known], &self.unknown[..unknown])
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::budget::never;
    use crate::model::NEVER;
    use crate::models::CasRegister;
    use crate::models::register::{RegisterOp, Value};

    fn random_calls(rng: &mut ChaCha8Rng) -> Vec<Call<RegisterOp>> {
        let mut calls: Vec<Call<RegisterOp>> = (0..rng.random_range(0..12))
            .map(|process| {
                let (from, length) = (rng.random_range(0..20), rng.random_range(1..8));
                let value = Value::from(rng.random_range(0..2));
                let operation =
                    if rng.random_bool(0.5) { RegisterOp::Read(value) } else { RegisterOp::Write(value) };
                let returned = if rng.random_bool(0.2) { NEVER } else { from + length };
                Call { id: process, process, invoked: from, returned, operation }
            })
            .collect();
        calls.sort_by_key(|call| call.returned % 7);
        calls
    }

    #[test]
    fn visible_and_hidden_sources_are_what_looking_at_all_calls_finds() {
        let mut rng = ChaCha8Rng::seed_from_u64(21);
        let (mut seen, mut hidden_count) = (0, 0);
        for _ in 0..20_000 {
            let calls = random_calls(&mut rng);
            let (value, horizon, until) = (Value::from(1), rng.random_range(0..25), rng.random_range(0..25));
            let sources = Sources::of(&CasRegister, &calls, &RegisterOp::Read(value), &mut Poll::new(&never))
                .expect("never stopped");
            let early = |at: &u32| {
                let call = &calls[*at as usize];
                call.operation == RegisterOp::Write(value) && call.invoked <= until
            };
            let late = |at: &u32| calls[*at as usize].returned >= horizon;
            let all: Vec<u32> = (0..calls.len() as u32).filter(early).collect();
            let mut visible: Vec<u32> = sources.visible(&calls, horizon, until).collect();
            visible.sort_unstable();
            assert_eq!(visible, all.iter().copied().filter(late).collect::<Vec<_>>(), "{calls:#?}");
            let hidden = !all.iter().all(late);
            assert_eq!(sources.has_hidden(&calls, horizon, until), hidden, "{calls:#?}");
            let nearest = sources.nearest(&calls, until, 0);
            assert_eq!(nearest.is_some(), all.iter().any(|&at| at != 0), "{calls:#?}");
            assert!(nearest.is_none_or(|at| at != 0 && all.contains(&at)), "{nearest:?} of {calls:#?}");
            seen += visible.len();
            hidden_count += usize::from(hidden);
        }
        assert!(seen > 1_000 && hidden_count > 1_000, "{seen} {hidden_count}");
    }
}
