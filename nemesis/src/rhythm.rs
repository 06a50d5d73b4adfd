//! The rhythm of a run: how often faults begin, how long they last, when there is peace. Plain data, TOML-able.
//!
//! Why these figures. Bugs of replication show *between* phases: a leader must be gone long enough for another to be
//! elected and to acknowledge writes (two or three election timeouts and a client deadline), and clients must have
//! asked the old one meanwhile; so partitions last seconds. Some are just long enough for one election: what a
//! deposed leader then got wrong about a few entries shows only until those keys are written again. A pause must
//! outlast a client's deadline of a second, or the operations that wake up with the old leader were all asked before
//! it fell asleep and prove nothing. A kill is often shorter than an election timeout: a vote or a term that was
//! forgotten counts only if the forgetful node is back while the election still runs. Members are away for a moment, so that
//! the way back meets the way out, or long enough for a former member's disk to be taken. Next: [`crate::schedule`].

use rand::RngExt;
use rand::seq::IndexedRandom;
use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use crate::fault::Class;
use crate::random::Stream;

/// A stretch of time between two bounds, in milliseconds, drawn evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The shortest.
    pub min_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

impl Span {
    /// From the one to the other.
    pub const fn new(min_ms: u64, max_ms: u64) -> Self {
        Span { min_ms, max_ms }
    }

    /// One draw.
    pub fn draw(self, rng: &mut Stream) -> Nanos {
        let (min, max) = (Nanos::from_millis(self.min_ms), Nanos::from_millis(self.max_ms));
        Nanos(rng.random_range(min.0..=max.0.max(min.0)))
    }
}

/// Spans with weights: durations come in kinds (a restart at once, a long absence), not on one scale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// How often, relative to the others.
    pub weight: u32,
    /// How long.
    pub lasts: Span,
}

/// How faults follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rhythm {
    /// Peace at the start, at most an eighth of the run.
    pub quiet_start_ms: u64,
    /// Peace once more near the middle, everything healed; at most an eighth of the run. Some bugs need no fault.
    pub quiet_middle_ms: u64,
    /// From the beginning of one fault to the beginning of the next.
    pub gap: Span,
    /// How long the killed stay down.
    pub kill: Vec<Kind>,
    /// How long the paused sleep.
    pub pause: Vec<Kind>,
    /// How long links stay cut.
    pub partition: Vec<Kind>,
    /// How long disks, clocks, loads and messages stay in trouble, and a change of leader is waited for.
    pub trouble: Vec<Kind>,
    /// How long members are away.
    pub members: Vec<Kind>,
    /// How often a partition does not heal but gives way to another in one step.
    pub hand_over_percent: u32,
    /// How often the beginning of a fault is moved onto the end of another that is near.
    pub coincide_percent: u32,
    /// How much more often than others each class is drawn.
    pub weights: Weights,
}

/// How often each class of fault is drawn, relative to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Kills.
    pub kill: u32,
    /// Pauses.
    pub pause: u32,
    /// Partitions, when none is in force.
    pub partition: u32,
    /// Troubles of disks.
    pub disk: u32,
    /// Troubles of clocks.
    pub clock: u32,
    /// Processes under load.
    pub load: u32,
    /// Weather on the links.
    pub messages: u32,
    /// Leadership handed over.
    pub leadership: u32,
    /// Members that leave and come back.
    pub members: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Weights {
            kill: 3,
            pause: 3,
            partition: 5,
            disk: 2,
            clock: 1,
            load: 2,
            messages: 3,
            leadership: 2,
            members: 3,
        }
    }
}

impl Default for Rhythm {
    fn default() -> Self {
        let kind = |weight, min_ms, max_ms| Kind { weight, lasts: Span::new(min_ms, max_ms) };
        Rhythm {
            quiet_start_ms: 1500,
            quiet_middle_ms: 2000,
            gap: Span::new(1000, 3000),
            kill: vec![kind(3, 20, 400), kind(4, 500, 2000), kind(2, 2000, 4000)],
            pause: vec![kind(3, 500, 1000), kind(5, 1000, 2200), kind(2, 2200, 4000)],
            partition: vec![kind(2, 350, 900), kind(3, 1500, 2500), kind(3, 2500, 5000)],
            trouble: vec![kind(2, 200, 1000), kind(3, 1000, 4000)],
            members: vec![kind(3, 100, 800), kind(4, 1500, 3000), kind(2, 3000, 6000)],
            hand_over_percent: 40,
            coincide_percent: 35,
            weights: Weights::default(),
        }
    }
}

/// A rhythm that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RhythmError {
    /// A span whose longest is shorter than its shortest, or longer than a day.
    #[error("{field}: {min_ms} to {max_ms} ms is no span of time within a day")]
    BadSpan {
        /// Which span.
        field: &'static str,
        /// Its shortest.
        min_ms: u64,
        /// Its longest.
        max_ms: u64,
    },
    /// No kind of duration has a weight above zero.
    #[error("{field}: no kind of duration has a weight")]
    NoKind {
        /// Which durations.
        field: &'static str,
    },
    /// A share above 100 percent.
    #[error("{field}: {percent} percent")]
    BadPercent {
        /// Which share.
        field: &'static str,
        /// What was said.
        percent: u32,
    },
    /// Faults that begin faster than they can be performed.
    #[error("gap: faults cannot begin every {min_ms} ms; at least {floor_ms} ms between them")]
    TooFast {
        /// What was said.
        min_ms: u64,
        /// The fastest that is accepted.
        floor_ms: u64,
    },
}

