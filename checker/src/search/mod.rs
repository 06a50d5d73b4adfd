//! The general judge: just-in-time linearization over configurations, for every model.
//!
//! One walk over the events of a key with the set of all configurations that are consistent so far; no configuration
//! left at a return means that no order exists. Cost: per return the number of configurations times the classes of pending
//! operations; memory the configurations, which a budget bounds. Sources: Lowe, *Testing for linearizability* (2017);
//! Horn and Kroening, *Faster linearizability checking via P-compositionality* (2015). What keeps the set small, and why that
//! loses nothing, stands in [`steps`] and [`demand`]; what is tried in which order, in [`strategy`].

mod demand;
mod frontier;
mod pending;
mod program;
mod rank;
mod rows;
mod space;
mod steps;
mod strategy;
mod trace;

pub(crate) use frontier::Meter;

use crate::budget::Gauge;
use crate::model::{Call, Model};
use crate::outcome::{Exhausted, Prefix};
use program::Program;
use strategy::Walk;

/// What the search found out; operations by id.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Valid(Vec<u32>),
    /// At the return of `impossible`, at this position, nothing was left.
    Invalid {
        impossible: u32,
        position: u32,
        prefixes: Vec<Prefix>,
    },
    Undecided {
        exhausted: Exhausted,
        consistent_until: u32,
    },
}

/// Judges the operations of one key. `prove` may know a proof that nothing is consistent beyond a position.
pub(crate) fn search<M: Model>(
    model: &M,
    calls: &[Call<M::Operation>],
    gauge: &mut Gauge<'_>,
    prove: &mut dyn FnMut(u32) -> bool,
) -> Outcome {
    let Ok(program) = Program::compile(model, calls, gauge.poll()) else {
        return Outcome::Undecided { exhausted: Exhausted::Deadline, consistent_until: 0 };
    };
    let ids =
        |items: Vec<u32>| items.into_iter().map(|item| program.items[item as usize].id).collect::<Vec<u32>>();
    match strategy::settle(model, &program, gauge, prove) {
        Walk::Order(items) => Outcome::Valid(ids(items)),
        Walk::Dead { item, event, prefixes, .. } => Outcome::Invalid {
            impossible: program.items[item as usize].id,
            position: program.events[event].0,
            prefixes: prefixes
                .into_iter()
                .map(|(items, state)| Prefix { order_tail: ids(items), state })
                .collect(),
        },
        Walk::Interrupted { event } => Outcome::Undecided {
            exhausted: gauge.exhausted().expect("only an exhausted gauge interrupts"),
            consistent_until: event.checked_sub(1).map_or(0, |event| program.events[event].0),
        },
        Walk::Overdrawn(_) => unreachable!("settled outcomes are not overdrawn"),
    }
}
