//! Sets: distinct elements are added, and the whole set is read.

use smol_str::SmolStr;

use super::elements::{KEY_OPERATIONS, elements};
use super::register::READ;
use super::{Objects, Options, Workload};
use crate::generator::{FinalReads, Generator};

/// The operation that puts an element in.
pub const ADD: SmolStr = SmolStr::new_static("add");

/// Sets of distinct elements.
#[derive(Clone, Copy, Debug)]
pub struct Set;

impl Workload for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn doc(&self) -> &'static str {
        "Adds distinct elements to sets and reads them whole: an element that is lost, or seen and then not, shows in every later read."
    }

    fn model(&self) -> &'static str {
        "set"
    }

    fn objects(&self) -> Objects {
        Objects::Sets
    }

    fn key_operations(&self) -> u64 {
        KEY_OPERATIONS
    }

    fn retries(&self) -> bool {
        true
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        elements(options, seed, ADD)
    }

    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        Box::new(FinalReads::new(READ, keys))
    }
}
