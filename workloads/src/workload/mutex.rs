//! Locks by compare-and-set: works on every system that keeps registers.
//!
//! Every acquisition has an owner's number of its own, and a release names it; so it may come from any client, also
//! after one that never heard whether it got the lock. A refusal is evidence: the lock was held, or not by this owner.
//! How that becomes cas stands in [`by_cas`].

use std::sync::Arc;

use rand::RngExt as _;
use rashomon_histories::{Invocation, Value};
use smol_str::SmolStr;

use super::register::first_value;
use super::{Adapter, Options, Workload};
use crate::client::Outcome;
use crate::generator::{FinalReads, Generator, OneKey, PerKey, Rng, Temper};

pub mod by_cas;

/// The operation that takes the lock for an owner.
pub const ACQUIRE: SmolStr = SmolStr::new_static("acquire");
/// The operation that lets it go.
pub const RELEASE: SmolStr = SmolStr::new_static("release");

/// Operations under way or of unknown outcome on a lock at most.
const WIDTH: u32 = 8;

/// How many owners that may hold the lock a key remembers.
const OWNERS_MAX: usize = 4;

/// Locks.
#[derive(Clone, Copy, Debug)]
pub struct Mutex;

impl Workload for Mutex {
    fn name(&self) -> &'static str {
        "mutex"
    }

    fn doc(&self) -> &'static str {
        "Acquires and releases locks made of a register by compare-and-set: no two owners at a time."
    }

    fn model(&self) -> &'static str {
        "owned-mutex"
    }

    fn retries(&self) -> bool {
        true
    }

    fn adapter(&self) -> Option<Adapter> {
        Some(|registers| Arc::new(by_cas::Locks::new(registers)))
    }

    fn generator(&self, options: &Options, seed: u64) -> Box<dyn Generator> {
        let lifetime = options.key_operations;
        Box::new(
            PerKey::<OneLock>::new(lifetime, options.keys, options.key_operations, seed).with_width(WIDTH),
        )
    }

    /// From every node somebody tries to get each lock, under a number below zero: one of them at most succeeds.
    fn final_reads(&self, keys: Vec<SmolStr>) -> Box<dyn Generator> {
        let owner = |asked_count: u64| Value::Int(-1 - i64::try_from(asked_count).unwrap_or(i64::MAX - 1));
        Box::new(FinalReads::new(ACQUIRE, keys).with_arguments(owner))
    }
}

#[derive(Clone, Debug)]
struct OneLock {
    next_owner: i64,
    /// Owners that hold the lock for all that is known, the newest last.
    owners: Vec<i64>,
}

impl OneKey for OneLock {
    type Settings = u64;

    fn new(lifetime: &u64, number: u64) -> Self {
        OneLock { next_owner: first_value(number, *lifetime), owners: Vec::with_capacity(OWNERS_MAX) }
    }

    fn next(&mut self, rng: &mut Rng, temper: Temper) -> (SmolStr, Value) {
        let newest = self.owners.last().copied();
        let releases = temper != Temper::Looks && rng.random_ratio(1, 2);
        if let Some(owner) = newest.filter(|_| releases) {
            // Mostly who got it last; sometimes one before, of whom nobody knows.
            let position = rng.random_range(0..self.owners.len() * 4);
            return (RELEASE, Value::Int(self.owners.get(position).copied().unwrap_or(owner)));
        }
        let owner = self.next_owner;
        self.next_owner += 1;
        (ACQUIRE, Value::Int(owner))
    }

    fn update(&mut self, operation: &Invocation, outcome: &Outcome) {
        let Some(owner) = operation.value.as_int() else { return };
        let surely_not = outcome.as_ref().is_err_and(|error| error.definite);
        let is_refused = outcome.as_ref().is_err_and(|error| error.is_refusal());
        if operation.f == ACQUIRE && !surely_not {
            if self.owners.len() == OWNERS_MAX {
                self.owners.remove(0);
            }
            self.owners.push(owner);
        }
        // Released, or found not to hold it.
        if operation.f == RELEASE && (outcome.is_ok() || is_refused) {
            self.owners.retain(|known| *known != owner);
        }
    }

    /// An owner that nobody else is: drawn from far above those that are counted.
    fn look(rng: &mut Rng) -> (SmolStr, Value) {
        (ACQUIRE, Value::Int(rng.random_range(1 << 61..1 << 62)))
    }
}

#[cfg(test)]
mod tests;
