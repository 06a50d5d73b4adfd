//! The control group: sound systems in unusual clothes. None of them may ever be accused.

use std::time::Duration;

use rashomon_nemesis::fault;
use rashomon_nemesis::rhythm::{Kind, Span};
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
    /// The protocols that have it; none named: all.
    pub protocols: &'static [&'static str],
    /// Puts it on.
    pub adjust: fn(&mut Setup),
}

impl Control {
    /// Whether this protocol can wear it.
    pub fn is_of(&self, protocol: &str) -> bool {
        self.protocols.is_empty() || self.protocols.contains(&protocol)
    }
}

/// Without what half of the seeds draw beside: small windows, sessions that soon end and reads through the log let less through
/// than comes in here, and a cluster that is asked for more than it can do comes back late.
fn as_usual(setup: &mut Setup) {
    let plain = Setup::new(setup.seed);
    setup.node.circumstances = plain.node.circumstances;
    setup.node.reads = plain.node.reads;
    setup.habits = plain.habits;
}

/// The whole group.
pub const GROUP: &[Control] = &[
    Control { name: "unmutated", about: "as it is, sizes drawn by the seed", protocols: &[], adjust: |_| {} },
    Control {
        name: "reads-by-log",
        about: "reads go through the log",
        protocols: &[],
        adjust: |setup| setup.node.reads = Reads::Log,
    },
    Control {
        name: "lease",
        about: "reads under a correct lease, clocks within its bound",
        protocols: &[],
        adjust: |setup| {
            setup.node.reads = Reads::Lease;
            setup.faults.retain(|fault| fault.class() != fault::Class::Clock);
        },
    },
    Control {
        name: "no-pre-vote",
        about: "candidates campaign at once, and voters that hear a leader listen to them",
        protocols: &["raft"],
        adjust: |setup| {
            setup.node.pre_vote = false;
            // Leases rest on voters that do not listen.
            setup.node.reads = Reads::ReadIndex;
        },
    },
    Control {
        name: "batches",
        about: "ten times the load on slow links: entries travel in batches, many under way",
        protocols: &[],
        adjust: |setup| {
            setup.options.rate = setup.options.rate.map(|rate| rate * 10.0);
            setup.clients *= 4;
            setup.network.latency_us = 2_000..20_000;
            as_usual(setup);
        },
    },
    Control {
        name: "snapshots",
        about: "a snapshot every 10 entries",
        protocols: &[],
        adjust: |setup| setup.node.snapshot_entries = 10,
    },
    Control {
        name: "retries",
        about: "clients retry under the same sequence",
        protocols: &[],
        adjust: |setup| setup.retries = Retries::SameSequence(Duration::from(setup.timeout) / 4),
    },
    Control {
        name: "kill-storm",
        about: "kills alone, without a pause",
        protocols: &[],
        adjust: |setup| {
            setup.faults.retain(|fault| fault.class() == fault::Class::Kill);
            if setup.faults.is_empty() {
                setup.faults.extend(fault::find("kill"));
            }
            setup.rhythm.gap = Span::new(100, 200);
        },
    },
    Control {
        name: "slow-fsync",
        about: "every fsync takes 10 to 40 ms",
        protocols: &[],
        adjust: |setup| {
            setup.disk.sync_us = 10_000..40_000;
            as_usual(setup);
        },
    },
    Control {
        name: "transfers",
        about: "leadership is handed over every 2 s",
        protocols: &["raft", "paxos"],
        adjust: |setup| {
            setup.faults = fault::find("transfer-leadership").into_iter().collect();
            setup.rhythm.gap = Span::new(2_000, 2_000);
            // The next one may begin only when this one is over.
            setup.rhythm.trouble = vec![Kind { weight: 1, lasts: Span::new(1_000, 1_000) }];
        },
    },
    Control { name: "nodes-3", about: "three nodes", protocols: &[], adjust: |setup| setup.resize(3) },
    Control { name: "nodes-4", about: "four nodes", protocols: &[], adjust: |setup| setup.resize(4) },
    Control { name: "nodes-5", about: "five nodes", protocols: &[], adjust: |setup| setup.resize(5) },
    Control { name: "nodes-7", about: "seven nodes", protocols: &[], adjust: |setup| setup.resize(7) },
];

#[cfg(test)]
mod tests {
    use rashomon_simulator::protocols;

    use super::*;
    use crate::zoo::habitat::Habitat;

    #[test]
    fn every_member_can_live_and_none_is_accused() {
        for entry in protocols::REGISTRY {
            for control in GROUP.iter().filter(|control| control.is_of(entry.name)) {
                let mut setup = Habitat::new(entry.name, None, 5_000).world(7).unwrap();
                (control.adjust)(&mut setup);
                let ran = crate::sim::seed::of(*entry, &setup).unwrap();
                assert_eq!(ran.findings, [], "{} {}", entry.name, control.name);
            }
        }
    }
}
