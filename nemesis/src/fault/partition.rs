//! Links cut between nodes: the shapes of [`crate::grudge`], aimed by role.
//!
//! The shape that finds most is the *shift* (see [`Partition::SHIFT`]): quorums that intersect in as few nodes as
//! they may, one after the other, without a moment between them in which the laggards could catch up.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::{Class, Decision, Declined, Fault, Scene};
use crate::action::Action;
use crate::grudge::{Grudge, GrudgeError};
use crate::node::NodeId;
use crate::random::Stream;
use crate::target::{Target, listed};
use crate::view::{majority, minority};

/// A fault that cuts links.
#[derive(Debug)]
pub struct Partition {
    name: &'static str,
    doc: &'static str,
    shape: Shape,
    nodes_min: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Any,
    Leader,
    One,
    Minority,
    Halves,
    Bridge,
    Ring,
    OneWay,
    Shift,
}

/// What a plain partition draws from when nothing is cut.
const FIRST: &[(Shape, u32)] = &[
    (Shape::Leader, 35),
    (Shape::Minority, 20),
    (Shape::Shift, 15),
    (Shape::OneWay, 8),
    (Shape::Bridge, 8),
    (Shape::Ring, 5),
    (Shape::One, 5),
    (Shape::Halves, 4),
];

/// What it draws from when it takes the place of another.
const NEXT: &[(Shape, u32)] = &[(Shape::Shift, 80), (Shape::Leader, 20)];

/// How often a plain partition accepts a shape under which no majority can go on (two halves of four, say): seldom,
/// as such a time finds little else.
const STANDSTILL_PERCENT: u32 = 10;

impl Partition {
    /// Any shape.
    pub const ANY: Self = Partition {
        name: "partition",
        doc: "cuts links in a shape drawn at random: the leader or another node alone, minority and majority, halves, \
              bridge, ring, one way; one after the other so that majorities shift",
        shape: Shape::Any,
        nodes_min: 2,
    };
    /// The leader alone.
    pub const LEADER: Self = Partition {
        name: "partition-leader",
        doc: "the leader alone, all others together: clients that stay with it must not be lied to",
        shape: Shape::Leader,
        nodes_min: 2,
    };
    /// One node alone.
    pub const ONE: Self = Partition {
        name: "partition-one",
        doc: "one node at random alone, all others together",
        shape: Shape::One,
        nodes_min: 2,
    };
    /// A minority apart.
    pub const MINORITY: Self = Partition {
        name: "partition-minority",
        doc: "a minority, often with the leader in it, cut off from a majority",
        shape: Shape::Minority,
        nodes_min: 3,
    };
    /// Two halves.
    pub const HALVES: Self = Partition {
        name: "partition-halves",
        doc: "two halves at random; with an even number of nodes neither is a majority",
        shape: Shape::Halves,
        nodes_min: 2,
    };
    /// Two sides and a bridge.
    pub const BRIDGE: Self = Partition {
        name: "partition-bridge",
        doc: "two sides that do not see each other, and one node between them that sees both",
        shape: Shape::Bridge,
        nodes_min: 3,
    };
    /// A ring of majorities.
    pub const RING: Self = Partition {
        name: "partition-ring",
        doc: "every node sees a majority, no two see the same one",
        shape: Shape::Ring,
        nodes_min: 4,
    };
    /// One direction only.
    pub const ONE_WAY: Self = Partition {
        name: "partition-one-way",
        doc: "one node, mostly the leader, is heard by nobody but hears all, or hears nobody but is heard",
        shape: Shape::OneWay,
        nodes_min: 2,
    };
    /// A majority, then another.
    pub const SHIFT: Self = Partition {
        name: "partition-shift",
        doc: "a minority without the leader is cut off while writes go on; then, in one step, the leader is cut off \
              and a majority formed of that minority and as few up-to-date nodes as possible: only those may lead it",
        shape: Shape::Shift,
        nodes_min: 3,
    };
}

impl Fault for Partition {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn class(&self) -> Class {
        Class::Partition
    }

    fn nodes_min(&self) -> usize {
        self.nodes_min
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        let (grudge, story) = match self.shape {
            Shape::Any => any(scene, rng)?,
            shape => draw(shape, scene, rng)?,
        };
        Ok(Decision::until_undone(vec![Action::Cut { grudge }], story))
    }
}

