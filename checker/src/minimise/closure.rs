//! Which sub-histories prove something about the whole.
//!
//! A sub-history is closed when with an operation it keeps every operation that this one may owe its legality to
//! ([`Model::needs`]), unless real time rules it out in the eyes of somebody who sees only what is kept: m cannot
//! matter to o when a kept operation that settles the state had to come after m and before o. (Only where every operation that
//! changes the object settles it: [`Effect::Replace`], [`Effect::Overwrite`].) Then an order of the whole, without what
//! was left out, is an order of the rest: the last change before o that the whole has is kept, or there is none.
//!
//! An operation can also be kept *on trust*: only its effect, not its answer ([`Model::trusted`]). An order of the whole
//! stays one when answers are no longer questioned, so this too loses nothing.
//!
//! So that a reader is not left to wonder where a value came from, the nearest operation that could explain an answer is
//! kept even where real time rules it out.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::sources::Sources;
use crate::budget::{Poll, Stop, Stopped};
use crate::model::{Call, Effect, Model};

/// An operation of a sub-history, by its place among the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kept {
    pub(super) at: u32,
    /// Only its effect counts.
    pub(super) trusted: bool,
}

impl Kept {
    pub(super) fn whole(at: u32) -> Self {
        Kept { at, trusted: false }
    }
}

pub(super) struct Closure<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Operation>],
    /// Whether every change settles the state.
    settles: bool,
    /// Returns of settling operations, and of those that returned by then the one invoked last.
    barriers: Vec<(u32, u32)>,
    /// What the operations asked about so far may owe their legality to.
    sources: RefCell<FxHashMap<&'a M::Operation, Rc<Sources>>>,
    poll: RefCell<Poll<'a>>,
}

impl<'a, M: Model> Closure<'a, M> {
    pub(super) fn new(model: &'a M, calls: &'a [Call<M::Operation>], stop: Stop<'a>) -> Self {
        let mut closure = Closure {
            model,
            calls,
            settles: true,
            barriers: Vec::new(),
            sources: RefCell::default(),
            poll: RefCell::new(Poll::new(stop)),
        };
        // When the deadline passes here, nothing will be asked of what is missing: see `Closure::sources`.
        let _stopped = closure.find_barriers();
        closure
    }

    fn find_barriers(&mut self) -> Result<(), Stopped> {
        let mut barriers: Vec<(u32, u32)> = Vec::new();
        for (at, call) in self.calls.iter().enumerate() {
            self.poll.get_mut().go_on()?;
            match self.model.effect(&call.operation) {
                Effect::None => {}
                Effect::Any => {
                    self.settles = false;
                    return Ok(());
                }
                _ if call.is_unknown() => {}
                Effect::Replace | Effect::Overwrite => barriers.push((call.returned, at as u32)),
            }
        }
        self.poll.get_mut().sort(&mut barriers, |barrier| barrier.0, |barrier| barrier.1)?;
        let mut latest = 0;
        for (position, (_, at)) in barriers.iter_mut().enumerate() {
            if position == 0 || self.calls[*at as usize].invoked > self.calls[latest as usize].invoked {
                latest = *at;
            }
            *at = latest;
        }
        self.barriers = barriers;
        Ok(())
    }

    /// Whether it surely happened and settles the state.
    fn is_barrier(&self, at: u32) -> bool {
        let call = &self.calls[at as usize];
        self.settles && !call.is_unknown() && self.model.effect(&call.operation) != Effect::None
    }

    /// The operation with what counts of its answer.
    pub(super) fn call(&self, kept: Kept) -> Call<M::Operation> {
        let call = &self.calls[kept.at as usize];
        let trusted = if kept.trusted { self.model.trusted(&call.operation) } else { None };
        Call { operation: trusted.unwrap_or_else(|| call.operation.clone()), ..call.clone() }
    }

