//! From data to places on paper: linear, logarithmic, and the round numbers that stand beside an axis.

/// Maps a range of values to a range of places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    values: (f64, f64),
    places: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// Equal steps of the value are equal steps on paper. An empty range of values is widened, so that there is
    /// always a place.
    pub fn linear(values: (f64, f64), places: (f64, f64)) -> Self {
        let end = if values.1 > values.0 { values.1 } else { values.0 + 1.0 };
        Scale { values: (values.0, end), places, logarithmic: false }
    }

    /// Equal factors of the value are equal steps on paper; whole decades from the one that holds the least value to
    /// the one that holds the greatest.
    pub fn decades(values: (f64, f64), places: (f64, f64)) -> Self {
        let least = values.0.max(1e-6).log10().floor();
        let greatest = values.1.max(1e-6).log10().ceil().max(least + 1.0);
        Scale { values: (least, greatest), places, logarithmic: true }
    }

    /// Where the value stands; at the border when it is beyond.
    pub fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(1e-12).log10() } else { value };
        let share = ((value - self.values.0) / (self.values.1 - self.values.0)).clamp(0.0, 1.0);
        self.places.0 + share * (self.places.1 - self.places.0)
    }

    /// Values worth naming at an axis: round ones, about `count` of them; of a logarithmic scale its decades.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        if self.logarithmic {
            let (from, to) = (self.values.0 as i32, self.values.1 as i32);
            return (from..=to).map(|decade| 10f64.powi(decade)).collect();
        }
        let step = round_step((self.values.1 - self.values.0) / count.max(1) as f64);
        let first = (self.values.0 / step).ceil() as i64;
        let last = (self.values.1 / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not less.
fn round_step(step: f64) -> f64 {
    let decade = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * decade >= step * 0.999_999);
    factor.unwrap_or(10.0) * decade
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            Scale::linear((0.0, 60.0), (0.0, 1.0)).ticks(6),
            [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
        );
        assert_eq!(Scale::linear((0.0, 43.0), (0.0, 1.0)).ticks(4), [0.0, 20.0, 40.0]);
        assert_eq!(Scale::decades((0.3, 700.0), (0.0, 1.0)).ticks(9), [0.1, 1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn every_value_has_a_place_within_the_borders() {
        for scale in [Scale::linear((0.0, 0.0), (10.0, 20.0)), Scale::decades((0.0, 0.0), (10.0, 20.0))] {
            for value in [f64::MIN, -1.0, 0.0, 1e-9, 1.0, f64::MAX] {
                assert!((10.0..=20.0).contains(&scale.place(value)), "{scale:?} {value}");
            }
        }
        assert_eq!(Scale::decades((1.0, 100.0), (0.0, 100.0)).place(10.0), 50.0);
    }
}
