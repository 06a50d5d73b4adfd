//! Basic Paxos: transcripts of one decree, and random schedules of it.
//!
//! Each file under `transcripts/basic/` tells a story in commands, and after each `>` what happened. Lines that start with
//! `#` are for the reader. Rewrite the expectations with `UPDATE_EXPECT=1`, and read them.
//!
//! ```text
//! nodes 3              a fresh cluster; an acceptor is on disk after every step
//! propose n1 red       n1 would like to have red chosen
//! retry n1             n1 was refused and tries a higher ballot
//! deliver n1 n2        everything under way from n1 to n2 arrives, in order
//! drop n1 n2           it is lost
//! settle               all messages arrive, and what follows from them
//! crash n1 / start n1  only the acceptor survives
//! state                every node in full
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_node::api::NodeId;
use rashomon_node::paxos::basic::{Acceptor, Message, Node, Outgoing};

type Value = String;

/// Nodes, what is under way between them, and what their disks hold.
struct World {
    nodes: BTreeMap<NodeId, Option<Node<Value>>>,
    disks: BTreeMap<NodeId, Acceptor<Value>>,
    network: Vec<(NodeId, NodeId, Message<Value>)>,
    /// What each node has learnt, over restarts.
    learnt: BTreeMap<NodeId, Value>,
}

impl World {
    fn new(count: u32) -> Self {
        let ids: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let mut world = Self {
            nodes: ids.iter().map(|id| (*id, None)).collect(),
            disks: ids.iter().map(|id| (*id, Acceptor::default())).collect(),
            network: Vec::new(),
            learnt: BTreeMap::new(),
        };
        ids.into_iter().for_each(|id| world.start(id));
        world
    }

    fn start(&mut self, id: NodeId) {
        let ids = self.nodes.keys().copied().collect();
        let node = Node::restore(id, ids, self.disks[&id].clone());
        self.nodes.insert(id, Some(node));
    }

    fn crash(&mut self, id: NodeId) {
        self.nodes.insert(id, None);
    }

    /// A step of a node that is up: its acceptor is on disk before anything leaves.
    fn step(&mut self, id: NodeId, act: impl FnOnce(&mut Node<Value>) -> Outgoing<Value>) -> Option<Value> {
        let node = self.nodes.get_mut(&id).unwrap().as_mut()?;
        let out = act(node);
        self.disks.insert(id, node.acceptor().clone());
        self.network.extend(out.into_iter().map(|(to, message)| (id, to, message)));
        let chosen = node.chosen()?.clone();
        let before = self.learnt.insert(id, chosen.clone());
        assert!(before.is_none_or(|before| before == chosen), "{id} changed its mind");
        assert!(self.learnt.values().all(|other| *other == chosen), "two values chosen: {:?}", self.learnt);
        Some(chosen)
    }

    fn deliver_at(&mut self, position: usize) {
        let (from, to, message) = self.network.remove(position);
        self.step(to, |node| node.receive(from, message));
    }
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/paxos/transcripts/basic").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    expect_file![path].assert_eq(&run(&text));
}

