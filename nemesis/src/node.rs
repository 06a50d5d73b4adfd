//! The name of a node: `n1`, `n2`, … Knows nothing else about it. Next: [`crate::view`].

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// One member of the system under test, counted from 1; shown and serialised as `n1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// The nodes `n1` to `n{count}`.
pub fn nodes(count: u32) -> impl Iterator<Item = NodeId> {
    (1..=count).map(NodeId)
}

/// Text that names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no node: nodes are called n1, n2, …")]
pub struct NotANode {
    /// What was read instead, cut to a bounded length.
    pub text: SmolStr,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` through a string so that tables may align node names.
        f.pad(&format!("n{}", self.0))
    }
}

impl FromStr for NodeId {
    type Err = NotANode;

    fn from_str(text: &str) -> Result<Self, NotANode> {
        let refuse = || NotANode { text: text.chars().take(32).collect() };
        let digits = text.strip_prefix('n').ok_or_else(refuse)?;
        // One spelling per node: no sign, no leading zero, so that names can be compared as text.
        if digits.starts_with(['0', '+']) {
            return Err(refuse());
        }
        digits.parse().map(NodeId).map_err(|_: ParseIntError| refuse())
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SmolStr::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_node() {
        assert_eq!(NodeId(12).to_string(), "n12");
        assert_eq!("n12".parse(), Ok(NodeId(12)));
        for text in ["", "n", "12", "n0", "n01", "n+1", "n-1", "N1", "n1 ", "n99999999999"] {
            assert!(text.parse::<NodeId>().is_err(), "{text:?}");
        }
        assert_eq!(serde_json::to_string(&NodeId(3)).unwrap(), "\"n3\"");
        assert_eq!(serde_json::from_str::<NodeId>("\"n3\"").unwrap(), NodeId(3));
        assert!(serde_json::from_str::<NodeId>("3").is_err());
    }
}
