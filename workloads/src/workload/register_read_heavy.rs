//! Registers that are mostly read: for defects of the read path, such as stale leases.

use smol_str::SmolStr;

use super::register::{READ, Values, registers};
use super::{Options, Workload};
use crate::generator::{FinalReads, Generator};

/// Registers with many reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegisterReadHeavy;

impl Workload for RegisterReadHeavy {
    fn name(&self) -> &'static str {
        "register-read-heavy"
    }

    fn doc(&self) -> &'static str {
        "As register, nine reads in ten operations: for stale reads."
    }

    fn model(&self) -> &'static str {
        "cas-register"
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        registers(options, seed, [90, 6, 4], |lifetime| Values::Distinct { lifetime })
    }

    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        Box::new(FinalReads::new(READ, keys))
    }
}
