//! What is asked, in what order, through which client port, and which judge decides.
//!
//! A [`Workload`] names a pure [`Generator`] of operations, the reads that end a run, and the judge of what was
//! seen. A [`Client`] carries one operation to a system and says how it went; the [`ErrorCode`] registry says
//! which errors are definite. This crate refuses to know which system answers, what breaks, and where it runs.
//!
//! Read on in this order: [`generator`] (asking, on a virtual clock), [`whereabouts`] (at which node), [`client`] (the port), [`error`] (what an
//! error means for the operation), [`workload`] (the registry).

pub mod generator;

pub mod whereabouts;

pub mod client;

pub mod error;

pub mod workload;

pub use client::{BoxedClient, Client, Connector, DynClient, Outcome, Reply, completion};
pub use error::{CallError, ErrorCode};
pub use generator::{Answer, Context, Generator, Layout, LayoutError, Phases};
pub use whereabouts::{Habit, Whereabouts};
pub use workload::{Adapter, Objects, Options, OptionsError, UnknownWorkload, Workload, by_name, registry};
