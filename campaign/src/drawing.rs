//! What pictures need: legible text, scales with round ticks, and what the nemesis and the leaders did as spans of time.
//!
//! Everything here is a pure function of a history's events. It refuses to know files and what a picture is for.
//! Next: [`crate::explain`] draws one counterexample, [`crate::page`] a whole run.

pub mod palette;
pub mod scale;
pub mod spans;
pub mod text;
