//! Shrinking a simulated run: exact, as a candidate either fails in the same way or does not.
//!
//! First what comes after the violation goes, then most operations at a stroke if that will do, as worlds where little
//! is asked are quick; then faults, operations and nodes by delta debugging, then faults again. Whoever leaves something
//! out moves everything after it by a little: latencies are drawn in the order of sending. So a candidate that does not
//! fail gets further seeds for what is still drawn, the more the less happens in its worlds; the seed under which it
//! failed is kept with it. How many is counted in things that happen, not in seconds: a machine that is quicker finds
//! the same.

use std::time::{Duration, Instant};

use rashomon_histories::Nanos;
use rashomon_nemesis::{NodeId, Script};
use rashomon_workloads::generator::ScriptedOperation;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::case::{Case, Signature, Subject};
use super::ddmin::{Trial, minimise};
use crate::exit::BadInput;
use crate::replay::pinned::Pinned;
use crate::sim::seed::{Finding, Ran};

/// Seeds that a candidate gets at least, and at most, in rounds that share the cores.
const SEEDS_MIN: u64 = 6;
const SEEDS_MAX: u64 = 64;
const ROUND: u64 = 4;

/// Things that may happen in the worlds of a candidate, beyond which it gets no more than the least seeds.
const STEPS: u64 = 50_000;

/// Operations before the violation that may be all it takes.
const LAST: [usize; 3] = [8, 32, 128];

/// A case and what it cost.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left.
    pub case: Case,
    /// Its size.
    pub size: Size,
}

/// How large what is left is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Operations of clients.
    pub operations: usize,
    /// Nodes.
    pub nodes: u32,
    /// Worlds run.
    pub worlds: u64,
    /// Real time, in milliseconds.
    pub took_ms: u64,
}

/// Shrinks a run; `None` when it does not fail, or not in the way that is expected.
///
/// # Errors
/// [`BadInput`] when it cannot be followed.
pub fn shrink(
    run: Pinned,
    expected: Option<Signature>,
    within: Duration,
) -> Result<Option<Shrunk>, BadInput> {
    shrink_until(run, expected, within, &|| false)
}

/// The same, given up as soon as `is_over` says so: then with what is left at that moment.
///
/// # Errors
/// As [`shrink`].
pub fn shrink_until(
    run: Pinned,
    expected: Option<Signature>,
    within: Duration,
    is_over: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Shrunk>, BadInput> {
    let ran = run.run()?;
    let Some(first) = ran.findings.first() else { return Ok(None) };
    let check = expected.map_or_else(|| first.check.clone(), |signature| signature.check);
    let mut search = Search::new(check, within, is_over);
    let Some(outcome) = ran.outcome else { return Ok(None) };
    let operations = Some(run.operations_of(&outcome.history)?);
    let explicit = Pinned { operations, ..run.clone() };
    let best = [explicit, run].into_iter().find_map(|candidate| search.fails(&candidate));
    let Some(mut best) = best else { return Ok(None) };
    best = search.cut(best);
    best = search.one_key(best);
    best = search.few_operations(best);
    best = search.faults(best);
    best = search.operations(best);
    best = search.fewer_nodes(best);
    best = search.cut(best);
    best = search.faults(best);
    best = search.operations(best);
    Ok(Some(search.told(best)))
}

/// A run that fails, and how.
#[derive(Clone, Debug)]
struct Failing {
    run: Pinned,
    finding: Finding,
}

struct Search<'a> {
    check: String,
    started: Instant,
    within: Duration,
    is_over: &'a (dyn Fn() -> bool + Sync),
    worlds: u64,
}

impl<'a> Search<'a> {
    #[allow(clippy::disallowed_methods, reason = "the time that a person allows is wall time")]
    fn new(check: String, within: Duration, is_over: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Search { check, started: Instant::now(), within, is_over, worlds: 0 }
    }

    fn is_over(&self) -> bool {
        self.started.elapsed() > self.within || (self.is_over)()
    }

    /// Runs a candidate under a few seeds, until it fails in the way that is looked for.
    fn fails(&mut self, candidate: &Pinned) -> Option<Failing> {
        let (mut turn, mut steps) = (0, 0);
        while turn < SEEDS_MIN || (turn < SEEDS_MAX && steps < STEPS) {
            if self.is_over() {
                return None;
            }
            // Mostly the first one tells.
            let round = turn..turn + if turn == 0 { 2 } else { ROUND };
            turn = round.end;
            self.worlds += round.end - round.start;
            let ran: Vec<(Option<Failing>, u64)> =
                round.into_par_iter().map(|turn| once(candidate, turn, &self.check)).collect();
            steps += ran.iter().map(|(_, steps)| steps).sum::<u64>();
            if let Some(failing) = ran.into_iter().find_map(|(failing, _)| failing) {
                return Some(failing);
            }
        }
        None
    }

    /// The candidate if it fails, else what there was.
    fn or(&mut self, best: Failing, candidate: &Pinned) -> Failing {
        self.fails(candidate).unwrap_or(best)
    }

    /// Leaves out what comes after the violation.
    fn cut(&mut self, best: Failing) -> Failing {
        let at = best.finding.at;
        let run = &best.run;
        let before = |operation: &&ScriptedOperation| !operation.last && operation.at <= at;
        let operations = run.operations.as_ref().map(|all| all.iter().filter(before).cloned().collect());
        let faults = run.script.faults.iter().filter(|fault| fault.at <= at).cloned().collect();
        let script = Script { faults, ..Script::default() };
        let shorter = run.duration.min(at.plus(Nanos::from_millis(1)));
        let candidate = Pinned { duration: shorter, operations, script, ..run.clone() };
        self.or(best, &candidate)
    }

