//! A world: nodes, network, disks, clocks and clients on one time line, and the nemesis among them.
//!
//! The loop takes what is due first and lets it happen; everything else follows from that. Files, in the order in which
//! an operation meets them: [`asking`] (clients), [`serving`] (nodes), [`breaking`] (faults), [`errands`] (those that the
//! system is asked for), [`handling`] (single messages and records, for directed schedules), [`settling`] (how a run
//! ends: safety under faults first, then everything is healed and progress is required).

mod asking;
mod breaking;
mod errands;
mod handling;
mod serving;
mod settling;

use std::cell::Cell;
use std::rc::Rc;

use rashomon_histories::{Event, Header, History, Nanos, Recorder};
use rashomon_nemesis::random::{Stream, stream};
use rashomon_nemesis::schedule::{Instance, Steps};
use rashomon_nemesis::{Directed, NodeId as NodeName, Recording, Schedule};
use rashomon_node::api::NodeId;
use rashomon_node::replica::Output;
use rashomon_workloads::{Layout, Phases};

use crate::clients::{Attempt, Client, Parcel};
use crate::invariants::{Inspect, Invariants};
use crate::network::Network;
use crate::node::{Node, NodeClock};
use crate::outcome::{Counts, Outcome};
use crate::panics;
use crate::queue::{Queue, Slab, Slot};
use crate::setup::{Given, Setup};
use crate::trace::{Trace, What};
use errands::Errands;
use handling::Hands;
use settling::Stage;

/// Random streams of a world, by name, apart from those of schedules and generators.
const STREAM_NETWORK: &str = "network";
const STREAM_NODE: &str = "node";

/// How much more happens once an invariant is broken: enough for clients to see it, too, but an end to nodes that answer each
/// other for ever, which rules broken on purpose can make them do.
const AFTERMATH_MOMENTS: u64 = 300_000;

/// Messages under way at most, a hundred times what nodes that keep to their windows ever have: where each message is answered by
/// more than one, a world would end with the machine's memory.
const MESSAGES_MAX: usize = 100_000;
const FLOOD: (&str, &str) = ("messages do not multiply", "liveness; windows bound what is under way");

type Clock = Box<dyn FnMut() -> Nanos>;

/// Something that is due at a moment.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A message arrives.
    Message(Slot),
    /// A node may want a tick.
    Wake(usize),
    /// A node's disk has written what it was given, for this start of its process.
    Written(usize, u32),
    /// A node's process is ready to serve.
    Started(usize, u32),
    /// A slow node has handled what it had.
    Free(usize),
    /// The generator has something to ask.
    Ask,
    /// A request or an answer arrives.
    Parcel(Slot),
    /// A client gives an attempt up.
    Expired(Attempt),
    /// A client goes on after a pause.
    Retry(Attempt),
    /// The schedule has something to do.
    Faults,
    /// It is time to look whether what the system was asked for is so.
    Errands,
    /// It is time to look how far the run is.
    Look,
}

/// A message under way.
struct Envelope<M> {
    from: usize,
    to: usize,
    sent: Nanos,
    message: M,
}

/// A world of nodes that run this protocol.
pub struct World<P: Inspect> {
    setup: Setup,
    now: Nanos,
    clock: Rc<Cell<Nanos>>,
    queue: Queue<Due>,
    messages: Slab<Envelope<P::Message>>,
    parcels: Slab<Parcel>,
    network: Network,
    nodes: Vec<Node<P>>,
    /// The node whose code is running: a panic is its.
    acting: Option<usize>,
    /// What the last step wanted done: kept for its memory. None while that is under way.
    output: Option<Box<Output<P>>>,
    clients: Vec<Client>,
    layout: Layout,
    /// Processes that have no operation open.
    idle: Vec<u64>,
    generator: Phases,
    header: Header,
    recorder: Recorder<Vec<Event>, Clock>,
    /// The earliest asking planned and not yet due.
    ask_planned: Option<Nanos>,
    /// What breaks, and when; written down as it happens.
    schedule: Recording<Box<dyn Steps>>,
    /// What the schedule looks for, and the messages that it handles.
    hands: Hands<P::Message>,
    faults: Vec<Instance>,
    errands: Errands,
    stage: Stage,
    counts: Counts,
    invariants: Invariants,
    trace: Trace,
}

impl<P: Inspect> World<P> {
    /// A world at its beginning.
    ///
    /// # Panics
    /// When the setup contradicts itself: fewer clients than nodes, faults that need more nodes, settings that no node
    /// accepts.
    pub fn new(setup: &Setup) -> Self {
        let count = setup.nodes as usize;
        let names = || rashomon_nemesis::node::nodes(setup.nodes);
        let layout = Layout::new(setup.clients, names().map(|node| node.to_string()))
            .expect("a setup has a client per node");
        let clock = Rc::new(Cell::new(Nanos(0)));
        let reading = Rc::clone(&clock);
        let header = Header {
            model: Some(setup.workload.model().into()),
            seed: Some(setup.seed),
            ..Header::new(format!("{} simulated, {} nodes", P::NAME, setup.nodes))
        };
        let mut world = Self {
            now: Nanos(0),
            queue: Queue::default(),
            messages: Slab::default(),
            parcels: Slab::default(),
            network: Network::new(setup.network.clone(), count, stream(setup.seed, STREAM_NETWORK, 0)),
            nodes: (0..setup.nodes).map(|position| node(setup, position)).collect(),
            acting: None,
            output: None,
            clients: layout
                .first_processes()
                .map(|process| Client::new(process, &layout, setup.retries))
                .collect(),
            idle: layout.first_processes().collect(),
            layout,
            generator: match &setup.operations {
                Some(given) => Phases::scripted(setup.workload, given),
                None => Phases::new(setup.workload, &setup.options, setup.duration, setup.seed),
            },
            recorder: Recorder::new(
                Vec::with_capacity(events_expected(setup)),
                header.clone(),
                Box::new(move || reading.get()),
            ),
            header,
            clock,
            ask_planned: None,
            schedule: Recording::new(steps(setup)),
            hands: Hands::new(setup.watched()),
            faults: Vec::new(),
            errands: Errands::default(),
            stage: Stage::Breaking,
            counts: Counts::default(),
            invariants: Invariants::new(count, setup.weights()),
            trace: Trace::new(setup.trace),
            setup: setup.clone(),
        };
        for node in 0..count {
            world.start(node);
        }
        world.queue.plan(Nanos(0), Due::Faults);
        world.queue.plan(Nanos::from_millis(200), Due::Ask);
        world.queue.plan(setup.duration, Due::Look);
        world
    }

