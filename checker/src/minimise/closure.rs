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

use rustc_hash::{FxHashMap, FxHashSet};

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
    /// What each operation asked about so far may owe its legality to: returns and places, the latest first.
    sources: RefCell<FxHashMap<u32, Vec<(u32, u32)>>>,
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
        // When the deadline passes here, nothing will be asked of what is missing: see `with_sources`.
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

    /// Whether its effect can be kept without its answer, and is not yet.
    pub(super) fn can_trust(&self, kept: Kept) -> bool {
        !kept.trusted && self.model.trusted(&self.calls[kept.at as usize].operation).is_some()
    }

    /// Calls `visit` with what the operation may owe its legality to; none when the caller's deadline passed meanwhile.
    fn with_sources<R>(&self, keeper: Kept, visit: impl FnOnce(&[(u32, u32)]) -> R) -> Option<R> {
        if keeper.trusted {
            return Some(visit(&[]));
        }
        let mut known = self.sources.borrow_mut();
        if let Some(sources) = known.get(&keeper.at) {
            self.poll.borrow_mut().go_on().ok()?;
            return Some(visit(sources));
        }
        let keeper_call = &self.calls[keeper.at as usize];
        let mut sources: Vec<(u32, u32)> = Vec::new();
        for (at, other) in self.calls.iter().enumerate() {
            self.poll.borrow_mut().go_on().ok()?;
            let may_matter = at as u32 != keeper.at
                && other.invoked <= keeper_call.returned
                && self.model.effect(&other.operation) != Effect::None
                && self.model.needs(&keeper_call.operation, &other.operation);
            sources.extend(may_matter.then_some((other.returned, at as u32)));
        }
        sources.sort_unstable_by(|a, b| b.cmp(a));
        let answer = visit(&sources);
        known.insert(keeper.at, sources);
        Some(answer)
    }

    /// Adds what must be kept, on trust if so wished; none when it becomes more than `most`, or the caller's deadline passed.
    pub(super) fn close(&self, seeds: &[Kept], on_trust: bool, most: usize) -> Option<Vec<Kept>> {
        let mut kept: FxHashSet<u32> = seeds.iter().map(|kept| kept.at).collect();
        let mut all = seeds.to_vec();
        let mut done = 0;
        while done < all.len() {
            let keeper = all[done];
            done += 1;
            let invoked = self.calls[keeper.at as usize].invoked;
            let before = self.barriers.partition_point(|&(returned, _)| returned < invoked);
            let barrier = before.checked_sub(1).map(|at| self.barriers[at].1);
            let horizon = barrier.map_or(0, |at| self.calls[at as usize].invoked);
            let mut add: Vec<u32> = Vec::new();
            self.with_sources(keeper, |sources| {
                let visible = sources.partition_point(|&(returned, _)| returned >= horizon);
                add.extend(sources[..visible].iter().map(|source| source.1));
                if visible < sources.len() {
                    add.extend(barrier);
                    if visible == 0 {
                        add.push(sources[0].1);
                    }
                }
            })?;
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
            let invoked = self.calls[keeper.at as usize].invoked;
            let barriers =
                kept.iter().filter(|kept| self.is_barrier(kept.at)).map(|kept| &self.calls[kept.at as usize]);
            let horizon =
                barriers.filter(|call| call.returned < invoked).map(|call| call.invoked).max().unwrap_or(0);
            let holds = self.with_sources(keeper, |sources| {
                let visible = sources.partition_point(|&(returned, _)| returned >= horizon);
                sources[..visible].iter().all(|source| places.contains(&source.1))
                    && (sources.is_empty() || sources.iter().any(|source| places.contains(&source.1)))
            });
            holds.unwrap_or(false)
        })
    }
}
