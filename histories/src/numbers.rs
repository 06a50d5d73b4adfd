//! A set of numbers kept as runs: the process numbers that have retired.
//!
//! A run retires processes by the million, and nearly all numbers below the ones in use are among them; as runs
//! they cost one entry per gap. It refuses to know what the numbers stand for. Next: [`crate::rules`].

use std::collections::BTreeMap;

/// Numbers, as the first and last of each unbroken run. No two runs touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    runs: BTreeMap<u64, u64>,
}

impl Numbers {
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.run_at_or_below(number).is_some_and(|(_, last)| number <= last)
    }

    pub(crate) fn insert(&mut self, number: u64) {
        let mut first = number;
        let mut last = number;
        if let Some((below_first, below_last)) = self.run_at_or_below(number) {
            if number <= below_last {
                return;
            }
            if below_last + 1 == number {
                first = below_first;
            }
        }
        // `number` is not the greatest u64 where something stands above it, so adding one cannot overflow.
        if let Some(above_last) = number.checked_add(1).and_then(|above| self.runs.remove(&above)) {
            last = above_last;
        }
        self.runs.insert(first, last);
    }

    fn run_at_or_below(&self, number: u64) -> Option<(u64, u64)> {
        self.runs.range(..=number).next_back().map(|(first, last)| (*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_set_agrees(inserted in proptest::collection::vec(0_u64..40, 0..60)) {
            let mut runs = Numbers::default();
            let mut plain = BTreeSet::new();
            for number in inserted {
                runs.insert(number);
                plain.insert(number);
                for probe in 0..42 {
                    prop_assert_eq!(runs.contains(probe), plain.contains(&probe), "{} in {:?}", probe, plain);
                }
            }
            let gaps = plain.iter().filter(|number| !plain.contains(&(**number + 1))).count();
            prop_assert_eq!(runs.runs.len(), gaps, "one entry per unbroken run");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_numbers_too() {
        let mut numbers = Numbers::default();
        for number in [u64::MAX, 0, u64::MAX - 1, u64::MAX, 0] {
            numbers.insert(number);
        }
        assert!(numbers.contains(u64::MAX) && numbers.contains(u64::MAX - 1) && numbers.contains(0));
        assert!(!numbers.contains(1) && !numbers.contains(u64::MAX - 2));
        assert_eq!(numbers.runs.len(), 2);
    }
}
