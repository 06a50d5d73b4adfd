//! Every shape, by its properties, without a network.

use proptest::prelude::*;
use rand::seq::SliceRandom;

use super::*;
use crate::node::nodes;
use crate::random::stream;

fn set(ids: &[u32]) -> BTreeSet<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

/// `n1` to `n{count}`, shuffled by the seed.
fn shuffled(count: u32, seed: u64) -> Vec<NodeId> {
    let mut order: Vec<_> = nodes(count).collect();
    order.shuffle(&mut stream(seed, "test", 0));
    order
}

/// What `node` sees and is seen by, itself included.
fn seen_by(grudge: &Grudge, order: &[NodeId], node: NodeId) -> BTreeSet<NodeId> {
    order.iter().copied().filter(|other| grudge.sees(node, *other)).collect()
}

#[test]
fn isolating_one_of_three() {
    let grudge = Grudge::isolate(&set(&[1, 2, 3]), NodeId(2)).unwrap();
    assert_eq!(grudge.to_string(), "n1⊣n2 n2⊣n1,n3 n3⊣n2");
    assert_eq!(serde_json::to_string(&grudge).unwrap(), r#"{"n1":["n2"],"n2":["n1","n3"],"n3":["n2"]}"#);
}

#[test]
fn a_one_way_cut_leaves_the_way_back_open() {
    let grudge = Grudge::one_way(&set(&[1]), &set(&[1, 2, 3])).unwrap();
    assert_eq!(grudge.pairs().collect::<Vec<_>>(), [(NodeId(2), NodeId(1)), (NodeId(3), NodeId(1))]);
    assert!(grudge.drops(NodeId(2), NodeId(1)) && !grudge.drops(NodeId(1), NodeId(2)));
    assert!(!grudge.is_symmetric() && !grudge.sees(NodeId(1), NodeId(2)));
    assert!(Grudge::one_way(&set(&[1]), &set(&[1])).is_err());
}

#[test]
fn shapes_that_need_more_nodes_say_so() {
    let too_few = |result: Result<Grudge, GrudgeError>, needs: usize| match result {
        Err(GrudgeError::TooFewNodes { needs: said, .. }) => assert_eq!(said, needs),
        other => panic!("{other:?}"),
    };
    too_few(Grudge::isolate(&set(&[1]), NodeId(1)), 2);
    too_few(Grudge::halves(&shuffled(1, 0)), 2);
    too_few(Grudge::minority(&set(&[1, 2]), &set(&[1])), 3);
    too_few(Grudge::bridge(&shuffled(2, 0), NodeId(1)), 3);
    too_few(Grudge::ring(&shuffled(3, 0)), 4);
    let message = Grudge::ring(&shuffled(3, 0)).unwrap_err().to_string();
    assert_eq!(message, "a ring of majorities needs at least 4 nodes, there are 3");
}

#[test]
fn sides_that_make_no_sense_are_refused() {
    let all = set(&[1, 2, 3, 4]);
    for side in [set(&[]), set(&[1, 2, 3, 4]), set(&[9])] {
        assert!(Grudge::split(&all, &side).is_err(), "{side:?}");
    }
    assert!(Grudge::minority(&all, &set(&[1, 2])).is_err(), "two of four leave no majority");
    assert!(Grudge::components(&[set(&[1, 2]), set(&[2, 3])]).is_err(), "n2 on two sides");
    assert!(Grudge::bridge(&shuffled(3, 0), NodeId(9)).is_err());
    assert!(Grudge::ring(&[NodeId(1), NodeId(1), NodeId(2), NodeId(3)]).is_err());
}

#[test]
fn a_hostile_grudge_is_refused_when_read() {
    assert!(serde_json::from_str::<Grudge>(r#"{"n1":["n1"]}"#).is_err());
    assert!(serde_json::from_str::<Grudge>(r#"{"x":["n1"]}"#).is_err());
    assert!(serde_json::from_str::<Grudge>(r#"{"n1":[]}"#).unwrap().is_empty());
}

proptest! {
    #[test]
    fn halves_are_two_cliques(count in 2_u32..10, seed: u64) {
        let order = shuffled(count, seed);
        let grudge = Grudge::halves(&order).unwrap();
        prop_assert!(grudge.is_symmetric());
        let mut sizes: Vec<_> = order.iter().map(|node| seen_by(&grudge, &order, *node).len()).collect();
        sizes.sort_unstable();
        prop_assert_eq!(sizes[0], count as usize / 2);
        prop_assert_eq!(sizes[count as usize - 1], (count as usize).div_ceil(2));
    }

    #[test]
    fn an_isolated_node_sees_itself_only(count in 2_u32..10, seed: u64) {
        let order = shuffled(count, seed);
        let grudge = Grudge::isolate(&order.iter().copied().collect(), order[0]).unwrap();
        prop_assert_eq!(seen_by(&grudge, &order, order[0]).len(), 1);
        for node in &order[1..] {
            prop_assert_eq!(seen_by(&grudge, &order, *node).len(), count as usize - 1);
        }
    }

    #[test]
    fn a_minority_leaves_a_majority_that_sees_itself(count in 3_u32..10, seed: u64) {
        let order = shuffled(count, seed);
        for few in 1..=crate::view::minority(count as usize) {
            let side = order[..few].iter().copied().collect();
            let grudge = Grudge::minority(&order.iter().copied().collect(), &side).unwrap();
            prop_assert!(grudge.is_symmetric());
            prop_assert!(seen_by(&grudge, &order, order[few]).len() >= majority(count as usize));
        }
    }

    #[test]
    fn a_bridge_sees_all_and_its_sides_see_only_it(count in 3_u32..10, seed: u64) {
        let order = shuffled(count, seed);
        let grudge = Grudge::bridge(&order, order[0]).unwrap();
        prop_assert!(grudge.is_symmetric());
        prop_assert_eq!(seen_by(&grudge, &order, order[0]).len(), count as usize);
        for node in &order[1..] {
            let seen = seen_by(&grudge, &order, *node);
            prop_assert!(seen.contains(&order[0]) && seen.len() < count as usize);
        }
    }

    #[test]
    fn in_the_ring_each_sees_a_majority_and_no_two_see_the_same(count in 4_u32..12, seed: u64) {
        let order = shuffled(count, seed);
        let grudge = Grudge::ring(&order).unwrap();
        prop_assert!(grudge.is_symmetric());
        let seen: BTreeSet<_> = order.iter().map(|node| seen_by(&grudge, &order, *node)).collect();
        prop_assert_eq!(seen.len(), count as usize, "all different");
        for majority_seen in seen {
            let fewest = majority(count as usize);
            prop_assert!((fewest..=fewest + 1).contains(&majority_seen.len()));
        }
    }

    #[test]
    fn what_is_written_is_read_back(count in 2_u32..8, seed: u64) {
        let grudge = Grudge::halves(&shuffled(count, seed)).unwrap();
        let text = serde_json::to_string(&grudge).unwrap();
        prop_assert_eq!(serde_json::from_str::<Grudge>(&text).unwrap(), grudge.clone());
        prop_assert_eq!(Grudge::from_pairs(grudge.pairs()).unwrap(), grudge);
    }
}
