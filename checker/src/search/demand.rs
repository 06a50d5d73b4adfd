//! Who may still be needed: how long the effect of each class can make an answer true.
//!
//! Afterwards the future is known. A class is *wanted* up to the last return of an operation that could be legal only because
//! of it ([`Model::needs`]); what an operation of unknown outcome needs counts for as long as that one is wanted itself. Later
//! on an operation of unknown outcome of this class is not used any more: by the contract of `needs` it can be left out of
//! every completion. One that is never wanted is no evidence at all. (Pending operations of known outcome must have their
//! effect all the same; which of these need not be tried yet, [`super::steps`] knows.)
//!
//! Cost: the pairs of classes of which one changes the state; beyond [`PAIRS_MAX`] of them everything counts as wanted.

use crate::budget::{Poll, Stopped};
use crate::model::{Effect, Model};

/// More pairs than this are not asked about: there are then thousands of classes, as where values are distinct.
const PAIRS_MAX: usize = 1 << 23;

/// What there is of one class.
pub(super) struct Class {
    /// The last return of those of known outcome, if there are any.
    pub(super) returned: Option<u32>,
    /// Whether some are of unknown outcome.
    pub(super) has_unknown: bool,
}

/// Until which position each class is wanted; none: never.
pub(super) fn wanted<M: Model>(
    model: &M,
    classes: &[(M::Operation, Effect)],
    found: &[Class],
    poll: &mut Poll<'_>,
) -> Result<Vec<Option<u32>>, Stopped> {
    let last = found.iter().filter_map(|class| class.returned).max();
    let changing: Vec<usize> = (0..classes.len()).filter(|&class| classes[class].1 != Effect::None).collect();
    if changing.len().saturating_mul(classes.len()) > PAIRS_MAX {
        return Ok(vec![last; classes.len()]);
    }
    let mut wanted = vec![None; classes.len()];
    // Whose needs are to be looked at, and until when they last; an unknown one's grow when it is found to be wanted longer.
    let mut todo: Vec<(usize, u32)> =
        found.iter().enumerate().filter_map(|(class, found)| Some((class, found.returned?))).collect();
    todo.sort_unstable_by_key(|&(_, until)| until);
    while let Some((needy, until)) = todo.pop() {
        for &class in &changing {
            poll.go_on()?;
            if wanted[class] < Some(until) && model.needs(&classes[needy].0, &classes[class].0) {
                wanted[class] = Some(until);
                if found[class].has_unknown && found[class].returned < Some(until) {
                    todo.push((class, until));
                }
            }
        }
    }
    Ok(wanted)
}
