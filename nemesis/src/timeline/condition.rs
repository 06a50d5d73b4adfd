//! Conditions: what a time line waits for, and what a world can see of it.
//!
//! "When n2 has voted", "when the leader has sent an entry to one follower": a world tells what it sees as
//! [`Observation`]s, as it happens, and shows roles in the [`View`]; here it is only matched. What a world cannot see at all
//! ([`Sight`]) is refused before the run, not waited for in vain. Words are looked for in the text that the system
//! itself gives (a line of its log, the written form of a message), so nothing here knows a protocol.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TimelineError;
use crate::handling::has_words;
use crate::node::NodeId;
use crate::view::{Role, View};

/// What a world may be able to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Who has which role: every world.
    Roles,
    /// What nodes write down of themselves: lines of a log, notes of a core.
    Notes,
    /// Messages between nodes: the simulator.
    Messages,
    /// What nodes have on disk, record by record: the simulator.
    Records,
    /// Answers as they leave for clients: the simulator.
    Answers,
}

impl Sight {
    /// All that there is to see: the simulator.
    pub const ALL: [Sight; 5] = [Sight::Roles, Sight::Notes, Sight::Messages, Sight::Records, Sight::Answers];
}

/// Something seen.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// A node wrote this down.
    Note {
        /// Which.
        node: NodeId,
        /// The line.
        text: &'a str,
    },
    /// A message left.
    Sent {
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// Its written form.
        text: &'a str,
    },
    /// Records of a node are on its disk from now on.
    Durable {
        /// Which.
        node: NodeId,
        /// Their written form.
        text: &'a str,
    },
    /// A client is answered.
    Answered {
        /// By whom.
        node: NodeId,
        /// The answer's written form.
        text: &'a str,
    },
}

/// Who is meant in a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// Anyone.
    #[default]
    Any,
    /// The leader at that moment.
    Leader,
    /// Anyone but the leader.
    Follower,
    /// The node that the condition before this one was about.
    It,
    /// Anyone but that one.
    Other,
    /// This node.
    Node(NodeId),
}

/// What to wait for: exactly one of `role`, `note`, `sent`, `durable` and `answered`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// A node has this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// A node writes a line with these words, all of them, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// A message leaves in whose written form are these words, all of them, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// Records in whose written form are these words are on the disk of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<String>,
    /// An answer in whose written form are these words leaves for a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// The node that has the role, writes, sends, or answers.
    #[serde(default, skip_serializing_if = "is_any")]
    pub by: Who,
    /// The receiver of the message.
    #[serde(default, skip_serializing_if = "is_any")]
    pub to: Who,
    /// How many nodes must have the role at once, or how often it must be written or sent; 0 counts as 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u32,
}

fn is_any(who: &Who) -> bool {
    *who == Who::Any
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Condition {
    /// What a world must be able to see for it.
    pub fn needs(&self) -> Sight {
        match self {
            Condition { note: Some(_), .. } => Sight::Notes,
            Condition { sent: Some(_), .. } => Sight::Messages,
            Condition { durable: Some(_), .. } => Sight::Records,
            Condition { answered: Some(_), .. } => Sight::Answers,
            _ => Sight::Roles,
        }
    }

    /// Whether it can ever be met on these nodes.
    pub(super) fn check(&self, entry: usize, nodes: &BTreeSet<NodeId>) -> Result<(), TimelineError> {
        let words = [&self.note, &self.sent, &self.durable, &self.answered].map(Option::is_some);
        let named = words.into_iter().chain([self.role.is_some()]);
        let problem = match named.filter(|named| *named).count() {
            1 if self.sent.is_none() && self.to != Who::Any => "`to` belongs to `sent`",
            1 => "",
            _ => "it needs exactly one of role, note, sent, durable and answered",
        };
        if !problem.is_empty() {
            return Err(TimelineError::Condition { entry, problem });
        }
        for who in [self.by, self.to] {
            if let Who::Node(node) = who
                && !nodes.contains(&node)
            {
                return Err(TimelineError::UnknownNode { entry, node });
            }
        }
        Ok(())
    }
}

/// A condition being waited for.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    condition: Condition,
    seen: u32,
}

impl Watch {
    pub(super) fn new(condition: Condition) -> Self {
        Watch { condition, seen: 0 }
    }

    /// The node that it is about, once it is met. `it` is the one that the condition before was about.
    pub(super) fn look(&self, view: &View, it: Option<NodeId>) -> Option<NodeId> {
        let role = self.condition.role?;
        let mut with = view.nodes.iter().filter(|(_, seen)| seen.role == role).map(|(node, _)| *node);
        let mut with: Vec<_> = with.by_ref().filter(|node| self.condition.by.is(*node, view, it)).collect();
        // Of several leaders the one elected last is meant.
        with.sort_by_key(|node| std::cmp::Reverse(view.nodes[node].term));
        (with.len() >= self.count()).then(|| with.first().copied())?
    }

