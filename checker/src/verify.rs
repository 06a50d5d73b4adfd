//! The page that a stranger reads instead of the judges: re-checks a witness and shares no code with what found it. An
//! order is replayed in O(n log n). For operations without one, what is left out is shown to be irrelevant, and then
//! every order is tried (the same set done in the same state is not tried twice, nor what an answer can no longer follow).

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use crate::model::{Call, Effect, Model};
use crate::outcome::Unproven::{self, Refuted, TooLarge};
use crate::outcome::{Counterexample, Finding};

type Calls<M> = [Call<<M as Model>::Operation>];

/// Re-checks the finding for these operations of one key.
///
/// # Errors
/// Where the witness does not hold, or has too many orders to try them all.
pub fn verify<M: Model>(model: &M, calls: &Calls<M>, finding: &Finding) -> Result<(), Unproven> {
    let by_id: BTreeMap<u32, &Call<M::Operation>> = calls.iter().map(|call| (call.id, call)).collect();
    let find = |id: &u32| by_id.get(id).copied().ok_or_else(|| Refuted(format!("no operation {id}")));
    match finding {
        Finding::Undecided { .. } => Ok(()),
        Finding::Valid { order } => {
            let (mut state, mut invoked, mut placed) = (model.init(), 0, BTreeSet::new());
            for id in order {
                let call = find(id)?;
                ensure(placed.insert(id), || format!("{id} stands twice"))?;
                invoked = invoked.max(call.invoked);
                ensure(call.returned >= invoked, || format!("{} had returned by then", call.id))?;
                let next = model.step(&state, &call.operation);
                state = next.ok_or_else(|| Refuted(format!("{} is illegal where it stands", call.id)))?;
            }
            let all = calls.iter().all(|call| call.is_unknown() || placed.contains(&call.id));
            ensure(all, || "an operation that happened is missing".into())
        }
        Finding::Invalid(Counterexample { operations, trusted, .. }) => {
            let mut kept = operations.iter().map(|id| find(id).cloned()).collect::<Result<Vec<_>, _>>()?;
            for call in kept.iter_mut().filter(|call| trusted.contains(&call.id)) {
                let effect = model.trusted(&call.operation);
                call.operation = effect.ok_or_else(|| Refuted(format!("{} has no effect apart", call.id)))?;
            }
            irrelevant_rest(model, calls, &kept)?;
            ensure(!has_order(model, &kept)?, || "the operations do have an order".into())
        }
    }
}

/// Nothing left out could make a kept operation legal, unless a kept one that settles the state came in between.
fn irrelevant_rest<M: Model>(model: &M, calls: &Calls<M>, kept: &Calls<M>) -> Result<(), Unproven> {
    let changes = |call: &Call<M::Operation>| model.effect(&call.operation) != Effect::None;
    let settles = calls.iter().all(|call| model.effect(&call.operation) != Effect::Any);
    let ids: BTreeSet<u32> = kept.iter().map(|call| call.id).collect();
    for left in calls.iter().filter(|call| changes(call) && !ids.contains(&call.id)) {
        for keeper in kept.iter().filter(|keeper| left.invoked <= keeper.returned) {
            let between = |by: &Call<M::Operation>| changes(by) && left.precedes(by) && by.precedes(keeper);
            let matters = model.needs(&keeper.operation, &left.operation);
            ensure(!matters || settles && kept.iter().any(between), || {
                format!("{} was left out, and {} may need it", left.id, keeper.id)
            })?;
        }
    }
    Ok(())
}

fn has_order<M: Model>(model: &M, kept: &Calls<M>) -> Result<bool, Unproven> {
    let mut tried = FxHashSet::default();
    let mut todo = vec![(vec![false; kept.len()], model.init())];
    while let Some((done, state)) = todo.pop() {
        let left = || (0..kept.len()).filter(|&at| !done[at]);
        if left().all(|at| kept[at].is_unknown()) {
            return Ok(true);
        }
        (tried.len() < 1_000_000).then_some(()).ok_or(TooLarge)?;
        for at in left().filter(|&at| left().all(|other| !kept[other].precedes(&kept[at]))) {
            let has_place = |other: usize, state: &M::State| {
                other == at || kept[other].is_unknown() || model.can_follow(state, &kept[other].operation)
            };
            let next = model.step(&state, &kept[at].operation);
            if let Some(next) = next.filter(|next| left().all(|other| has_place(other, next))) {
                let mut done = done.clone();
                done[at] = true;
                todo.extend(tried.insert((done.clone(), next.clone())).then_some((done, next)));
            }
        }
    }
    Ok(false)
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Unproven> {
    if holds { Ok(()) } else { Err(Refuted(otherwise())) }
}
