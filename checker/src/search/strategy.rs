//! What to count, and in which order to try: relax, then refine.
//!
//! Operations of unknown outcome are what makes a search explode. Two walks settle nearly every key without counting
//! them exactly:
//!
//! - A *narrow* walk holds every class to its number but keeps, of configurations that differ only in which
//!   unknown operations they used, the cheapest, of all of them only so many, and tries only short sequences of effects at
//!   a return. Whatever it finds is an order: valid. If it finds none and never had to drop anything, there is none.
//!   Where it ends is a good place to look for a small violation.
//! - A *relaxed* walk takes a class of which one operation was invoked for an endless supply. Whatever it does not find
//!   does not exist: invalid.
//!
//! (Only where every operation that changes the state also settles it: else an endless supply has endless states.)
//!
//! Where both fail, the classes that the relaxed walk overdrew are counted exactly and it goes again, and the
//! narrow walk becomes wider, in turns, until one of them settles it or the budget ends.

use super::frontier::{Frontier, Interrupted, Meter, Mode};
use super::program::{Program, Step};
use crate::model::{Effect, Model};

/// How a walk over all events ended.
pub(crate) enum Walk {
    /// An order: items.
    Order(Vec<u32>),
    /// At the return of `item` nothing was left.
    Dead { item: u32, event: usize, exhaustive: bool, prefixes: Vec<(Vec<u32>, String)> },
    /// An order that uses these classes more often than they were invoked.
    Overdrawn(Vec<u32>),
    /// The meter ended it at this event.
    Interrupted { event: usize },
}

/// How many orders are kept as an explanation.
const PREFIXES: usize = 4;

/// Walks the events once.
pub(crate) fn walk<M: Model>(
    model: &M,
    program: &Program<M::Operation>,
    mode: &Mode,
    meter: &mut impl Meter,
) -> Walk {
    let mut frontier = Frontier::new(model, program, mode);
    for (event, &(_, step)) in program.events.iter().enumerate() {
        match step {
            Step::Invoke(item) => frontier.invoke(item),
            Step::Return(item) => match frontier.finish(item, meter) {
                Ok(true) => {}
                Ok(false) => {
                    let prefixes = frontier.orders(PREFIXES, crate::outcome::Prefix::TAIL);
                    return Walk::Dead { item, event, exhaustive: frontier.is_exhaustive(), prefixes };
                }
                Err(Interrupted) => return Walk::Interrupted { event },
            },
        }
    }
    let (order, _) =
        frontier.orders(1, usize::MAX).pop().expect("a frontier that never died has a configuration");
    let overdrawn = if mode.enforced { Vec::new() } else { frontier.overdrawn(&order) };
    if overdrawn.is_empty() { Walk::Order(order) } else { Walk::Overdrawn(overdrawn) }
}

/// Widths and depths of the narrow walks, in turn.
const NARROW: [(usize, u32); 4] = [(16, 1), (64, 2), (256, 3), (4096, 8)];

/// Settles the program, or says how far it got; events are places in the program's. `prove` is told where a narrow walk
/// found nothing more, and may know a proof that nothing is there.
pub(crate) fn settle<M: Model>(
    model: &M,
    program: &Program<M::Operation>,
    meter: &mut impl Meter,
    prove: &mut dyn FnMut(u32) -> bool,
) -> Walk {
    let has_unknown = program.unknown.iter().any(|class| !class.is_empty());
    let relaxes = has_unknown && program.classes.iter().all(|(_, effect)| *effect != Effect::Any);
    let nothing = vec![false; program.classes.len()];
    let mut relaxed = Mode { counted: nothing.clone(), enforced: false, width: usize::MAX, depth: u32::MAX };
    let mut furthest = 0;
    for (width, depth) in NARROW {
        let narrow = Mode { counted: nothing.clone(), enforced: true, width, depth };
        match walk(model, program, &narrow, meter) {
            Walk::Dead { exhaustive: false, event, item, prefixes } => {
                if event > furthest && prove(program.events[event].0) {
                    return Walk::Dead { exhaustive: true, event, item, prefixes };
                }
                furthest = furthest.max(event);
            }
            Walk::Interrupted { event } => return Walk::Interrupted { event: event.max(furthest) },
            settled => return settled,
        }
        if relaxes {
            match walk(model, program, &relaxed, meter) {
                Walk::Overdrawn(classes) => {
                    for class in classes {
                        relaxed.counted[class as usize] = true;
                    }
                }
                Walk::Interrupted { event } => return Walk::Interrupted { event: event.max(furthest) },
                settled => return settled,
            }
        }
    }
    // Count everything and drop nothing: slow, and sure.
    let everything = vec![true; program.classes.len()];
    walk(
        model,
        program,
        &Mode { counted: everything, enforced: true, width: usize::MAX, depth: u32::MAX },
        meter,
    )
}