    /// Whether the answer of `keeper` may owe its legality to `kept`.
    fn may_owe(&self, keeper: Kept, kept: Kept) -> bool {
        let [keeper, kept] = [keeper, kept].map(|kept| &self.calls[kept.at as usize]);
        kept.invoked <= keeper.returned
            && self.model.effect(&kept.operation) != Effect::None
            && self.model.needs(&keeper.operation, &kept.operation)
    }

    /// Whether its effect can be kept without its answer, and is not yet.
    pub(super) fn can_trust(&self, kept: Kept) -> bool {
        !kept.trusted && self.model.trusted(&self.calls[kept.at as usize].operation).is_some()
    }

    /// What operations with the same words may owe their legality to; none when the caller's deadline passed meanwhile.
    fn sources(&self, keeper: Kept) -> Option<Rc<Sources>> {
        let mut poll = self.poll.borrow_mut();
        poll.go_on().ok()?;
        let operation = &self.calls[keeper.at as usize].operation;
        if let Some(sources) = self.sources.borrow().get(operation) {
            return Some(Rc::clone(sources));
        }
        let sources = Rc::new(Sources::of(self.model, self.calls, operation, &mut poll).ok()?);
        self.sources.borrow_mut().insert(operation, Rc::clone(&sources));
        Some(sources)
    }

    /// Adds what must be kept, on trust if so wished; none when it becomes more than `most`, or the caller's deadline passed.
    pub(super) fn close(&self, seeds: &[Kept], on_trust: bool, most: usize) -> Option<Vec<Kept>> {
        let mut kept: FxHashSet<u32> = seeds.iter().map(|kept| kept.at).collect();
        let mut all = seeds.to_vec();
        let mut done = 0;
        while done < all.len() {
            let keeper = all[done];
            done += 1;
            if keeper.trusted {
                continue;
            }
            let Call { invoked, returned, .. } = self.calls[keeper.at as usize];
            let before = self.barriers.partition_point(|&(returned, _)| returned < invoked);
            let barrier = before.checked_sub(1).map(|at| self.barriers[at].1);
            let horizon = barrier.map_or(0, |at| self.calls[at as usize].invoked);
            let sources = self.sources(keeper)?;
            let mut add: Vec<u32> = Vec::new();
            for at in sources.visible(self.calls, horizon, returned).filter(|&at| at != keeper.at) {
                self.poll.borrow_mut().go_on().ok()?;
                add.push(at);
            }
            if add.is_empty() {
                add.extend(sources.nearest(self.calls, returned, keeper.at));
            }
            if sources.has_hidden(self.calls, horizon, returned) {
                add.extend(barrier);
            }
            for at in add {
                if kept.insert(at) {
                    let trusted =
                        on_trust && self.model.trusted(&self.calls[at as usize].operation).is_some();
                    all.push(Kept { at, trusted });
                }
            }
            if all.len() > most {
                return None;
            }
        }
        all.sort_unstable();
        Some(all)
    }

    /// Whether nothing that is left out could matter to what is kept. When the caller's deadline passed: no.
    pub(super) fn is_closed(&self, kept: &[Kept]) -> bool {
        let places: FxHashSet<u32> = kept.iter().map(|kept| kept.at).collect();
        kept.iter().all(|&keeper| {
            if keeper.trusted {
                return true;
            }
            let Call { invoked, returned, .. } = self.calls[keeper.at as usize];
            let barriers =
                kept.iter().filter(|kept| self.is_barrier(kept.at)).map(|kept| &self.calls[kept.at as usize]);
            let horizon =
                barriers.filter(|call| call.returned < invoked).map(|call| call.invoked).max().unwrap_or(0);
            let Some(sources) = self.sources(keeper) else { return false };
            let mut visible =
                sources.visible(self.calls, horizon, returned).filter(|&at| at != keeper.at).peekable();
            if visible.peek().is_some() {
                return visible.all(|at| self.poll.borrow_mut().go_on().is_ok() && places.contains(&at));
            }
            sources.nearest(self.calls, returned, keeper.at).is_none()
                || kept.iter().any(|&kept| kept.at != keeper.at && self.may_owe(keeper, kept))
        })
    }
}
