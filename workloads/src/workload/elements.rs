//! Asking for sets and lists: distinct elements go in, everything is read.
//!
//! Each element goes in once in the whole run, so whatever is missing, doubled, out of order or on the wrong key shows in
//! the next read, and in every one after it.

use rashomon_histories::{Invocation, Value};
use smol_str::SmolStr;

use super::Options;
use super::register::{READ, first_value};
use crate::client::Outcome;
use crate::generator::{Generator, Mix, OneKey, PerKey, Rng, Temper};

/// Operations on a key, by default: each read carries all elements.
pub(super) const KEY_OPERATIONS: u64 = 100;

/// A generator whose changes are `add`.
pub(super) fn elements(options: &Options, seed: u64, add: SmolStr) -> Box<dyn Generator> {
    let settings =
        Settings { add, lifetime: options.key_operations, is_read: Mix::new([(1, true), (1, false)]) };
    Box::new(PerKey::<Elements>::new(settings, options.keys, options.key_operations, seed))
}

#[derive(Clone, Debug)]
struct Settings {
    add: SmolStr,
    lifetime: u64,
    is_read: Mix<bool>,
}

#[derive(Clone, Debug)]
struct Elements {
    settings: Settings,
    next: i64,
}

impl OneKey for Elements {
    type Settings = Settings;

    fn new(settings: &Settings, number: u64) -> Self {
        Elements { settings: settings.clone(), next: first_value(number, settings.lifetime) }
    }

    fn next(&mut self, rng: &mut Rng, temper: Temper) -> (SmolStr, Value) {
        let is_read = match temper {
            Temper::Even => *self.settings.is_read.pick(rng),
            Temper::Looks => true,
            Temper::Changes => false,
        };
        if is_read {
            return Self::look(rng);
        }
        let element = self.next;
        self.next += 1;
        (self.settings.add.clone(), Value::Int(element))
    }

    fn update(&mut self, _: &Invocation, _: &Outcome) {}

    fn look(_: &mut Rng) -> (SmolStr, Value) {
        (READ, Value::Null)
    }
}
