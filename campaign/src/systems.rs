//! Systems: what is tested, how a node of it is started, probed and stopped, and who speaks to it.
//!
//! A system is a TOML file ([`Description`]) and, when it is read, a [`System`]. Three are wired in: `reference`, our own
//! node; `etcd`; and whatever users bring with `--system path.toml`, whose clients and probes may be programs in any
//! language ([`program`]). Clients and probes live with their system here, and nothing outside this folder knows
//! which system runs. This folder refuses to know what is asked, what breaks and how an arena starts a process.
//!
//! Here a system is loaded, named, and held against a plan. Read next: [`description`] (what a file may say), [`template`]
//! (placeholders), `launch` (what is started), `opening` (who speaks to it), [`probe`] (the port), then a client:
//! [`mod@reference`], [`etcd`], [`program`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use rashomon_nemesis::Capability;
use rashomon_workloads::Objects;

pub mod description;
pub mod template;

pub mod argument;

mod check;
mod cluster;
mod launch;
mod locate;

pub mod admin;
mod opening;
pub mod probe;

pub mod etcd;
pub mod program;
pub mod reference;
pub mod watcher;

#[cfg(test)]
mod tests;

pub use admin::Admin;
pub use cluster::{Cluster, Member};
pub use description::{Description, StopSignal};
pub use launch::Launch;
pub use opening::{ClientSettings, Retries};
pub use probe::{NodeStatus, Probe};

use description::{AdminKind, ClientKind};
use template::Meaningless;

/// Largest system file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The systems that come along: name and file.
const BUILT_IN: [(&str, &str); 2] = [
    ("reference", include_str!("../systems/reference.toml")),
    ("etcd", include_str!("../systems/etcd.toml")),
];

/// Why a system cannot be used. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// No built-in system and no file of this name.
    #[error(
        "no system is called {name:?}{}; there are {}, or a file of yours whose name ends in .toml",
        hint(name),
        known()
    )]
    Unknown {
        /// The name given.
        name: String,
    },
    /// The file cannot be read.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file says something that no system can be.
    #[error("{origin}: {problem}")]
    Description {
        /// The file.
        origin: String,
        /// What is wrong, with line and field.
        problem: String,
    },
    /// The plan asks for something that the system does not offer.
    #[error("{system}: {problem}")]
    Plan {
        /// The system.
        system: String,
        /// What was asked for and what there is.
        problem: String,
    },
    /// The program is not on this machine.
    #[error("{system}: {program} is not installed{}", .package.as_ref().map_or_else(String::new, |package| format!("; install it with `apt-get install {package}`")))]
    Missing {
        /// The system.
        system: String,
        /// The program.
        program: String,
        /// The Debian and Ubuntu package that has it.
        package: Option<String>,
    },
    /// A placeholder has no value in this plan.
    #[error("{system}: {source}")]
    Template {
        /// The system.
        system: String,
        /// Which.
        source: Meaningless,
    },
}

fn hint(name: &str) -> String {
    let near = BUILT_IN.iter().find(|(known, _)| strsim::jaro_winkler(name, known) >= 0.75);
    near.map_or_else(String::new, |(known, _)| format!(" (did you mean {known:?}?)"))
}

fn known() -> String {
    BUILT_IN.map(|(name, _)| name).join(", ")
}

/// A system, ready to be asked how its nodes are run.
#[derive(Clone, Debug)]
pub struct System {
    description: Description,
    /// The file, or `built in: NAME`.
    origin: String,
    /// Folder that relative paths start from.
    folder: PathBuf,
}

