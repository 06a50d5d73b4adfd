//! Random schedules: messages are lost, repeated and reordered, links cut, nodes crash with what they had not synced, time
//! passes unevenly; clients write and read everywhere. Sound nodes keep every invariant and answer linearizably; the
//! same schedules find planted defects, which proves that they look.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_node::api::{Admin, NodeId, Operation, RegisterOperation, Reply};
use rashomon_node::protocol::{Millis, OperationId};
use rashomon_node::replica::Event;
use rashomon_node::settings::Settings;

use crate::cluster::history::History;
use crate::cluster::{Checked, Cluster, Invariants};

const NODES: u32 = 5;
const KEYS: usize = 3;
const STEPS: usize = 8_000;

/// A client pinned to a node, with one operation at a time.
struct Client {
    node: NodeId,
    session: Option<u64>,
    sequence: u64,
    asked: Option<Asked>,
}

struct Asked {
    id: OperationId,
    operation: Operation,
    /// How many writes of each key had been acknowledged when the operation was asked for.
    acknowledged: Vec<usize>,
    /// When, for the judge.
    moment: u32,
    until: Millis,
}

pub(crate) struct Run<P: Checked> {
    rng: ChaCha8Rng,
    pub(crate) cluster: Cluster<P>,
    clients: Vec<Client>,
    /// Per key, the values acknowledged, in that order.
    acknowledged: Vec<Vec<i64>>,
    /// Key, value read, and how many writes of the key had been acknowledged when it was asked for.
    reads: Vec<(usize, Option<i64>, usize)>,
    failed: Vec<i64>,
    /// What clients saw, per key.
    history: History,
    /// Whether the members change and leadership is handed on, now and then.
    reshapes: bool,
    /// Whether leadership alone is handed on, now and then.
    hands_over: bool,
    oddities: Vec<String>,
    next_value: i64,
}

