//! Which of several things comes next, by weight.

use rand::RngExt as _;

use super::Rng;

/// Things with weights. Drawing takes time linear in their number, which is small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix<T> {
    /// Each thing with the sum of the weights up to and including its own.
    sums: Vec<(u64, T)>,
}

impl<T> Mix<T> {
    /// These things; one of weight zero is never drawn.
    ///
    /// # Panics
    /// When all weights are zero: there is nothing to draw.
    pub fn new(things: impl IntoIterator<Item = (u32, T)>) -> Self {
        let mut sum = 0;
        let sums: Vec<(u64, T)> = things
            .into_iter()
            .filter(|(weight, _)| *weight > 0)
            .map(|(weight, thing)| {
                sum += u64::from(weight);
                (sum, thing)
            })
            .collect();
        assert!(!sums.is_empty(), "a mix needs a thing of positive weight");
        Mix { sums }
    }

    /// Draws one.
    pub fn pick(&self, rng: &mut Rng) -> &T {
        let (total, last) = self.sums.last().expect("a mix is never empty");
        let drawn = rng.random_range(0..*total);
        self.sums.iter().find(|(sum, _)| drawn < *sum).map_or(last, |(_, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn shares_follow_weights() {
        let mix = Mix::new([(6, 'r'), (3, 'w'), (1, 'c'), (0, '!')]);
        let mut rng = Rng::seed_from_u64(1);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..10_000 {
            *counts.entry(*mix.pick(&mut rng)).or_insert(0_i32) += 1;
        }
        for (thing, expected) in [('r', 6_000), ('w', 3_000), ('c', 1_000)] {
            assert!((counts[&thing] - expected).abs() < 200, "{counts:?}");
        }
        assert_eq!(counts.len(), 3);
    }

    #[test]
    #[should_panic(expected = "positive weight")]
    fn a_mix_of_nothing_is_refused() {
        let _ = Mix::new([(0, 'r')]);
    }
}
