//! The remote service that every node offers to clients.

#![allow(
    missing_docs,
    reason = "the service macro generates public items without docs; the trait itself is documented"
)]

use crate::api::{Answer, Request, Status};

/// The store as a client sees it, offered by every node alike.
#[tarpc::service]
pub trait Store {
    /// Carries out an operation. A refusal says in [`crate::api::Refusal::definite`] whether the attempt may have taken
    /// effect.
    async fn operate(request: Request) -> Answer;

    /// The node's view of itself; never waits for other nodes.
    async fn status() -> Status;
}