impl System {
    /// The built-in system of this name, or the one that a file describes, when the name ends in `.toml`.
    ///
    /// # Errors
    /// [`SystemError`], naming what there is, or the file's line and field.
    pub fn load(name: &str) -> Result<Self, SystemError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(text, format!("built in: {name}"), PathBuf::from("."));
        }
        if !name.ends_with(".toml") {
            return Err(SystemError::Unknown { name: name.to_owned() });
        }
        let path = Path::new(name);
        let refuse = |problem: String| SystemError::File { path: path.to_owned(), problem };
        let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(refuse(format!("{size} bytes; expected at most {FILE_BYTES_MAX}")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let absolute = std::path::absolute(path).map_err(|error| refuse(error.to_string()))?;
        let folder = absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        Self::parse(&text, path.display().to_string(), folder)
    }

    /// The systems that come along.
    pub fn built_in() -> impl Iterator<Item = System> {
        BUILT_IN.iter().map(|(name, _)| System::load(name).expect("the built-in files are read by a test"))
    }

    fn parse(text: &str, origin: String, folder: PathBuf) -> Result<Self, SystemError> {
        let refuse = |problem: String| SystemError::Description { origin: origin.clone(), problem };
        let description: Description =
            toml::from_str(text).map_err(|error| refuse(error.to_string().trim_end().to_owned()))?;
        description.check().map_err(refuse)?;
        Ok(System { description, origin, folder })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// What it is, in a sentence.
    pub fn doc(&self) -> &str {
        &self.description.doc
    }

    /// What its file says.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// How long all nodes together may take to become ready.
    pub fn ready_within(&self) -> Duration {
        Duration::from_millis(self.description.probe.ready_ms_max)
    }

    /// How a node is asked to stop, and how long it may take.
    pub fn stop(&self) -> (StopSignal, Duration) {
        (self.description.node.stop_signal, Duration::from_millis(self.description.node.stop_ms_max))
    }

    /// Refuses a plan that this system cannot serve.
    ///
    /// # Errors
    /// [`SystemError::Plan`] with what was asked for and what there is.
    pub fn check(
        &self,
        protocol: Option<&str>,
        has_node_defects: bool,
        objects: Objects,
    ) -> Result<(), SystemError> {
        let refuse = |problem| Err(SystemError::Plan { system: self.name().to_owned(), problem });
        if self.description.client.kind == ClientKind::EtcdV3Json && objects != Objects::Registers {
            return refuse(format!("the workload asks for {objects}, and its client knows registers only"));
        }
        let protocols = &self.description.protocols;
        match protocol {
            Some(asked) if protocols.is_empty() => {
                return refuse(format!("protocol {asked:?} was asked for, but it offers no choice"));
            }
            Some(asked) if !protocols.iter().any(|known| known == asked) => {
                return refuse(format!("it has no protocol {asked:?}; there are {}", protocols.join(", ")));
            }
            None if !protocols.is_empty() => {
                return refuse(format!("it needs a protocol: {}", protocols.join(", ")));
            }
            _ => {}
        }
        if has_node_defects && self.description.node.defect_arguments.is_empty() {
            return refuse("it has no planted defects to switch on".to_owned());
        }
        Ok(())
    }

    /// Refuses to say when snapshots are taken where the system cannot be told.
    ///
    /// # Errors
    /// [`SystemError::Plan`].
    pub fn check_snapshots(&self, entries: Option<u64>) -> Result<(), SystemError> {
        if entries.is_none() || !self.description.node.snapshot_arguments.is_empty() {
            return Ok(());
        }
        let problem = "it cannot be told when to take snapshots: node.snapshot_arguments is empty".to_owned();
        Err(SystemError::Plan { system: self.name().to_owned(), problem })
    }

    /// What it does when it is asked to, under this protocol.
    pub fn asks(&self, protocol: Option<&str>) -> Vec<Capability> {
        let Some(admin) = &self.description.admin else { return Vec::new() };
        let is_among = |named: &[String]| protocol.is_some_and(|asked| named.iter().any(|one| one == asked));
        let can = match admin.kind {
            AdminKind::RashomonNode => [is_among(&admin.leadership), is_among(&admin.members)],
            AdminKind::Program => [!admin.leadership_command.is_empty(), !admin.members_command.is_empty()],
        };
        let all = [Capability::Leadership, Capability::Members].into_iter().zip(can);
        all.filter(|(_, can)| *can).map(|(capability, _)| capability).collect()
    }

    /// Where its description comes from: a file, or `built in: NAME`.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}
