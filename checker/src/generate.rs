//! Histories out of a seed: of a register that worked, or that once did not.
//!
//! A simulated register serves clients on a simulated clock; each operation takes effect at one moment between its ends, so
//! what comes out is valid by construction. A [`Flaw`] spoils one answer. Streamed: memory is in proportion to the
//! clients and keys. Knows nothing of how histories are judged, so that judges can be measured and tested with it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_histories::{Event, Kind, Nanos, Process, Value};
use smol_str::{SmolStr, format_smolstr};

/// What is wrong with a generated history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: it is valid.
    None,
    /// One read in the last twentieth returns a value that was replaced long before: invalid where values are distinct, and
    /// nearly always where they are not and few outcomes are unknown.
    Stale,
    /// One read, anywhere, returns some value that was lately there: often invalid, and if so only just.
    Mutated,
}

/// How operations overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Think times and durations are exponential, and the effect comes anywhere in between.
    Even,
    /// A few operations last very long, and effects come at the very beginning or end, so that the order in which operations
    /// took effect is hidden as well as it can be.
    Hidden,
}

/// What to generate; equal plans give equal histories.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How many operations are invoked.
    pub operations: u64,
    /// How many clients ask, each one operation at a time.
    pub clients: u32,
    /// How many keys there are, named `0` and so on.
    pub keys: u32,
    /// The share of operations whose outcome stays unknown; half of these take effect, some much later.
    pub unknown: f64,
    /// How many values there are; none: every write has its own.
    pub values: Option<u32>,
    /// What is wrong with it.
    pub flaw: Flaw,
    /// How operations overlap.
    pub overlap: Overlap,
    /// The seed.
    pub seed: u64,
}

impl Default for Plan {
    /// Ten thousand operations of twenty clients on one key, distinct values, all outcomes known.
    fn default() -> Self {
        Plan {
            operations: 10_000,
            clients: 20,
            keys: 1,
            unknown: 0.0,
            values: None,
            flaw: Flaw::None,
            overlap: Overlap::Even,
            seed: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Read,
    Write(i64),
    Cas(Option<i64>, i64),
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    number: u64,
    process: u64,
    key: u32,
    asked: Asked,
    /// What a read found.
    found: Option<i64>,
    refused: bool,
    unknown: bool,
}

/// What happens next, in the order of time; ties by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Invoke(u32),
    Effect(u32),
    LateEffect(usize),
    Return(u32),
}

/// A value that a key had, for stale reads.
#[derive(Clone, Copy)]
struct Past {
    value: Option<i64>,
    certain: bool,
}

/// The events of a generated history, in order.
pub struct Generated {
    plan: Plan,
    rng: ChaCha8Rng,
    due: BinaryHeap<Reverse<(u64, u64, Due)>>,
    clients: Vec<Option<Pending>>,
    processes: Vec<u64>,
    /// Unknown operations that will take effect after their client has gone on.
    late: Vec<Option<Pending>>,
    keys: Vec<Option<i64>>,
    past: Vec<VecDeque<Past>>,
    names: Vec<SmolStr>,
    ready: VecDeque<Event>,
    invoked: u64,
    index: u64,
    ties: u64,
    next_value: i64,
    next_process: u64,
    spoil_from: u64,
    spoilt: bool,
}

/// Starts generating.
///
/// # Panics
/// When there are no clients, keys or values.
pub fn generate(plan: Plan) -> Generated {
    assert!(
        plan.clients > 0 && plan.keys > 0 && plan.values != Some(0),
        "nobody to ask, or nothing to ask for"
    );
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let spoil_from = match plan.flaw {
        Flaw::None => u64::MAX,
        Flaw::Stale => plan.operations - plan.operations / 20 + rng.random_range(0..=plan.operations / 50),
        Flaw::Mutated => rng.random_range(0..plan.operations.max(1)),
    };
    let mut generated = Generated {
        plan,
        rng,
        due: BinaryHeap::new(),
        clients: vec![None; plan.clients as usize],
        processes: (0..u64::from(plan.clients)).collect(),
        late: Vec::new(),
        keys: vec![None; plan.keys as usize],
        past: vec![VecDeque::new(); plan.keys as usize],
        names: (0..plan.keys).map(|key| format_smolstr!("{key}")).collect(),
        ready: VecDeque::new(),
        invoked: 0,
        index: 0,
        ties: 0,
        next_value: 0,
        next_process: u64::from(plan.clients),
        spoil_from,
        spoilt: false,
    };
    for client in 0..plan.clients {
        let at = generated.think(0);
        generated.plan_for(at, Due::Invoke(client));
    }
    generated
}

/// Mean think time and duration, in nanoseconds.
const MEAN: f64 = 1_000_000.0;

impl Generated {
    /// Whether the flaw found its place. A plan of few operations may have no read to spoil.
    pub fn is_spoilt(&self) -> bool {
        self.spoilt
    }

