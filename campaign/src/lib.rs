//! Runs a campaign: plans, arenas, systems and their clients, runs, reports; the rashomon binary.

pub mod arena;
