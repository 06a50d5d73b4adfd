//! What a judge must know about a type of object: where it starts and what each operation does to it.
//!
//! A model refuses to know time, processes and other operations: it is one pure function over small values. Everything
//! beyond [`Model::init`], [`Model::step`] and [`Model::describe`] is a *hint*: it makes judging faster or
//! counterexamples smaller, and a model that gives none is judged just as correctly.
//! Next: [`crate::models`] for the ones that come along, [`crate::judge()`] for what is done with them.

use std::fmt::Debug;
use std::hash::Hash;

use crate::budget::Poll;
use crate::outcome::Shortcut;

/// How an operation, once it takes effect, changes the object. A hint; [`Effect::Any`] is always true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Never changes the state, wherever it is legal: a read, a refused cas.
    None,
    /// Anything.
    Any,
    /// Where it is legal, the state after it is always the same one, whatever the state was before: a successful cas.
    Replace,
    /// [`Effect::Replace`], and legal in every state: an unconditional write.
    Overwrite,
}

/// A sequential specification.
///
/// ```
/// use rashomon_checker::Model;
///
/// /// A light that is switched, and looked at.
/// struct Light;
///
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// enum Op { Switch(bool), See(bool) }
///
/// impl Model for Light {
///     type State = bool;
///     type Operation = Op;
///     fn init(&self) -> bool { false }
///     fn step(&self, on: &bool, op: &Op) -> Option<bool> {
///         match op {
///             Op::Switch(to) => Some(*to),
///             Op::See(seen) => (seen == on).then_some(*on),
///         }
///     }
///     fn describe(&self, op: &Op) -> String { format!("{op:?}") }
/// }
/// ```
pub trait Model: Sync {
    /// What the object is between two operations. Small, and cheap to clone.
    type State: Clone + Eq + Hash + Debug + Send + Sync;
    /// One operation: what was asked and what was answered, together.
    type Operation: Clone + Eq + Hash + Debug + Send + Sync;

    /// The state before any operation.
    fn init(&self) -> Self::State;

    /// The state after `operation` took effect in `state`, or none where this answer could not have been given there.
    /// Must be a function of its arguments.
    fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;

    /// The operation as a phrase in the past tense: `wrote 15`, `read 12`.
    fn describe(&self, operation: &Self::Operation) -> String;

    /// The state as a noun phrase, for explanations.
    fn describe_state(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// Hint: how `operation` changes the object.
    fn effect(&self, operation: &Self::Operation) -> Effect {
        let _ = operation;
        Effect::Any
    }

    /// Hint: could `operation` be legal only because `earlier` took effect at some time before it? `true` is always
    /// right; `false` promises that leaving `earlier` out of a legal sequence that keeps every operation needed by
    /// a kept one leaves `operation` legal.
    fn needs(&self, operation: &Self::Operation, earlier: &Self::Operation) -> bool {
        let _ = (operation, earlier);
        true
    }

    /// Hint: could `operation` be legal in `state`, or after other operations from there? `true` is always right; `false`
    /// promises that an order that leads to `state` without `operation` has no place for it any more.
    fn can_follow(&self, state: &Self::State, operation: &Self::Operation) -> bool {
        let _ = (state, operation);
        true
    }

    /// Hint: an operation that is legal in every state and has the effect that `operation` has where it is legal, if
    /// there is one. With it a counterexample can use the effect without explaining the answer.
    fn trusted(&self, operation: &Self::Operation) -> Option<Self::Operation> {
        let _ = operation;
        None
    }

    /// Hint: what `operation` is to somebody who sees of the object only whether it is as `about` found it; none: nothing.
    /// Whoever blurs all operations of a legal sequence about the same one, and leaves out those of which nothing remains,
    /// must get a legal sequence. So none is always right; and where the blurred ones have no order, the operations have none.
    fn blurred(&self, operation: &Self::Operation, about: &Self::Operation) -> Option<Self::Operation> {
        let _ = (operation, about);
        None
    }

    /// Hint: the state right after `operation`, wherever it is legal, if its own words tell: what a read saw, what a write
    /// left. It lets [`crate::online`] forget what came before.
    fn leaves(&self, operation: &Self::Operation) -> Option<Self::State> {
        let _ = operation;
        None
    }

    /// Hint: one operation that leads from the initial state to this one, if there is such.
    fn restore(&self, state: &Self::State) -> Option<Self::Operation> {
        let _ = state;
        None
    }

    /// Hint: a judge made for this model, asked before the general search. None: it does not know. It polls in every loop
    /// over the operations and answers [`Shortcut::Stopped`] when told to.
    fn shortcut(&self, calls: &[Call<Self::Operation>], poll: &mut Poll<'_>) -> Option<Shortcut> {
        let _ = (calls, poll);
        None
    }
}

/// One operation of a history as the judges see it: who, when, what. Positions are event indexes of the recorded
/// history, a total order consistent with real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call<O> {
    /// Its name in witnesses: the index of its invoke event.
    pub id: u32,
    /// Who asked.
    pub process: u32,
    /// Where it was invoked.
    pub invoked: u32,
    /// Where it returned; [`NEVER`] when its outcome is unknown, so that it may take effect at any later time or not
    /// at all.
    pub returned: u32,
    /// What was asked and answered.
    pub operation: O,
}

/// The return position of an operation whose outcome is unknown.
pub const NEVER: u32 = u32::MAX;

impl<O> Call<O> {
    /// An operation that was answered at position `returned`.
    ///
    /// # Panics
    /// When it returns no later than it is invoked.
    pub fn completed(process: u32, invoked: u32, returned: u32, operation: O) -> Self {
        assert!(invoked < returned && returned < NEVER, "an operation is invoked before it returns");
        Call { id: invoked, process, invoked, returned, operation }
    }

    /// An operation of unknown outcome.
    pub fn unknown(process: u32, invoked: u32, operation: O) -> Self {
        Call { id: invoked, process, invoked, returned: NEVER, operation }
    }

    /// Whether nobody knows if it happened.
    pub fn is_unknown(&self) -> bool {
        self.returned == NEVER
    }

    /// Whether it returned before `other` was invoked, so that it must come first in every order.
    pub fn precedes<P>(&self, other: &Call<P>) -> bool {
        self.returned < other.invoked
    }
}
