//! Why operations have no order, as a shortest circle in a graph of constraints, for objects on which every change settles the
//! state: registers, mutexes.
//!
//! An edge from a to b says that a comes before b in every order, and why ([`Why`]). What an operation found can be the work of
//! one change only, if the state after no other one fits its answer; the two then *go together*: no other change can stand
//! between them. Operations that go together are a *block*, and whatever comes before one member of a block comes before all. So
//! a circle is found in one of two graphs: within blocks along real time, what was found and what was replaced; or from
//! block to block along real time, free to move inside each. Where values are distinct and there are no refused cas, two blocks
//! are enough for the latter (Gibbons and Korach 1997): four operations at most. Only cas that found each other's work all around
//! may be more.
//!
//! Cost: a breadth-first search per edge (petgraph's `astar` without a heuristic, which does not recurse), for the few
//! operations of a minimal counterexample. It explains; it does not judge.

use petgraph::algo::astar;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::model::{Call, Effect, Model};

/// Why an operation comes before the next one of a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It had returned before the next one was invoked.
    RealTime,
    /// The next one found what it left.
    Found,
    /// It found what the next one replaced.
    Replaced,
    /// It found the object as it was at the start, and the next one changed it.
    Initial,
    /// No other change can stand between the two, in whichever order they are; so both count as one.
    Together,
}

/// A step of a circle: an operation, and why it comes before that of the next step, the last one before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The operation's place among those given.
    pub at: usize,
    /// Why it comes before the next.
    pub why: Why,
}

/// More operations than these are no explanation.
const OPERATIONS_MAX: usize = 64;

/// A shortest circle among these operations, the earliest invoked first; none where the graph has none, which proves
/// nothing.
pub fn circle<M: Model>(model: &M, calls: &[Call<M::Operation>]) -> Option<Vec<Step>> {
    if calls.len() > OPERATIONS_MAX {
        return None;
    }
    let constraints = Constraints::new(model, calls)?;
    let (within, between) = (constraints.within(), constraints.between());
    let circles = [(&within, None), (&between, Some(Why::Together))]
        .into_iter()
        .flat_map(|(graph, free)| circles(graph, free));
    let mut shortest = circles.min_by_key(Vec::len)?;
    let first = (0..shortest.len()).min_by_key(|place| calls[shortest[*place].at].invoked)?;
    shortest.rotate_left(first);
    Some(shortest)
}

type Graph = DiGraph<(), Why>;

/// The shortest circle through each edge, but for those that are free.
fn circles(graph: &Graph, free: Option<Why>) -> impl Iterator<Item = Vec<Step>> {
    let edges = graph.edge_indices().filter(move |edge| Some(graph[*edge]) != free);
    edges.filter_map(move |edge| {
        let (from, to) = graph.edge_endpoints(edge)?;
        let (_, path) = astar(graph, to, |node| node == from, |_| 1, |_| 0)?;
        let mut steps = vec![Step { at: from.index(), why: graph[edge] }];
        for pair in path.windows(2) {
            let why = graph[graph.find_edge(pair[0], pair[1])?];
            steps.push(Step { at: pair[0].index(), why });
        }
        Some(steps)
    })
}

/// Whose work an operation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Nothing had changed the object yet.
    Start,
    By(usize),
    /// Several could be.
    Open,
}

struct Constraints<'a, O> {
    calls: &'a [Call<O>],
    sources: Vec<Source>,
    changes: Vec<bool>,
    /// Whether it surely took effect: its outcome is known, or somebody found its work.
    happened: Vec<bool>,
    /// The block of each; none for what only looks and may have seen the work of several.
    blocks: Vec<Option<usize>>,
}

