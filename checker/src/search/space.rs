//! States as small numbers, and the model's steps between them, each computed once.

use rustc_hash::FxHashMap;

use crate::model::{Effect, Model};

const ILLEGAL: u32 = u32::MAX;
const NOT_COMPUTED: u32 = u32::MAX - 1;

/// Up to so many classes every state has a row of its own.
const ROW_MAX: usize = 128;

/// The states met so far and the steps taken between them.
pub(crate) struct Space<'a, M: Model> {
    model: &'a M,
    classes: &'a [(M::Operation, Effect)],
    states: Vec<M::State>,
    numbers: FxHashMap<M::State, u32>,
    /// Where classes are few: a row per state.
    rows: Vec<u32>,
    /// Else: by state and class.
    steps: FxHashMap<u64, u32>,
}

impl<'a, M: Model> Space<'a, M> {
    /// State 0 is the initial one.
    pub(crate) fn new(model: &'a M, classes: &'a [(M::Operation, Effect)]) -> Self {
        let init = model.init();
        let mut numbers = FxHashMap::default();
        numbers.insert(init.clone(), 0);
        Space { model, classes, states: vec![init], numbers, rows: Vec::new(), steps: FxHashMap::default() }
    }

    /// The state after an operation of this class took effect in `state`, if that is legal.
    pub(crate) fn step(&mut self, state: u32, class: u32) -> Option<u32> {
        if self.classes.len() <= ROW_MAX {
            let at = state as usize * self.classes.len() + class as usize;
            if at >= self.rows.len() {
                self.rows.resize(self.states.len() * self.classes.len(), NOT_COMPUTED);
            }
            if self.rows[at] == NOT_COMPUTED {
                self.rows[at] = self.compute(state, class);
            }
            return (self.rows[at] != ILLEGAL).then_some(self.rows[at]);
        }
        let key = u64::from(state) << 32 | u64::from(class);
        let next = match self.steps.get(&key) {
            Some(&next) => next,
            None => {
                let next = self.compute(state, class);
                self.steps.insert(key, next);
                next
            }
        };
        (next != ILLEGAL).then_some(next)
    }

    fn compute(&mut self, state: u32, class: u32) -> u32 {
        match self.model.step(&self.states[state as usize], &self.classes[class as usize].0) {
            None => ILLEGAL,
            Some(next) => match self.numbers.get(&next) {
                Some(&number) => number,
                None => {
                    let number = self.states.len() as u32;
                    self.states.push(next.clone());
                    self.numbers.insert(next, number);
                    number
                }
            },
        }
    }

    pub(crate) fn effect(&self, class: u32) -> Effect {
        self.classes[class as usize].1
    }

    pub(crate) fn describe(&self, state: u32) -> String {
        self.model.describe_state(&self.states[state as usize])
    }

    /// Roughly what the tables take.
    pub(crate) fn bytes(&self) -> u64 {
        (self.rows.capacity() * 4
            + self.steps.capacity() * 13
            + self.states.capacity() * 2 * (size_of::<M::State>() + 8)) as u64
    }
}
