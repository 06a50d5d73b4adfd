//! One line while a run goes on: elapsed, operations a second, outcomes, faults in force, leader.
//!
//! On a terminal it is redrawn; elsewhere (CI logs) a plain line is printed every five seconds.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::measure::Counts;

/// What the line says.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Since the clients began.
    pub elapsed: Duration,
    /// Operations so far.
    pub counts: Counts,
    /// Faults in force, by name.
    pub faults: Vec<String>,
    /// The leader as probed last.
    pub leader: Option<String>,
    /// What the run is doing: `running`, `healing`, `final reads`, `judging`.
    pub phase: &'static str,
}

/// The line.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    duration: Duration,
    last: Option<(Duration, u64)>,
    rate: f64,
    plain_next: Duration,
}

/// How often a plain line is printed where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

impl Progress {
    /// A line for a run whose main phase lasts so long.
    pub fn new(duration: Duration) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(1_000), ProgressDrawTarget::stderr_with_hz(8));
            let style =
                ProgressStyle::with_template("{bar:20} {wide_msg}").expect("the template is well formed");
            bar.with_style(style)
        });
        Progress { bar, duration, last: None, rate: 0.0, plain_next: PLAIN_EVERY }
    }

    /// Shows where the run is.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let total = snapshot.counts.total();
        if let Some((elapsed, before)) = self.last {
            let seconds = snapshot.elapsed.saturating_sub(elapsed).as_secs_f64();
            if seconds > 0.0 {
                self.rate = 0.5 * self.rate + 0.5 * (total.saturating_sub(before) as f64 / seconds);
            }
        }
        self.last = Some((snapshot.elapsed, total));
        let line = self.line(snapshot);
        match &self.bar {
            Some(bar) => {
                let share = snapshot.elapsed.as_secs_f64() / self.duration.as_secs_f64().max(1e-9);
                bar.set_position((share * 1_000.0).min(1_000.0) as u64);
                bar.set_message(line);
            }
            None if snapshot.elapsed >= self.plain_next => {
                self.plain_next = snapshot.elapsed + PLAIN_EVERY;
                eprintln!("{line}");
            }
            None => {}
        }
    }

    /// Prints a line that stays, above the moving one.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Removes the line.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, snapshot: &Snapshot) -> String {
        let Counts { ok, fail, info } = snapshot.counts;
        let faults = if snapshot.faults.is_empty() { "none".to_owned() } else { snapshot.faults.join(" + ") };
        format!(
            "{:>5.1} s  {}  {:.0} ops/s  ok {ok} fail {fail} info {info}  leader {}  faults: {faults}",
            snapshot.elapsed.as_secs_f64(),
            snapshot.phase,
            self.rate,
            snapshot.leader.as_deref().unwrap_or("–"),
        )
    }
}
