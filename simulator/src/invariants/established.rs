//! An epoch is established before its leader serves: a quorum has entered it on disk, with the history that goes before
//! (Zab, phase 2; rules ZB3, ZB4). And an epoch once entered is known after a restart: by it nodes are chosen to lead.

use rashomon_node::api::NodeId;

use super::{Electors, Findings, Law, name};

const QUORUM: Law = ("a quorum has entered the epoch of a leader that serves", "Zab, phase 2; ZB4");
const KEPT: Law = ("an epoch entered is known after a restart", "Zab, phase 2; ZB3");

/// The latest epoch that each node has entered on disk.
#[derive(Debug)]
pub(crate) struct Established {
    entered: Vec<u64>,
}

impl Established {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { entered: vec![0; nodes] }
    }

    /// It is on a node's disk that it has entered this epoch.
    pub(crate) fn entered(&mut self, node: usize, epoch: u64) {
        self.entered[node] = self.entered[node].max(epoch);
    }

    /// The latest epoch that a node has entered on disk.
    pub(crate) fn epoch(&self, node: usize) -> u64 {
        self.entered[node]
    }

    /// A node serves as the leader of this epoch.
    pub(crate) fn leads(&self, findings: &mut Findings, node: usize, epoch: u64, electors: &Electors) {
        let has = |(node, _): &(&NodeId, &u64)| self.entered[(node.0 - 1) as usize] >= epoch;
        let weight: u64 = electors.iter().filter(has).map(|(_, weight)| weight).sum();
        if 2 * weight <= electors.values().sum() {
            findings.broke(QUORUM, || {
                format!(
                    "{} serves in epoch {epoch}; on disk nodes have entered {:?}",
                    name(node),
                    self.entered
                )
            });
        }
    }

    /// A node has started on records that say so.
    pub(crate) fn restarted(&mut self, findings: &mut Findings, node: usize, found: u64) {
        let before = std::mem::replace(&mut self.entered[node], found);
        if found < before {
            findings
                .broke(KEPT, || format!("{} had entered epoch {before} and starts in {found}", name(node)));
        }
    }

    /// A node's disk was taken: it is a new server.
    pub(crate) fn forgotten(&mut self, node: usize) {
        self.entered[node] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_needs_a_quorum_by_weight_and_is_not_forgotten() {
        let electors: Electors = [(NodeId(1), 3), (NodeId(2), 1), (NodeId(3), 1)].into();
        for (entered, broken) in [(0, 0), (1, 1)] {
            let (mut established, mut findings) = (Established::new(4), Findings::default());
            established.entered(entered, 2);
            established.entered(3, 2);
            established.leads(&mut findings, 0, 2, &electors);
            assert_eq!(findings.broken.len(), broken);
            established.restarted(&mut findings, 3, 1);
            assert_eq!(findings.broken.len(), broken + 1);
        }
    }
}
