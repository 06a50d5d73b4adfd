//! Runs a campaign: plans, arenas, systems and their clients, runs, reports; the rashomon binary.
//!
//! The only crate that knows all the others. It wires, stores and shows; every decision is made elsewhere: what
//! breaks in `nemesis`, what is asked in `workloads`, what is allowed in `checker`.
//!
//! Read on in this order: [`plan`], [`run`], then [`arena`] and [`systems`].

pub mod cli;
pub mod exit;
pub mod plan;
pub mod systems;

pub mod arena;
pub mod source;

pub mod run;

pub mod drawing;
pub mod explain;
pub mod page;

pub mod check;
pub mod doctor;
pub mod r#gen;
pub mod list;
pub mod nemesis;
pub mod replay;
pub mod report_command;
pub mod shrink;
pub mod sim;
pub mod zoo;
