//! What simulated runs have in common, as plain data: the seed alone tells one from another.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rashomon_histories::Nanos;
use rashomon_nemesis::fault::registry::{missing, offered};
use rashomon_nemesis::fault::{self, SIMULATED};
use rashomon_nemesis::timeline::Sight;
use rashomon_nemesis::{Capabilities, Fault};
use rashomon_node::api::{NodeId, Retries};
use rashomon_node::defect::{Defect, Home};
use rashomon_node::paxos::Paxos;
use rashomon_node::protocol::Protocol;
use rashomon_node::raft::Raft;
use rashomon_node::settings::{Reads, Settings};
use rashomon_node::zab::Zab;
use rashomon_simulator::protocols::{self, Entry};
use rashomon_simulator::swarm::{Fixed, NODES, vary};
use rashomon_simulator::{Setup, circumstances};
use rashomon_workloads::{Options, Workload};
use serde::{Deserialize, Serialize};

use crate::cli::SimArgs;
use crate::exit::BadInput;
use crate::plan::{check_snapshot_entries, shell_word};
use crate::replay::given::Given;

/// With hidden retries on, an attempt gets this share of the call's deadline.
const ATTEMPTS_PER_CALL: u32 = 4;

/// What is asked is the seed's to choose.
pub const ANY_WORKLOAD: &str = "any";

/// Everything that simulated runs have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimPlan {
    /// Version of this form.
    pub format: u32,
    /// Name of the protocol.
    pub protocol: String,
    /// Name of the workload; `any`: the seed's to choose.
    pub workload: String,
    /// Nodes, if their number is not the seed's to choose.
    pub nodes: Option<u32>,
    /// How nodes read, if not as they do by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<String>,
    /// Entries after which a log is compacted, if that is not the seed's to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_entries: Option<u64>,
    /// Operations asked per second, before the swarm varies it.
    pub rate: f64,
    /// Names of the faults.
    pub faults: Vec<String>,
    /// How long clients ask while things break.
    pub duration_ms: u64,
    /// Planted bugs that are on.
    pub defects: Vec<String>,
    /// Whether seeds vary sizes, timings and the set of faults.
    pub swarm: bool,
    /// Longest time from the heal to progress.
    pub recovery_ms_max: u64,
    /// The schedule that all seeds follow, if they do not draw theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Given>,
}

