//! Is what happened allowed: models, judges, witnesses and counterexamples.
//!
//! A history is linearizable (Herlihy and Wing 1990) when there is one order of its operations that is legal for the
//! model and in which an operation that returned before another was invoked comes first. This crate finds the order, or the
//! smallest set of operations that has none. It refuses to know networks, files and seconds, and needs no runtime.
//!
//! ```
//! use rashomon_checker::models::{CasRegister, RegisterOp};
//! use rashomon_checker::{Call, Finding, Options, judge_key};
//!
//! let calls = [
//!     // Process, invoked, returned, what was asked and answered.
//!     Call::completed(0, 0, 1, RegisterOp::Write(5.into())),
//!     Call::unknown(1, 2, RegisterOp::Write(6.into())),
//!     Call::completed(2, 3, 4, RegisterOp::Read(6.into())),
//!     Call::completed(2, 5, 6, RegisterOp::Read(5.into())),
//! ];
//! let judged = judge_key(&CasRegister, "x", &calls, &Options::default());
//! let Finding::Invalid(why) = &judged.finding else { panic!("6 was seen, and then 5 again") };
//! assert_eq!(why.operations, [0, 2, 3, 5]);
//! rashomon_checker::verify::verify(&CasRegister, &calls, &judged.finding).expect("proven");
//! ```
//!
//! Read on in this order: [`model`] (what a judge must know), [`models`] (what comes along), [`decode()`] (from recorded
//! histories), [`judge()`] and [`online`] (all keys, afterwards or meanwhile), [`outcome`] (what comes out), [`verify`] (why to
//! believe it), [`explain`] (what it means), [`generate`] (histories to try it on).

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
pub use judge::{KeyHistory, Options, OtherHistory, Refusal, judge, judge_again, judge_key, refusal};
pub use model::{Call, Effect, Model};
pub use outcome::{Counterexample, Engine, Exhausted, Finding, Judgement, KeyJudgement, Verdict};
