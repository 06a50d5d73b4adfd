//! The plan: everything that a run is a function of, as plain data.
//!
//! It is resolved from flags, an optional TOML file and defaults (in that order), printed first, written to
//! `plan.json`, and hashed into the history's header. Where a run is stored and how it is shown is not part of it.
//! Next: [`crate::run`].

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rashomon_nemesis::fault::registry::offered;
use rashomon_nemesis::fault::{self, DEFAULT, Fault};
use rashomon_nemesis::{Capabilities, Capability};
use rashomon_node::defect::{Defect, Home};
use rashomon_workloads::{Options, Workload};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::arena::ArenaKind;
use crate::cli::RunArgs;
use crate::exit::BadInput;
use crate::replay::given::Given;
use crate::systems::System;

mod check;

pub use check::{check, check_snapshot_entries};

/// Largest config file that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Entries after which the reference node takes a snapshot, unless told otherwise: some within a minute at 100 operations
/// a second, so that restarts and laggards meet them.
const SNAPSHOT_ENTRIES: u64 = 1_000;

/// Everything a run is a function of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this form.
    pub format: u32,
    /// Name of a built-in system, or path of its TOML file.
    pub system: String,
    /// Protocol of the reference node; none for other systems.
    pub protocol: Option<String>,
    /// Name of the workload.
    pub workload: String,
    /// Nodes of the system.
    pub nodes: u32,
    /// Client processes at a time.
    pub clients: u32,
    /// Operations asked per second over all clients; none: as fast as they are answered.
    pub rate: Option<f64>,
    /// Keys in use at a time.
    pub keys: u32,
    /// Operations on a key until a fresh one takes its place.
    pub key_operations: u64,
    /// Names of the faults.
    pub faults: Vec<String>,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// How long clients ask while things break.
    pub duration_ms: u64,
    /// How long a client waits for an answer.
    pub timeout_ms: u64,
    /// Where nodes live.
    pub arena: ArenaKind,
    /// Planted bugs that are on.
    pub defects: Vec<String>,
    /// Longest time from the last heal to the first success that still passes.
    pub recovery_ms_max: u64,
    /// The fault schedule, where it is given instead of drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Given>,
    /// After how many entries a node takes a snapshot; none: as the system does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_entries: Option<u64>,
}

/// What a TOML file may say: any setting of the plan.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    system: Option<String>,
    protocol: Option<String>,
    workload: Option<String>,
    nodes: Option<u32>,
    clients: Option<u32>,
    rate: Option<f64>,
    keys: Option<u32>,
    key_operations: Option<u64>,
    faults: Option<Vec<String>>,
    seed: Option<u64>,
    duration: Option<Span>,
    timeout: Option<Span>,
    arena: Option<String>,
    defect: Option<Vec<String>>,
    recovery: Option<Span>,
    snapshot_entries: Option<u64>,
}

/// A duration as people write it, such as `"60s"`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Span(Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        humantime::parse_duration(&text)
            .map(Span)
            .map_err(|error| format!("{text:?} is not a duration such as \"60s\": {error}"))
    }
}

