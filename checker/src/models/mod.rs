//! The models that come along, one file each.
//!
//! Each file ends with a table of sequences that the model accepts and refuses. Next: [`crate::Model`], to write another.

//! [`registry`] has them by name.

pub mod counter;
mod growing;
pub mod log;
pub mod multi_register;
pub mod mutex;
pub mod queue;
pub mod register;
pub mod registry;
pub mod set;

pub use counter::Counter;
pub use log::{ListAppend, Log};
pub use multi_register::MultiRegister;
pub use mutex::{Mutex, OwnedMutex};
pub use queue::Queue;
pub use register::{CasRegister, Register, RegisterOp};
pub use registry::{ForModel, REGISTRY, by_name, with_model};
pub use set::Set;

#[cfg(test)]
pub(crate) mod testing {
    use crate::model::{Effect, Model};

    /// Every accepted sequence must be legal to its end, every refused one illegal in its last step and there only; and the
    /// hints must hold in every state on the way.
    pub(crate) fn check<M: Model>(model: &M, accepted: &[&[M::Operation]], refused: &[&[M::Operation]]) {
        for sequence in accepted {
            assert!(run(model, sequence) == sequence.len(), "should accept {sequence:?}");
        }
        for sequence in refused {
            assert!(run(model, sequence) == sequence.len() - 1, "should refuse just the end of {sequence:?}");
        }
        let operations: Vec<_> =
            accepted.iter().chain(refused).flat_map(|sequence| sequence.iter()).collect();
        let mut states = vec![model.init()];
        for sequence in accepted {
            let mut state = model.init();
            for operation in *sequence {
                state = model.step(&state, operation).unwrap();
                states.push(state.clone());
            }
        }
        for state in &states {
            let restored = model.restore(state).map(|operation| model.step(&model.init(), &operation));
            assert!(restored.is_none_or(|restored| restored.as_ref() == Some(state)), "{state:?}");
        }
        for operation in operations {
            let after: Vec<_> = states.iter().map(|state| (state, model.step(state, operation))).collect();
            if let Some(trusted) = model.trusted(operation) {
                for (state, after) in &after {
                    let effect = model.step(state, &trusted);
                    assert!(
                        effect.is_some() && after.as_ref().is_none_or(|after| Some(after) == effect.as_ref())
                    );
                }
            }
            if let Some(left) = model.leaves(operation) {
                assert!(after.iter().all(|(_, after)| after.as_ref().is_none_or(|after| *after == left)));
            }
            let mut reached = after.iter().filter_map(|(_, after)| after.as_ref());
            let first = reached.next();
            let constant = reached.all(|after| Some(after) == first);
            match model.effect(operation) {
                Effect::Any => {}
                Effect::None => assert!(after.iter().all(|(s, a)| a.as_ref().is_none_or(|a| a == *s))),
                Effect::Replace => assert!(constant, "{operation:?} does not replace"),
                Effect::Overwrite => assert!(constant && after.iter().all(|(_, a)| a.is_some())),
            }
        }
    }

    fn run<M: Model>(model: &M, sequence: &[M::Operation]) -> usize {
        let mut state = model.init();
        for (done, operation) in sequence.iter().enumerate() {
            match model.step(&state, operation) {
                Some(next) => state = next,
                None => return done,
            }
        }
        sequence.len()
    }
}
