//! Do the nodes agree, once nobody asks any more? Equal logs make equal states: two nodes that applied the same
//! operations and hold different states have diverged, whether or not a client has seen it yet.
//!
//! Only for systems whose nodes say how far they applied and what state that led to.

use std::collections::BTreeMap;
use std::time::Duration;

use rashomon_nemesis::NodeId;

use crate::systems::Probe;

/// How often nodes are asked until all have applied alike.
const ATTEMPTS: u32 = 60;

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(50);

/// Compares the nodes' states, once they have applied alike; a story when two of them differ. Nodes that say nothing of
/// their state, or do not come to rest in time, are not compared.
pub async fn divergence(probe: &dyn Probe, nodes: &[NodeId]) -> Option<String> {
    for _ in 0..ATTEMPTS {
        let statuses = futures::future::join_all(nodes.iter().map(|node| probe.status(*node))).await;
        if statuses.iter().flatten().any(|status| status.applied.is_none() || status.digest.is_none()) {
            return None;
        }
        let states: Option<BTreeMap<NodeId, (u64, u64)>> = nodes
            .iter()
            .zip(statuses)
            .map(|(node, status)| {
                status.ok().and_then(|status| Some((*node, (status.applied?, status.digest?))))
            })
            .collect();
        if let Some(story) = states.as_ref().and_then(compare) {
            return Some(story);
        }
        let is_at_rest = states.is_some_and(|states| {
            let mut applied = states.values().map(|(applied, _)| applied);
            let first = applied.next();
            applied.all(|other| Some(other) == first)
        });
        if is_at_rest {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// Two nodes that applied as much and hold different states.
fn compare(states: &BTreeMap<NodeId, (u64, u64)>) -> Option<String> {
    let mut seen: BTreeMap<u64, (NodeId, u64)> = BTreeMap::new();
    for (node, (applied, digest)) in states {
        let (first, held) = *seen.entry(*applied).or_insert((*node, *digest));
        if held != *digest {
            return Some(format!(
                "The nodes have diverged: {first} and {node} both applied the log up to {applied}, and hold different \
                 states ({held:016x} and {digest:016x})."
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_states_at_the_same_place_are_compared() {
        let states =
            |all: &[(u64, u64)]| (1..).map(NodeId).zip(all.iter().copied()).collect::<BTreeMap<_, _>>();
        assert_eq!(compare(&states(&[(7, 1), (8, 2), (7, 1)])), None);
        let story = compare(&states(&[(7, 1), (8, 2), (7, 3)])).unwrap();
        assert!(story.contains("n1 and n3") && story.contains("up to 7"), "{story}");
    }
}
