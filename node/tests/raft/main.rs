//! Tests of the Raft core, on clusters in memory: claims of the paper, transcripts, random schedules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../cluster/mod.rs"]
mod cluster;
mod invariants;
mod paper;
mod random;
mod transcripts;