impl<'a, O: Clone> Constraints<'a, O> {
    fn new<M: Model<Operation = O>>(model: &M, calls: &'a [Call<O>]) -> Option<Self> {
        let changes: Vec<bool> =
            calls.iter().map(|call| model.effect(&call.operation) != Effect::None).collect();
        let mut left = Vec::with_capacity(calls.len());
        for (call, changes) in calls.iter().zip(&changes) {
            left.push(if *changes { Some(left_by(model, &call.operation)?) } else { None });
        }
        let source = |at: usize| {
            let operation = &calls[at].operation;
            if model.effect(operation) == Effect::Overwrite {
                return Source::Open;
            }
            let fits = |state: &M::State| model.step(state, operation).is_some();
            let mut sources = left
                .iter()
                .enumerate()
                .filter(|(other, state)| *other != at && state.as_ref().is_some_and(fits))
                .map(|(other, _)| Source::By(other))
                .chain(fits(&model.init()).then_some(Source::Start));
            match (sources.next(), sources.next()) {
                (Some(only), None) => only,
                _ => Source::Open,
            }
        };
        let sources: Vec<Source> = (0..calls.len()).map(source).collect();
        let mut happened: Vec<bool> = calls.iter().map(|call| !call.is_unknown()).collect();
        // Each pass follows every chain of unknown outcomes one operation further.
        for _ in 0..calls.len() {
            for at in 0..calls.len() {
                if let (true, Source::By(source)) = (happened[at], sources[at]) {
                    happened[source] = true;
                }
            }
        }
        let mut constraints = Constraints { calls, sources, changes, happened, blocks: Vec::new() };
        constraints.blocks = (0..calls.len()).map(|at| constraints.block(at)).collect();
        Some(constraints)
    }

    /// A block is named by the change it begins with, the one before all changes by the number of operations.
    fn block(&self, at: usize) -> Option<usize> {
        let mut root = at;
        // Cas that found each other's work all around have no first; any of them will do.
        for _ in 0..self.calls.len() {
            match self.sources[root] {
                Source::Start => return Some(self.calls.len()),
                Source::By(source) => root = source,
                Source::Open => break,
            }
        }
        self.changes[root].then_some(root)
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.calls.len();
        let all = (0..count).flat_map(move |a| (0..count).map(move |b| (a, b)));
        all.filter(|(a, b)| a != b && self.happened[*a] && self.happened[*b])
    }

    fn graph(&self, why: impl Fn(usize, usize) -> Option<Why>) -> Graph {
        let mut graph = Graph::new();
        for _ in self.calls {
            graph.add_node(());
        }
        for (a, b) in self.pairs() {
            if let Some(why) = why(a, b) {
                graph.add_edge(NodeIndex::new(a), NodeIndex::new(b), why);
            }
        }
        graph
    }

    fn must_precede(&self, a: usize, b: usize) -> Option<Why> {
        if self.calls[a].precedes(&self.calls[b]) {
            return Some(Why::RealTime);
        }
        (self.sources[a] == Source::Start && self.changes[b]).then_some(Why::Initial)
    }

    fn within(&self) -> Graph {
        self.graph(|a, b| {
            let found = || (self.sources[b] == Source::By(a)).then_some(Why::Found);
            let shared = self.sources[a] == self.sources[b] && self.sources[a] != Source::Open;
            let replaced = || (shared && self.changes[b]).then_some(Why::Replaced);
            self.must_precede(a, b).or_else(found).or_else(replaced)
        })
    }

    fn between(&self) -> Graph {
        self.graph(|a, b| match (self.blocks[a], self.blocks[b]) {
            (Some(one), Some(other)) if one == other => Some(Why::Together),
            (Some(_), Some(_)) => self.must_precede(a, b),
            _ => None,
        })
    }
}

/// The state that a change leaves, whatever was there before; none when the model does not say.
fn left_by<M: Model>(model: &M, operation: &M::Operation) -> Option<M::State> {
    match model.effect(operation) {
        Effect::Overwrite => model.step(&model.init(), operation),
        Effect::Replace => model.leaves(operation),
        Effect::None | Effect::Any => None,
    }
}