fn run(text: &str) -> String {
    let mut out = String::new();
    let mut world = World::new(1);
    for line in text.lines().filter(|line| !line.starts_with('>')) {
        writeln!(out, "{line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let known = world.learnt.clone();
        let under_way = world.network.len();
        let taken = command(&mut world, &words, &mut out);
        for (from, to, message) in world.network.iter().skip(under_way - taken) {
            writeln!(out, "> {from} to {to}: {}", describe(message)).unwrap();
        }
        for (id, value) in world.learnt.iter().filter(|(id, _)| !known.contains_key(id)) {
            writeln!(out, "> {id} learns that {value} is chosen").unwrap();
        }
    }
    out
}

/// Carries out a command; returns how many messages that were under way before it has taken from the network.
fn command(world: &mut World, words: &[&str], out: &mut String) -> usize {
    let before = world.network.len();
    match words {
        ["nodes", count] => *world = World::new(count.parse().unwrap()),
        ["propose", id, value] => drop(world.step(node(id), |node| node.propose((*value).to_owned()))),
        ["retry", id] => drop(world.step(node(id), Node::retry)),
        ["deliver", from, to] => {
            let taken = take(world, node(from), node(to));
            let count = taken.len();
            for (from, to, message) in taken {
                world.step(to, |node| node.receive(from, message));
            }
            return count;
        }
        ["drop", from, to] => return take(world, node(from), node(to)).len(),
        ["settle"] => {
            while !world.network.is_empty() {
                world.deliver_at(0);
            }
            return before;
        }
        ["crash", id] => world.crash(node(id)),
        ["start", id] => world.start(node(id)),
        ["state"] => {
            for (id, node) in &world.nodes {
                let acceptor = &world.disks[id];
                let accepted = acceptor.accepted();
                writeln!(
                    out,
                    "> {id} promised {} accepted {} learnt {}{}",
                    acceptor.promised(),
                    accepted.map_or("nothing".into(), |one| format!("{} in {}", one.value, one.ballot)),
                    node.as_ref().and_then(Node::chosen).map_or("nothing", String::as_str),
                    if node.is_none() { ", is down" } else { "" }
                )
                .unwrap();
            }
        }
        words => panic!("not a command: {words:?}"),
    }
    if words[0] == "nodes" { before } else { 0 }
}

fn node(word: &str) -> NodeId {
    NodeId(word.strip_prefix('n').and_then(|number| number.parse().ok()).expect("a node is n1, n2, …"))
}

fn take(world: &mut World, from: NodeId, to: NodeId) -> Vec<(NodeId, NodeId, Message<Value>)> {
    world.network.extract_if(.., |one| (one.0, one.1) == (from, to)).collect()
}

fn describe(message: &Message<Value>) -> String {
    match message {
        Message::Prepare { ballot } => format!("prepare {ballot}"),
        Message::Promise { ballot, accepted: None } => format!("promise {ballot}, nothing accepted"),
        Message::Promise { ballot, accepted: Some(accepted) } => {
            format!("promise {ballot}, accepted {} in {}", accepted.value, accepted.ballot)
        }
        Message::Accept { ballot, value } => format!("accept {value} in {ballot}"),
        Message::Accepted { ballot, value } => format!("accepted {value} in {ballot}"),
        Message::Refused { promised } => format!("refused, promised {promised}"),
    }
}

#[test]
fn one_proposer() {
    check("one_proposer.txt");
}

#[test]
fn a_duel_of_two_proposers_goes_on_for_ever() {
    check("duel.txt");
}

#[test]
fn with_a_leader_the_same_duel_ends() {
    check("duel_with_a_leader.txt");
}

#[test]
fn a_chosen_value_is_adopted() {
    check("adoption.txt");
}

#[test]
fn a_restarted_proposer_uses_no_ballot_twice() {
    check("restart.txt");
}

/// Whatever happens to messages and nodes, at most one value is ever learnt: `World::step` asserts it. And with patience,
/// one is.
#[test]
fn random_schedules_choose_one_value() {
    let mut learnt = 0;
    for seed in 0..2_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = 2 * rng.random_range(1..=2) + 1;
        let mut world = World::new(count);
        for step in 0..300 {
            let id = NodeId(rng.random_range(1..=count));
            match rng.random_range(0..100) {
                0..4 => drop(world.step(id, |node| node.propose(format!("{id}-{step}")))),
                4..7 => drop(world.step(id, Node::retry)),
                7..9 => world.crash(id),
                9..13 if world.nodes[&id].is_none() => world.start(id),
                _ if world.network.is_empty() => {}
                13..18 => drop(world.network.remove(rng.random_range(0..world.network.len()))),
                18..22 => {
                    let again = world.network[rng.random_range(0..world.network.len())].clone();
                    world.network.push(again);
                }
                _ => world.deliver_at(rng.random_range(0..world.network.len())),
            }
        }
        learnt += usize::from(!world.learnt.is_empty());
    }
    assert!(learnt > 1_000, "a decree that is never passed proves nothing: {learnt}");
}