impl Plan {
    /// The plan of these flags: a flag wins over the file, the file over the default. `fresh_seed` is used where
    /// neither names one.
    ///
    /// # Errors
    /// [`BadInput`] when the file cannot be used or the plan contradicts itself.
    pub fn resolve(args: &RunArgs, fresh_seed: u64) -> anyhow::Result<Plan> {
        let config = match &args.config {
            Some(path) => read_config(path)?,
            None => Config::default(),
        };
        let system = args.system.clone().or(config.system).unwrap_or_else(|| "reference".to_owned());
        let protocol = args.protocol.clone().or(config.protocol);
        let protocol = protocol.or_else(|| (system == "reference").then(|| "raft".to_owned()));
        let millis = |flag: Option<Duration>, file: Option<Span>, default: u64| {
            let duration = flag.or(file.map(|span| span.0));
            duration.map_or(default, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
        };
        let arena = args.arena.clone().or(config.arena);
        let rate = args.rate.or(config.rate);
        let schedule = args.timeline.as_deref().map(Given::timeline).transpose()?;
        let arena = parse_arena(arena.as_deref())?;
        let default_faults = match schedule.is_some() {
            true => Vec::new(),
            false => offered(DEFAULT, &can_bear(arena, &system, protocol.as_deref())?),
        };
        let workload = args.workload.clone().or(config.workload).unwrap_or_else(|| "register".to_owned());
        // A workload that there is not is refused below.
        let key_operations = rashomon_workloads::by_name(&workload).map_or(1, |known| known.key_operations());
        let snapshot_entries = args.snapshot_entries.or(config.snapshot_entries);
        let snapshot_entries =
            snapshot_entries.or_else(|| (system == "reference").then_some(SNAPSHOT_ENTRIES));
        let plan = Plan {
            format: 1,
            system,
            protocol,
            workload,
            nodes: args.nodes.or(config.nodes).unwrap_or(5),
            clients: args.clients.or(config.clients).unwrap_or(20),
            rate: rate.filter(|rate| *rate != 0.0),
            keys: args.keys.or(config.keys).unwrap_or(10),
            key_operations: args.key_operations.or(config.key_operations).unwrap_or(key_operations),
            faults: names(args.faults.clone().or(config.faults), &default_faults),
            seed: args.seed.or(config.seed).unwrap_or(fresh_seed),
            duration_ms: millis(args.duration, config.duration, 60_000),
            timeout_ms: millis(args.timeout, config.timeout, 1_000),
            arena,
            defects: names(args.defect.clone().or(config.defect), &[]),
            recovery_ms_max: millis(args.recovery, config.recovery, 10_000),
            schedule,
            snapshot_entries,
        };
        check(&plan)?;
        Ok(plan)
    }

    /// SHA-256 of the plan's JSON, in hexadecimal.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).expect("a plan is plain data");
        Sha256::digest(json).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string");
            text
        })
    }

    /// The command that runs this plan again.
    pub fn command(&self) -> String {
        if let Some(Given::Script { source, .. }) = &self.schedule {
            return format!("rashomon replay {}", shell_word(source));
        }
        let mut command = format!("rashomon run --system {}", shell_word(&self.system));
        if let Some(protocol) = &self.protocol {
            write!(command, " --protocol {protocol}").expect("writing to a string");
        }
        let faults = match &self.schedule {
            Some(Given::Timeline { source, .. }) => format!("--timeline {}", shell_word(source)),
            _ if self.faults.is_empty() => "--faults none".to_owned(),
            _ => format!("--faults {}", self.faults.join(",")),
        };
        write!(
            command,
            " --workload {} --nodes {} --clients {} --rate {} --keys {} --key-operations {} {faults} \
             --seed {} --duration {}ms --timeout {}ms --recovery {}ms",
            self.workload,
            self.nodes,
            self.clients,
            self.rate.unwrap_or(0.0),
            self.keys,
            self.key_operations,
            self.seed,
            self.duration_ms,
            self.timeout_ms,
            self.recovery_ms_max,
        )
        .expect("writing to a string");
        if let Some(entries) = self.snapshot_entries {
            write!(command, " --snapshot-entries {entries}").expect("writing to a string");
        }
        if self.arena == ArenaKind::Loopback {
            command.push_str(" --arena loopback");
        }
        if !self.defects.is_empty() {
            write!(command, " --defect {}", self.defects.join(",")).expect("writing to a string");
        }
        command
    }

    /// A short name: system, protocol, workload, defects, seed.
    pub fn label(&self) -> String {
        let system = Path::new(&self.system)
            .file_stem()
            .map_or_else(|| "system".into(), |stem| stem.to_string_lossy());
        let mut words = vec![system.into_owned()];
        words.extend(self.protocol.clone());
        words.push(self.workload.clone());
        words.extend(self.defects.iter().cloned());
        words.push(format!("seed{}", self.seed));
        words.join("-")
    }

    /// The plan, for a person, in a few lines.
    pub fn describe(&self) -> String {
        let none = || "none".to_owned();
        let join = |names: &[String]| if names.is_empty() { none() } else { names.join(", ") };
        format!(
            "plan       {} × {}{}, {} clients at {}, workload {} on {} keys of {} operations\n\
             faults     {} for {:?}, then heal and final reads; arena {}\n\
             defects    {}\n\
             seed       {} (plan {})",
            self.nodes,
            self.system,
            self.protocol.as_ref().map(|protocol| format!(" ({protocol})")).unwrap_or_default(),
            self.clients,
            self.rate.map_or_else(|| "full speed".to_owned(), |rate| format!("{rate} operations a second")),
            self.workload,
            self.keys,
            self.key_operations,
            self.schedule.as_ref().map_or_else(|| join(&self.faults), Given::to_string),
            self.duration(),
            self.arena,
            join(&self.defects),
            self.seed,
            &self.hash()[..12],
        )
    }

    /// The workload.
    ///
    /// # Errors
    /// [`BadInput`] when there is none of this name.
    pub fn workload(&self) -> Result<&'static dyn Workload, BadInput> {
        rashomon_workloads::by_name(&self.workload).map_err(|error| BadInput(format!("--workload: {error}")))
    }

    /// The system.
    ///
    /// # Errors
    /// [`BadInput`] when there is none of this name, or its file is not usable.
    pub fn system(&self) -> Result<System, BadInput> {
        System::load(&self.system).map_err(|error| BadInput(format!("--system: {error}")))
    }

    /// All that may be done to its nodes, in its arena and by its system.
    ///
    /// # Errors
    /// As [`Plan::system`].
    pub fn capabilities(&self) -> Result<Capabilities, BadInput> {
        can_bear(self.arena, &self.system, self.protocol.as_deref())
    }

    /// Planted bugs that nodes are started with.
    pub fn node_defects(&self) -> Vec<String> {
        let in_client =
            |id: &&String| id.parse().is_ok_and(|defect: Defect| defect.description().home == Home::Client);
        self.defects.iter().filter(|id| !in_client(id)).cloned().collect()
    }

    /// Whether the clients repeat operations behind the caller's back.
    pub fn has_client_defect(&self) -> bool {
        self.node_defects().len() < self.defects.len()
    }

    /// What the workload may know of the plan.
    pub fn workload_options(&self) -> Options {
        Options { keys: self.keys, key_operations: self.key_operations, rate: self.rate }
    }

    /// The faults.
    ///
    /// # Errors
    /// [`BadInput`] for a name that no fault has.
    pub fn fault_set(&self) -> Result<Vec<&'static dyn Fault>, BadInput> {
        let find = |name: &String| fault::find(name).map_err(|error| BadInput(format!("--faults: {error}")));
        self.faults.iter().map(find).collect()
    }

    /// The duration of the main phase.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// How long a client waits for an answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// Beside what the arena does: data can be taken from any node that a run has started, and the system does what it is asked.
fn can_bear(arena: ArenaKind, system: &str, protocol: Option<&str>) -> Result<Capabilities, BadInput> {
    let system = System::load(system).map_err(|error| BadInput(format!("--system: {error}")))?;
    Ok(arena.capabilities().with([Capability::Wipes]).with(system.asks(protocol)))
}

fn names(given: Option<Vec<String>>, default: &[&str]) -> Vec<String> {
    let given = given.unwrap_or_else(|| default.iter().map(|name| (*name).to_owned()).collect());
    given.into_iter().filter(|name| name != "none" && !name.is_empty()).collect()
}

pub(crate) fn shell_word(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn parse_arena(name: Option<&str>) -> Result<ArenaKind, BadInput> {
    name.map_or(Ok(ArenaKind::default()), |name| {
        name.parse().map_err(|error| BadInput(format!("--arena: {error}")))
    })
}

fn read_config(path: &Path) -> Result<Config, BadInput> {
    let refuse = |problem: String| BadInput(format!("--config {}: {problem}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > CONFIG_BYTES_MAX {
        return Err(refuse(format!("{size} bytes; expected at most {CONFIG_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    toml::from_str(&text).map_err(|error| refuse(error.to_string()))
}
