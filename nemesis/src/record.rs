//! What one fault came to, as it stands in a history: the same form in the real and in the simulated world.

use rashomon_histories::Nanos;
use serde::Serialize;

use crate::evidence::Outcome;
use crate::executor::Report;

/// The beginning or the end of a fault.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// Number of the fault in its run.
    pub id: u64,
    /// `begin` or `end`.
    pub phase: &'static str,
    /// What its actions came to, together.
    #[serde(flatten)]
    pub outcome: &'a Outcome,
    /// Whom it hit, and why.
    pub story: &'a str,
    /// When the first action of it was begun; the event's own time is when the evidence was complete.
    pub since: Nanos,
    /// Each action with its evidence.
    pub actions: &'a [Report],
    /// The fault that ended with the beginning of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u64>,
}

/// A fault is installed when each of its actions is, skipped when each surely had no effect, else in doubt.
pub fn combined(actions: &[Report]) -> Outcome {
    let doubts: Vec<String> = actions
        .iter()
        .filter(|report| !report.outcome.is_installed())
        .map(|report| format!("{}: {}", report.action, report.outcome))
        .collect();
    let skipped = actions.iter().all(|report| matches!(report.outcome, Outcome::Skipped { .. }));
    match (doubts.is_empty(), skipped) {
        (true, _) => Outcome::Installed,
        (false, true) => Outcome::skipped(doubts.join("; ")),
        (false, false) => Outcome::indeterminate(doubts.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::node::NodeId;

    fn report(outcome: Outcome) -> Report {
        Report { action: Action::Kill { node: NodeId(1) }, outcome, evidence: None }
    }

    #[test]
    fn a_fault_counts_only_when_all_of_it_bit() {
        let installed = || report(Outcome::Installed);
        let skipped = || report(Outcome::skipped("already dead"));
        assert_eq!(combined(&[installed(), installed()]), Outcome::Installed);
        assert!(matches!(combined(&[skipped(), skipped()]), Outcome::Skipped { .. }));
        assert!(matches!(combined(&[installed(), skipped()]), Outcome::Indeterminate { .. }));
    }
}
