//! What a fault sees when it decides: the view, and what is already broken.
//!
//! Refuses to know how the view was made or who broke what. Next: [`crate::target`].

use std::collections::BTreeSet;

use crate::grudge::Grudge;
use crate::node::NodeId;
use crate::view::{View, majority};

/// The moment of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The nodes as probed, and down or paused where the schedule itself holds them so.
    pub view: &'a View,
    /// The grudge in force. When a partition decides while one is in force, it takes its place at once, so that
    /// the heal of the one coincides with the beginning of the other.
    pub cut: Option<&'a Grudge>,
}

impl Scene<'_> {
    /// Whether the system could still make progress if `out` were out of service as well: some node that is up sees
    /// a majority of all nodes, itself included, both ways.
    ///
    /// A cluster of one or two nodes loses its majority with its first node; there the rule would forbid every
    /// fault, so one node may go while all are up.
    pub fn can_progress_without(&self, out: &BTreeSet<NodeId>) -> bool {
        self.can_progress(out, self.cut)
    }

    /// The same question with another grudge in force.
    pub fn can_progress(&self, out: &BTreeSet<NodeId>, cut: Option<&Grudge>) -> bool {
        let up: BTreeSet<_> = self.view.up().difference(out).copied().collect();
        let count = self.view.nodes.len();
        if count <= 2 && up.len() + 1 >= count {
            return true;
        }
        let seen =
            |node: NodeId| up.iter().filter(|other| cut.is_none_or(|cut| cut.sees(node, **other))).count();
        up.iter().any(|node| seen(*node) >= majority(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{NodeView, Role};

    fn set(ids: &[u32]) -> BTreeSet<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn progress_needs_a_node_that_sees_a_majority() {
        let mut view = View::unknown(5);
        let alone = Grudge::isolate(&view.all(), NodeId(1)).unwrap();
        let scene = Scene { view: &view, cut: None };
        assert!(scene.can_progress_without(&set(&[1, 2])));
        assert!(!scene.can_progress_without(&set(&[1, 2, 3])));
        let scene = Scene { view: &view, cut: Some(&alone) };
        assert!(scene.can_progress_without(&set(&[1, 2])), "the isolated one is no loss");
        assert!(!scene.can_progress_without(&set(&[2, 3])));
        view.nodes.insert(NodeId(4), NodeView { role: Role::Down, term: 0 });
        assert!(!Scene { view: &view, cut: Some(&alone) }.can_progress_without(&set(&[2])));
    }

    #[test]
    fn of_two_nodes_one_may_go() {
        let view = View::unknown(2);
        let scene = Scene { view: &view, cut: None };
        assert!(scene.can_progress_without(&set(&[1])));
        assert!(!scene.can_progress_without(&set(&[1, 2])));
    }
}
