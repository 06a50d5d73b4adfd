//! Tests of Basic and Multi-Paxos, on clusters in memory: rules, defects, transcripts, random schedules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod basic;
#[path = "../cluster/mod.rs"]
mod cluster;
mod invariants;
mod random;
