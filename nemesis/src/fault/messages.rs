//! The weather on the links: messages lost, repeated, overtaken. For simulated worlds: one TCP stream per peer never
//! reorders, and so hides what these find (stale replies counted, short messages that truncate, ids used twice).

use rand::RngExt;

use super::{Class, Decision, Declined, Fault, Scene};
use crate::action::{Action, Disturbance};
use crate::random::Stream;

/// A kind of weather.
#[derive(Debug)]
pub struct Weather {
    name: &'static str,
    doc: &'static str,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Lossy,
    Repeating,
    Reordering,
}

impl Weather {
    /// Messages are lost.
    pub const LOSSY: Self = Weather {
        name: "lossy",
        doc: "between one and thirty of a hundred messages between nodes are lost",
        kind: Kind::Lossy,
    };
    /// Messages arrive twice.
    pub const REPEATING: Self = Weather {
        name: "repeating",
        doc: "many messages between nodes arrive a second time, up to a second later",
        kind: Kind::Repeating,
    };
    /// Messages overtake each other.
    pub const REORDERING: Self = Weather {
        name: "reordering",
        doc: "many messages between nodes are delayed, by up to a second, and overtaken by later ones",
        kind: Kind::Reordering,
    };
}

impl Fault for Weather {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn class(&self) -> Class {
        Class::Messages
    }

    fn nodes_min(&self) -> usize {
        2
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        if scene.view.up().is_empty() {
            return Err(Declined::because("no node is up to send anything"));
        }
        let delay_ms_max = [30, 300, 1_000][rng.random_range(0..3)];
        let by = match self.kind {
            Kind::Lossy => Disturbance { lost_percent: rng.random_range(1..=30), ..Disturbance::default() },
            Kind::Repeating => Disturbance {
                repeated_percent: rng.random_range(10..=60),
                delay_ms_max,
                ..Disturbance::default()
            },
            Kind::Reordering => Disturbance {
                delayed_percent: rng.random_range(5..=50),
                delay_ms_max,
                ..Disturbance::default()
            },
        };
        Ok(Decision::until_undone(vec![Action::Disturb { by }], by.to_string()))
    }
}
