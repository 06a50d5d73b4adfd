//! Registers that hold one of five values: for the general judge, and for defects that distinct values would hide.

use smol_str::SmolStr;

use super::register::{READ, Values, registers};
use super::{Options, Workload};
use crate::generator::{FinalReads, Generator};

/// Values are 0 to 4.
const VALUES_END: i64 = 5;

/// Registers with few values.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegisterSmall;

impl Workload for RegisterSmall {
    fn name(&self) -> &'static str {
        "register-small"
    }

    fn doc(&self) -> &'static str {
        "As register, with the values 0 to 4 over and over: many cas succeed, and only the general judge can decide."
    }

    fn model(&self) -> &'static str {
        "cas-register"
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        registers(options, seed, [50, 25, 25], |_| Values::Below(VALUES_END))
    }

    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        Box::new(FinalReads::new(READ, keys))
    }
}
