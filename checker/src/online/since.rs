//! A model that starts from a given state: what is left to judge when the beginning is settled.

use crate::budget::Poll;
use crate::model::{Call, Effect, Model};
use crate::outcome::Shortcut;

/// The model, from this state on. The state must be one that the model can reach.
pub(super) struct Since<'a, M: Model> {
    pub(super) model: &'a M,
    pub(super) state: M::State,
}

/// How the operation that restores the state is called; no event has this index.
const RESTORED: u32 = u32::MAX;

impl<M: Model> Model for Since<'_, M> {
    type State = M::State;
    type Operation = M::Operation;

    fn init(&self) -> M::State {
        self.state.clone()
    }

    fn step(&self, state: &M::State, operation: &M::Operation) -> Option<M::State> {
        self.model.step(state, operation)
    }

    fn describe(&self, operation: &M::Operation) -> String {
        self.model.describe(operation)
    }

    fn describe_state(&self, state: &M::State) -> String {
        self.model.describe_state(state)
    }

    fn effect(&self, operation: &M::Operation) -> Effect {
        self.model.effect(operation)
    }

    fn needs(&self, operation: &M::Operation, earlier: &M::Operation) -> bool {
        self.model.needs(operation, earlier)
    }

    fn can_follow(&self, state: &M::State, operation: &M::Operation) -> bool {
        self.model.can_follow(state, operation)
    }

    fn trusted(&self, operation: &M::Operation) -> Option<M::Operation> {
        self.model.trusted(operation)
    }

    fn leaves(&self, operation: &M::Operation) -> Option<M::State> {
        self.model.leaves(operation)
    }

    /// The model's own judge starts from its own initial state: an operation that restores ours goes first, and leaves
    /// again. Whatever comes after a cut was invoked at position 2 or later.
    fn shortcut(&self, calls: &[Call<M::Operation>], poll: &mut Poll<'_>) -> Option<Shortcut> {
        if self.state == self.model.init() {
            return self.model.shortcut(calls, poll);
        }
        let first = self.model.restore(&self.state)?;
        let mut all = Vec::with_capacity(calls.len() + 1);
        all.push(Call { id: RESTORED, ..Call::completed(0, 0, 1, first) });
        all.extend_from_slice(calls);
        let strip = |ids: Vec<u32>| ids.into_iter().filter(|id| *id != RESTORED).collect();
        Some(match self.model.shortcut(&all, poll)? {
            Shortcut::Valid(order) => Shortcut::Valid(strip(order)),
            Shortcut::Open(position) => Shortcut::Open(position),
            Shortcut::Stopped => Shortcut::Stopped,
            Shortcut::Invalid { operations, cycle } => {
                Shortcut::Invalid { operations: strip(operations), cycle: strip(cycle) }
            }
        })
    }
}