impl<P: Checked> Run<P> {
    pub(crate) fn new(seed: u64, configure: impl Fn(&mut Settings)) -> Self {
        let cluster = Cluster::with(NODES, |config| {
            config.seed = seed;
            configure(config);
        });
        let clients = (0..2 * NODES).map(|number| Client {
            node: NodeId(number % NODES + 1),
            session: None,
            sequence: 0,
            asked: None,
        });
        let mut run = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            clients: clients.collect(),
            cluster,
            acknowledged: vec![Vec::new(); KEYS],
            reads: Vec::new(),
            failed: Vec::new(),
            history: History::new(KEYS),
            reshapes: false,
            hands_over: false,
            oddities: Vec::new(),
            next_value: 0,
        };
        for node in run.cluster.nodes.values_mut() {
            node.syncs = run.rng.random_bool(0.5);
        }
        run
    }

    /// The same with changes of the cluster among what is asked.
    pub(crate) fn reshaping(mut self) -> Self {
        self.reshapes = true;
        self
    }

    /// The same with leadership handed on, now and then.
    pub(crate) fn handing_over(mut self) -> Self {
        self.hands_over = true;
        self
    }

    pub(crate) fn go(&mut self) {
        for _ in 0..STEPS {
            self.fault();
            if self.hands_over && self.rng.random_bool(0.003) {
                let (node, heir) = (self.any_node(), self.any_node());
                if self.is_up(node) {
                    self.cluster.ask(node, None, Operation::Admin(Admin::Lead(heir)));
                }
            }
            if self.reshapes && self.rng.random_bool(0.003) {
                self.reshape();
            }
            self.act();
        }
        self.quiesce();
    }

    fn any_node(&mut self) -> NodeId {
        NodeId(self.rng.random_range(1..=NODES))
    }

    fn leader(&self) -> Option<NodeId> {
        self.cluster.nodes.keys().copied().find(|id| self.cluster.leads(*id))
    }

    /// Now and then something breaks or is mended; half of the time it is about the leader.
    fn fault(&mut self) {
        if !self.rng.random_bool(0.004) {
            return;
        }
        let victim = match self.leader() {
            Some(leader) if self.rng.random_bool(0.5) => leader,
            _ => self.any_node(),
        };
        match self.rng.random_range(0..6) {
            0 => self.cluster.crash(victim),
            1 => {
                self.cluster.heal();
                self.cluster.isolate(victim);
            }
            2 => {
                let other = self.any_node();
                self.cluster.cuts.insert((victim, other));
            }
            3 | 4 => self.cluster.heal(),
            _ => {
                let down: Vec<NodeId> =
                    self.cluster.nodes.keys().copied().filter(|id| !self.is_up(*id)).collect();
                down.into_iter().for_each(|id| self.start(id));
            }
        }
    }

    /// Somebody asks for other members, or another leader. Nobody waits for the answer.
    fn reshape(&mut self) {
        let node = self.any_node();
        if !self.is_up(node) {
            return;
        }
        let admin = if self.rng.random_bool(0.7) {
            let mut members: Vec<NodeId> = self.cluster.nodes.keys().copied().collect();
            members.retain(|_| self.rng.random_bool(0.6));
            members.push(node);
            Admin::Members(members)
        } else {
            Admin::Lead(self.any_node())
        };
        self.cluster.ask(node, None, Operation::Admin(admin));
    }

    /// All nodes are members again, so that all can be of one mind.
    fn gather(&mut self) {
        let all: Vec<NodeId> = self.cluster.nodes.keys().copied().collect();
        for _ in 0..40 {
            let leader = self.leader().unwrap_or(NodeId(1));
            let operation = Operation::Admin(Admin::Members(all.clone()));
            let id = self.cluster.ask(leader, None, operation);
            self.rest(100);
            if self.cluster.answers.get(&(leader, id)) == Some(&Ok(Reply::Done)) {
                return;
            }
        }
        self.oddities.push("the members could not be gathered again".into());
    }

    fn is_up(&self, id: NodeId) -> bool {
        self.cluster.nodes[&id].replica.is_some()
    }

    fn start(&mut self, id: NodeId) {
        self.cluster.start(id);
        for number in 0..self.clients.len() {
            if self.clients[number].node == id {
                self.abandon(number);
            }
        }
    }

    fn act(&mut self) {
        match self.rng.random_range(0..100) {
            0..55 => self.network(),
            55..75 => {
                let id = self.any_node();
                self.cluster.sync_one(id);
            }
            75..85 => self.time(),
            _ => self.client(),
        }
    }

    fn network(&mut self) {
        // Burst by burst, as links keep their order mostly; some messages overtake, some are lost, some come twice.
        for _ in 0..4 {
            let count = self.cluster.network.len();
            if count == 0 {
                return;
            }
            let position = if self.rng.random_bool(0.9) { 0 } else { self.rng.random_range(0..count) };
            match self.rng.random_range(0..100) {
                0..2 => drop(self.cluster.network.remove(position)),
                2..4 => {
                    let again = self.cluster.network[position].clone();
                    self.cluster.network.push(again);
                }
                _ => self.cluster.deliver_at(position),
            }
        }
    }

    fn time(&mut self) {
        self.cluster.now = self.cluster.now + self.rng.random_range(0..20);
        // Not every node notices: some are slow.
        let due: Vec<NodeId> = self
            .cluster
            .nodes
            .iter()
            .filter(|(_, node)| node.replica.as_ref().is_some_and(|one| one.wake_at() <= self.cluster.now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if self.rng.random_bool(0.8) {
                self.cluster.step(id, Event::Tick);
            }
        }
    }

    fn client(&mut self) {
        let number = self.rng.random_range(0..self.clients.len());
        let Client { node, asked, session, .. } = &mut self.clients[number];
        let (node, session) = (*node, *session);
        if let Some(asked) = asked {
            if let Some(answer) = self.cluster.answers.remove(&(node, asked.id)) {
                let asked = self.clients[number].asked.take().unwrap();
                self.complete(number, asked, answer.map_err(|refusal| refusal.definite));
            } else if self.cluster.now >= asked.until {
                self.abandon(number);
            }
            return;
        }
        if !self.is_up(node) {
            return;
        }
        let key = format!("k{}", self.rng.random_range(0..KEYS));
        let operation = match session {
            None => Operation::OpenSession,
            Some(_) if self.rng.random_bool(0.5) => Operation::read(key),
            Some(_) => {
                self.next_value += 1;
                self.clients[number].sequence += 1;
                Operation::write(key, self.next_value)
            }
        };
        let acknowledged = self.acknowledged.iter().map(Vec::len).collect();
        let named = session.map(|session| (session, self.clients[number].sequence));
        let id = self.cluster.ask(node, named, operation.clone());
        let until = self.cluster.now + 1_000;
        let moment = self.history.moment();
        self.clients[number].asked = Some(Asked { id, operation, acknowledged, moment, until });
    }

    /// A client waits no longer: what it asked for may have happened, and may yet.
    fn abandon(&mut self, number: usize) {
        if let Some(Asked { operation, moment, .. }) = self.clients[number].asked.take()
            && let Operation::Register(key, RegisterOperation::Write(value)) = operation
        {
            self.history.wrote_perhaps(number_of(&key), moment, value);
        }
    }

    fn complete(&mut self, number: usize, asked: Asked, answer: Result<Reply, bool>) {
        match (&asked.operation, answer) {
            (Operation::OpenSession, Ok(Reply::Opened(session))) => {
                self.clients[number].session = Some(session.0);
            }
            (Operation::Register(key, RegisterOperation::Write(value)), answer) => match answer {
                Ok(Reply::Written) => {
                    self.acknowledged[number_of(key)].push(*value);
                    self.history.wrote(number_of(key), asked.moment, *value);
                }
                Err(true) => self.failed.push(*value),
                // The store forgot the session or remembers a later operation: only defects bring that about here.
                Ok(Reply::NotApplied(code)) => {
                    self.oddities.push(format!("{value} was refused: {code:?}"));
                    self.history.wrote_perhaps(number_of(key), asked.moment, *value);
                }
                Err(false) => self.history.wrote_perhaps(number_of(key), asked.moment, *value),
                other => panic!("a write brought {other:?}"),
            },
            (Operation::Register(key, RegisterOperation::Read), Ok(Reply::Value(value))) => {
                let key = number_of(key);
                self.history.read(key, asked.moment, value);
                self.reads.push((key, value, asked.acknowledged[key]));
            }
            (_, Err(_)) => {}
            (operation, answer) => panic!("{operation:?} brought {answer:?}"),
        }
    }

    /// Everything is mended; the cluster must be of one mind within a few seconds of its time.
    fn quiesce(&mut self) {
        (0..self.clients.len()).for_each(|number| self.abandon(number));
        self.cluster.heal();
        let down: Vec<NodeId> = self.cluster.nodes.keys().copied().filter(|id| !self.is_up(*id)).collect();
        down.into_iter().for_each(|id| self.start(id));
        self.rest(400);
        if self.reshapes {
            self.gather();
            self.rest(100);
        }
    }

    /// Nothing breaks for `rounds` times ten milliseconds.
    fn rest(&mut self, rounds: u32) {
        for _ in 0..rounds {
            self.cluster.now = self.cluster.now + 10;
            for id in self.cluster.nodes.keys().copied().collect::<Vec<_>>() {
                self.cluster.sync(id);
                if self.cluster.replica(id).wake_at() <= self.cluster.now {
                    self.cluster.step(id, Event::Tick);
                }
            }
            for _ in 0..self.cluster.network.len() {
                self.cluster.deliver_at(0);
            }
        }
    }

    /// What clients and invariants have to complain about.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = self.cluster.invariants.violations().to_vec();
        complaints.extend(self.history.complaints());
        complaints.extend(self.oddities.iter().cloned());
        let decided = self.decided();
        for (key, values) in self.acknowledged.iter().enumerate() {
            complaints.extend(
                values
                    .iter()
                    .filter(|value| !decided.contains_key(value))
                    .map(|value| format!("the write of {value} to k{key} was acknowledged and is gone")),
            );
        }
        complaints.extend(
            self.failed
                .iter()
                .filter(|value| decided.contains_key(value))
                .map(|value| format!("the write of {value} was refused as definite and has happened")),
        );
        for (key, value, before) in &self.reads {
            let position = |value: &i64| decided.get(value).copied().unwrap_or(0);
            let read = value.as_ref().map_or(0, position);
            let newer = self.acknowledged[*key][..*before].iter().find(|value| position(value) > read);
            if let Some(newer) = newer {
                complaints.push(format!("a read of k{key} brought {value:?} after {newer} was acknowledged"));
            }
        }
        let mut states = self.cluster.nodes.values().map(|node| {
            let status = node.replica.as_ref().unwrap().status();
            (status.applied, status.digest)
        });
        let first = states.next().unwrap();
        if states.any(|state| state != first) {
            complaints.push("the nodes are not of one mind in the end".into());
        }
        complaints
    }

    /// Position at which each value was decided.
    fn decided(&self) -> BTreeMap<i64, u64> {
        let mut decided = BTreeMap::new();
        for (index, command) in self.cluster.invariants.decided() {
            if let Operation::Register(_, RegisterOperation::Write(value)) = command.operation {
                decided.entry(value).or_insert(index);
            }
        }
        decided
    }
}

