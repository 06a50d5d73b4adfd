//! A whole run's asking: the main phase, then, when the driver says so, the final reads.
//!
//! The driver asks until the answer is [`Answer::Done`], has everything healed, calls [`Phases::begin_final`], and
//! asks again until `Done`. Ending the main phase early (Ctrl-C) is the same call.

use rashomon_histories::{Invocation, Nanos};
use smol_str::SmolStr;

use super::{Answer, Context, Generator, Rate, Rest, Scripted, ScriptedOperation, Spacing, TimeLimit};
use crate::client::Outcome;
use crate::workload::{Options, Workload};

/// The stream of the rate, apart from that of what is asked: a slower run asks the same operations.
const RATE_STREAM: u64 = 0x7261_7465;

/// The generator of a run, in two phases.
#[derive(Clone, Debug)]
pub struct Phases {
    phase: Box<dyn Generator>,
    workload: &'static dyn Workload,
    /// What is asked at the end, where it is given instead of read from every key.
    last: Option<Scripted>,
    is_final: bool,
}

impl Phases {
    /// The main phase of `workload`, for as long as `limit` from the first asking.
    ///
    /// # Panics
    /// When the options were not checked ([`Options::check`]) and are wrong.
    pub fn new(workload: &'static dyn Workload, options: &Options, limit: Nanos, seed: u64) -> Self {
        let asked = Rest::new(workload.generator(options, seed));
        let phase: Box<dyn Generator> = match options.rate {
            Some(rate) => {
                let paced = Rate::new(asked, rate, Spacing::Exponential, seed ^ RATE_STREAM);
                Box::new(TimeLimit::new(paced, limit))
            }
            None => Box::new(TimeLimit::new(asked, limit)),
        };
        Phases { phase, workload, last: None, is_final: false }
    }

    /// These operations, and nothing else, in both phases.
    pub fn scripted(workload: &'static dyn Workload, operations: &[ScriptedOperation]) -> Self {
        let (last, main): (Vec<_>, Vec<_>) = operations.iter().cloned().partition(|operation| operation.last);
        let (phase, last) = (Box::new(Scripted::new(main)), Some(Scripted::from_first_asking(last)));
        Phases { phase, workload, last, is_final: false }
    }

    /// Ends the main phase and begins the final reads, of the keys that the main phase used last. Does nothing
    /// when they have begun.
    pub fn begin_final(&mut self) {
        if !self.is_final {
            self.is_final = true;
            self.phase = match self.last.take() {
                Some(given) => Box::new(given),
                None => Box::new(Rest::new(self.workload.final_reads(self.phase.keys_recent()))),
            };
        }
    }

    /// Whether the final reads have begun.
    pub fn is_final(&self) -> bool {
        self.is_final
    }
}

impl Generator for Phases {
    fn ask(&mut self, context: &Context<'_>) -> Answer {
        self.phase.ask(context)
    }

    fn update(&mut self, now: Nanos, operation: &Invocation, outcome: &Outcome) {
        self.phase.update(now, operation, outcome);
    }

    fn keys_recent(&self) -> Vec<SmolStr> {
        self.phase.keys_recent()
    }

    fn clone_boxed(&self) -> Box<dyn Generator> {
        Box::new(self.clone())
    }
}
