//! Targets by role: who is meant by "the leader", "a minority", "one of the followers", in this scene.
//!
//! Resolved purely, over nodes whose process is up. **When no leader is known** (an election is going on, the probe
//! timed out, the system has none) a target that needs one falls back to a node drawn at random, and says so: during
//! an election any node may be the next leader, and a fault then is worth more than none. Directed time lines that
//! must hit the leader wait for one instead ([`crate::timeline`]). Next: [`crate::fault`].

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::{Declined, Scene};
use crate::node::NodeId;
use crate::random::Stream;
use crate::view::{majority, minority};

/// Who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The leader.
    Leader,
    /// A node that still claims to lead although another was elected after it; if there is none, the leader.
    Deposed,
    /// One node that does not lead.
    Follower,
    /// All nodes that do not lead.
    Followers,
    /// One node, whoever it is.
    One,
    /// As many nodes as may go while a majority is up, or fewer; often with the leader among them.
    Minority,
    /// So many that no majority is left.
    Majority,
    /// Every node.
    All,
    /// This node.
    Node(NodeId),
}

/// Whom a target turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aimed {
    /// The nodes, never empty, all up.
    pub nodes: BTreeSet<NodeId>,
    /// In words: `the leader n3`.
    pub story: String,
}

impl Target {
    /// Whom it means in this scene, drawing from `rng` where there is a choice.
    pub fn resolve(self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Aimed, Declined> {
        let up: Vec<_> = scene.view.up().into_iter().collect();
        let leader = scene.view.leader();
        let one = *up.choose(rng).ok_or_else(|| Declined::because("no node is up"))?;
        let others: Vec<_> = up.iter().copied().filter(|node| Some(*node) != leader).collect();
        Ok(match self {
            Target::Leader => match leader {
                Some(leader) => aimed([leader], format!("the leader {leader}")),
                None => aimed([one], format!("{one}, at random, as no leader is known")),
            },
            Target::Deposed => match scene.view.deposed().first() {
                Some(old) => aimed([*old], format!("the deposed leader {old}")),
                None => return Target::Leader.resolve(scene, rng),
            },
            Target::Follower => {
                let node =
                    *others.choose(rng).ok_or_else(|| Declined::because("no node but the leader is up"))?;
                aimed([node], format!("{node}, which does not lead"))
            }
            Target::Followers => {
                let spared = leader.unwrap_or(one);
                let rest: Vec<_> = up.iter().copied().filter(|node| *node != spared).collect();
                some(rest, format!("all but {spared}"))?
            }
            Target::One => aimed([one], format!("{one}, at random")),
            Target::Minority => minority_of(scene, up, rng)?,
            Target::Majority => {
                let out = scene.view.nodes.len() - up.len();
                let count = majority(scene.view.nodes.len()).saturating_sub(out).max(1);
                draw(up, count, rng, "a majority")?
            }
            Target::All => some(up, "all".to_owned())?,
            Target::Node(node) if up.contains(&node) => aimed([node], node.to_string()),
            Target::Node(node) => return Err(Declined::because(format!("{node} is not up"))),
        })
    }
}

/// One node or more, up to the largest minority less those already out; the leader is among them every other time.
fn minority_of(scene: &Scene<'_>, mut up: Vec<NodeId>, rng: &mut Stream) -> Result<Aimed, Declined> {
    let out = scene.view.nodes.len() - up.len();
    let spare = minority(scene.view.nodes.len()).saturating_sub(out);
    if spare == 0 {
        return Err(Declined::because(format!("{out} out already: no more may go while a majority is up")));
    }
    up.shuffle(rng);
    if let Some(leader) = scene.view.leader()
        && rng.random_bool(0.5)
        && let Some(index) = up.iter().position(|node| *node == leader)
    {
        up.swap(0, index);
    }
    // Two times in three the whole minority: the fewer nodes intersect, the more a wrong quorum shows.
    let count = if rng.random_ratio(2, 3) { spare } else { rng.random_range(1..=spare) };
    up.truncate(count);
    let named = listed(&up);
    some(up, format!("the minority {named}"))
}

fn draw(mut up: Vec<NodeId>, count: usize, rng: &mut Stream, what: &str) -> Result<Aimed, Declined> {
    up.shuffle(rng);
    up.truncate(count);
    let named = listed(&up);
    some(up, format!("{what}, {named}"))
}

fn aimed(nodes: impl IntoIterator<Item = NodeId>, story: String) -> Aimed {
    Aimed { nodes: nodes.into_iter().collect(), story }
}

fn some(nodes: Vec<NodeId>, story: String) -> Result<Aimed, Declined> {
    match nodes.is_empty() {
        true => Err(Declined::because("no node of that role is up")),
        false => Ok(aimed(nodes, story)),
    }
}

/// `n1, n2`, in order.
pub(crate) fn listed<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> String {
    let ordered: BTreeSet<_> = nodes.into_iter().collect();
    ordered.iter().map(|node| node.to_string()).collect::<Vec<_>>().join(", ")
}

const NAMED: &[(&str, Target)] = &[
    ("leader", Target::Leader),
    ("deposed", Target::Deposed),
    ("follower", Target::Follower),
    ("followers", Target::Followers),
    ("one", Target::One),
    ("minority", Target::Minority),
    ("majority", Target::Majority),
    ("all", Target::All),
];

/// Text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no target: leader, deposed, follower, followers, one, minority, majority, all, or a node such as n1"
)]
pub struct NotATarget {
    /// What was read, cut to a bounded length.
    pub text: String,
}

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, target)| *target);
        let refused = || NotATarget { text: text.chars().take(32).collect() };
        named.or_else(|| text.parse().ok().map(Target::Node)).ok_or_else(refused)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMED.iter().find(|(_, target)| target == self)) {
            (Target::Node(node), _) => node.fmt(f),
            (_, Some((name, _))) => f.write_str(name),
            (_, None) => unreachable!("every target but a node is named"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use crate::view::{NodeView, Role, View};

    fn view(roles: &[Role]) -> View {
        (1..).map(NodeId).zip(roles.iter().map(|role| NodeView { role: *role, term: 1 })).collect()
    }

    fn aim(target: Target, view: &View, seed: u64) -> Result<Vec<u32>, Declined> {
        let aimed = target.resolve(&Scene { view, cut: None }, &mut stream(seed, "test", 0))?;
        Ok(aimed.nodes.into_iter().map(|node| node.0).collect())
    }

    #[test]
    fn roles_are_found() {
        use Role::{Down, Follower, Leader};
        let seen = view(&[Follower, Leader, Follower, Down, Follower]);
        for seed in 0..50 {
            assert_eq!(aim(Target::Leader, &seen, seed), Ok(vec![2]));
            assert_eq!(aim(Target::Deposed, &seen, seed), Ok(vec![2]), "none is deposed: the leader");
            assert_eq!(aim(Target::Followers, &seen, seed), Ok(vec![1, 3, 5]));
            assert_eq!(aim(Target::All, &seen, seed), Ok(vec![1, 2, 3, 5]));
            assert_eq!(aim(Target::Node(NodeId(3)), &seen, seed), Ok(vec![3]));
            assert!(aim(Target::Node(NodeId(4)), &seen, seed).is_err(), "n4 is down");
            assert_ne!(aim(Target::Follower, &seen, seed), Ok(vec![2]));
            assert_eq!(aim(Target::Minority, &seen, seed).unwrap().len(), 1, "one is out already");
            assert_eq!(aim(Target::Majority, &seen, seed).unwrap().len(), 2);
        }
    }

    #[test]
    fn without_a_leader_the_aim_is_random_but_repeatable() {
        let seen = View::unknown(5);
        let hit: BTreeSet<_> = (0..100).map(|seed| aim(Target::Leader, &seen, seed).unwrap()).collect();
        assert_eq!(hit.len(), 5, "any node may be the next leader");
        assert_eq!(aim(Target::Leader, &seen, 7), aim(Target::Leader, &seen, 7));
    }

    #[test]
    fn the_dead_are_no_target() {
        let seen = view(&[Role::Down, Role::Paused, Role::Down]);
        for (_, target) in NAMED {
            assert!(aim(*target, &seen, 1).is_err(), "{target}");
        }
    }

    #[test]
    fn targets_are_read_as_they_are_written() {
        for target in NAMED.iter().map(|(_, target)| *target).chain([Target::Node(NodeId(4))]) {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        assert!("boss".parse::<Target>().unwrap_err().to_string().contains("leader, deposed"));
    }
}
