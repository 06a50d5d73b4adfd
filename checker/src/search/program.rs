//! A key's operations as small numbers: classes of equal operations, and the events in the order of time.
//!
//! Knows nothing of states. Next: [`super::space`], which knows nothing of time.

use rustc_hash::FxHashMap;

use super::demand::{self, Class};
use crate::budget::{Poll, Stopped};
use crate::model::{Call, Effect, Model, NEVER};

/// What happens to an operation at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is pending from now on.
    Invoke(u32),
    /// It must have taken effect by now.
    Return(u32),
}

/// An operation, by its number in the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// Its name outside.
    pub(crate) id: u32,
    /// Operations with the same input and output are one class.
    pub(crate) class: u32,
    pub(crate) invoked: u32,
    pub(crate) returned: u32,
}

/// A key's history, ready to be walked.
pub(crate) struct Program<O> {
    pub(crate) items: Vec<Item>,
    /// What each class asks and answers, and how it changes the object.
    pub(crate) classes: Vec<(O, Effect)>,
    /// Position and step, in order.
    pub(crate) events: Vec<(u32, Step)>,
    /// The operations of unknown outcome per class, in the order of invocation.
    pub(crate) unknown: Vec<Vec<u32>>,
    /// Until which position each class is wanted; none: never.
    wanted: Vec<Option<u32>>,
    /// The most determinate operations ever pending at once.
    pub(crate) pending_max: usize,
}

impl<O: Clone + Eq + std::hash::Hash> Program<O> {
    /// Leaves out what is no evidence: operations of unknown outcome that change nothing, or nothing that anybody misses.
    pub(crate) fn compile<M: Model<Operation = O>>(
        model: &M,
        calls: &[Call<O>],
        poll: &mut Poll<'_>,
    ) -> Result<Self, Stopped> {
        let mut program = Program {
            items: Vec::with_capacity(calls.len()),
            classes: Vec::new(),
            events: Vec::with_capacity(2 * calls.len()),
            unknown: Vec::new(),
            wanted: Vec::new(),
            pending_max: 0,
        };
        let class_of = program.classify(model, calls, poll)?;
        let mut order: Vec<(u32, bool, u32)> = Vec::with_capacity(2 * calls.len());
        for (call, class) in calls.iter().zip(class_of) {
            poll.go_on()?;
            let (_, effect) = program.classes[class as usize];
            let is_wanted = effect != Effect::None && program.wanted[class as usize].is_some();
            if call.is_unknown() && !is_wanted {
                continue;
            }
            let item = program.items.len() as u32;
            program.items.push(Item { id: call.id, class, invoked: call.invoked, returned: call.returned });
            // Invocations sort before returns at the same position: only a strictly earlier return precedes.
            order.push((call.invoked, false, item));
            if !call.is_unknown() {
                order.push((call.returned, true, item));
            }
        }
        poll.sort(&mut order, |event| event.0, |event| (event.1, event.2))?;
        program.unknown = vec![Vec::new(); program.classes.len()];
        let mut pending = 0usize;
        for (position, returns, item) in order {
            poll.go_on()?;
            let Item { class, returned, .. } = program.items[item as usize];
            if returns {
                pending -= 1;
            } else if returned == NEVER {
                program.unknown[class as usize].push(item);
            } else {
                pending += 1;
                program.pending_max = program.pending_max.max(pending);
            }
            program.events.push((position, if returns { Step::Return(item) } else { Step::Invoke(item) }));
        }
        Ok(program)
    }

    /// The class of each call, and what is known of classes.
    fn classify<M: Model<Operation = O>>(
        &mut self,
        model: &M,
        calls: &[Call<O>],
        poll: &mut Poll<'_>,
    ) -> Result<Vec<u32>, Stopped> {
        let mut numbers: FxHashMap<&O, u32> = FxHashMap::default();
        let mut found: Vec<Class> = Vec::new();
        let mut class_of = Vec::with_capacity(calls.len());
        for call in calls {
            poll.go_on()?;
            let class = *numbers.entry(&call.operation).or_insert_with(|| {
                self.classes.push((call.operation.clone(), model.effect(&call.operation)));
                found.push(Class { returned: None, has_unknown: false });
                (self.classes.len() - 1) as u32
            });
            class_of.push(class);
            let found = &mut found[class as usize];
            if call.is_unknown() {
                found.has_unknown = true;
            } else {
                found.returned = found.returned.max(Some(call.returned));
            }
        }
        self.wanted = demand::wanted(model, &self.classes, &found, poll)?;
        Ok(class_of)
    }

    /// Whether the effect of this class can make an answer true that is given at this position or later.
    pub(crate) fn is_wanted(&self, class: u32, position: u32) -> bool {
        self.wanted[class as usize].is_some_and(|until| until >= position)
    }
}