    fn faults(&mut self, best: Failing) -> Failing {
        let mut found = best.clone();
        minimise(&best.run.script.faults, |faults| {
            let script = Script { faults: faults.to_vec(), ..Script::default() };
            self.trial(&Pinned { script, ..found.run.clone() }, &mut found)
        });
        found
    }

    fn operations(&mut self, best: Failing) -> Failing {
        let Some(all) = best.run.operations.clone() else { return best };
        let mut found = best;
        minimise(&all, |operations| {
            self.trial(&Pinned { operations: Some(operations.to_vec()), ..found.run.clone() }, &mut found)
        });
        found
    }

    /// A violation is mostly one key's.
    fn one_key(&mut self, mut best: Failing) -> Failing {
        let Some(all) = best.run.operations.clone() else { return best };
        let mut keys: Vec<_> = all.iter().filter_map(|operation| operation.key.clone()).collect();
        // A key that the finding names comes first.
        keys.sort();
        keys.dedup();
        let detail = best.finding.detail.clone();
        keys.sort_by_key(|key| !detail.split(|c: char| !c.is_alphanumeric()).any(|word| word == key));
        for key in keys.into_iter().take(3) {
            let only = all.iter().filter(|operation| operation.key.as_ref() == Some(&key)).cloned();
            let candidate = Pinned { operations: Some(only.collect()), ..best.run.clone() };
            if let Some(failing) = self.fails(&candidate) {
                best = failing;
                break;
            }
        }
        best
    }

    /// None at all may do, or the last few before the violation: worlds where little is asked are quick.
    fn few_operations(&mut self, mut best: Failing) -> Failing {
        let Some(all) = best.run.operations.clone() else { return best };
        let at = best.finding.at;
        let before = all.iter().take_while(|operation| !operation.last && operation.at <= at).count();
        for count in std::iter::once(0).chain(LAST).take_while(|count| *count < all.len()) {
            let last = all[before.saturating_sub(count)..before].to_vec();
            if let Some(failing) = self.fails(&Pinned { operations: Some(last), ..best.run.clone() }) {
                best = failing;
                break;
            }
        }
        best
    }

    /// Leaves out nodes, one at a time, with their clients, down to three.
    fn fewer_nodes(&mut self, mut best: Failing) -> Failing {
        'fewer: while best.run.nodes > 3 {
            for node in (1..=best.run.nodes).rev() {
                if let Some(failing) = self.fails(&without_node(&best.run, node)) {
                    best = failing;
                    continue 'fewer;
                }
            }
            break;
        }
        best
    }

    fn trial(&mut self, candidate: &Pinned, found: &mut Failing) -> Trial {
        match self.fails(candidate) {
            Some(failing) => {
                *found = failing;
                Trial::Fails
            }
            None if self.is_over() => Trial::OutOfTime,
            None => Trial::Passes,
        }
    }

    fn told(&self, best: Failing) -> Shrunk {
        let Failing { run, finding } = best;
        let operations = run.operations.as_ref().map_or(0, Vec::len);
        let size = Size {
            faults: run.script.faults.len(),
            operations,
            nodes: run.nodes,
            worlds: self.worlds,
            took_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let signature = Signature { protocol: run.protocol.clone(), check: self.check.clone() };
        let planted = run.planted();
        let defects = if planted.is_empty() { "no planted bug".into() } else { planted.join(", ") };
        let mut story = vec![format!(
            "{signature}, {} nodes, {defects}: {} faults and {operations} operations are left.",
            run.nodes,
            run.script.faults.len(),
        )];
        story.extend(run.script.faults.iter().map(|fault| format!("  {}", fault.tell())));
        story.push(format!("At {}: {}", finding.at, finding.detail));
        Shrunk { case: Case { story, signature, subject: Subject::Simulator { run: Box::new(run) } }, size }
    }
}

/// The candidate under its seed of this turn, if it fails by this check; and how much happened.
fn once(candidate: &Pinned, turn: u64, check: &str) -> (Option<Failing>, u64) {
    let seed = candidate.seed.wrapping_add(turn.wrapping_mul(0x9e37_79b9));
    let run = Pinned { seed, ..candidate.clone() };
    // What cannot be followed does not fail.
    let Ok(Ran { findings, outcome, .. }) = run.run() else { return (None, 0) };
    let finding = findings.into_iter().find(|finding| finding.check == check);
    (finding.map(|finding| Failing { run, finding }), outcome.map_or(0, |outcome| outcome.steps))
}

/// The run without this node, the others moving up, and without the clients that talk to it.
fn without_node(run: &Pinned, gone: u32) -> Pinned {
    let (nodes, place) = (u64::from(run.nodes), u64::from(gone - 1));
    // Thread i talks to node i mod nodes: each keeps its node, and its rank among those of that node.
    let moved = |thread: u64| {
        let (node, rank) = (thread % nodes, thread / nodes);
        (node != place).then(|| rank * (nodes - 1) + node - u64::from(node > place))
    };
    let kept = |operation: &ScriptedOperation| {
        moved(operation.thread).map(|thread| ScriptedOperation { thread, ..operation.clone() })
    };
    Pinned {
        nodes: run.nodes - 1,
        clients: run.clients.div_ceil(run.nodes) * (run.nodes - 1),
        script: run.script.without_node(NodeId(gone)),
        operations: run.operations.as_ref().map(|all| all.iter().filter_map(kept).collect()),
        ..run.clone()
    }
}
