//! Tests of the ZAB core, on clusters in memory: rules, defects, transcripts, random schedules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../cluster/mod.rs"]
mod cluster;
mod defects;
mod invariants;
mod random;
mod rules;
mod transcripts;
