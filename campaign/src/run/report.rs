//! What a run found out, as data (`verdict.json`) and as the summary on the terminal.

use std::fmt::Write as _;
use std::path::PathBuf;

use rashomon_histories::Nanos;
use serde::{Deserialize, Serialize};

use crate::exit::Outcome;
use crate::run::measure::{Latency, Measures};
use crate::run::verdict::{Axes, Safety};

/// One key that no order explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The key.
    pub key: String,
    /// The first sentence says what broke; the others tell the counterexample.
    pub sentences: Vec<String>,
    /// When, in the run, the last operation of the counterexample completed.
    pub at: Nanos,
}

/// What a run found out. The witnesses are in a file of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this form.
    pub format: u32,
    /// Hash of the plan.
    pub plan_hash: String,
    /// Exit code.
    pub code: u8,
    /// What the code says.
    pub outcome: String,
    /// The four axes.
    pub axes: Axes,
    /// The violations, the earliest first.
    pub violations: Vec<Violation>,
    /// How many keys were judged.
    pub keys_judged: usize,
    /// From the last operation to the verdict, in milliseconds.
    pub judged_ms: u64,
    /// How long clients asked in the main phase before it ended, in milliseconds.
    pub ran_ms: u64,
    /// The figures.
    pub measures: Measures,
    /// Why faults were skipped or indeterminate, each reason once.
    pub doubts: Vec<String>,
    /// Whether nodes said that they read locally.
    #[serde(default)]
    pub reads_locally: bool,
    /// Planted bugs that nodes said are on.
    pub defects: Vec<String>,
    /// The command that runs this plan again.
    pub command: String,
    /// The run's folder.
    pub folder: PathBuf,
}

/// What to know of a verdict on nodes that read locally.
pub const LOCAL_READS: &str =
    "the nodes read locally: sequential consistency is all they promise, and more is what was judged";

impl Report {
    /// A witness did not prove its verdict: whatever was found out about the system cannot be believed.
    pub fn disown(&mut self, failure: String) {
        self.axes.harness.failures.push(failure);
        self.axes.safety = Safety::Unjudged;
        let outcome = self.axes.outcome();
        self.code = outcome.code();
        self.outcome = outcome.doc().to_owned();
    }

    /// The summary, for a person.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        self.verdict_lines(&mut text);
        self.figure_lines(&mut text);
        self.fault_lines(&mut text);
        let _ = writeln!(text, "folder     {}", self.folder.display());
        let _ = writeln!(text, "reproduce  {}", self.command);
        text
    }

    fn verdict_lines(&self, text: &mut String) {
        let headline = match (&self.axes.safety, self.code == Outcome::Passed.code()) {
            (Safety::Invalid, _) => "VIOLATION  no order of events explains what the clients saw",
            (Safety::Diverged { .. }, _) => {
                "VIOLATION  the nodes hold different states; no client has seen it yet"
            }
            (Safety::Unsound { .. }, _) => {
                "VIOLATION  an internal invariant broke; not yet visible to a client"
            }
            (Safety::Valid, true) => "PASSED     one order of events explains what every client saw",
            (Safety::Valid, false) => "NOT PASSED the history is linearizable, but see below",
            (Safety::Undecided { .. }, _) => "UNDECIDED  the judge ran out of its budget",
            (Safety::Unjudged, _) => "NOT JUDGED the harness failed before there was anything to judge",
        };
        let _ = writeln!(text, "\n{headline}");
        if self.reads_locally {
            let _ = writeln!(text, "           {LOCAL_READS}");
        }
        if let Safety::Undecided { reason }
        | Safety::Diverged { story: reason }
        | Safety::Unsound { story: reason, .. } = &self.axes.safety
        {
            let _ = writeln!(text, "           {reason}");
        }
        if let Some(first) = self.violations.first() {
            for sentence in &first.sentences {
                let _ = writeln!(text, "  {sentence}");
            }
        }
        if self.violations.len() > 1 {
            let _ = writeln!(text, "  … and {} more keys, in verdict.json", self.violations.len() - 1);
        }
        let axes = &self.axes;
        for (name, problems) in [
            ("coverage", &axes.coverage.missed),
            ("recovery", &axes.recovery.missed),
            ("harness", &axes.harness.failures),
        ] {
            for problem in problems {
                let _ = writeln!(text, "  {name}: {problem}");
            }
        }
        if axes.harness.interrupted {
            let _ =
                writeln!(text, "  interrupted: what was recorded until then was healed, sealed and judged");
        }
        if !self.defects.is_empty() {
            let _ = writeln!(text, "  planted bugs were on: {}", self.defects.join(", "));
        }
    }

    fn figure_lines(&self, text: &mut String) {
        let Measures { counts, operations_per_second, latency_ok, gap_ns_max, gap_at, recovery_ns, .. } =
            &self.measures;
        let Latency { p50_us, p95_us, p99_us, .. } = latency_ok;
        let _ = writeln!(
            text,
            "operations {} ({} ok, {} fail, {} info), {operations_per_second:.0} a second",
            counts.total(),
            counts.ok,
            counts.fail,
            counts.info
        );
        let millis = |us: &u64| *us as f64 / 1e3;
        let _ = writeln!(
            text,
            "latency    p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
            millis(p50_us),
            millis(p95_us),
            millis(p99_us)
        );
        let _ = writeln!(text, "longest    gap without a success {gap_ns_max}, from {gap_at} on");
        if let Some(recovery) = recovery_ns {
            let _ = writeln!(text, "recovery   first success {recovery} after everything was healed");
        }
        let _ = writeln!(
            text,
            "judged     {} keys, verdict {} ms after the last operation",
            self.keys_judged, self.judged_ms
        );
    }

    fn fault_lines(&self, text: &mut String) {
        for (name, bites) in &self.measures.faults {
            let _ = write!(text, "fault      {name}: bit {} times", bites.installed);
            if bites.skipped > 0 {
                let _ = write!(text, ", skipped {}", bites.skipped);
            }
            if bites.indeterminate > 0 {
                let _ = write!(text, ", indeterminate {}", bites.indeterminate);
            }
            text.push('\n');
        }
        if self.measures.faults.is_empty() {
            let _ = writeln!(text, "fault      none was begun");
        }
        for doubt in self.doubts.iter().take(5) {
            let _ = writeln!(text, "           {doubt}");
        }
    }
}
