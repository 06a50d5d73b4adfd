//! Several keys in use at a time, each for a bounded number of operations.
//!
//! A judge's work grows with the length of a key's history and with the operations of unknown outcome in it, so
//! a key that had its share retires and a fresh one takes its place. Keys in use are not equally popular: the
//! one in slot *i* draws in proportion to 1/(*i*+1). So in every run some keys are contended and short-lived,
//! and some live long enough to see several faults.
//!
//! Where only a general search can judge, its work doubles with every operation under way or of unknown outcome on the
//! same key. A key can be given a [width](PerKey::with_width): so many of these there are at most, by construction.
//!
//! Now and then a retired key is read again: what was true of it must still be. Those reads, too, are bounded.

use std::collections::VecDeque;
use std::fmt;

use rand::{RngExt as _, SeedableRng as _};
use rashomon_histories::{Invocation, Nanos, Process, Value};
use smol_str::{SmolStr, format_smolstr};

use super::{Answer, Context, Generator, Mix, Rng, Temper};
use crate::client::Outcome;

/// How many retired keys are remembered.
const RETIRED_MAX: usize = 512;
/// One in so many operations looks back at a retired key.
const LOOK_BACK_ONE_IN: u32 = 16;
/// How often a retired key is read again at most.
const LOOK_BACKS_MAX: u32 = 32;

/// Asks one key: what a workload over independent keys has to say.
pub trait OneKey: Clone + fmt::Debug + Send + 'static {
    /// What all keys of a run have in common.
    type Settings: Clone + fmt::Debug + Send;

    /// The key of this number, counted from 0 over the run.
    fn new(settings: &Self::Settings, number: u64) -> Self;

    /// The next operation on it, for a client of this temper: its name and argument.
    fn next(&mut self, rng: &mut Rng, temper: Temper) -> (SmolStr, Value);

    /// Tells how an operation on it has ended.
    fn update(&mut self, operation: &Invocation, outcome: &Outcome);

    /// The operation that looks at a key that has retired. It changes nothing that anybody counts on.
    fn look(rng: &mut Rng) -> (SmolStr, Value);
}

/// Asks several keys at a time, for a bounded number of operations each.
#[derive(Clone, Debug)]
pub struct PerKey<K: OneKey> {
    settings: K::Settings,
    operations_max: u64,
    width: u32,
    live: Vec<Live<K>>,
    retired: VecDeque<Retired>,
    popularity: Mix<usize>,
    next_number: u64,
    rng: Rng,
}

#[derive(Clone, Debug)]
struct Live<K> {
    name: SmolStr,
    key: K,
    asked: u64,
    under_way: u32,
    unknown: u32,
}

#[derive(Clone, Debug)]
struct Retired {
    name: SmolStr,
    look_backs: u32,
}

impl<K: OneKey> PerKey<K> {
    /// `keys` keys at a time, `operations_max` operations each (looking back not counted).
    ///
    /// # Panics
    /// When either is zero: the plan is checked before.
    pub fn new(settings: K::Settings, keys: u32, operations_max: u64, seed: u64) -> Self {
        assert!(keys > 0 && operations_max > 0, "a run needs a key and an operation");
        let popularity = Mix::new((0..keys).map(|slot| ((1 << 20) / (slot + 1) + 1, slot as usize)));
        let mut generator = PerKey {
            settings,
            operations_max,
            width: u32::MAX,
            live: Vec::new(),
            retired: VecDeque::new(),
            popularity,
            next_number: 0,
            rng: Rng::seed_from_u64(seed),
        };
        generator.live = (0..keys).map(|_| generator.fresh()).collect();
        generator
    }

    /// At most so many operations under way or of unknown outcome on each key in use. A key that has no room is passed
    /// over for the next one; one with half as many of unknown outcome retires, and where none has room the drawn one does.
    ///
    /// # Panics
    /// When it is zero.
    #[must_use]
    pub fn with_width(self, width: u32) -> Self {
        assert!(width > 0, "a key is asked something");
        PerKey { width, ..self }
    }

    fn fresh(&mut self) -> Live<K> {
        let number = self.next_number;
        self.next_number += 1;
        Live {
            name: format_smolstr!("k{number}"),
            key: K::new(&self.settings, number),
            asked: 0,
            under_way: 0,
            unknown: 0,
        }
    }

    /// The next operation, on whichever key: (key, f, value).
    fn draw(&mut self, temper: Temper) -> (SmolStr, SmolStr, Value) {
        let may_look_back = temper != Temper::Changes && !self.retired.is_empty();
        if may_look_back && self.rng.random_ratio(1, LOOK_BACK_ONE_IN) {
            let position = self.rng.random_range(0..self.retired.len());
            let retired = &mut self.retired[position];
            if retired.look_backs < LOOK_BACKS_MAX {
                retired.look_backs += 1;
                let name = retired.name.clone();
                let (f, value) = K::look(&mut self.rng);
                return (name, f, value);
            }
        }
        let drawn = *self.popularity.pick(&mut self.rng);
        let slot = self.with_room(drawn);
        let live = &mut self.live[slot];
        live.asked += 1;
        live.under_way += 1;
        let (f, value) = live.key.next(&mut self.rng, temper);
        let name = live.name.clone();
        if live.asked >= self.operations_max {
            self.retire(slot);
        }
        (name, f, value)
    }

    /// The first key with room, from the drawn one on.
    fn with_room(&mut self, drawn: usize) -> usize {
        let has_room = |slot: &usize| self.live[*slot].under_way + self.live[*slot].unknown < self.width;
        if let Some(slot) = (drawn..self.live.len()).chain(0..drawn).find(has_room) {
            return slot;
        }
        self.retire(drawn);
        drawn
    }

    fn retire(&mut self, slot: usize) {
        let fresh = self.fresh();
        let old = std::mem::replace(&mut self.live[slot], fresh);
        if self.retired.len() == RETIRED_MAX {
            self.retired.pop_front();
        }
        self.retired.push_back(Retired { name: old.name, look_backs: 0 });
    }
}

impl<K: OneKey> Generator for PerKey<K> {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        let process = match context.free {
            [] => return Answer::Pending { until: None },
            [only] => *only,
            several => several[self.rng.random_range(0..several.len())],
        };
        let (key, f, value) = self.draw(Temper::of(process, context.layout));
        let node = context.layout.node_of(process).clone();
        Answer::Operation(Invocation {
            process: Process::Client(process),
            f,
            key: Some(key),
            value,
            node: Some(node),
        })
    }

    fn update(&mut self, _now: Nanos, operation: &Invocation, outcome: &Outcome) {
        // A key that retired meanwhile learns nothing more.
        let named = |live: &Live<K>| operation.key.as_ref() == Some(&live.name);
        let Some(slot) = self.live.iter().position(named) else { return };
        let live = &mut self.live[slot];
        live.key.update(operation, outcome);
        live.under_way -= 1;
        live.unknown += u32::from(outcome.as_ref().is_err_and(|error| !error.definite));
        if live.unknown >= self.width.div_ceil(2) {
            self.retire(slot);
        }
    }

    fn keys_recent(&self) -> Vec<SmolStr> {
        let used = self.live.iter().filter(|live| live.asked > 0).map(|live| &live.name);
        self.retired.iter().map(|retired| &retired.name).chain(used).cloned().collect()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        Box::new(self.clone())
    }
}