/// Shapes in a random order by weight; the first that these nodes can take and under which they can go on.
fn any(scene: &Scene<'_>, rng: &mut Stream) -> Result<(Grudge, String), Declined> {
    let mut shapes = if scene.cut.is_some() { NEXT } else { FIRST }.to_vec();
    let standstill = rng.random_ratio(STANDSTILL_PERCENT, 100);
    let mut last = Declined::because("no shape fits");
    while let Ok((shape, _)) = shapes.choose_weighted(rng, |(_, weight)| *weight).copied() {
        shapes.retain(|(other, _)| *other != shape);
        match draw(shape, scene, rng) {
            Ok((grudge, _)) if !standstill && !scene.can_progress(&BTreeSet::new(), Some(&grudge)) => {}
            Ok(drawn) => return Ok(drawn),
            Err(declined) => last = declined,
        }
    }
    Err(last)
}

/// This shape over all nodes of the scene, with its story.
fn draw(shape: Shape, scene: &Scene<'_>, rng: &mut Stream) -> Result<(Grudge, String), Declined> {
    let all = scene.view.all();
    let mut order: Vec<_> = all.iter().copied().collect();
    order.shuffle(rng);
    let drawn = match shape {
        Shape::Any => return any(scene, rng),
        Shape::Leader | Shape::One => {
            let target = if shape == Shape::Leader { Target::Leader } else { Target::One };
            let aimed = target.resolve(scene, rng)?;
            (Grudge::split(&all, &aimed.nodes), format!("{} alone", aimed.story))
        }
        Shape::Minority => {
            lead_first(&mut order, scene.view.leader().filter(|_| rng.random_bool(0.5)));
            let few: BTreeSet<_> = order.iter().copied().take(minority(all.len())).collect();
            (Grudge::minority(&all, &few), format!("the minority {}", listed(&few)))
        }
        Shape::Halves => {
            let half = listed(&order[..order.len() / 2]);
            (Grudge::halves(&order), format!("halves: {half} and the others"))
        }
        Shape::Bridge => {
            lead_first(&mut order, scene.view.leader().filter(|_| rng.random_ratio(1, 3)));
            (Grudge::bridge(&order, order[0]), format!("{} bridges two sides", order[0]))
        }
        Shape::Ring => {
            let ring: Vec<_> = order.iter().map(NodeId::to_string).collect();
            (Grudge::ring(&order), format!("ring {}", ring.join("-")))
        }
        Shape::OneWay => one_way(scene, &all, rng)?,
        Shape::Shift => match scene.cut {
            None => laggards(scene, &all, order),
            Some(cut) => shift(scene, &all, order, cut)?,
        },
    };
    let (grudge, story) = drawn;
    Ok((grudge.map_err(|error: GrudgeError| Declined::because(error.to_string()))?, story))
}

fn lead_first(order: &mut [NodeId], leader: Option<NodeId>) {
    if let Some(index) = leader.and_then(|leader| order.iter().position(|node| *node == leader)) {
        order.swap(0, index);
    }
}

type Drawn = (Result<Grudge, GrudgeError>, String);

fn one_way(scene: &Scene<'_>, all: &BTreeSet<NodeId>, rng: &mut Stream) -> Result<Drawn, Declined> {
    let target = if rng.random_ratio(2, 3) { Target::Leader } else { Target::One };
    let aimed = target.resolve(scene, rng)?;
    let others = all - &aimed.nodes;
    Ok(match rng.random_bool(0.5) {
        true => (Grudge::one_way(&aimed.nodes, &others), format!("{} is heard by nobody", aimed.story)),
        false => (Grudge::one_way(&others, &aimed.nodes), format!("{} hears nobody", aimed.story)),
    })
}

/// The shift's first act: the largest minority without the leader falls behind.
fn laggards(scene: &Scene<'_>, all: &BTreeSet<NodeId>, mut order: Vec<NodeId>) -> Drawn {
    order.retain(|node| Some(*node) != scene.view.leader());
    let few: BTreeSet<_> = order.into_iter().take(minority(all.len())).collect();
    (Grudge::minority(all, &few), format!("{} fall behind", listed(&few)))
}

