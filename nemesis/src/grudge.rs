//! Grudges: who drops whose packets. Pure shapes, checked without a network.
//!
//! The word and most shapes are Jepsen's (`jepsen/src/jepsen/nemesis.clj`): a grudge maps a node to the nodes whose
//! packets it *drops on arrival*. So a grudge is directed: `{n1: [n2]}` cuts n2 → n1 and leaves n1 → n2 open.
//! Nothing here knows addresses, rules or roles. Next: [`crate::action`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::node::NodeId;
use crate::view::majority;

/// Each node's list of sources whose packets it drops. No node drops its own packets, no list is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<NodeId, BTreeSet<NodeId>>", into = "BTreeMap<NodeId, BTreeSet<NodeId>>")]
pub struct Grudge(BTreeMap<NodeId, BTreeSet<NodeId>>);

/// A shape that these nodes cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrudgeError {
    /// The shape needs more nodes than there are.
    #[error("a {shape} needs at least {needs} nodes, there are {has}")]
    TooFewNodes {
        /// The shape asked for.
        shape: &'static str,
        /// The fewest nodes it makes sense for.
        needs: usize,
        /// The nodes there are.
        has: usize,
    },
    /// One side of the cut is empty or not among the nodes.
    #[error("a {shape} cannot be drawn: {reason}")]
    BadSides {
        /// The shape asked for.
        shape: &'static str,
        /// What is wrong with the sides.
        reason: &'static str,
    },
    /// A node that drops its own packets.
    #[error("{node} cannot drop its own packets")]
    DropsItself {
        /// The node.
        node: NodeId,
    },
}

impl Grudge {
    /// The grudge that drops exactly these `(destination, source)` pairs.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (NodeId, NodeId)>) -> Result<Self, GrudgeError> {
        let mut drops = BTreeMap::<_, BTreeSet<_>>::new();
        for (destination, source) in pairs {
            drops.entry(destination).or_default().insert(source);
        }
        Grudge::try_from(drops)
    }

    /// Nodes of different components drop each other; within a component all is open (Jepsen's `complete-grudge`).
    pub fn components(components: &[BTreeSet<NodeId>]) -> Result<Self, GrudgeError> {
        let shape = "split into components";
        let all: BTreeSet<_> = components.iter().flatten().copied().collect();
        if components.len() < 2 || components.iter().any(BTreeSet::is_empty) {
            return Err(GrudgeError::BadSides { shape, reason: "fewer than two sides with nodes in them" });
        }
        if components.iter().map(BTreeSet::len).sum::<usize>() != all.len() {
            return Err(GrudgeError::BadSides { shape, reason: "a node stands on two sides" });
        }
        let dropped_by =
            |component: &BTreeSet<NodeId>| all.difference(component).copied().collect::<BTreeSet<_>>();
        let drops = components.iter().flat_map(|own| own.iter().map(|node| (*node, dropped_by(own))));
        Ok(Grudge(drops.collect()))
    }

    /// These nodes on one side, all the others on the other.
    pub fn split(all: &BTreeSet<NodeId>, side: &BTreeSet<NodeId>) -> Result<Self, GrudgeError> {
        let shape = "split";
        need(shape, 2, all)?;
        if side.is_empty() || !side.is_subset(all) || side.len() == all.len() {
            return Err(GrudgeError::BadSides { shape, reason: "one side is empty or not among the nodes" });
        }
        Grudge::components(&[side.clone(), all - side])
    }

    /// One node alone, all the others together.
    pub fn isolate(all: &BTreeSet<NodeId>, alone: NodeId) -> Result<Self, GrudgeError> {
        Grudge::split(all, &BTreeSet::from([alone]))
    }

    /// Two halves in the order given (the caller shuffles); with an odd count the second is one larger.
    pub fn halves(order: &[NodeId]) -> Result<Self, GrudgeError> {
        let all = distinct(order)?;
        need("pair of halves", 2, &all)?;
        Grudge::split(&all, &order[..order.len() / 2].iter().copied().collect())
    }

    /// A minority on its own side of the cut: fails when `few` would leave no majority on the other side.
    pub fn minority(all: &BTreeSet<NodeId>, few: &BTreeSet<NodeId>) -> Result<Self, GrudgeError> {
        let shape = "majority and minority";
        need(shape, 3, all)?;
        if few.len() + majority(all.len()) > all.len() {
            return Err(GrudgeError::BadSides { shape, reason: "the other side is no majority" });
        }
        Grudge::split(all, few)
    }

    /// Two sides that cannot see each other, and one node between them that sees both and is seen by both
    /// (Jepsen's `bridge`). Sides are cut in the order given.
    pub fn bridge(order: &[NodeId], between: NodeId) -> Result<Self, GrudgeError> {
        let all = distinct(order)?;
        need("bridge", 3, &all)?;
        if !all.contains(&between) {
            return Err(GrudgeError::BadSides {
                shape: "bridge",
                reason: "the bridge is not among the nodes",
            });
        }
        let others: Vec<_> = order.iter().copied().filter(|node| *node != between).collect();
        Grudge::halves(&others)
    }

    /// Every node sees a majority, no two see the same one (Jepsen's `majorities-ring`): in the ring of the order
    /// given, each node sees itself and its `k` neighbours on either side.
    ///
    /// Jepsen's ring gives each node exactly a majority and so cuts some links one way only, which no TCP stream
    /// survives either way; here `k` is the smallest that makes a majority, so links are cut both ways or not at
    /// all, and for 6, 7, 10, 11, … nodes each sees one node more than it must. Four nodes are the fewest: among
    /// three, two-way links cannot give each a different majority.
    pub fn ring(order: &[NodeId]) -> Result<Self, GrudgeError> {
        let all = distinct(order)?;
        need("ring of majorities", 4, &all)?;
        let count = order.len();
        let reach = majority(count) / 2;
        let dropped = |i: usize| {
            let beyond = reach + 1..count - reach;
            beyond.map(move |step| order[(i + step) % count]).collect::<BTreeSet<_>>()
        };
        Ok(Grudge((0..count).map(|i| (order[i], dropped(i))).collect()))
    }

    /// Packets from `sources` are lost on the way to `destinations`; the other direction stays open.
    pub fn one_way(sources: &BTreeSet<NodeId>, destinations: &BTreeSet<NodeId>) -> Result<Self, GrudgeError> {
        let pairs = destinations.iter().flat_map(|to| sources.iter().map(move |from| (*to, *from)));
        let grudge: Self = pairs.filter(|(to, from)| to != from).collect();
        match grudge.is_empty() {
            true => {
                Err(GrudgeError::BadSides { shape: "one-way cut", reason: "no link runs between the sides" })
            }
            false => Ok(grudge),
        }
    }

    /// Whether `destination` drops what `source` sends.
    pub fn drops(&self, destination: NodeId, source: NodeId) -> bool {
        self.0.get(&destination).is_some_and(|sources| sources.contains(&source))
    }

    /// Whether packets pass between the two both ways (a node always sees itself).
    pub fn sees(&self, a: NodeId, b: NodeId) -> bool {
        !self.drops(a, b) && !self.drops(b, a)
    }

    /// The cut pairs as `(destination, source)`, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        self.0.iter().flat_map(|(to, sources)| sources.iter().map(move |from| (*to, *from)))
    }

    /// The sources that `destination` drops, if any.
    pub fn dropped_by(&self, destination: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.0.get(&destination).into_iter().flatten().copied()
    }

    /// Every node that drops or is dropped.
    pub fn nodes(&self) -> BTreeSet<NodeId> {
        self.pairs().flat_map(|(to, from)| [to, from]).collect()
    }

    /// Whether nothing is cut.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every link is cut both ways or not at all.
    pub fn is_symmetric(&self) -> bool {
        self.pairs().all(|(to, from)| self.drops(from, to))
    }
}

