//! The arena that asks nothing of the kernel: nodes are ordinary processes, each on an address of 127/8 of
//! its own.
//!
//! Signals work; links do not exist, so none can be cut: matching source addresses on loopback does nothing,
//! for a client that does not bind speaks from 127.0.0.1. What cleans up when the run is killed is its
//! [guard](super::reexec); should guard and run be killed in the same instant, nodes may stay behind, and no
//! code of ours is left to see it. That is the honest limit of this arena; `namespaces` has none.

use std::net::Ipv4Addr;

use rashomon_nemesis::NodeId;

/// The addresses of one run: `127.A.B.1` and up.
#[derive(Debug)]
pub struct Loopback {
    node_count: u32,
    subnet: [u8; 2],
}

impl Loopback {
    /// Picks a subnet by the process number, so that runs side by side do not meet.
    pub(super) fn create(node_count: u32) -> Loopback {
        Loopback { node_count, subnet: subnet(std::process::id()) }
    }

    pub(super) fn node_count(&self) -> u32 {
        self.node_count
    }

    pub(super) fn address(&self, node: NodeId) -> Ipv4Addr {
        let last = u8::try_from(node.0).expect("at most 100 nodes");
        Ipv4Addr::new(127, self.subnet[0], self.subnet[1], last)
    }

    pub(super) fn client_address(&self) -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }
}

/// 127.64.0 to 127.191.255: away from 127.0.0 and 127.0.1, which services of the machine like to use.
fn subnet(pid: u32) -> [u8; 2] {
    let [_, _, high, low] = pid.to_be_bytes();
    [64 + (high & 0x7f), low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_live_at_the_same_time_do_not_share_a_subnet() {
        let subnets: std::collections::BTreeSet<_> = (1..=32_768).map(subnet).collect();
        assert_eq!(subnets.len(), 32_768);
        assert!(subnets.iter().all(|[high, _]| (64..192).contains(high)));
    }
}
