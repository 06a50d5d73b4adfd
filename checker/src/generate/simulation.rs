//! Clients that ask a simulated object on a simulated clock, event by event.
//!
//! Every event of the simulation is in one queue, by its time; what is drawn depends on the plan alone. Next: [`super::object`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_histories::{Event, Kind, Nanos, Process, Value};
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use super::object::{Answer, Asked, Object, State};
use super::{Flaw, Overlap, Plan};

#[derive(Clone, Debug)]
struct Pending {
    number: u64,
    process: u64,
    key: u32,
    asked: Asked,
    answer: Answer,
    unknown: bool,
}

/// What happens next, in the order of time; ties by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Invoke(u32),
    Effect(u32),
    LateEffect(u64),
    Return(u32),
}

/// An answer that was true once, for stale reads.
struct Past {
    answer: Value,
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
    late: FxHashMap<u64, Pending>,
    keys: Vec<State>,
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
        clients: (0..plan.clients).map(|_| None).collect(),
        processes: (0..u64::from(plan.clients)).collect(),
        late: FxHashMap::default(),
        keys: vec![State::new(plan.object); plan.keys as usize],
        past: (0..plan.keys).map(|_| VecDeque::new()).collect(),
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
            f: SmolStr::new_static(pending.asked.f()),
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

    fn ask(&mut self, key: u32) -> Asked {
        let lot = self.rng.random_range(0..4);
        match self.plan.object {
            Object::CasRegister if lot == 3 => {
                let old = match self.plan.values {
                    Some(_) => Some(self.new_value()),
                    None => self.keys[key as usize].value(),
                };
                Asked::Cas(old, self.new_value())
            }
            Object::CasRegister | Object::Register if lot < 2 => Asked::Read,
            Object::CasRegister | Object::Register => Asked::Write(self.new_value()),
            Object::Queue if lot < 2 => Asked::Dequeue,
            Object::Queue => Asked::Enqueue(self.new_value()),
            // Reading all of it grows longer and longer.
            _ if lot == 0 => Asked::Read,
            Object::Set | Object::Counter => Asked::Add(self.new_value()),
            Object::List => Asked::Append(self.new_value()),
        }
    }

    fn invoke(&mut self, now: u64, client: u32) {
        if self.invoked == self.plan.operations {
            return;
        }
        let number = self.invoked;
        self.invoked += 1;
        let key = self.rng.random_range(0..self.plan.keys);
        let asked = self.ask(key);
        let unknown = self.rng.random_bool(self.plan.unknown);
        let process = self.processes[client as usize];
        let pending = Pending { number, process, key, asked, answer: Answer::Done, unknown };
        let event = self.event(now, Kind::Invoke, &pending, asked.argument());
        self.ready.push_back(event);
        let (effect, end) = self.moments(now);
        if !unknown {
            self.plan_for(effect, Due::Effect(client));
        } else if !asked.only_looks() && self.rng.random_bool(0.5) {
            let mut when = effect;
            if self.rng.random_bool(0.2) {
                when += self.exponential(20.0 * MEAN);
            }
            self.late.insert(number, pending.clone());
            self.plan_for(when, Due::LateEffect(number));
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

    fn take_effect(&mut self, pending: &mut Pending) {
        let key = pending.key as usize;
        pending.answer = self.keys[key].take(pending.asked);
        if self.plan.flaw != Flaw::None
            && let Some(answer) = self.keys[key].now_true(pending.asked, &pending.answer)
        {
            let past = &mut self.past[key];
            past.push_back(Past { answer, certain: !pending.unknown });
            if past.len() > 4 * self.plan.clients as usize + 64 {
                past.pop_front();
            }
        }
    }

    fn finish(&mut self, now: u64, client: u32) {
        let Some(mut pending) = self.clients[client as usize].take() else { return };
        if matches!(pending.answer, Answer::Saw(_))
            && !pending.unknown
            && pending.number >= self.spoil_from
            && !self.spoilt
        {
            self.spoil(&mut pending);
        }
        let (kind, value) = match pending.answer {
            _ if pending.unknown => (Kind::Info, pending.asked.argument()),
            Answer::Refused => (Kind::Fail, pending.asked.argument()),
            Answer::Done => (Kind::Ok, pending.asked.argument()),
            Answer::Saw(ref seen) => (Kind::Ok, seen.clone()),
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
        let is_other = |answer: &&Value| pending.answer != Answer::Saw((*answer).clone());
        let wrong = match self.plan.flaw {
            Flaw::None => None,
            // The oldest that is remembered and is not there any more in any later form.
            Flaw::Stale => {
                let old = past.len().checked_sub(2 * self.plan.clients as usize + 8);
                let recent: Vec<_> = past.iter().rev().take(self.plan.clients as usize / 8 + 2).collect();
                let old = past.iter().take(old.unwrap_or(0)).filter(|past| past.certain);
                old.map(|past| &past.answer).filter(is_other).find(|answer| {
                    self.plan.values.is_none() || recent.iter().all(|recent| recent.answer != **answer)
                })
            }
            Flaw::Mutated => {
                let lately = past.len().min(self.plan.clients as usize + 4);
                let at = self.rng.random_range(0..=lately);
                past.iter().rev().nth(at).map(|past| &past.answer).filter(is_other)
            }
        };
        if let Some(answer) = wrong {
            pending.answer = Answer::Saw(answer.clone());
            self.spoilt = true;
        }
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
                    if let Some(mut pending) = self.clients[client as usize].take() {
                        self.take_effect(&mut pending);
                        self.clients[client as usize] = Some(pending);
                    }
                }
                Due::LateEffect(number) => {
                    if let Some(mut pending) = self.late.remove(&number) {
                        self.take_effect(&mut pending);
                    }
                }
                Due::Return(client) => self.finish(now, client),
            }
        }
        self.ready.pop_front()
    }
}