/// The shift's second act: those that the cut in force kept from the leader, and as few others as make a majority,
/// against the leader and the rest.
fn shift(
    scene: &Scene<'_>,
    all: &BTreeSet<NodeId>,
    order: Vec<NodeId>,
    cut: &Grudge,
) -> Result<Drawn, Declined> {
    let leader =
        scene.view.leader().ok_or_else(|| Declined::because("no leader is known to shift away from"))?;
    let up = scene.view.up();
    let lag = |node: &NodeId| *node != leader && !cut.sees(leader, *node);
    // Laggards first; nodes that are down help nobody to a majority.
    let mut others: Vec<_> = order.into_iter().filter(|node| *node != leader).collect();
    others.sort_by_key(|node| (!up.contains(node), !lag(node)));
    if !others.first().is_some_and(|node| up.contains(node) && lag(node)) {
        return Err(Declined::because("no node that is up lags behind the leader"));
    }
    let side: BTreeSet<_> = others.into_iter().take(majority(all.len())).collect();
    let behind: Vec<_> = side.iter().copied().filter(lag).collect();
    let rest = all - &side;
    let story =
        format!("the leader {leader} cut off ({}), {} come back lagging", listed(&rest), listed(&behind));
    Ok((Grudge::split(all, &side), story))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use crate::view::{NodeView, Role, View};

    fn led(count: u32, leader: u32) -> View {
        let mut view = View::unknown(count);
        view.nodes.insert(NodeId(leader), NodeView { role: Role::Leader, term: 4 });
        view
    }

    fn grudge(fault: &Partition, scene: &Scene<'_>, seed: u64) -> Result<Grudge, Declined> {
        match fault.decide(scene, &mut stream(seed, "t", 0))?.start.as_slice() {
            [Action::Cut { grudge }] => Ok(grudge.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_shift_leaves_one_quorum_for_another_that_shares_as_few_nodes_as_may_be() {
        for count in [3, 5, 7] {
            let view = led(count, 1);
            for seed in 0..50 {
                let scene = Scene { view: &view, cut: None };
                let first = grudge(&Partition::SHIFT, &scene, seed).unwrap();
                let saw: BTreeSet<_> = view.all().into_iter().filter(|n| first.sees(NodeId(1), *n)).collect();
                assert_eq!(saw.len(), majority(count as usize), "the leader keeps a bare majority");
                let scene = Scene { view: &view, cut: Some(&first) };
                let second = grudge(&Partition::SHIFT, &scene, seed).unwrap();
                let side: BTreeSet<_> =
                    view.all().into_iter().filter(|n| !second.sees(NodeId(1), *n) && n.0 != 1).collect();
                assert_eq!(side.len(), majority(count as usize));
                assert_eq!(side.intersection(&saw).count(), 1, "one node carries what was acknowledged");
            }
        }
    }

    #[test]
    fn plain_partitions_mostly_leave_a_majority_that_can_go_on() {
        for count in 2..8 {
            let view = led(count, 1);
            let scene = Scene { view: &view, cut: None };
            let stuck = (0..300).filter(|seed| {
                let grudge = grudge(&Partition::ANY, &scene, *seed).unwrap();
                !scene.can_progress(&BTreeSet::new(), Some(&grudge))
            });
            assert!(stuck.count() < 60, "of {count} nodes");
        }
    }

    #[test]
    fn the_leader_is_isolated_when_asked() {
        let view = led(5, 3);
        let drawn = grudge(&Partition::LEADER, &Scene { view: &view, cut: None }, 1).unwrap();
        assert_eq!(drawn, Grudge::isolate(&view.all(), NodeId(3)).unwrap());
    }

    #[test]
    fn a_shift_without_laggards_or_leader_declines() {
        let view = led(3, 1);
        let open = Grudge::default();
        assert!(grudge(&Partition::SHIFT, &Scene { view: &view, cut: Some(&open) }, 1).is_err());
        let view = View::unknown(3);
        let cut = Grudge::isolate(&view.all(), NodeId(2)).unwrap();
        assert!(grudge(&Partition::SHIFT, &Scene { view: &view, cut: Some(&cut) }, 1).is_err());
    }
}
