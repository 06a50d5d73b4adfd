//! What to count, how wide to go, and where to go back: relax, then refine.
//!
//! A complete walk carries every configuration that might matter: exponentially many where values are few and clients
//! many. Two kinds of walk settle nearly every key without:
//!
//! - A *narrow* walk holds every class of unknown operations to its number but keeps, of configurations that differ only
//!   in which of these they used, the cheapest, of all of them only a handful ([`super::rank`]), and tries only short
//!   sequences of effects at a return. Where it gets stuck it goes back a little and comes again on the next *rung*: wider,
//!   deeper, from further back; once past the place it is as narrow as before. So its cost is that of the few hard places, not
//!   that of the hardest everywhere (beam search with backtracking; compare Zhou and Hansen, *Beam-stack search*, 2005).
//!   Whatever it finds is an order: valid. If it finds none and had not dropped anything since the beginning, there is none.
//!   Where it gets stuck is a good place to look for a small violation.
//! - A *relaxed* walk takes a class of which one operation was invoked for an endless supply. Whatever it does not find
//!   does not exist: invalid. (Only where every operation that changes the state also settles it: else an endless supply has
//!   endless states.) Classes that its order used too often are counted exactly, and it goes again.
//!
//! When neither settles it, a wider ladder is tried, and then the complete walk.
//!
//! Cost: the narrow walk's first rung makes a constant number of configurations per return and class of pending
//! operations; each time it gets stuck, the next rung's width times the events that it goes back.

use super::frontier::{Frontier, Interrupted, Meter, Mode, Reach};
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
    /// The meter ended it; everything before this event was consistent.
    Interrupted { event: usize },
}

/// How many orders are kept as an explanation.
const PREFIXES: usize = 4;

/// A rung of the ladder that a walk climbs where it gets stuck.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rung {
    reach: Reach,
    /// How many events it goes back.
    back: usize,
}

const fn rung(width: usize, depth: u32, back: usize) -> Rung {
    Rung { reach: Reach { width, depth }, back }
}

/// A narrow walk's. Measured on 100,000 operations of 100 clients on five values: beginning wider costs more than it saves.
const NARROW: [Rung; 4] = [rung(4, 1, 0), rung(32, 2, 64), rung(256, 3, 512), rung(1024, 5, 1024)];

/// For what the narrow and the relaxed walks leave open.
const WIDE: [Rung; 2] = [rung(256, 3, 0), rung(4096, 8, 4096)];

/// A complete walk's.
const COMPLETE: [Rung; 1] = [Rung { reach: Reach::ALL, back: 0 }];

/// A walk can go back to every event that is a multiple of this.
const MARK_EVERY: usize = 64;

/// Where a walk found nothing more.
struct Stuck {
    item: u32,
    event: usize,
    prefixes: Vec<(Vec<u32>, String)>,
}

/// Walks the events once; where it finds nothing more, goes back and tries harder there. `prove` is told where even
/// the last rung but one found nothing more, and may know a proof that nothing is there.
pub(crate) fn walk<M: Model>(
    model: &M,
    program: &Program<M::Operation>,
    mode: &Mode,
    ladder: &[Rung],
    meter: &mut impl Meter,
    prove: &mut dyn FnMut(u32) -> bool,
) -> Walk {
    let mut frontier = Frontier::new(model, program, mode, ladder[0].reach);
    let (mut rung, mut event) = (0, 0);
    let mut furthest: Option<Stuck> = None;
    while let Some(&(position, step)) = program.events.get(event) {
        let beyond = furthest.as_ref().is_some_and(|stuck| event > stuck.event);
        if rung > 0 && beyond {
            rung = 0;
            frontier.set_reach(ladder[0].reach);
        }
        if ladder.len() > 1 && event.is_multiple_of(MARK_EVERY) {
            frontier.mark(event);
        }
        let went = match step {
            Step::Invoke(item) => frontier.invoke(item, meter).map(|()| true),
            Step::Return(item) => frontier.finish(item, meter),
        };
        match (went, step) {
            (Err(Interrupted), _) => {
                return Walk::Interrupted { event: furthest.map_or(event, |stuck| stuck.event.max(event)) };
            }
            (Ok(false), Step::Return(item)) => {
                let exhaustive = frontier.is_exhaustive();
                if exhaustive || furthest.is_none() || beyond {
                    let prefixes = frontier.orders(PREFIXES, crate::outcome::Prefix::TAIL);
                    furthest = Some(Stuck { item, event, prefixes });
                }
                let proven = exhaustive || rung + 2 == ladder.len() && prove(position);
                rung += 1;
                if let Some(Stuck { item, event, prefixes }) =
                    furthest.take_if(|_| proven || rung == ladder.len())
                {
                    return Walk::Dead { item, event, exhaustive: proven, prefixes };
                }
                frontier.set_reach(ladder[rung].reach);
                event = frontier.back(event.saturating_sub(ladder[rung].back)).unwrap_or(0);
            }
            _ => event += 1,
        }
    }
    let (order, _) =
        frontier.orders(1, usize::MAX).pop().expect("a frontier that never died has a configuration");
    let overdrawn = if mode.enforced { Vec::new() } else { frontier.overdrawn(&order) };
    if overdrawn.is_empty() { Walk::Order(order) } else { Walk::Overdrawn(overdrawn) }
}

/// Settles the program, or says how far it got; events are places in the program's.
pub(crate) fn settle<M: Model>(
    model: &M,
    program: &Program<M::Operation>,
    meter: &mut impl Meter,
    prove: &mut dyn FnMut(u32) -> bool,
) -> Walk {
    let mut furthest = 0;
    let mut attempt = |mode: &Mode, ladder: &[Rung], prove: &mut dyn FnMut(u32) -> bool| match walk(
        model, program, mode, ladder, meter, prove,
    ) {
        Walk::Dead { exhaustive: false, event, .. } => {
            furthest = event.max(furthest);
            None
        }
        Walk::Interrupted { event } => Some(Walk::Interrupted { event: event.max(furthest) }),
        settled => Some(settled),
    };
    let nothing = vec![false; program.classes.len()];
    let enforced = Mode { counted: nothing.clone(), enforced: true };
    if let Some(settled) = attempt(&enforced, &NARROW, prove) {
        return settled;
    }
    let mut relaxed = Mode { counted: nothing, enforced: false };
    let has_unknown = program.unknown.iter().any(|class| !class.is_empty());
    let mut relaxes = has_unknown && program.classes.iter().all(|(_, effect)| *effect != Effect::Any);
    while relaxes {
        match attempt(&relaxed, &COMPLETE, &mut |_| false) {
            Some(Walk::Overdrawn(classes)) => {
                relaxes = classes.iter().any(|&class| !relaxed.counted[class as usize]);
                for class in classes {
                    relaxed.counted[class as usize] = true;
                }
            }
            Some(settled) => return settled,
            None => unreachable!("a complete walk that finds nothing more is exhaustive"),
        }
    }
    if let Some(settled) = attempt(&enforced, &WIDE, &mut |_| false) {
        return settled;
    }
    // Count everything and drop nothing: slow, and sure.
    let everything = Mode { counted: vec![true; program.classes.len()], enforced: true };
    attempt(&everything, &COMPLETE, &mut |_| false).expect("a complete walk settles it, or is interrupted")
}