impl SimPlan {
    /// The plan of these flags under this protocol.
    ///
    /// # Errors
    /// [`BadInput`] for a name that nobody has, or a number out of bounds.
    pub fn resolve(args: &SimArgs, protocol: &str) -> Result<SimPlan, BadInput> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let faults = match &args.faults {
            Some(names) => names.iter().filter(|name| *name != "none").cloned().collect(),
            None => SimPlan::default_faults(protocol)?,
        };
        let plan = SimPlan {
            format: 1,
            protocol: protocol.to_owned(),
            workload: args.workload.clone(),
            nodes: args.nodes,
            reads: args.reads.clone(),
            snapshot_entries: args.snapshot_entries,
            rate: args.rate,
            faults,
            duration_ms: millis(args.duration),
            defects: args.defect.clone().unwrap_or_default(),
            swarm: !args.no_swarm,
            recovery_ms_max: millis(args.recovery),
            schedule: args.timeline.as_deref().map(Given::timeline).transpose()?,
        };
        plan.check()?;
        Ok(plan)
    }

    /// All that a sound node has to bear, as far as clusters of this protocol can be asked for it.
    ///
    /// # Errors
    /// [`BadInput`] when the protocol cannot be simulated.
    pub fn default_faults(protocol: &str) -> Result<Vec<String>, BadInput> {
        let entry = protocols::find(protocol).map_err(|error| BadInput(format!("--protocol: {error}")))?;
        Ok(offered(SIMULATED, &entry.capabilities()).into_iter().map(str::to_owned).collect())
    }

    fn check(&self) -> Result<(), BadInput> {
        let offered = self.entry()?.capabilities();
        if self.workload != ANY_WORKLOAD && self.workload(0)?.adapter().is_some() {
            return Err(BadInput(format!(
                "--workload {}: its operations are made of several, which simulated clients cannot",
                self.workload
            )));
        }
        for defect in self.defects()? {
            let foreign = defect.check_protocol(&self.protocol);
            foreign.map_err(|error| BadInput(format!("--defect: {error}")))?;
        }
        self.reads()?;
        check_snapshot_entries(self.snapshot_entries)?;
        if !(self.rate > 0.0 && self.rate <= 100_000.0) {
            return Err(BadInput(format!("--rate {}: expected more than 0, at most 100000", self.rate)));
        }
        if !(100..=86_400_000).contains(&self.duration_ms) {
            return Err(BadInput(format!("--duration {} ms: expected 100 ms to a day", self.duration_ms)));
        }
        self.check_schedule(&offered)?;
        let nodes = self.nodes.unwrap_or(5);
        if !(1..=31).contains(&nodes) {
            return Err(BadInput(format!("--nodes {nodes}: expected 1 to 31")));
        }
        for fault in self.faults()? {
            if (nodes as usize) < fault.nodes_min() {
                let (name, least) = (fault.name(), fault.nodes_min());
                return Err(BadInput(format!(
                    "--faults: {name} needs at least {least} nodes, --nodes is {nodes}"
                )));
            }
            if let Some(missing) = missing(fault, &offered) {
                let (name, protocol) = (fault.name(), &self.protocol);
                return Err(BadInput(format!("--faults: {name} needs {missing}, which {protocol} is not")));
            }
        }
        Ok(())
    }

    /// Refuses a schedule that some of the seeds could not follow.
    fn check_schedule(&self, offered: &Capabilities) -> Result<(), BadInput> {
        let Some(schedule) = &self.schedule else { return Ok(()) };
        let fewest = if self.swarm { NODES[0] } else { Setup::new(0).nodes };
        schedule.check(self.nodes.or(schedule.nodes()).unwrap_or(fewest), offered, &Sight::ALL.into())?;
        if let Given::Timeline { timeline, .. } = schedule {
            let words = timeline.check_words(&self.entry()?.kinds());
            words.map_err(|error| BadInput(format!("{schedule}: {error}")))?;
        }
        Ok(())
    }

    /// The protocol.
    ///
    /// # Errors
    /// [`BadInput`] when it cannot be simulated.
    pub fn entry(&self) -> Result<Entry, BadInput> {
        protocols::find(&self.protocol).map_err(|error| BadInput(format!("--protocol: {error}")))
    }

    /// The workload of a seed: where that is its to choose, registers every other time, as what is wrong shows there first,
    /// and under a given schedule.
    ///
    /// # Errors
    /// [`BadInput`] when there is none of this name.
    pub fn workload(&self, seed: u64) -> Result<&'static dyn Workload, BadInput> {
        if self.workload == ANY_WORKLOAD {
            let all = rashomon_workloads::registry();
            let plain: Vec<_> = all.iter().filter(|workload| workload.adapter().is_none()).collect();
            let turn = usize::try_from(seed / 2 % plain.len() as u64).expect("there are few workloads");
            let is_plain = seed.is_multiple_of(2) || self.schedule.is_some();
            return Ok(*plain[if is_plain { 0 } else { turn }]);
        }
        rashomon_workloads::by_name(&self.workload).map_err(|error| BadInput(format!("--workload: {error}")))
    }

    fn faults(&self) -> Result<Vec<&'static dyn Fault>, BadInput> {
        let find = |name: &String| fault::find(name).map_err(|error| BadInput(format!("--faults: {error}")));
        self.faults.iter().map(find).collect()
    }

    fn defects(&self) -> Result<Vec<Defect>, BadInput> {
        let parse = |id: &String| id.parse().map_err(|error| BadInput(format!("--defect: {error}")));
        self.defects.iter().map(parse).collect()
    }

    /// How nodes read; refused where the protocol cannot.
    fn reads(&self) -> Result<Reads, BadInput> {
        let refuse = |error: &dyn std::fmt::Display| BadInput(format!("--reads: {error}"));
        let Some(name) = &self.reads else { return Ok(Reads::default()) };
        let reads = name.parse().map_err(|error| refuse(&error))?;
        let settings = Settings { reads, ..Settings::new(NodeId(1), vec![NodeId(1)]) };
        let checked = match self.protocol.as_str() {
            Raft::NAME => Raft::check(&settings),
            Paxos::NAME => Paxos::check(&settings),
            _ => Zab::check(&settings),
        };
        checked.map(|()| reads).map_err(|error| refuse(&error))
    }

    /// What the world of this seed is a function of.
    ///
    /// # Errors
    /// As [`SimPlan::resolve`].
    pub fn setup(&self, seed: u64) -> Result<Setup, BadInput> {
        let defects = self.defects()?;
        let (client, node): (Vec<_>, Vec<_>) =
            defects.into_iter().partition(|defect| defect.description().home == Home::Client);
        let mut setup = Setup::new(seed);
        setup.workload = self.workload(seed)?;
        setup.options = Options { rate: Some(self.rate), ..setup.options };
        setup.duration = Nanos::from_millis(self.duration_ms);
        setup.recovery = Nanos::from_millis(self.recovery_ms_max);
        setup.faults = self.faults()?;
        setup.node.defects = node.into_iter().collect();
        let attempt = Duration::from(setup.timeout) / ATTEMPTS_PER_CALL;
        setup.retries = match (client.is_empty(), setup.workload.retries()) {
            (false, _) => Retries::NewSequence(attempt),
            (true, true) => Retries::SameSequence(attempt),
            (true, false) => Retries::Never,
        };
        if let Some(nodes) = self.nodes {
            setup.nodes = nodes;
            setup.clients = 4 * nodes;
        }
        let fixed = Fixed { nodes: self.nodes.is_some(), ..Fixed::default() };
        setup.node.reads = self.reads()?;
        let mut setup = match (self.swarm, &self.schedule) {
            (false, _) => setup,
            // What is told message by message is told of nodes that are as usual.
            (true, Some(_)) => vary(setup, fixed),
            (true, None) => circumstances::draw(vary(setup, fixed), &self.entry()?, self.reads.is_none()),
        };
        setup.node.snapshot_entries = self.snapshot_entries.unwrap_or(setup.node.snapshot_entries);
        let key_operations = &mut setup.options.key_operations;
        *key_operations = setup.workload.key_operations().min(*key_operations);
        if let Some(schedule) = &self.schedule {
            if let Some(nodes) = schedule.nodes() {
                setup.resize(nodes);
            }
            setup.schedule = Some(Arc::new(schedule.into()));
        }
        Ok(setup)
    }

    /// The command that runs these seeds again.
    pub fn command(&self, seeds: &str) -> String {
        let breaks = match &self.schedule {
            Some(Given::Timeline { source, .. }) => format!("--timeline {}", shell_word(source)),
            _ if self.faults.is_empty() => "--faults none".to_owned(),
            _ => format!("--faults {}", self.faults.join(",")),
        };
        let mut command = format!(
            "rashomon sim --protocol {} --workload {} --rate {} {breaks} --duration {}ms --recovery {}ms",
            self.protocol, self.workload, self.rate, self.duration_ms, self.recovery_ms_max
        );
        let mut add = |text: String| write!(command, " {text}").expect("writing to a string");
        if let Some(nodes) = self.nodes {
            add(format!("--nodes {nodes}"));
        }
        if !self.defects.is_empty() {
            add(format!("--defect {}", self.defects.join(",")));
        }
        if let Some(reads) = &self.reads {
            add(format!("--reads {reads}"));
        }
        if let Some(entries) = self.snapshot_entries {
            add(format!("--snapshot-entries {entries}"));
        }
        if !self.swarm {
            add("--no-swarm".to_owned());
        }
        add(seeds.to_owned());
        command
    }
}
