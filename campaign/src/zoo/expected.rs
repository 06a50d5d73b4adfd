//! What must be found, as a table in the repository: a change that loses a planted bug fails.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::simulated::{Cage, Zoo};
use crate::exit::BadInput;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Shares of visits that must find each bug, from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Under drawn schedules.
    #[serde(default)]
    pub drawn: BTreeMap<String, f64>,
    /// Under those directed at it.
    #[serde(default)]
    pub directed: BTreeMap<String, f64>,
}

/// The table in this file.
///
/// # Errors
/// [`BadInput`] when it cannot be read as one.
pub fn load(path: &Path) -> Result<Expected, BadInput> {
    let refuse = |problem: String| BadInput(format!("--expected {}: {problem}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refuse(format!("{size} bytes; expected at most {FILE_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    toml::from_str(&text).map_err(|error| refuse(error.to_string()))
}

impl Expected {
    /// What was visited and found less often than it must be, in sentences.
    pub fn lost(&self, zoo: &Zoo) -> Vec<String> {
        zoo.cages.iter().filter_map(|cage| self.loss(cage)).collect()
    }

    fn loss(&self, cage: &Cage) -> Option<String> {
        let table = if cage.directed { &self.directed } else { &self.drawn };
        let share = *table.get(&cage.defect)?;
        let (found, of) = (cage.found(), cage.visits.len());
        ((found as f64) < share * of as f64).then(|| {
            let how = if cage.directed { "its directed schedule" } else { "drawn schedules" };
            format!(
                "{} under {how}: found in {found} of {of} visits, expected {:.0} %",
                cage.defect,
                share * 1e2
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::simulated::Visit;

    fn cage(directed: bool, found: usize, of: usize) -> Cage {
        let visit = |found: bool| Visit {
            seed: 1,
            check: found.then(|| "linearizability".to_owned()),
            visible: found,
            worlds: 1,
            simulated: Default::default(),
            took_ms: 1,
        };
        let visits = (0..of).map(|number| visit(number < found)).collect();
        let (defect, title, protocol) = ("R05".to_owned(), String::new(), "raft".to_owned());
        Cage { defect, title, protocol, directed, visits, shrunk: None }
    }

    #[test]
    fn a_lost_bug_is_told_and_others_are_not() {
        let expected: Expected = toml::from_str("[drawn]\nR05 = 0.9\n[directed]\nR05 = 1.0").unwrap();
        let lost = |cage: Cage| expected.lost(&Zoo { cages: vec![cage], ..Zoo::default() });
        assert!(lost(cage(false, 18, 20)).is_empty());
        assert_eq!(lost(cage(false, 17, 20)).len(), 1);
        assert!(lost(cage(true, 19, 20))[0].contains("its directed schedule: found in 19 of 20"));
        assert!(lost(Cage { defect: "R09".into(), ..cage(true, 0, 20) }).is_empty(), "not in the table");
    }
}
