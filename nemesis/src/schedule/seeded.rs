//! The seeded schedule: faults drawn at random in a rhythm, aimed by the view.
//!
//! **Determinism.** The plan lives on a time line of its own. Gaps, durations and coin tosses come from streams
//! numbered by slot (a slot is a moment at which a fault may begin), so they are a function of the seed; whom a fault
//! hits depends on the view as well. When the driver asks late by more than [`SLIP_TOLERANCE`], the rest of the plan
//! moves back by as much, so that order and durations stay; what no longer fits before the final heal is lost.
//!
//! **Rules it keeps.** At most one partition is in force; it may *give way* to another in one step, so that the heal
//! of the one coincides with the beginning of the next. No node is hit by two outages at once. Outages spare a
//! connected majority unless the fault says otherwise. All is healed for the quiet stretch in the middle and at the
//! end, where one final step heals whatever the view still shows broken.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rashomon_histories::Nanos;

use super::in_force::{Broken, InForce, Running};
use super::{Instance, InstanceId, ScheduleError, Step, Steps};
use crate::fault::{Class, Decision, Fault, Scene};
use crate::node::NodeId;
use crate::random::{Stream, stream};
use crate::rhythm::Rhythm;
use crate::view::View;

/// How late the driver may ask before the plan moves.
pub const SLIP_TOLERANCE: Nanos = Nanos::from_millis(300);

/// The least time a fault must have before all is healed to be worth beginning.
const WORTH_BEGINNING: Nanos = Nanos::from_millis(500);

/// How far a beginning may be moved to coincide with an end.
const COINCIDE_WITHIN: Nanos = Nanos::from_millis(800);

/// How soon another try follows a slot in which no fault could begin.
const RETRY_AFTER: Nanos = Nanos::from_millis(250);

/// The seeded schedule of one run.
#[derive(Clone, Debug)]
pub struct Schedule {
    faults: Vec<&'static dyn Fault>,
    nodes: BTreeSet<NodeId>,
    rhythm: Rhythm,
    seed: u64,
    heal_at: Nanos,
    quiet: Range<Nanos>,
    slot: Slot,
    slip: Nanos,
    in_force: InForce,
    /// Names of the faults that have been drawn at least once.
    had: BTreeSet<&'static str>,
    stage: Stage,
}

/// The next moment at which a fault may begin.
#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u64,
    at: Nanos,
    /// When it falls on the end of another fault: which of the two comes first.
    before_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Breaking,
    Healing,
    Healed,
}

impl Schedule {
    /// A schedule of these faults on these nodes: `duration` long, the final heal at its end. No faults at all is a
    /// control run: peace, then the final heal.
    pub fn new(
        faults: Vec<&'static dyn Fault>,
        nodes: BTreeSet<NodeId>,
        rhythm: Rhythm,
        seed: u64,
        duration: Nanos,
    ) -> Result<Self, ScheduleError> {
        rhythm.validate()?;
        if nodes.is_empty() {
            return Err(ScheduleError::NoNodes);
        }
        for fault in &faults {
            if nodes.len() < fault.nodes_min() {
                let (fault, needs) = (fault.name(), fault.nodes_min());
                return Err(ScheduleError::TooFewNodes { fault, needs, has: nodes.len() });
            }
            if rhythm.weight(fault.class()) == 0 {
                return Err(ScheduleError::NeverDrawn { fault: fault.name() });
            }
        }
        let eighth = |quiet_ms| Nanos::from_millis(quiet_ms).min(Nanos(duration.0 / 8));
        // Near the middle: between two and three fifths of the run.
        let middle = stream(seed, "middle", 0).random_range(duration.0 / 5 * 2..=duration.0 / 5 * 3);
        let quiet = Nanos(middle)..Nanos(middle).plus(eighth(rhythm.quiet_middle_ms));
        let first = if faults.is_empty() { duration } else { eighth(rhythm.quiet_start_ms) };
        Ok(Schedule {
            faults,
            nodes,
            seed,
            heal_at: duration,
            quiet,
            slot: Slot { number: 0, at: first, before_end: false },
            slip: Nanos(0),
            in_force: InForce::default(),
            had: BTreeSet::new(),
            stage: Stage::Breaking,
            rhythm,
        })
    }