    /// Another time line than the seeded one.
    #[must_use]
    pub fn with_steps(mut self, steps: Box<dyn Steps>) -> Self {
        self.schedule = Recording::new(steps);
        self
    }

    /// Lets everything happen, to the end; where a node's code panics, to that moment.
    ///
    /// # Panics
    /// When the world's own code does.
    pub fn run(mut self) -> Outcome {
        // Of what a panic leaves half done only the node itself is in doubt, and nobody looks at that any more.
        if let Err(said) = panics::catch(|| self.live()) {
            match self.acting {
                Some(node) => self.end_in_panic(node, &said),
                None => panic!("{said}"),
            }
        }
        let events = self.recorder.seal().expect("memory refuses nothing");
        let (trace_hash, steps, happenings) = self.trace.finish();
        let history = History::from_events(self.header, events);
        Outcome {
            history: history.expect("the recorder keeps the rules of histories"),
            broken: self.invariants.broken().to_vec(),
            trace_hash,
            steps,
            simulated: self.now,
            counts: self.counts,
            faults: self.faults,
            script: self.schedule.script().clone(),
            happenings,
        }
    }

    fn live(&mut self) {
        let mut aftermath = AFTERMATH_MOMENTS;
        while self.stage != Stage::Ended && aftermath > 0 {
            let (at, due) = self.queue.pop().expect("the next look is always planned");
            self.now = at;
            self.clock.set(at);
            self.happen(due);
            aftermath -= u64::from(!self.invariants.broken().is_empty());
            if self.messages.count() > MESSAGES_MAX {
                let detail = format!("{MESSAGES_MAX} messages are under way, and each brings about more");
                return self.invariants.report(at, FLOOD, detail);
            }
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Message(slot) => {
                let envelope = self.messages.take(slot);
                self.arrive(envelope);
            }
            Due::Wake(node) => self.wake(node),
            Due::Written(node, start) => self.written(node, start),
            Due::Started(node, start) => self.started(node, start),
            Due::Free(node) => self.free(node),
            Due::Ask => {
                self.ask_planned = None;
                self.ask();
            }
            Due::Parcel(slot) => {
                let parcel = self.parcels.take(slot);
                self.deliver(parcel);
            }
            Due::Expired(attempt) => self.expire(attempt),
            Due::Retry(attempt) => self.retry(attempt),
            Due::Faults => self.follow_schedule(),
            Due::Errands => self.look_after_errands(),
            Due::Look => self.look(),
        }
    }

    fn add(&mut self, node: usize, what: What) {
        self.trace.add(self.now, node, what);
    }
}

/// Events of a run, about: two for each operation. Enough, so that a long history need not move as it grows.
fn events_expected(setup: &Setup) -> usize {
    /// What a machine has to spare, whatever is asked of it.
    const EVENTS_MAX: usize = 1 << 18;
    let operations = setup.options.rate.unwrap_or(0.0) * setup.duration.as_secs_f64();
    // A cast from a float ends at the bounds.
    ((2.1 * operations) as usize).min(EVENTS_MAX)
}

/// The fault schedule: given, or drawn from the seed.
fn steps(setup: &Setup) -> Box<dyn Steps> {
    let nodes = rashomon_nemesis::node::nodes(setup.nodes).collect();
    const FITS: &str = "a setup's faults fit its nodes";
    match setup.schedule.as_deref() {
        None => {
            let Setup { faults, rhythm, .. } = setup.clone();
            Box::new(Schedule::new(faults, nodes, rhythm, setup.seed, setup.duration).expect(FITS))
        }
        Some(Given::Script(script)) => Box::new(script.follow(nodes, setup.duration).expect(FITS)),
        Some(Given::Timeline(timeline)) => {
            Box::new(Directed::new(timeline, nodes, setup.seed, setup.duration).expect(FITS))
        }
    }
}

fn node<P: Inspect>(setup: &Setup, position: u32) -> Node<P> {
    use rand::RngExt as _;

    let mut rng: Stream = stream(setup.seed, STREAM_NODE, u64::from(position));
    let drift_max = i64::from(setup.node.drift_ppm_max);
    let clock = NodeClock::new(rng.random_range(0..1_000_000_000), rng.random_range(-drift_max..=drift_max));
    let settings = setup.settings(NodeId(position + 1));
    settings.check().expect("a setup's settings can work");
    Node::new(settings, clock, rng)
}

/// The position of a node that the nemesis names.
fn position(node: NodeName) -> usize {
    (node.0 - 1) as usize
}
