//! Queues: distinct elements go in at one end and are taken out at the other.
//!
//! A queue tells of its order only when it is emptied. Where it is not known what a dequeue took, a judge has to keep every order
//! of what overlapped in mind until then. Queues are therefore short-lived, and few operations overlap on one.
//!
//! Nothing looks at a queue without changing it. Who only looks elsewhere takes here, who only changes puts in; queues that
//! have retired are still taken from, and in the end all are emptied, so that what was lost is missed.

use rashomon_histories::{Invocation, Value};
use smol_str::SmolStr;

use super::register::first_value;
use super::{Objects, Options, Workload};
use crate::client::Outcome;
use crate::generator::{Drain, Generator, Mix, OneKey, PerKey, Rng, Temper};

/// The operation that puts an element at the end.
pub const ENQUEUE: SmolStr = SmolStr::new_static("enqueue");
/// The operation that takes the element at the front.
pub const DEQUEUE: SmolStr = SmolStr::new_static("dequeue");

/// Operations under way or of unknown outcome on a queue at most.
pub(super) const WIDTH: u32 = 2;

/// Queues of distinct elements.
#[derive(Clone, Copy, Debug)]
pub struct Queue;

impl Workload for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn doc(&self) -> &'static str {
        "Enqueues distinct elements and dequeues them, in the end all: nothing may be lost, taken twice or overtaken."
    }

    fn model(&self) -> &'static str {
        "queue"
    }

    fn objects(&self) -> Objects {
        Objects::Queues
    }

    fn key_operations(&self) -> u64 {
        20
    }

    fn retries(&self) -> bool {
        true
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        let settings =
            Settings { lifetime: options.key_operations, is_enqueue: Mix::new([(1, true), (1, false)]) };
        Box::new(
            PerKey::<OneQueue>::new(settings, options.keys, options.key_operations, seed).with_width(WIDTH),
        )
    }

    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        Box::new(Drain::new(DEQUEUE, keys))
    }
}

#[derive(Clone, Debug)]
struct Settings {
    lifetime: u64,
    is_enqueue: Mix<bool>,
}

#[derive(Clone, Debug)]
struct OneQueue {
    is_enqueue: Mix<bool>,
    next: i64,
}

impl OneKey for OneQueue {
    type Settings = Settings;

    fn new(settings: &Settings, number: u64) -> Self {
        OneQueue { is_enqueue: settings.is_enqueue.clone(), next: first_value(number, settings.lifetime) }
    }

    fn next(&mut self, rng: &mut Rng, temper: Temper) -> (SmolStr, Value) {
        let is_enqueue = match temper {
            Temper::Even => *self.is_enqueue.pick(rng),
            Temper::Looks => false,
            Temper::Changes => true,
        };
        if !is_enqueue {
            return Self::look(rng);
        }
        let element = self.next;
        self.next += 1;
        (ENQUEUE, Value::Int(element))
    }

    fn update(&mut self, _: &Invocation, _: &Outcome) {}

    fn look(_: &mut Rng) -> (SmolStr, Value) {
        (DEQUEUE, Value::Null)
    }
}