    /// What its faults may break.
    fn broken(&self) -> Broken {
        Broken::by(self.faults.iter().flat_map(|fault| fault.needs()))
    }

    /// The next due moment on the plan's time line: the end of a fault, or else the slot.
    fn due(&self) -> (Nanos, Option<Running>) {
        match self.in_force.ends_first() {
            Some(first) if first.end < self.slot.at => (first.end, Some(first.clone())),
            Some(first) if first.end == self.slot.at && !self.slot.before_end => {
                (first.end, Some(first.clone()))
            }
            _ => (self.slot.at, None),
        }
    }

    /// When all must be healed next, seen from `from`: for the quiet stretch or for the end.
    fn healed_by(&self, from: Nanos) -> Nanos {
        let end = self.heal_at.since(self.slip);
        if from < self.quiet.start { self.quiet.start.min(end) } else { end }
    }

    /// Tries to begin a fault in the current slot, and plans the next slot.
    fn begin(&mut self, view: &View) -> Option<Instance> {
        let Slot { number, at, .. } = self.slot;
        self.slot = Slot { number: number + 1, at: at.plus(RETRY_AFTER), before_end: false };
        let drawn = match self.healed_by(at).since(at) >= WORTH_BEGINNING {
            true => self.draw(number, view),
            false => None,
        };
        let begun = drawn.map(|(fault, decision)| self.put_in_force(fault, decision, number, at));
        if begun.is_some() {
            self.plan_slot(at);
        }
        self.keep_quiet();
        begun
    }

    /// Those that have not been drawn yet first, so that a short run has all of them; classes by weight, in a class any
    /// of its faults alike; the first that has something to do.
    fn draw(&self, number: u64, view: &View) -> Option<(&'static dyn Fault, Decision)> {
        let mut rng = stream(self.seed, "fault", number);
        let overlaid = self.in_force.overlay(&self.nodes, view);
        let scene = Scene { view: &overlaid, cut: self.in_force.cut() };
        let mut faults = self.faults.clone();
        faults.retain(|fault| !fault.class().is_exclusive() || !self.in_force.has(fault.class()));
        let (had, fresh): (Vec<_>, Vec<_>) = faults.iter().partition(|fault| self.had.contains(fault.name()));
        [fresh, had].into_iter().find_map(|faults| self.draw_from(faults, &scene, &mut rng))
    }

    fn draw_from(
        &self,
        mut faults: Vec<&'static dyn Fault>,
        scene: &Scene<'_>,
        rng: &mut Stream,
    ) -> Option<(&'static dyn Fault, Decision)> {
        while !faults.is_empty() {
            let classes: BTreeSet<_> = faults.iter().map(|fault| fault.class()).collect();
            let classes: Vec<_> = classes.into_iter().collect();
            let class = *classes.choose_weighted(rng, |class| self.rhythm.weight(*class)).ok()?;
            let of_class: Vec<_> =
                (0..faults.len()).filter(|index| faults[*index].class() == class).collect();
            let fault = faults.remove(*of_class.choose(rng)?);
            if let Ok(decision) = fault.decide(scene, rng) {
                return Some((fault, decision));
            }
        }
        None
    }

    fn put_in_force(
        &mut self,
        fault: &'static dyn Fault,
        decision: Decision,
        number: u64,
        at: Nanos,
    ) -> Instance {
        let mut rng = stream(self.seed, "lasts", number);
        let lasts = self.rhythm.lasts(fault.class(), &mut rng);
        let end = at.plus(lasts).min(self.healed_by(at));
        self.had.insert(fault.name());
        let instance = self.in_force.begin(fault.name(), fault.class(), decision, end);
        if fault.class() == Class::Partition && rng.random_ratio(self.rhythm.hand_over_percent, 100) {
            self.in_force.last_gives_way();
        }
        instance
    }

