//! Who is meant by an entry: nodes by role, by name, or by what was seen of them; messages by their senders and receivers;
//! what the system is asked for, and at whom.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Who;
use crate::node::NodeId;
use crate::target::{NotATarget, Target};
use crate::view::View;

/// Messages of a kind, whoever is meant by it when the entry begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// What is in their written form, the name of the kind first: see [`crate::handling::has_words`].
    pub sent: String,
    /// Who sends them; nobody named: anyone.
    #[serde(default, skip_serializing_if = "Whos::is_anyone")]
    pub by: Whos,
    /// Who is to get them; nobody named: anyone.
    #[serde(default, skip_serializing_if = "Whos::is_anyone")]
    pub to: Whos,
}

/// One or several, written `"leader"` or `["it", "n3"]`; none is anyone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany<Who>", into = "OneOrMany<Who>")]
pub struct Whos(pub Vec<Who>);

impl Whos {
    fn is_anyone(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes that are meant.
    pub(super) fn of(&self, view: &View, it: Option<NodeId>) -> BTreeSet<NodeId> {
        let is_meant = |node: &NodeId| self.is_anyone() || self.0.iter().any(|who| who.is(*node, view, it));
        view.nodes.keys().copied().filter(is_meant).collect()
    }
}

/// Whom a deed hits: a target, or the node that the last condition was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The node that the last condition was about.
    It,
    /// By role or name.
    Target(Target),
}

/// One aim or several, written `"leader"` or `["leader", "n3"]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany<Aim>", into = "OneOrMany<Aim>")]
pub struct Aims(pub Vec<Aim>);

/// Members to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// Exactly these.
    pub of: BTreeSet<NodeId>,
    /// Whom to ask; nobody named: whoever leads as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Aim>,
}

/// A leader to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Who is to lead.
    pub node: Aim,
    /// Whom to ask; nobody named: whoever leads as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Aim>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> From<OneOrMany<T>> for Vec<T> {
    fn from(all: OneOrMany<T>) -> Self {
        match all {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

impl<T> From<Vec<T>> for OneOrMany<T> {
    fn from(mut all: Vec<T>) -> Self {
        match (all.len(), all.pop()) {
            (1, Some(one)) => OneOrMany::One(one),
            (_, last) => OneOrMany::Many(all.into_iter().chain(last).collect()),
        }
    }
}

impl From<OneOrMany<Aim>> for Aims {
    fn from(aims: OneOrMany<Aim>) -> Self {
        Aims(aims.into())
    }
}

impl From<Aims> for OneOrMany<Aim> {
    fn from(Aims(aims): Aims) -> Self {
        aims.into()
    }
}

impl From<OneOrMany<Who>> for Whos {
    fn from(whos: OneOrMany<Who>) -> Self {
        Whos(whos.into())
    }
}

impl From<Whos> for OneOrMany<Who> {
    fn from(Whos(whos): Whos) -> Self {
        whos.into()
    }
}

impl FromStr for Aim {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        if text == "it" { Ok(Aim::It) } else { text.parse().map(Aim::Target) }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aim::It => f.write_str("it"),
            Aim::Target(target) => target.fmt(f),
        }
    }
}

impl Serialize for Aim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Aim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