/// Pairs of a node with itself are left out: no rule could drop them.
impl FromIterator<(NodeId, NodeId)> for Grudge {
    fn from_iter<I: IntoIterator<Item = (NodeId, NodeId)>>(pairs: I) -> Self {
        let mut drops = BTreeMap::<_, BTreeSet<_>>::new();
        for (destination, source) in pairs.into_iter().filter(|(to, from)| to != from) {
            drops.entry(destination).or_default().insert(source);
        }
        Grudge(drops)
    }
}

impl TryFrom<BTreeMap<NodeId, BTreeSet<NodeId>>> for Grudge {
    type Error = GrudgeError;

    fn try_from(mut drops: BTreeMap<NodeId, BTreeSet<NodeId>>) -> Result<Self, GrudgeError> {
        drops.retain(|_, sources| !sources.is_empty());
        match drops.iter().find(|(node, sources)| sources.contains(node)) {
            Some((node, _)) => Err(GrudgeError::DropsItself { node: *node }),
            None => Ok(Grudge(drops)),
        }
    }
}

impl From<Grudge> for BTreeMap<NodeId, BTreeSet<NodeId>> {
    fn from(grudge: Grudge) -> Self {
        grudge.0
    }
}

/// `n1⊣n2,n3 n2⊣n1`: who drops whom.
impl fmt::Display for Grudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (node, sources)) in self.0.iter().enumerate() {
            let sources: Vec<_> = sources.iter().map(NodeId::to_string).collect();
            write!(f, "{}{node}⊣{}", if index == 0 { "" } else { " " }, sources.join(","))?;
        }
        Ok(())
    }
}

fn need(shape: &'static str, needs: usize, all: &BTreeSet<NodeId>) -> Result<(), GrudgeError> {
    match all.len() >= needs {
        true => Ok(()),
        false => Err(GrudgeError::TooFewNodes { shape, needs, has: all.len() }),
    }
}

fn distinct(order: &[NodeId]) -> Result<BTreeSet<NodeId>, GrudgeError> {
    let all: BTreeSet<_> = order.iter().copied().collect();
    match all.len() == order.len() {
        true => Ok(all),
        false => Err(GrudgeError::BadSides { shape: "cut", reason: "a node is listed twice" }),
    }
}

#[cfg(test)]
mod tests;
