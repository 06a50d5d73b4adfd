//! Drives the clients: asks the generator, records, calls, records again, tells the generator.
//!
//! Every thread of asking is a task on one thread of execution, so generator and recorder need no lock and events
//! are recorded in the order in which they happen. It decides nothing: what is asked is the generator's, what an
//! outcome means is the workload's, time and index are the recorder's.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rashomon_histories::{Invocation, Kind, Nanos, RecordError, Recorder, Sink, Token, Value};
use rashomon_workloads::client::Outcome;
use rashomon_workloads::{
    Answer, BoxedClient, Connector, Context, ErrorCode, Generator as _, Layout, Phases, Whereabouts,
    completion,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::run::measure::Counts;

/// How long a call may overstay its own deadline before the driver gives it up.
const OVERSTAY: Duration = Duration::from_secs(2);

/// The clock of a run: nanoseconds since its start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the run's one clock; everything else is handed its time"
    )]
    pub fn start() -> Self {
        Clock { start: Instant::now() }
    }

    /// The time since the start.
    pub fn now(&self) -> Nanos {
        self.start.elapsed().into()
    }

    /// That moment of the run as the runtime's timers want it.
    pub fn at(&self, time: Nanos) -> tokio::time::Instant {
        (self.start + Duration::from(time)).into()
    }
}

/// What the tasks share.
struct Shared<S, C> {
    generator: Phases,
    recorder: Recorder<S, C>,
    counts: Counts,
    ended: bool,
    failure: Option<String>,
}

/// The clients of a run.
pub struct Driver<S, C> {
    shared: Rc<RefCell<Shared<S, C>>>,
    completed: Rc<Notify>,
    clock: Clock,
    layout: Layout,
    connector: Arc<dyn Connector>,
    timeout: Duration,
    processes: Vec<u64>,
    /// Where clients' habits are drawn from; none: all stay at their nodes.
    habits: Option<u64>,
}

/// What asking came to, for one process.
enum Asked {
    Call(Invocation, Token),
    Wait(Option<Nanos>),
    Done,
}

impl<S: Sink + 'static, C: FnMut() -> Nanos + 'static> Driver<S, C> {
    /// Clients laid out so, which give up a call `timeout` after sending it.
    pub fn new(
        generator: Phases,
        recorder: Recorder<S, C>,
        clock: Clock,
        layout: Layout,
        connector: Arc<dyn Connector>,
        timeout: Duration,
    ) -> Self {
        let processes = layout.first_processes().collect();
        let shared = Shared { generator, recorder, counts: Counts::default(), ended: false, failure: None };
        Driver {
            shared: Rc::new(RefCell::new(shared)),
            completed: Rc::new(Notify::new()),
            clock,
            layout,
            connector,
            timeout,
            processes,
            habits: None,
        }
    }

    /// The same with habits drawn from this seed, until the final reads: some clients go on at other nodes.
    #[must_use]
    pub fn with_habits(self, seed: u64) -> Self {
        Driver { habits: Some(seed), ..self }
    }

    /// A handle for those who record, watch or end the phase beside the clients.
    pub fn handle(&self) -> Handle<S, C> {
        Handle { shared: Rc::clone(&self.shared), completed: Rc::clone(&self.completed) }
    }

    /// Asks until the phase is done and every call has ended. Must run inside a `LocalSet`.
    ///
    /// # Errors
    /// When events could not be recorded, or a client failed in a way that it must not.
    pub async fn phase(&mut self) -> anyhow::Result<()> {
        let mut threads = JoinSet::new();
        for process in &self.processes {
            let whereabouts = match self.habits {
                Some(seed) => Whereabouts::new(*process, &self.layout, seed),
                None => Whereabouts::at_home(*process, &self.layout),
            };
            let thread = Thread {
                shared: Rc::clone(&self.shared),
                completed: Rc::clone(&self.completed),
                clock: self.clock,
                layout: self.layout.clone(),
                connector: Arc::clone(&self.connector),
                timeout: self.timeout,
                process: *process,
                whereabouts,
                client: None,
            };
            threads.spawn_local(thread.run());
        }
        let mut processes = Vec::with_capacity(self.processes.len());
        while let Some(ended) = threads.join_next().await {
            processes.push(ended?);
        }
        processes.sort_by_key(|process| self.layout.thread_of(*process));
        self.processes = processes;
        match &self.shared.borrow().failure {
            Some(failure) => Err(anyhow::anyhow!("{failure}")),
            None => Ok(()),
        }
    }

    /// Begins the final reads, unless the run has failed: those of a node are for the clients that belong to it.
    pub fn begin_final(&mut self) {
        self.habits = None;
        let mut shared = self.shared.borrow_mut();
        shared.generator.begin_final();
        shared.ended = shared.failure.is_some();
    }

    /// Closes what is open and gives back the sink.
    ///
    /// # Errors
    /// When events could not be recorded; those before are where they are.
    ///
    /// # Panics
    /// When a handle or a phase is still alive.
    pub fn seal(self) -> Result<S, RecordError> {
        let shared = Rc::try_unwrap(self.shared).ok().expect("phases have ended and handles are dropped");
        shared.into_inner().recorder.seal()
    }
}

