//! A client of one node over TCP. What it sends when, and what a failure means, are [`crate::api::attempts`]' rules.
//!
//! It never reconnects by itself unless told to retry. Who wants another node, or the same one again, connects another
//! client.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tarpc::client::RpcError;
use tarpc::context::{self, Context};
use tokio::net::TcpStream;

use crate::api::attempts::{Attempts, CallError, Retries, Step};
use crate::api::{Answer, Operation, Reply, Request, Status, StoreClient};
use crate::wire;

/// A connection to one node, with at most one session.
pub struct Client {
    address: SocketAddr,
    /// `None` while a retrying client has lost its connection.
    rpc: Option<StoreClient>,
    attempts: Attempts,
}

impl Client {
    /// Connects to the client port of a node, within `timeout`.
    ///
    /// # Errors
    /// When the port refuses, or does not answer in time.
    pub async fn connect(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let rpc = Some(dial(address, timeout).await?);
        Ok(Self { address, rpc, attempts: Attempts::new(Retries::Never) })
    }

    /// A client with another answer to unknown outcomes; to be chosen before the first operation.
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.attempts = Attempts::new(retries);
        self
    }

    /// The same client, having seen this position elsewhere: nodes behind it refuse to serve it from their own state.
    pub fn having_seen(mut self, position: u64) -> Self {
        self.attempts.saw(position);
        self
    }

    /// The highest position that any answer rested on, for [`Client::having_seen`].
    pub fn seen(&self) -> u64 {
        self.attempts.seen()
    }

    /// Carries out one operation within `timeout` (opening the session, where one is needed, included).
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::is_definite`] says whether the operation may have happened. After an indefinite
    /// error the session stays usable: the next operation's higher sequence keeps the lost one from applying later.
    pub async fn operate(&mut self, operation: Operation, timeout: Duration) -> Result<Reply, CallError> {
        let (mut call, mut step) = self.attempts.begin(operation, now(), timeout);
        loop {
            step = match step {
                Step::Send(request, end) => {
                    let outcome = self.attempt(end, request).await;
                    self.attempts.ended(&mut call, outcome, now())
                }
                Step::Pause(until) => {
                    tokio::time::sleep_until(until.into()).await;
                    self.attempts.resume(&call, now())
                }
                Step::Done(outcome) => return outcome,
            }
        }
    }

    /// Asks the node about itself.
    ///
    /// # Errors
    /// When no reply came within `timeout`.
    pub async fn status(&self, timeout: Duration) -> Result<Status, CallError> {
        let rpc = self.rpc.as_ref().ok_or_else(|| CallError::NeverSent("the connection is lost".into()))?;
        rpc.status(until(now() + timeout)).await.map_err(call_error)
    }

    async fn attempt(&mut self, end: Instant, request: Request) -> Result<Reply, CallError> {
        let rpc = match &self.rpc {
            Some(rpc) => rpc,
            None => {
                let left = end.saturating_duration_since(now());
                let rpc = dial(self.address, left)
                    .await
                    .map_err(|error| CallError::NeverSent(error.to_string()))?;
                self.rpc.insert(rpc)
            }
        };
        let outcome = rpc.operate(until(end), request).await;
        if outcome.is_err() && self.attempts.reconnects() {
            self.rpc = None;
        }
        let Answer { position, outcome } = outcome.map_err(call_error)?;
        self.attempts.saw(position);
        Ok(outcome?)
    }
}

async fn dial(address: SocketAddr, timeout: Duration) -> io::Result<StoreClient> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(address))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection to {address}")))??;
    Ok(StoreClient::new(tarpc::client::Config::default(), wire::transport(stream)?).spawn())
}

#[allow(
    clippy::disallowed_methods,
    reason = "deadlines on the wire are instants: this is where they are made"
)]
fn now() -> Instant {
    Instant::now()
}

fn until(end: Instant) -> Context {
    let mut context = context::current();
    context.deadline = end;
    context
}

/// tarpc's `Shutdown` may mean "never sent" or "maybe executed": only `Send` proves that nothing left.
fn call_error(error: RpcError) -> CallError {
    match error {
        RpcError::Send(cause) => CallError::NeverSent(cause.to_string()),
        error => CallError::NoReply(error.to_string()),
    }
}
