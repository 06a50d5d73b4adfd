//! Where a planted bug is looked for: worlds that take turns in what is asked of them and under which circumstances, so that
//! every bug meets every workload, snapshots every few entries, and clients that repeat themselves.
//!
//! What a bug needs beyond that stands beside it in the node ([`rashomon_node::defect::Description::faults`],
//! [`Defect::nodes`]); nothing here names one.

use std::time::Duration;

use rashomon_nemesis::fault::registry::offered;
use rashomon_nemesis::fault::{Class, Fault, SIMULATED, find};
use rashomon_node::api::Retries;
use rashomon_node::defect::{Defect, Home};
use rashomon_simulator::Setup;

use crate::exit::BadInput;
use crate::replay::given::Given;
use crate::sim::plan::{ANY_WORKLOAD, SimPlan};

/// Operations asked per second, before each world varies it.
const RATE: f64 = 100.0;

/// Longest time from the heal to progress, in milliseconds.
const RECOVERY_MS_MAX: u64 = 10_000;

/// A snapshot every so many entries is a tiny one.
const TINY_SNAPSHOT_ENTRIES: u64 = 10;

/// What circumstances are called, and the faults that bring them about beside those that a sound node has to bear. A bug
/// that needs one cannot show without; a sound node need not survive some of them.
const CIRCUMSTANCES: &[(&str, &[&str])] = &[
    ("wipe", &["wipe"]),
    ("corruption", &["rot"]),
    ("bridge", &["partition-bridge"]),
    ("membership", &["change-members", "replace-member"]),
    ("transfer", &["transfer-leadership"]),
];

fn needed(circumstances: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    let needed = CIRCUMSTANCES.iter().filter(|(name, _)| circumstances.contains(name));
    needed.flat_map(|(_, faults)| faults.iter().copied())
}

/// The worlds of one planted bug, or of a sound system.
#[derive(Clone, Debug)]
pub struct Habitat {
    plan: SimPlan,
    circumstances: &'static [&'static str],
    misbehaving_client: bool,
}

impl Habitat {
    /// Worlds of this protocol, with this bug or with none, each so long.
    pub fn new(protocol: &str, defect: Option<Defect>, duration_ms: u64) -> Self {
        let description = defect.map(Defect::description);
        let circumstances = description.map_or(&[][..], |description| description.faults);
        let entry = rashomon_simulator::protocols::find(protocol);
        let mut faults: Vec<&str> =
            entry.map_or(SIMULATED.to_vec(), |entry| offered(SIMULATED, &entry.capabilities()));
        for fault in needed(circumstances) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        let plan = SimPlan {
            format: 1,
            protocol: protocol.to_owned(),
            workload: ANY_WORKLOAD.to_owned(),
            nodes: defect.and_then(Defect::nodes),
            reads: circumstances.contains(&"local reads").then(|| "local".to_owned()),
            snapshot_entries: None,
            rate: RATE,
            faults: faults.into_iter().map(str::to_owned).collect(),
            duration_ms,
            defects: defect.iter().map(|defect| defect.id().to_owned()).collect(),
            swarm: true,
            recovery_ms_max: RECOVERY_MS_MAX,
            schedule: None,
        };
        Habitat {
            plan,
            circumstances,
            misbehaving_client: description.is_some_and(|description| description.home == Home::Client),
        }
    }

    /// The same under this schedule instead of drawn faults.
    #[must_use]
    pub fn under(self, given: Given) -> Self {
        Habitat { plan: SimPlan { schedule: Some(given), ..self.plan }, ..self }
    }

    /// What its worlds have in common.
    pub fn plan(&self) -> &SimPlan {
        &self.plan
    }

    /// The world of this seed.
    ///
    /// # Errors
    /// [`BadInput`] when the schedule cannot be followed by the protocol.
    pub fn world(&self, seed: u64) -> Result<Setup, BadInput> {
        let mut setup = self.plan.setup(seed)?;
        self.focus(&mut setup);
        if self.has("tiny snapshots") || seed % 5 == 4 {
            setup.node.snapshot_entries = TINY_SNAPSHOT_ENTRIES;
        }
        if !self.misbehaving_client && (self.has("retries") || seed % 3 == 2) {
            setup.retries = Retries::SameSequence(Duration::from(setup.timeout) / 4);
        }
        Ok(setup)
    }

    /// What a bug cannot show without is never left out; every other world has little beside it.
    fn focus(&self, setup: &mut Setup) {
        let is_needed = |fault: &dyn Fault| self.needed().any(|name| name == fault.name());
        let missing = self.needed().filter(|name| setup.faults.iter().all(|fault| fault.name() != *name));
        let fits = |fault: &&'static dyn Fault| fault.nodes_min() <= setup.nodes as usize;
        let missing: Vec<_> = missing.filter_map(|name| find(name).ok()).filter(fits).collect();
        setup.faults.extend(missing);
        let is_focused = setup.seed % 4 < 2 && self.needed().next().is_some();
        if is_focused {
            setup.faults.retain(|fault| {
                is_needed(*fault) || matches!(fault.class(), Class::Kill | Class::Partition | Class::Pause)
            });
        }
    }

    fn needed(&self) -> impl Iterator<Item = &'static str> {
        needed(self.circumstances)
    }

    fn has(&self, circumstance: &str) -> bool {
        self.circumstances.contains(&circumstance)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn worlds_take_turns_in_all_that_can_be_asked_and_in_circumstances() {
        let habitat = Habitat::new("raft", Some(Defect::R05), 1_000);
        let worlds: Vec<_> = (1_000_000..1_000_060).map(|seed| habitat.world(seed).unwrap()).collect();
        let asked: BTreeSet<_> = worlds.iter().map(|setup| setup.workload.name()).collect();
        let plain = rashomon_workloads::registry().iter().filter(|workload| workload.adapter().is_none());
        assert_eq!(asked, plain.map(|workload| workload.name()).collect());
        assert!(
            worlds.iter().filter(|setup| setup.node.snapshot_entries == TINY_SNAPSHOT_ENTRIES).count() > 5
        );
        assert!(worlds.iter().filter(|setup| matches!(setup.retries, Retries::SameSequence(_))).count() > 15);
    }

    #[test]
    fn circumstances_name_faults_that_there_are() {
        for (_, faults) in CIRCUMSTANCES {
            faults.iter().for_each(|name| assert!(find(name).is_ok(), "{name}"));
        }
    }

    #[test]
    fn a_bug_has_what_it_needs_in_every_world() {
        for seed in 0..20 {
            let world = |defect| Habitat::new("raft", Some(defect), 1_000).world(seed).unwrap();
            assert_eq!(world(Defect::R23).nodes, 4);
            let retrying = world(Defect::R32);
            assert_eq!(retrying.node.snapshot_entries, TINY_SNAPSHOT_ENTRIES);
            assert!(matches!(retrying.retries, Retries::SameSequence(_)));
            assert!(matches!(world(Defect::G01).retries, Retries::NewSequence(_)));
        }
        let wiping = Habitat::new("paxos", Some(Defect::P16), 1_000);
        for seed in 0..20 {
            let faults: Vec<_> =
                wiping.world(seed).unwrap().faults.iter().map(|fault| fault.name()).collect();
            assert!(faults.contains(&"wipe"), "seed {seed}: {faults:?}");
        }
    }
}