    fn plan_for(&mut self, at: u64, due: Due) {
        self.ties += 1;
        self.due.push(Reverse((at, self.ties, due)));
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        let uniform: f64 = self.rng.random_range(f64::EPSILON..1.0);
        (-uniform.ln() * mean) as u64 + 1
    }

    fn think(&mut self, now: u64) -> u64 {
        now + self.exponential(MEAN)
    }

    fn event(&mut self, time: u64, kind: Kind, pending: &Pending, value: Value) -> Event {
        self.index += 1;
        Event {
            index: self.index - 1,
            time: Nanos(time),
            process: Process::client(pending.process),
            kind,
            f: SmolStr::new_static(match pending.asked {
                Asked::Read => "read",
                Asked::Write(_) => "write",
                Asked::Cas(..) => "cas",
            }),
            key: Some(self.names[pending.key as usize].clone()),
            value,
            node: None,
            error: None,
        }
    }

    fn new_value(&mut self) -> i64 {
        match self.plan.values {
            Some(values) => i64::from(self.rng.random_range(0..values)),
            None => {
                self.next_value += 1;
                self.next_value
            }
        }
    }

    fn invoke(&mut self, now: u64, client: u32) {
        if self.invoked == self.plan.operations {
            return;
        }
        let number = self.invoked;
        self.invoked += 1;
        let key = self.rng.random_range(0..self.plan.keys);
        let asked = match self.rng.random_range(0..4) {
            0 | 1 => Asked::Read,
            2 => Asked::Write(self.new_value()),
            _ => {
                let old = match self.plan.values {
                    Some(_) => Some(self.new_value()),
                    None => self.keys[key as usize],
                };
                Asked::Cas(old, self.new_value())
            }
        };
        let unknown = self.rng.random_bool(self.plan.unknown);
        let process = self.processes[client as usize];
        let pending = Pending { number, process, key, asked, found: None, refused: false, unknown };
        let event = self.event(now, Kind::Invoke, &pending, argument(asked));
        self.ready.push_back(event);
        let (effect, end) = self.moments(now);
        if !unknown {
            self.plan_for(effect, Due::Effect(client));
        } else if asked != Asked::Read && self.rng.random_bool(0.5) {
            let mut when = effect;
            if self.rng.random_bool(0.2) {
                when += self.exponential(20.0 * MEAN);
            }
            self.late.push(Some(pending));
            self.plan_for(when, Due::LateEffect(self.late.len() - 1));
        }
        self.clients[client as usize] = Some(pending);
        self.plan_for(end, Due::Return(client));
    }

    /// When an operation invoked now takes effect and returns.
    fn moments(&mut self, now: u64) -> (u64, u64) {
        match self.plan.overlap {
            Overlap::Even => {
                let lasts = self.exponential(MEAN) + 1;
                (now + self.rng.random_range(0..lasts), now + lasts)
            }
            Overlap::Hidden => {
                let mean = if self.rng.random_bool(0.1) { 30.0 * MEAN } else { MEAN };
                let lasts = self.exponential(mean) + 1;
                (now + if self.rng.random_bool(0.5) { 0 } else { lasts - 1 }, now + lasts)
            }
        }
    }

