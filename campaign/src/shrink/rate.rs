//! How often something happens, told with its uncertainty: Wilson's score interval.
//!
//! Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927). Unlike the normal approximation it
//! stays within 0 and 1 and says something of none of n, which is what a handful of runs needs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The quantile of the normal distribution for a confidence of 95 %.
const Z: f64 = 1.959_963_985;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How often it happened.
    pub hits: u64,
    /// How often it was tried.
    pub of: u64,
}

impl Rate {
    /// The interval in which the true rate lies with 95 % confidence.
    pub fn interval(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (n, p) = (self.of as f64, self.hits as f64 / self.of as f64);
        let centre = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
    }

    /// Counts one more.
    pub fn count(&mut self, hit: bool) {
        self.of += 1;
        self.hits += u64::from(hit);
    }
}

/// `2 of 3 (95 % confidence: 21 % to 94 %)`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        write!(f, "{} of {} (95 % confidence: {:.0} % to {:.0} %)", self.hits, self.of, low * 1e2, high * 1e2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the published interval, to three places.
    #[test]
    fn the_interval_is_wilsons() {
        for (hits, of, low, high) in
            [(0, 20, 0.0, 0.161), (20, 20, 0.839, 1.0), (10, 20, 0.299, 0.701), (1, 10, 0.018, 0.404)]
        {
            let (is_low, is_high) = Rate { hits, of }.interval();
            assert!(
                (is_low - low).abs() < 1e-3 && (is_high - high).abs() < 1e-3,
                "{hits}/{of}: {is_low} {is_high}"
            );
        }
    }

    #[test]
    fn nothing_tried_says_nothing() {
        assert_eq!(Rate::default().interval(), (0.0, 1.0));
        assert_eq!(Rate { hits: 2, of: 3 }.to_string(), "2 of 3 (95 % confidence: 21 % to 94 %)");
    }
}