    /// The same for what happens rather than lasts.
    pub(super) fn observe(
        &mut self,
        observed: &Observation<'_>,
        view: &View,
        it: Option<NodeId>,
    ) -> Option<NodeId> {
        let Condition { note, sent, durable, answered, by, to, .. } = &self.condition;
        let (node, words, text) = match observed {
            Observation::Note { node, text } => (node, note, text),
            Observation::Sent { from, text, .. } => (from, sent, text),
            Observation::Durable { node, text } => (node, durable, text),
            Observation::Answered { node, text } => (node, answered, text),
        };
        let is_addressed = match observed {
            Observation::Sent { to: receiver, .. } => to.is(*receiver, view, it),
            _ => true,
        };
        let says = |words: &String| has_words(text, words);
        let met = is_addressed && by.is(*node, view, it) && words.as_ref().is_some_and(says);
        self.seen += u32::from(met);
        (met && self.seen as usize >= self.count()).then_some(*node)
    }

    fn count(&self) -> usize {
        self.condition.count.max(1) as usize
    }
}

impl Who {
    pub(super) fn is(self, node: NodeId, view: &View, it: Option<NodeId>) -> bool {
        match self {
            Who::Any => true,
            Who::Leader => view.leader() == Some(node),
            Who::Follower => view.leader() != Some(node),
            Who::It => it == Some(node),
            Who::Other => it.is_some_and(|it| it != node),
            Who::Node(named) => named == node,
        }
    }
}

const NAMED: [(&str, Who); 5] = [
    ("any", Who::Any),
    ("leader", Who::Leader),
    ("follower", Who::Follower),
    ("it", Who::It),
    ("other", Who::Other),
];

/// Text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names nobody: any, leader, follower, it, other, or a node such as n1")]
pub struct NotAWho {
    /// What was read, cut to a bounded length.
    pub text: String,
}

impl FromStr for Who {
    type Err = NotAWho;

    fn from_str(text: &str) -> Result<Self, NotAWho> {
        let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, who)| *who);
        let refused = || NotAWho { text: text.chars().take(32).collect() };
        named.or_else(|| text.parse().ok().map(Who::Node)).ok_or_else(refused)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMED.iter().find(|(_, who)| who == self)) {
            (Who::Node(node), _) => node.fmt(f),
            (_, Some((name, _))) => f.write_str(name),
            (_, None) => unreachable!("everyone but a node is named"),
        }
    }
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::NodeView;

    fn view() -> View {
        let roles = [(Role::Leader, 3), (Role::Follower, 4), (Role::Leader, 4)];
        (1..).map(NodeId).zip(roles.map(|(role, term)| NodeView { role, term })).collect()
    }

    fn condition(text: &str) -> Watch {
        Watch::new(toml::from_str(text).unwrap())
    }

    #[test]
    fn roles_are_counted_and_the_latest_leader_is_meant() {
        assert_eq!(condition("role = \"leader\"").look(&view(), None), Some(NodeId(3)));
        assert_eq!(condition("role = \"leader\"\ncount = 2").look(&view(), None), Some(NodeId(3)));
        assert_eq!(condition("role = \"leader\"\ncount = 3").look(&view(), None), None);
        assert_eq!(condition("role = \"leader\"\nby = \"n1\"").look(&view(), None), Some(NodeId(1)));
        let other = condition("role = \"leader\"\nby = \"other\"");
        assert_eq!(other.look(&view(), Some(NodeId(3))), Some(NodeId(1)));
        assert_eq!(other.look(&view(), None), None, "other than whom?");
    }

    #[test]
    fn words_are_found_in_their_order_and_counted() {
        let mut voted = condition("note = \"votes term\"\nby = \"follower\"\ncount = 2");
        let note = |node, text| Observation::Note { node: NodeId(node), text };
        assert_eq!(voted.observe(&note(2, "term 4: votes"), &view(), None), None, "the other order");
        assert_eq!(voted.observe(&note(2, "votes in term 4"), &view(), None), None, "once");
        assert_eq!(voted.observe(&note(3, "votes in term 5"), &view(), None), None, "it leads");
        assert_eq!(voted.observe(&note(2, "votes in term 5"), &view(), None), Some(NodeId(2)));
    }

    #[test]
    fn a_message_is_known_by_who_sends_it_to_whom() {
        let text = "Append { prev: 6, entries: [7] }";
        let mut sent = condition("sent = \"Append [7\"\nby = \"leader\"\nto = \"n2\"");
        let message = |from, to| Observation::Sent { from: NodeId(from), to: NodeId(to), text };
        assert_eq!(sent.observe(&message(3, 1), &view(), None), None);
        assert_eq!(sent.observe(&message(1, 2), &view(), None), None);
        assert_eq!(sent.observe(&message(3, 2), &view(), None), Some(NodeId(3)));
        assert_eq!(sent.observe(&Observation::Note { node: NodeId(3), text }, &view(), None), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for who in NAMED.iter().map(|(_, who)| *who).chain([Who::Node(NodeId(4))]) {
            assert_eq!(who.to_string().parse(), Ok(who));
        }
        assert!("boss".parse::<Who>().unwrap_err().to_string().contains("any, leader"));
    }
}
