//! Lists: distinct elements are appended, and the whole list is read.

use smol_str::SmolStr;

use super::elements::{KEY_OPERATIONS, elements};
use super::register::READ;
use super::{Objects, Options, Workload};
use crate::generator::{FinalReads, Generator};

/// The operation that puts an element at the end.
pub const APPEND: SmolStr = SmolStr::new_static("append");

/// Lists of distinct elements.
#[derive(Clone, Copy, Debug)]
pub struct List;

impl Workload for List {
    fn name(&self) -> &'static str {
        "list"
    }

    fn doc(&self) -> &'static str {
        "Appends distinct elements to lists and reads them whole: also shows what was applied twice, or in another order."
    }

    fn model(&self) -> &'static str {
        "list-append"
    }

    fn objects(&self) -> Objects {
        Objects::Lists
    }

    fn key_operations(&self) -> u64 {
        KEY_OPERATIONS
    }

    fn retries(&self) -> bool {
        true
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        elements(options, seed, APPEND)
    }

    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        Box::new(FinalReads::new(READ, keys))
    }
}
