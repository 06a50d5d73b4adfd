//! A generator's whole run on a virtual clock: no thread, no socket, no second passes.
//!
//! A *world* answers each operation with a latency and an outcome. Everything that happens goes through the real
//! recorder, whose rules (one open operation per process, retirement after `info`, time never back) therefore
//! hold or the simulation panics. After `jepsen.generator.test`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rashomon_histories::{Event, Header, History, Invocation, Kind, Nanos, Process, Recorder, Token};

use super::{Answer, Context, Generator, Layout};
use crate::client::{Outcome, completion};

/// What a simulated world says to an operation: how long it takes and how it ends.
pub type Answered = (Nanos, Outcome);

/// A simulation that ended.
#[derive(Debug)]
pub struct Simulated {
    /// All events, in order; well-formed.
    pub events: Vec<Event>,
    /// The virtual time at the end.
    pub now: Nanos,
}

impl Simulated {
    /// The invocations alone.
    pub fn invocations(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.kind == Kind::Invoke)
    }
}

/// A run under way.
struct Run<'a> {
    layout: &'a Layout,
    now: Nanos,
    clock: Rc<Cell<Nanos>>,
    free: BTreeSet<u64>,
    /// What ends when; the number makes moments distinct and their order the order of asking.
    in_flight: BTreeMap<(Nanos, u64), (Invocation, Token, Outcome)>,
}

/// Asks `generator` until it is done or `operations_max` operations were asked, and lets `world` answer. Several
/// generators in a row (the phases of a run) are simulated with [`simulate_phases`].
///
/// # Panics
/// When the generator breaks its contract: it asks a process that is not free, names another node than the
/// process's, or waits for a completion when none can come.
pub fn simulate(
    generator: &mut dyn Generator,
    layout: &Layout,
    operations_max: usize,
    world: impl FnMut(Nanos, &Invocation) -> Answered,
) -> Simulated {
    simulate_phases(generator, layout, operations_max, world, |_| false)
}

/// As [`simulate`]; when the generator is done and nothing is in flight, `advance` may begin a next phase of it and
/// say so with true.
///
/// # Panics
/// As [`simulate`].
pub fn simulate_phases<G: Generator + ?Sized>(
    generator: &mut G,
    layout: &Layout,
    operations_max: usize,
    mut world: impl FnMut(Nanos, &Invocation) -> Answered,
    mut advance: impl FnMut(&mut G) -> bool,
) -> Simulated {
    let clock = Rc::new(Cell::new(Nanos(0)));
    let reading = Rc::clone(&clock);
    let mut recorder = Recorder::new(Vec::new(), Header::new("simulated"), move || reading.get());
    let mut run = Run {
        layout,
        now: Nanos(0),
        clock,
        free: layout.first_processes().collect(),
        in_flight: BTreeMap::new(),
    };
    let mut asked = 0;
    loop {
        let free: Vec<u64> = run.free.iter().copied().collect();
        let stopped = asked == operations_max;
        let answer = match stopped {
            true => Answer::Done,
            false => generator.ask(&Context { now: run.now, free: &free, layout }),
        };
        match answer {
            Answer::Operation(operation) => {
                asked += 1;
                run.begin(operation, asked as u64, &mut recorder, &mut world);
            }
            Answer::Pending { until } => {
                let first_end = run.in_flight.first_key_value().map(|((time, _), _)| *time);
                let next = [until, first_end].into_iter().flatten().min();
                let next = next.expect("a generator that waits for a completion has an operation in flight");
                assert!(next > run.now || first_end == Some(next), "pending until a moment that has passed");
                run.advance_to(next);
                run.end_due(generator, &mut recorder);
            }
            Answer::Done => match run.in_flight.last_key_value() {
                Some(((last, _), _)) => {
                    run.advance_to(*last);
                    run.end_due(generator, &mut recorder);
                }
                None if !stopped && advance(generator) => {}
                None => break,
            },
        }
    }
    let events = recorder.seal().expect("memory takes everything");
    let sealed = History::from_events(Header::new("simulated"), events.clone());
    assert!(sealed.is_ok(), "a generator's run is well-formed: {sealed:?}");
    Simulated { events, now: run.now }
}

type MemoryRecorder<C> = Recorder<Vec<Event>, C>;

impl Run<'_> {
    fn begin<C: FnMut() -> Nanos>(
        &mut self,
        operation: Invocation,
        number: u64,
        recorder: &mut MemoryRecorder<C>,
        world: &mut impl FnMut(Nanos, &Invocation) -> Answered,
    ) {
        let Process::Client(process) = operation.process else { panic!("generators ask client processes") };
        assert!(self.free.remove(&process), "process {process} is not free");
        assert_eq!(
            operation.node.as_ref(),
            Some(self.layout.node_of(process)),
            "a process stays with its node"
        );
        let token = recorder.invoke(operation.clone()).expect("memory takes everything");
        let (latency, outcome) = world(self.now, &operation);
        self.in_flight.insert((self.now.plus(latency), number), (operation, token, outcome));
    }

    fn advance_to(&mut self, time: Nanos) {
        self.now = self.now.max(time);
    }

    /// Ends what is due, each at its own moment.
    fn end_due<G: Generator + ?Sized, C: FnMut() -> Nanos>(
        &mut self,
        generator: &mut G,
        recorder: &mut MemoryRecorder<C>,
    ) {
        while let Some(entry) = self.in_flight.first_entry() {
            let (time, _) = *entry.key();
            if time > self.now {
                break;
            }
            let (operation, token, outcome) = entry.remove();
            self.clock.set(time);
            let completion = completion(&outcome);
            let retires = completion.kind() == Kind::Info;
            recorder.complete(token, completion).expect("memory takes everything");
            generator.update(time, &operation, &outcome);
            if let Process::Client(process) = operation.process {
                self.free.insert(if retires { self.layout.successor(process) } else { process });
            }
        }
        self.clock.set(self.now);
    }
}
