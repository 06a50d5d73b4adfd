//! One seed: its world run and its history judged, in this thread.

use rashomon_checker::models::ForModel;
use rashomon_checker::{Decode, Judgement, KeyHistory, Options, Verdict, decode, judge_key};
use rashomon_histories::{History, Nanos};
use rashomon_simulator::invariants::{Broken, SYSTEM_IMAGE};
use rashomon_simulator::panics;
use rashomon_simulator::protocols::Entry;
use rashomon_simulator::{Outcome, Setup};
use serde::Serialize;

use crate::exit::BadInput;
use crate::run::judge::with_model;
use crate::sim::plan::SimPlan;

/// What came of one seed.
#[derive(Debug)]
pub struct Ran {
    /// The seed.
    pub seed: u64,
    /// What happened; none when the simulator itself panicked.
    pub outcome: Option<Outcome>,
    /// What the judge says of the history.
    pub judgement: Option<Judgement>,
    /// What was found, the first check that fired first.
    pub findings: Vec<Finding>,
}

/// One thing that should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check fired.
    pub check: String,
    /// What it saw.
    pub detail: String,
    /// When, in simulated time.
    pub at: Nanos,
    /// Whether a client saw it.
    pub visible: bool,
}

/// Runs the world of a seed and judges what its clients saw.
///
/// # Errors
/// [`BadInput`] when the plan names what does not exist.
pub fn run(plan: &SimPlan, seed: u64, trace: bool) -> Result<Ran, BadInput> {
    of(plan.entry()?, &Setup { trace, ..plan.setup(seed)? })
}

/// Runs this world and judges what its clients saw.
///
/// # Errors
/// [`BadInput`] when the history cannot be read as the workload's model has it.
pub fn of(entry: Entry, setup: &Setup) -> Result<Ran, BadInput> {
    let seed = setup.seed;
    let outcome = match panics::catch(|| (entry.run)(setup)) {
        Ok(outcome) => outcome,
        Err(said) => return Ok(panicked(seed, said)),
    };
    let judgement = judged(&outcome.history, setup.workload.model())?;
    let mut findings: Vec<Finding> = outcome.broken.iter().map(internal).collect();
    // Where nodes read locally they promise less than what is judged, and invariants say whether they keep it.
    if judgement.verdict == Verdict::Invalid && !setup.clients_roam() {
        findings.push(visible(&outcome.history, &judgement));
    }
    findings.sort_by_key(|finding| finding.at);
    Ok(Ran { seed, outcome: Some(outcome), judgement: Some(judgement), findings })
}

/// Nothing is left of a world whose own code panicked, but the seeds after it are run.
fn panicked(seed: u64, said: String) -> Ran {
    let finding =
        Finding { check: "the simulator panicked".into(), detail: said, at: Nanos(0), visible: false };
    Ran { seed, outcome: None, judgement: None, findings: vec![finding] }
}

fn internal(broken: &Broken) -> Finding {
    Finding {
        check: broken.invariant.into(),
        detail: format!("{} ({})", broken.detail, broken.source),
        at: broken.at,
        visible: broken.invariant == SYSTEM_IMAGE.0,
    }
}

fn visible(history: &History, judgement: &Judgement) -> Finding {
    let keys: Vec<&str> = judgement.keys.iter().filter(|key| is_invalid(key)).map(|key| &*key.key).collect();
    // When the last operation of the earliest counterexample returned.
    let end = |key: &rashomon_checker::KeyJudgement| {
        let rashomon_checker::Finding::Invalid(found) = &key.finding else { return None };
        let ends = found.operations.iter().filter_map(|index| history.counterpart(u64::from(*index)));
        ends.map(|event| event.time).max()
    };
    Finding {
        check: "linearizability".into(),
        detail: format!("no order of events explains what clients saw of {}", keys.join(", ")),
        at: judgement.keys.iter().filter_map(end).min().unwrap_or_default(),
        visible: true,
    }
}

fn is_invalid(key: &rashomon_checker::KeyJudgement) -> bool {
    matches!(key.finding, rashomon_checker::Finding::Invalid(_))
}

/// Judges key by key in this thread: the other threads have seeds of their own.
fn judged(history: &History, model: &str) -> Result<Judgement, BadInput> {
    struct Judge<'a>(&'a History);
    impl ForModel for Judge<'_> {
        type Output = Result<Judgement, BadInput>;

        fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output {
            let keys = decode(&model, self.0).map_err(|error| BadInput(error.to_string()))?;
            let options = Options::default();
            let judge = |key: &KeyHistory<M::Operation>| judge_key(&model, &key.key, &key.calls, &options);
            Ok(Judgement::of(keys.iter().map(judge).collect()))
        }
    }
    with_model(model, Judge(history))?
}