    fn take_effect(&mut self, mut pending: Pending) -> Pending {
        let key = pending.key as usize;
        let before = self.keys[key];
        match pending.asked {
            Asked::Read => pending.found = before,
            Asked::Write(value) => self.keys[key] = Some(value),
            Asked::Cas(old, new) if old == before => self.keys[key] = Some(new),
            Asked::Cas(..) => pending.refused = true,
        }
        if self.keys[key] != before || matches!(pending.asked, Asked::Write(_)) {
            let past = &mut self.past[key];
            past.push_back(Past { value: self.keys[key], certain: !pending.unknown });
            if past.len() > 4 * self.plan.clients as usize + 64 {
                past.pop_front();
            }
        }
        pending
    }

    fn finish(&mut self, now: u64, client: u32) {
        let Some(mut pending) = self.clients[client as usize].take() else { return };
        if pending.asked == Asked::Read
            && !pending.unknown
            && pending.number >= self.spoil_from
            && !self.spoilt
        {
            self.spoil(&mut pending);
        }
        let (kind, value) = match pending.asked {
            _ if pending.unknown => (Kind::Info, argument(pending.asked)),
            _ if pending.refused => (Kind::Fail, argument(pending.asked)),
            Asked::Read => (Kind::Ok, Value::from(pending.found)),
            asked => (Kind::Ok, argument(asked)),
        };
        let mut event = self.event(now, kind, &pending, value);
        match kind {
            Kind::Info => {
                event.error = Some(SmolStr::new_static("timeout"));
                self.processes[client as usize] = self.next_process;
                self.next_process += 1;
            }
            Kind::Fail => event.error = Some(SmolStr::new_static("precondition")),
            _ => {}
        }
        self.ready.push_back(event);
        let at = self.think(now);
        self.plan_for(at, Due::Invoke(client));
    }

    fn spoil(&mut self, pending: &mut Pending) {
        let past = &self.past[pending.key as usize];
        let wrong = match self.plan.flaw {
            Flaw::None => None,
            // The oldest that is remembered and is not there any more in any later form.
            Flaw::Stale => {
                let old = past.len().checked_sub(2 * self.plan.clients as usize + 8);
                let recent: Vec<_> = past.iter().rev().take(self.plan.clients as usize / 8 + 2).collect();
                let old = past.iter().take(old.unwrap_or(0)).filter(|past| past.certain);
                old.map(|past| past.value).find(|value| {
                    *value != pending.found
                        && (self.plan.values.is_none() || recent.iter().all(|p| p.value != *value))
                })
            }
            Flaw::Mutated => {
                let lately = past.len().min(self.plan.clients as usize + 4);
                let at = self.rng.random_range(0..=lately);
                past.iter().rev().nth(at).map(|past| past.value).filter(|value| *value != pending.found)
            }
        };
        if let Some(value) = wrong {
            pending.found = value;
            self.spoilt = true;
        }
    }
}

fn argument(asked: Asked) -> Value {
    match asked {
        Asked::Read => Value::Null,
        Asked::Write(value) => Value::Int(value),
        Asked::Cas(old, new) => Value::pair(Value::from(old), Value::Int(new)),
    }
}

impl Iterator for Generated {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            let Reverse((now, _, due)) = self.due.pop()?;
            match due {
                Due::Invoke(client) => self.invoke(now, client),
                Due::Effect(client) => {
                    if let Some(pending) = self.clients[client as usize].take() {
                        self.clients[client as usize] = Some(self.take_effect(pending));
                    }
                }
                Due::LateEffect(at) => {
                    if let Some(pending) = self.late[at].take() {
                        self.take_effect(pending);
                    }
                }
                Due::Return(client) => self.finish(now, client),
            }
        }
        self.ready.pop_front()
    }
}

/// A shuffled copy of a seed, for drawing many plans from one number.
pub fn random_plan(rng: &mut impl Rng, operations_max: u64) -> Plan {
    Plan {
        operations: rng.random_range(1..=operations_max),
        clients: rng.random_range(1..=12),
        keys: 1,
        unknown: [0.0, 0.02, 0.1, 0.3][rng.random_range(0..4)],
        values: [None, Some(2), Some(3), Some(5)][rng.random_range(0..4)],
        flaw: [Flaw::None, Flaw::Stale, Flaw::Mutated][rng.random_range(0..3)],
        overlap: if rng.random_bool(0.5) { Overlap::Even } else { Overlap::Hidden },
        seed: rng.random_range(0..u64::MAX),
    }
}
