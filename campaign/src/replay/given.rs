//! A fault schedule that is given instead of drawn: a time line to aim by, or a script to repeat.

use std::collections::BTreeSet;
use std::path::Path;

use rashomon_nemesis::capability::{Capabilities, Capability};
use rashomon_nemesis::node::nodes;
use rashomon_nemesis::timeline::{Sight, library};
use rashomon_nemesis::{Directed, Script, Timeline};
use serde::{Deserialize, Serialize};

use crate::exit::BadInput;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The schedule, and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Given {
    /// Directed: whom it hits is decided on the way.
    Timeline {
        /// Name in the library, or path.
        source: String,
        /// What it says.
        timeline: Timeline,
    },
    /// As it happened once.
    Script {
        /// The run or case that it is from.
        source: String,
        /// What happened.
        script: Script,
    },
}

impl Given {
    /// The ready-made time line of this name, or the one in this file, when the name ends in `.toml`.
    ///
    /// # Errors
    /// [`BadInput`] when there is none, or it is not understood.
    pub fn timeline(source: &str) -> Result<Given, BadInput> {
        let refuse = |problem: String| BadInput(format!("--timeline {source}: {problem}"));
        let text = match source.ends_with(".toml") {
            true => read(Path::new(source)).map_err(refuse)?,
            false => library::text(source).map_err(|error| refuse(error.to_string()))?.to_owned(),
        };
        let timeline = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        Ok(Given::Timeline { source: source.to_owned(), timeline })
    }

    /// How many nodes it is written for; none: any number that has those it names.
    pub fn nodes(&self) -> Option<u32> {
        match self {
            Given::Timeline { timeline, .. } => timeline.nodes,
            Given::Script { .. } => None,
        }
    }

    /// What it is for, on one line.
    pub fn about(&self) -> String {
        match self {
            Given::Timeline { timeline, .. } => {
                timeline.about.split_whitespace().collect::<Vec<_>>().join(" ")
            }
            Given::Script { .. } => self.to_string(),
        }
    }

    /// Refuses what cannot be followed on so many nodes, with what is offered and seen there.
    ///
    /// # Errors
    /// [`BadInput`] with the entry and what is wrong with it.
    pub fn check(&self, count: u32, offered: &Capabilities, seen: &BTreeSet<Sight>) -> Result<(), BadInput> {
        let refuse = |problem: String| BadInput(format!("{self}: {problem}"));
        let all = nodes(count).collect();
        let needs: BTreeSet<Capability> = match self {
            Given::Timeline { timeline, .. } => {
                timeline.check_sight(seen).map_err(|error| refuse(error.to_string()))?;
                let directed = Directed::new(timeline, all, 0, Default::default());
                directed.map_err(|error| refuse(error.to_string()))?.needs()
            }
            Given::Script { script, .. } => {
                script.follow(all, Default::default()).map_err(|error| refuse(error.to_string()))?;
                script.needs()
            }
        };
        let needs: Vec<Capability> = needs.into_iter().collect();
        match offered.missing(&needs) {
            Some(missing) => Err(refuse(format!("it needs {missing}, which is not offered here"))),
            None => Ok(()),
        }
    }
}

impl From<&Given> for rashomon_simulator::setup::Given {
    fn from(given: &Given) -> Self {
        match given {
            Given::Timeline { timeline, .. } => Self::Timeline(timeline.clone()),
            Given::Script { script, .. } => Self::Script(script.clone()),
        }
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Given::Timeline { source, timeline } => {
                write!(f, "time line {source} ({} entries)", timeline.fault.len())
            }
            Given::Script { source, script } => {
                write!(f, "script of {source} ({} faults)", script.faults.len())
            }
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("{size} bytes; expected at most {FILE_BYTES_MAX}"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ready_made_time_line_can_be_given() {
        let seen = Sight::ALL.into();
        for name in library::names() {
            let given = Given::timeline(name).unwrap();
            let Given::Timeline { timeline, .. } = &given else { panic!("{name}") };
            given
                .check(
                    timeline.nodes.unwrap_or(5),
                    &Capabilities::simulator().with([Capability::Leadership, Capability::Members]),
                    &seen,
                )
                .unwrap();
            let text = serde_json::to_string(&given).unwrap();
            assert_eq!(serde_json::from_str::<Given>(&text).unwrap(), given);
        }
    }

    #[test]
    fn what_is_not_offered_or_not_there_is_named() {
        let refused = |name: &str, offered| {
            Given::timeline(name)
                .and_then(|given| given.check(5, &offered, &BTreeSet::from([Sight::Roles])))
                .unwrap_err()
                .to_string()
        };
        assert!(refused("R98", Capabilities::namespaces()).contains("R09"));
        assert!(refused("/nowhere.toml", Capabilities::namespaces()).contains("/nowhere.toml"));
        assert!(refused("R09", Capabilities::loopback()).contains("links of their own"));
        assert!(refused("R01", Capabilities::namespaces()).contains("a message, which cannot be seen here"));
        assert!(refused("R13", Capabilities::namespaces()).contains("hands on single messages"));
    }
}