    /// The slot after one at `from`: a gap later, or on the end of a fault in force that is near.
    fn plan_slot(&mut self, from: Nanos) {
        let mut rng = stream(self.seed, "gap", self.slot.number);
        let at = from.plus(self.rhythm.gap.draw(&mut rng));
        let coincide = rng.random_ratio(self.rhythm.coincide_percent, 100);
        let distance = |end: &Nanos| end.since(at).max(at.since(*end));
        let near = self.in_force.ends().filter(|end| *end > from && distance(end) <= COINCIDE_WITHIN);
        let nearest = near.min_by_key(distance).filter(|_| coincide);
        self.slot.at = nearest.unwrap_or(at);
        self.slot.before_end = rng.random_bool(0.5);
    }

    /// No slot in the quiet stretch, nor so shortly before it that nothing is worth beginning.
    fn keep_quiet(&mut self) {
        let at = self.slot.at;
        if at.plus(WORTH_BEGINNING) > self.quiet.start && at < self.quiet.end {
            self.slot.at = self.quiet.end;
        }
    }

    /// The end of a fault: another partition takes its place if it is to give way, else it is undone.
    fn end(&mut self, running: &Running, view: &View) -> Step {
        let id = running.instance.id;
        let worth = self.healed_by(running.end).since(running.end) >= WORTH_BEGINNING
            && running.end != self.quiet.start;
        if running.gives_way
            && worth
            && let Some((fault, decision)) = self.successor(id, view)
        {
            // Successors draw from streams of their own, counted from the top, apart from those of the slots.
            return Step::Begin(self.put_in_force(fault, decision, u64::MAX - id.0, running.end));
        }
        Step::End(self.in_force.end(id).expect("it was just found in force"))
    }

    fn successor(&self, id: InstanceId, view: &View) -> Option<(&'static dyn Fault, Decision)> {
        let mut rng: Stream = stream(self.seed, "successor", id.0);
        let partitions: Vec<_> =
            self.faults.iter().filter(|fault| fault.class() == Class::Partition).collect();
        let fault = **partitions.choose(&mut rng)?;
        let overlaid = self.in_force.overlay(&self.nodes, view);
        let scene = Scene { view: &overlaid, cut: self.in_force.cut() };
        let decision = fault.decide(&scene, &mut rng).ok()?;
        let same = self.in_force.partition()?.instance.decision.start == decision.start;
        (!same).then_some((fault, decision))
    }
}

impl Steps for Schedule {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        if self.stage == Stage::Breaking && now >= self.heal_at {
            self.stage = Stage::Healing;
        }
        match self.stage {
            Stage::Breaking => {}
            Stage::Healing => {
                let step = self.in_force.wind_down(&self.nodes, view, &self.broken());
                if matches!(step, Step::Heal { .. }) {
                    self.stage = Stage::Healed;
                }
                return step;
            }
            Stage::Healed => return Step::Done,
        }
        // Ends: every turn returns, or moves the slot on by a quarter of a second at least.
        loop {
            let (planned, ending) = self.due();
            let due = planned.plus(self.slip);
            if now < due || due >= self.heal_at {
                return Step::Wait { until: due.min(self.heal_at) };
            }
            if now.since(due) > SLIP_TOLERANCE {
                self.slip = self.slip.plus(now.since(due));
            }
            match ending {
                Some(running) => return self.end(&running, view),
                None => {
                    if let Some(instance) = self.begin(view) {
                        return Step::Begin(instance);
                    }
                }
            }
        }
    }

    fn stop(&mut self) {
        if self.stage == Stage::Breaking {
            self.stage = Stage::Healing;
        }
    }

    fn in_force(&self) -> Vec<&Instance> {
        self.in_force.instances()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