fn number_of(key: &str) -> usize {
    key[1..].parse().unwrap()
}

/// What one schedule has to complain about.
pub(crate) fn complaints<P: Checked>(seed: u64, configure: impl Fn(&mut Settings)) -> Vec<String> {
    let mut run = Run::<P>::new(seed, configure);
    run.go();
    run.complaints()
}

/// Some seeds, or those that `RASHOMON_SEEDS=FROM..TO` asks for.
pub(crate) fn seeds(usual: Range<u64>) -> Range<u64> {
    match std::env::var("RASHOMON_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").expect("RASHOMON_SEEDS is of the form FROM..TO");
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => usual,
    }
}

/// Sound nodes give no reason to complain, and get something done.
pub(crate) fn check_sound<P: Checked>(usual: Range<u64>, configure: impl Fn(&mut Settings)) {
    let mut acknowledged = 0;
    for seed in seeds(usual) {
        let mut run = Run::<P>::new(seed, &configure);
        run.go();
        assert_eq!(run.complaints(), Vec::<String>::new(), "seed {seed}");
        acknowledged += run.acknowledged.iter().map(Vec::len).sum::<usize>() + run.reads.len();
    }
    assert!(acknowledged > 1_000, "a cluster that does nothing breaks nothing: {acknowledged}");
}
