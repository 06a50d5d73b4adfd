//! Delta debugging: the smallest part of a list that still fails.
//!
//! Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), the complements only: chunks of
//! halving size are left out, as long as what remains still fails; at size one, until nothing more can go. The result is
//! 1-minimal: without any one of its items it does not fail. At most about n² trials for n items, n log n where few of
//! them matter; no subset is tried twice. What a trial is, and when to give up, is the caller's.

use std::collections::BTreeMap;

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It still fails, in the way that matters.
    Fails,
    /// It does not.
    Passes,
    /// There is no time for more trials.
    OutOfTime,
}

/// The smallest list found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimum<T> {
    /// What is left, in its order.
    pub items: Vec<T>,
    /// Trials made.
    pub trials: u64,
    /// Whether each item is known to be needed; not so when time ran out.
    pub is_minimal: bool,
}

struct Search<'a, T, F> {
    items: &'a [T],
    trial: F,
    /// What came of each subset.
    tried: BTreeMap<Vec<u32>, bool>,
    trials: u64,
    is_over: bool,
}

/// Leaves out of `items`, which is known to fail, what `trial` does without.
pub fn minimise<T: Clone>(items: &[T], trial: impl FnMut(&[T]) -> Trial) -> Minimum<T> {
    let mut search = Search { items, trial, tried: BTreeMap::new(), trials: 0, is_over: false };
    let all: Vec<u32> = (0..).take(items.len()).collect();
    let kept = if search.fails(&[]) { Vec::new() } else { search.reduce(all) };
    let items = search.chosen(&kept);
    Minimum { items, trials: search.trials, is_minimal: !search.is_over }
}

impl<T: Clone, F: FnMut(&[T]) -> Trial> Search<'_, T, F> {
    fn reduce(&mut self, mut kept: Vec<u32>) -> Vec<u32> {
        let mut size = kept.len().div_ceil(2);
        while size > 0 && !self.is_over {
            let before = kept.len();
            // The latest first: what came after the failure's cause goes in the largest chunks.
            let mut end = kept.len();
            while end > 0 && !self.is_over {
                let start = end.saturating_sub(size);
                let rest: Vec<u32> = kept[..start].iter().chain(&kept[end..]).copied().collect();
                if self.fails(&rest) {
                    kept = rest;
                }
                end = start;
            }
            size = match size {
                1 if kept.len() < before => 1,
                1 => 0,
                _ => size.div_ceil(2).min(kept.len().max(1)),
            };
        }
        kept
    }

    fn fails(&mut self, subset: &[u32]) -> bool {
        if self.is_over || subset.len() == self.items.len() {
            return !self.is_over;
        }
        if let Some(failed) = self.tried.get(subset) {
            return *failed;
        }
        self.trials += 1;
        let chosen = self.chosen(subset);
        let failed = match (self.trial)(&chosen) {
            Trial::Fails => true,
            Trial::Passes => false,
            Trial::OutOfTime => {
                self.is_over = true;
                return false;
            }
        };
        self.tried.insert(subset.to_vec(), failed);
        failed
    }

    fn chosen(&self, subset: &[u32]) -> Vec<T> {
        subset.iter().map(|index| self.items[*index as usize].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn fails_with<'a>(needed: &'a BTreeSet<u32>) -> impl Fn(&[u32]) -> Trial + 'a {
        |items| match needed.iter().all(|item| items.contains(item)) {
            true => Trial::Fails,
            false => Trial::Passes,
        }
    }

    #[test]
    fn nothing_is_left_when_nothing_is_needed() {
        let minimum = minimise(&[1, 2, 3], |_| Trial::Fails);
        assert_eq!((minimum.items, minimum.trials), (vec![], 1));
        assert_eq!(minimise::<u32>(&[], |_| Trial::Fails).trials, 0);
    }

    #[test]
    fn out_of_time_the_best_so_far_is_kept_and_said_not_to_be_minimal() {
        let items: Vec<u32> = (0..100).collect();
        let mut left = 3;
        let minimum = minimise(&items, |items| {
            left -= 1;
            match left {
                0 => Trial::OutOfTime,
                _ if items.contains(&7) => Trial::Fails,
                _ => Trial::Passes,
            }
        });
        assert!(!minimum.is_minimal && minimum.items.contains(&7) && minimum.items.len() < 100);
    }

    #[test]
    fn few_needed_items_cost_few_trials() {
        let items: Vec<u32> = (0..1_000).collect();
        let needed = BTreeSet::from([3, 500, 501, 999]);
        let minimum = minimise(&items, fails_with(&needed));
        assert_eq!(minimum.items, needed.into_iter().collect::<Vec<_>>());
        assert!(minimum.trials < 150, "{} trials", minimum.trials);
    }

    proptest! {
        /// Where what fails is to have all of some items, exactly those are found.
        #[test]
        fn exactly_the_needed_items_are_left(
            count in 1_u32..60,
            needed in proptest::collection::btree_set(0_u32..60, 0..6),
        ) {
            let needed: BTreeSet<u32> = needed.into_iter().filter(|item| *item < count).collect();
            let items: Vec<u32> = (0..count).collect();
            let minimum = minimise(&items, fails_with(&needed));
            prop_assert_eq!(minimum.items, needed.into_iter().collect::<Vec<_>>());
            prop_assert!(minimum.is_minimal);
        }

        /// Whatever fails, monotone or not: the result fails, keeps its order, loses its failure with any one item,
        /// and no subset was tried twice. The dumb twin tries all subsets.
        #[test]
        fn any_failure_ends_one_minimal(failing in proptest::collection::vec(any::<bool>(), 256)) {
            let items: Vec<u32> = (0..8).collect();
            let fails = |items: &[u32]| {
                let bits = items.iter().fold(0, |bits, item| bits | 1 << item);
                bits == 255 || failing[bits]
            };
            let mut seen = BTreeSet::new();
            let minimum = minimise(&items, |items| {
                assert!(seen.insert(items.to_vec()), "{items:?} was tried before");
                if fails(items) { Trial::Fails } else { Trial::Passes }
            });
            prop_assert!(fails(&minimum.items) && minimum.items.is_sorted());
            for index in 0..minimum.items.len() {
                let mut less = minimum.items.clone();
                less.remove(index);
                prop_assert!(!fails(&less), "{:?} fails without {index}", minimum.items);
            }
            let fewest = (0..256_u32).filter(|bits| {
                let subset: Vec<u32> = items.iter().copied().filter(|item| bits >> item & 1 == 1).collect();
                fails(&subset)
            }).map(u32::count_ones).min();
            prop_assert!(minimum.items.len() as u32 >= fewest.unwrap_or(8));
        }
    }
}
