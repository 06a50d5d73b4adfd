//! The control group: sound systems in unusual clothes. None of them may ever be accused.

use std::time::Duration;

use rashomon_nemesis::fault;
use rashomon_nemesis::rhythm::Span;
use rashomon_node::api::Retries;
use rashomon_node::settings::Reads;
use rashomon_simulator::Setup;

/// One member of the group.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Its name.
    pub name: &'static str,
    /// What is unusual about it.
    pub about: &'static str,
    /// Puts it on.
    pub adjust: fn(&mut Setup),
}

/// The whole group.
pub const GROUP: &[Control] = &[
    Control { name: "unmutated", about: "as it is, sizes drawn by the seed", adjust: |_| {} },
    Control {
        name: "reads-by-log",
        about: "reads go through the log",
        adjust: |setup| setup.node.reads = Reads::Log,
    },
    Control {
        name: "lease",
        about: "reads under a correct lease, clocks within its bound",
        adjust: |setup| {
            setup.node.reads = Reads::Lease;
            setup.faults.retain(|fault| fault.class() != fault::Class::Clock);
        },
    },
    Control {
        name: "snapshots",
        about: "a snapshot every 10 entries",
        adjust: |setup| setup.node.snapshot_entries = 10,
    },
    Control {
        name: "retries",
        about: "clients retry under the same sequence",
        adjust: |setup| setup.retries = Retries::SameSequence(Duration::from(setup.timeout) / 4),
    },
    Control {
        name: "kill-storm",
        about: "kills alone, without a pause",
        adjust: |setup| {
            setup.faults.retain(|fault| fault.class() == fault::Class::Kill);
            if setup.faults.is_empty() {
                setup.faults.extend(fault::find("kill"));
            }
            setup.rhythm.gap = Span::new(50, 200);
        },
    },
    Control {
        name: "slow-fsync",
        about: "every fsync takes 10 to 40 ms",
        adjust: |setup| setup.disk.sync_us = 10_000..40_000,
    },
    Control { name: "nodes-3", about: "three nodes", adjust: |setup| resize(setup, 3) },
    Control { name: "nodes-4", about: "four nodes", adjust: |setup| resize(setup, 4) },
    Control { name: "nodes-5", about: "five nodes", adjust: |setup| resize(setup, 5) },
    Control { name: "nodes-7", about: "seven nodes", adjust: |setup| resize(setup, 7) },
];

fn resize(setup: &mut Setup, nodes: u32) {
    setup.clients = setup.clients / setup.nodes * nodes;
    setup.nodes = nodes;
    setup.faults.retain(|fault| fault.nodes_min() <= nodes as usize);
}