/// Records, watches and ends a phase from beside the clients.
pub struct Handle<S, C> {
    shared: Rc<RefCell<Shared<S, C>>>,
    completed: Rc<Notify>,
}

impl<S, C> Clone for Handle<S, C> {
    fn clone(&self) -> Self {
        Handle { shared: Rc::clone(&self.shared), completed: Rc::clone(&self.completed) }
    }
}

impl<S: Sink, C: FnMut() -> Nanos> Handle<S, C> {
    /// Records what the nemesis did.
    pub fn note(&self, f: &str, value: Value) {
        let mut shared = self.shared.borrow_mut();
        let noted = shared.recorder.note(f, value);
        shared.keep(noted);
    }

    /// Makes what was recorded visible to other processes.
    pub fn flush(&self) {
        let mut shared = self.shared.borrow_mut();
        let flushed = shared.recorder.flush();
        shared.keep(flushed);
    }

    /// Operations completed so far.
    pub fn counts(&self) -> Counts {
        self.shared.borrow().counts
    }

    /// Nothing more is asked in this phase.
    pub fn end_phase(&self) {
        self.shared.borrow_mut().ended = true;
        self.completed.notify_waiters();
    }
}

impl<S: Sink, C: FnMut() -> Nanos> Shared<S, C> {
    fn ask(&mut self, now: Nanos, process: u64, node: usize, layout: &Layout) -> Asked {
        if self.ended {
            return Asked::Done;
        }
        match self.generator.ask(&Context { now, free: &[process], layout }) {
            Answer::Operation(mut operation) => {
                operation.node = layout.nodes().get(node).cloned();
                match self.recorder.invoke(operation.clone()) {
                    Ok(token) => Asked::Call(operation, token),
                    Err(error) => {
                        self.fail(error.to_string());
                        Asked::Done
                    }
                }
            }
            Answer::Pending { until } => Asked::Wait(until),
            Answer::Done => Asked::Done,
        }
    }

    /// Records the end of an operation; true when its process retires.
    fn complete(&mut self, now: Nanos, operation: &Invocation, token: Token, outcome: &Outcome) -> bool {
        let completion = completion(outcome);
        let kind = completion.kind();
        let recorded = self.recorder.complete(token, completion);
        self.keep(recorded);
        self.counts.add(kind);
        self.generator.update(now, operation, outcome);
        kind == Kind::Info
    }

    fn keep(&mut self, recorded: Result<(), RecordError>) {
        if let Err(error) = recorded {
            self.fail(error.to_string());
        }
    }

    /// The first failure ends the phase: what cannot be recorded must not be asked.
    fn fail(&mut self, failure: String) {
        self.ended = true;
        self.failure.get_or_insert(failure);
    }
}

/// One thread of asking: a process, and its successors.
struct Thread<S, C> {
    shared: Rc<RefCell<Shared<S, C>>>,
    completed: Rc<Notify>,
    clock: Clock,
    layout: Layout,
    connector: Arc<dyn Connector>,
    timeout: Duration,
    process: u64,
    whereabouts: Whereabouts,
    client: Option<BoxedClient>,
}

impl<S: Sink, C: FnMut() -> Nanos> Thread<S, C> {
    /// Until the phase is done; answers the process that the thread ends as.
    async fn run(mut self) -> u64 {
        loop {
            // Registered before asking, so that a completion in between is not missed.
            let completed = Rc::clone(&self.completed);
            let notified = completed.notified();
            let node = self.whereabouts.node_index();
            let asked = self.shared.borrow_mut().ask(self.clock.now(), self.process, node, &self.layout);
            match asked {
                Asked::Done => return self.process,
                Asked::Call(operation, token) => self.call(operation, token).await,
                Asked::Wait(None) => notified.await,
                Asked::Wait(Some(until)) => {
                    tokio::select! {
                        () = notified => {}
                        () = tokio::time::sleep_until(self.clock.at(until)) => {}
                    }
                }
            }
        }
    }

    async fn call(&mut self, operation: Invocation, token: Token) {
        let (connector, process, layout) = (&self.connector, self.process, &self.layout);
        let node = &layout.nodes()[self.whereabouts.node_index()];
        let client = self.client.get_or_insert_with(|| connector.open(process, node));
        let called = tokio::time::timeout(self.timeout + OVERSTAY, client.call_dyn(&operation)).await;
        let outcome =
            called.unwrap_or_else(|_| Err(ErrorCode::Timeout.with("the client overstayed its deadline")));
        let retires = self.shared.borrow_mut().complete(self.clock.now(), &operation, token, &outcome);
        if self.whereabouts.ended(&outcome, &self.layout) {
            self.client = None;
        }
        if retires {
            self.client = None;
            self.process = self.layout.successor(self.process);
        }
        self.completed.notify_waiters();
    }
}
