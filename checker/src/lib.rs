//! Is what happened allowed: models, judges, witnesses and counterexamples.
//!
//! A history is linearizable (Herlihy and Wing 1990) when there is one order of its operations that is legal for the
//! model and in which an operation that returned before another was invoked comes first. This crate finds the order, or the
//! smallest set of operations that has none. It refuses to know networks, files and seconds.

pub mod budget;
pub mod decode;
pub mod explain;
pub mod generate;
pub mod judge;
mod minimise;
pub mod model;
pub mod models;
pub mod online;
pub mod outcome;
mod search;
pub mod verify;

pub use budget::Budget;
pub use decode::{Decode, DecodeError, decode};
pub use judge::{KeyHistory, Options, judge, judge_key};
pub use model::{Call, Effect, Model};
pub use outcome::{Counterexample, Engine, Finding, Judgement, KeyJudgement, Verdict};