/// The shortest gap accepted: performing a cut and probing all links takes about that long.
const GAP_FLOOR_MS: u64 = 100;
const DAY_MS: u64 = 86_400_000;
/// No single weight above this, so that their sum cannot overflow.
const WEIGHT_MAX: u32 = 1_000_000;

impl Rhythm {
    /// Checks every field.
    pub fn validate(&self) -> Result<(), RhythmError> {
        check_span("gap", self.gap)?;
        if self.gap.min_ms < GAP_FLOOR_MS {
            return Err(RhythmError::TooFast { min_ms: self.gap.min_ms, floor_ms: GAP_FLOOR_MS });
        }
        for (field, quiet_ms) in
            [("quiet_start_ms", self.quiet_start_ms), ("quiet_middle_ms", self.quiet_middle_ms)]
        {
            check_span(field, Span::new(0, quiet_ms))?;
        }
        for (field, kinds) in [
            ("kill", &self.kill),
            ("pause", &self.pause),
            ("partition", &self.partition),
            ("trouble", &self.trouble),
            ("members", &self.members),
        ] {
            kinds.iter().try_for_each(|kind| check_span(field, kind.lasts))?;
            let weighed = kinds.iter().any(|kind| kind.weight > 0);
            if !weighed || kinds.len() > 100 || kinds.iter().any(|kind| kind.weight > WEIGHT_MAX) {
                return Err(RhythmError::NoKind { field });
            }
        }
        let heaviest = Class::ALL.into_iter().map(|class| self.weight(class)).max();
        if heaviest > Some(WEIGHT_MAX) {
            return Err(RhythmError::NoKind { field: "weights" });
        }
        for (field, percent) in
            [("hand_over_percent", self.hand_over_percent), ("coincide_percent", self.coincide_percent)]
        {
            if percent > 100 {
                return Err(RhythmError::BadPercent { field, percent });
            }
        }
        Ok(())
    }

    /// How long a fault of this class lasts this time.
    pub fn lasts(&self, class: Class, rng: &mut Stream) -> Nanos {
        let kinds = match class {
            Class::Kill => &self.kill,
            Class::Pause => &self.pause,
            Class::Partition => &self.partition,
            Class::Disk | Class::Clock | Class::Load | Class::Messages => &self.trouble,
            Class::Leadership => &self.trouble,
            Class::Members => &self.members,
        };
        let kind = kinds.choose_weighted(rng, |kind| kind.weight).expect("validated: some kind has a weight");
        kind.lasts.draw(rng)
    }

    /// The weight of a class.
    pub fn weight(&self, class: Class) -> u32 {
        match class {
            Class::Kill => self.weights.kill,
            Class::Pause => self.weights.pause,
            Class::Partition => self.weights.partition,
            Class::Disk => self.weights.disk,
            Class::Clock => self.weights.clock,
            Class::Load => self.weights.load,
            Class::Messages => self.weights.messages,
            Class::Leadership => self.weights.leadership,
            Class::Members => self.weights.members,
        }
    }
}

fn check_span(field: &'static str, span: Span) -> Result<(), RhythmError> {
    match span.min_ms <= span.max_ms && span.max_ms <= DAY_MS {
        true => Ok(()),
        false => Err(RhythmError::BadSpan { field, min_ms: span.min_ms, max_ms: span.max_ms }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn the_default_is_valid_and_survives_toml() {
        let rhythm = Rhythm::default();
        rhythm.validate().unwrap();
        let text = toml::to_string(&rhythm).unwrap();
        assert_eq!(toml::from_str::<Rhythm>(&text).unwrap(), rhythm);
        let partial: Rhythm =
            toml::from_str("quiet_start_ms = 0\ngap = { min_ms = 200, max_ms = 300 }").unwrap();
        assert_eq!(partial.gap, Span::new(200, 300));
        assert!(toml::from_str::<Rhythm>("tempo = 3").is_err());
    }

    #[test]
    fn contradictions_are_named() {
        let bad = |change: fn(&mut Rhythm)| {
            let mut rhythm = Rhythm::default();
            change(&mut rhythm);
            rhythm.validate().unwrap_err().to_string()
        };
        assert!(bad(|rhythm| rhythm.gap = Span::new(300, 200)).starts_with("gap: 300 to 200 ms"));
        assert!(bad(|rhythm| rhythm.gap = Span::new(0, 200)).contains("cannot begin every 0 ms"));
        assert!(bad(|rhythm| rhythm.pause.clear()).starts_with("pause"));
        assert!(bad(|rhythm| rhythm.kill[0].lasts = Span::new(0, u64::MAX)).starts_with("kill"));
        assert!(bad(|rhythm| rhythm.hand_over_percent = 101).contains("101 percent"));
        assert!(bad(|rhythm| rhythm.weights.kill = u32::MAX).starts_with("weights"));
    }

    #[test]
    fn durations_stay_within_their_kinds() {
        let rhythm = Rhythm::default();
        for seed in 0..1000 {
            let lasts = rhythm.lasts(Class::Pause, &mut stream(seed, "t", 0));
            assert!((Nanos::from_millis(500)..=Nanos::from_millis(4000)).contains(&lasts));
        }
    }
}
