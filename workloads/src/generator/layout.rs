//! Who is who: threads of asking, the processes that they are by turns, and the node that each is pinned to.
//!
//! A run has `clients` threads. Thread *i* starts as process *i*; when its process retires after `info`, it goes
//! on as that number plus `clients`. Thread *i* belongs to node *i mod nodes* for good: so every node keeps clients
//! of its own, and a leader that is cut off keeps those that trust it. Some go elsewhere all the same:
//! [`crate::whereabouts`].

use std::sync::Arc;

use smol_str::SmolStr;

/// The threads, processes and nodes of a run. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    clients: u64,
    nodes: Arc<[SmolStr]>,
}

/// Why clients and nodes do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// There is no node to talk to.
    #[error("no nodes: expected at least 1")]
    NoNodes,
    /// Some node would have no client.
    #[error(
        "{clients} clients for {nodes} nodes: expected at least one client per node, since each client stays with its node"
    )]
    TooFewClients {
        /// Clients asked for.
        clients: u32,
        /// Nodes there are.
        nodes: usize,
    },
}

impl Layout {
    /// So many client threads over the nodes of these names.
    ///
    /// # Errors
    /// [`LayoutError`] when there are no nodes, or fewer clients than nodes.
    pub fn new<N: Into<SmolStr>>(
        clients: u32,
        nodes: impl IntoIterator<Item = N>,
    ) -> Result<Self, LayoutError> {
        let nodes: Arc<[SmolStr]> = nodes.into_iter().map(Into::into).collect();
        if nodes.is_empty() {
            return Err(LayoutError::NoNodes);
        }
        if u64::from(clients) < nodes.len() as u64 {
            return Err(LayoutError::TooFewClients { clients, nodes: nodes.len() });
        }
        Ok(Layout { clients: u64::from(clients), nodes })
    }

    /// How many processes ask at a time.
    pub fn clients(&self) -> u64 {
        self.clients
    }

    /// Names of the nodes, in order.
    pub fn nodes(&self) -> &[SmolStr] {
        &self.nodes
    }

    /// The processes that start the run, one per thread.
    pub fn first_processes(&self) -> std::ops::Range<u64> {
        0..self.clients
    }

    /// The thread that is or was this process.
    pub fn thread_of(&self, process: u64) -> u64 {
        process % self.clients
    }

    /// The process that takes the place of one that retired.
    pub fn successor(&self, process: u64) -> u64 {
        process + self.clients
    }

    /// Position in [`Layout::nodes`] of the node that this process talks to.
    pub fn node_index_of(&self, process: u64) -> usize {
        let nodes = self.nodes.len() as u64;
        usize::try_from(self.thread_of(process) % nodes).expect("less than the number of nodes")
    }

    /// Where a client goes on that leaves this node.
    pub fn node_after(&self, node: usize) -> usize {
        (node + 1) % self.nodes.len()
    }

    /// The node that this process talks to.
    pub fn node_of(&self, process: u64) -> &SmolStr {
        &self.nodes[self.node_index_of(process)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_keeps_its_thread_and_its_node() {
        let layout = Layout::new(7, ["n1", "n2", "n3"]).unwrap();
        for process in layout.first_processes() {
            let next = layout.successor(layout.successor(process));
            assert_eq!(next, process + 14);
            assert_eq!(layout.thread_of(next), process);
            assert_eq!(layout.node_of(next), layout.node_of(process));
        }
        assert_eq!(layout.node_of(0), "n1");
        assert_eq!(layout.node_of(4), "n2");
    }

    #[test]
    fn every_node_has_a_client_or_there_is_no_layout() {
        let error = Layout::new(2, ["n1", "n2", "n3"]).unwrap_err();
        assert_eq!(error, LayoutError::TooFewClients { clients: 2, nodes: 3 });
        assert_eq!(Layout::new(2, Vec::<SmolStr>::new()).unwrap_err(), LayoutError::NoNodes);
        let layout = Layout::new(3, ["n1", "n2", "n3"]).unwrap();
        let mut served: Vec<usize> = layout.first_processes().map(|p| layout.node_index_of(p)).collect();
        served.dedup();
        assert_eq!(served, [0, 1, 2]);
    }
}
