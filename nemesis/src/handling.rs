//! Hands on single messages: which ones are meant, and what becomes of them.
//!
//! A message is known by its written form, as the system itself gives it, and by who sends it to whom: nothing here knows a
//! protocol. Only a world that delivers every message itself can do this, so real arenas refuse it. Next:
//! [`crate::timeline`], which says when.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::node::NodeId;
use crate::target::listed;

/// Messages of a kind on some links, and what becomes of them while this is in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handling {
    /// What becomes of them.
    pub manner: Manner,
    /// What is in their written form: see [`has_words`].
    pub words: String,
    /// Who sends them.
    pub from: BTreeSet<NodeId>,
    /// To whom.
    pub to: BTreeSet<NodeId>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manner {
    /// It waits until this is over: it arrives late, and what was sent after it has overtaken it.
    Hold,
    /// It never arrives.
    Drop,
    /// It arrives, and once more when this is over.
    Repeat,
}

impl Handling {
    /// Whether this message is meant.
    pub fn is_about(&self, from: NodeId, to: NodeId, text: &str) -> bool {
        self.from.contains(&from) && self.to.contains(&to) && has_words(text, &self.words)
    }

    /// The same without a node, about other names; `None` when nobody is left to send, or to receive.
    #[must_use]
    pub fn without(&self, gone: NodeId, to: &impl Fn(NodeId) -> NodeId) -> Option<Handling> {
        let rest = |nodes: &BTreeSet<NodeId>| -> BTreeSet<NodeId> {
            nodes.iter().copied().filter(|node| *node != gone).map(to).collect()
        };
        let rest = Handling { from: rest(&self.from), to: rest(&self.to), ..self.clone() };
        (!rest.from.is_empty() && !rest.to.is_empty()).then_some(rest)
    }

    /// The same about other names.
    #[must_use]
    pub fn renamed(&self, to: &impl Fn(NodeId) -> NodeId) -> Handling {
        let all = |nodes: &BTreeSet<NodeId>| nodes.iter().copied().map(to).collect();
        Handling { from: all(&self.from), to: all(&self.to), ..self.clone() }
    }
}

impl fmt::Display for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manner = match self.manner {
            Manner::Hold => "hold",
            Manner::Drop => "drop",
            Manner::Repeat => "repeat",
        };
        write!(f, "{manner} {:?} from {} to {}", self.words, listed(&self.from), listed(&self.to))
    }
}

/// Whether the text has all of the words, in their order. Words are whole: `Vote` is not found in `VoteReply`. One of
/// several is written `Append|Heartbeat`.
pub fn has_words(mut text: &str, words: &str) -> bool {
    words.split_whitespace().all(|word| {
        let ends = word.split('|').filter_map(|one| end_of_word(text, one));
        match ends.min() {
            Some(end) => {
                text = &text[end..];
                true
            }
            None => false,
        }
    })
}

/// Where the first place of this word in the text ends.
fn end_of_word(text: &str, word: &str) -> Option<usize> {
    // What is not part of a word, such as `[`, may touch anything.
    let joins = |a: Option<char>, b: Option<char>| {
        a.is_some_and(char::is_alphanumeric) && b.is_some_and(char::is_alphanumeric)
    };
    let mut places = text.match_indices(word).map(|(at, found)| (at, at + found.len()));
    let whole = places.find(|(at, end)| {
        let (before, after) = (text[..*at].chars().next_back(), text[*end..].chars().next());
        !joins(before, word.chars().next()) && !joins(word.chars().next_back(), after)
    });
    whole.map(|(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_in_order_and_may_be_one_of_several() {
        let text = "Message { term: Term(12), body: VoteReply { granted: true } }";
        for (words, found) in [
            ("VoteReply", true),
            ("Vote", false),
            ("Term(12) VoteReply granted: true", true),
            ("VoteReply Term(12)", false),
            ("Term(1", false),
            ("Vote|VoteReply true", true),
            ("Append|Heartbeat", false),
            ("", true),
        ] {
            assert_eq!(has_words(text, words), found, "{words}");
        }
    }

    #[test]
    fn without_a_node_the_others_are_still_handled() {
        let set = |nodes: &[u32]| nodes.iter().copied().map(NodeId).collect::<BTreeSet<_>>();
        let moved = |node: NodeId| if node > NodeId(2) { NodeId(node.0 - 1) } else { node };
        let handling = |from: &[u32], to: &[u32]| Handling {
            manner: Manner::Hold,
            words: "Append".into(),
            from: set(from),
            to: set(to),
        };
        assert_eq!(handling(&[1, 2], &[3]).without(NodeId(2), &moved), Some(handling(&[1], &[2])));
        assert_eq!(handling(&[2], &[3]).without(NodeId(2), &moved), None, "nobody sends");
        assert_eq!(handling(&[1], &[2]).without(NodeId(2), &moved), None, "nobody receives");
    }
}
