//! A client of one node: opens its session when it first needs one, numbers its operations, and says of every failure
//! whether the operation may have happened.
//!
//! It never retries and never reconnects by itself unless told to: a hidden retry is a double write. Who wants another
//! node, or the same one again, connects another client.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tarpc::client::RpcError;
use tarpc::context::{self, Context};
use tokio::net::TcpStream;

use crate::api::{
    Answer, Operation, Refusal, RefusalCode, Reply, Request, Sequence, SessionId, Sessioned, Status,
    StoreClient,
};
use crate::wire;

/// Pause between attempts, so that a refused connection is not a busy loop.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// What to do when an attempt ends with its outcome unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Retries {
    /// Report it: the caller knows better.
    #[default]
    Never,
    /// Repeat under the same sequence while time is left, giving each attempt this long: applies at most once.
    SameSequence(Duration),
    /// Repeat under a *new* sequence: may apply twice. This is the planted defect G01, nothing else.
    NewSequence(Duration),
}

/// Why a call brought no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The node answered that it did not, or may not have, carried out the operation.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The session that the operation needs could not be opened: the operation itself was never sent.
    #[error("the operation was not sent, as no session could be opened: {0}")]
    NoSession(Box<CallError>),
    /// The operation was never handed to the network: it did not happen.
    #[error("never sent: {0}")]
    NeverSent(String),
    /// The connection failed or the time ran out after the operation may have left: it may have happened.
    #[error("no reply: {0}")]
    NoReply(String),
    /// The last attempt surely did nothing, but an earlier one under the same call may have happened.
    #[error("an earlier attempt may have happened; the last one: {0}")]
    EarlierAttempt(Box<CallError>),
    /// The node answered something that does not fit the operation; what happened is unknown.
    #[error("unexpected reply {0:?}")]
    Unexpected(Reply),
}

impl CallError {
    /// Whether the operation surely did not happen and never will.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.definite,
            Self::NoSession(_) | Self::NeverSent(_) => true,
            Self::NoReply(_) | Self::EarlierAttempt(_) | Self::Unexpected(_) => false,
        }
    }
}

/// A connection to one node, with at most one session.
pub struct Client {
    address: SocketAddr,
    /// `None` while a retrying client has lost its connection.
    rpc: Option<StoreClient>,
    session: Option<SessionId>,
    sequence: Sequence,
    /// The highest position that any answer rested on.
    seen: u64,
    retries: Retries,
}

impl Client {
    /// Connects to the client port of a node, within `timeout`.
    ///
    /// # Errors
    /// When the port refuses, or does not answer in time.
    pub async fn connect(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let rpc = Some(dial(address, timeout).await?);
        Ok(Self { address, rpc, session: None, sequence: Sequence(0), seen: 0, retries: Retries::Never })
    }

    /// The same client with another answer to unknown outcomes.
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// The same client, having seen this position elsewhere: nodes behind it refuse to serve it from their own state.
    pub fn having_seen(mut self, position: u64) -> Self {
        self.seen = self.seen.max(position);
        self
    }

    /// The highest position that any answer rested on, for [`Client::having_seen`].
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Carries out one operation within `timeout` (opening the session, where one is needed, included).
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::is_definite`] says whether the operation may have happened. After an indefinite
    /// error the session stays usable: the next operation's higher sequence keeps the lost one from applying later.
    pub async fn operate(&mut self, operation: Operation, timeout: Duration) -> Result<Reply, CallError> {
        let end = now() + timeout;
        if operation.is_read() || operation == Operation::OpenSession {
            return self.attempt(end, None, operation).await;
        }
        let session = match self.session {
            Some(session) => session,
            None => self.open(end).await.map_err(|error| CallError::NoSession(Box::new(error)))?,
        };
        self.sequence.0 += 1;
        let per_attempt = match self.retries {
            Retries::Never => timeout,
            Retries::SameSequence(attempt) | Retries::NewSequence(attempt) => attempt,
        };
        let mut may_have_happened = false;
        loop {
            let sessioned = Some(Sessioned { session, sequence: self.sequence });
            let error = match self.attempt(end.min(now() + per_attempt), sessioned, operation.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            may_have_happened |= !error.is_definite();
            if self.retries == Retries::Never || !is_worth_repeating(&error) || now() + RETRY_PAUSE >= end {
                let masks_an_earlier_attempt = may_have_happened && error.is_definite();
                return Err(if masks_an_earlier_attempt {
                    CallError::EarlierAttempt(Box::new(error))
                } else {
                    error
                });
            }
            tokio::time::sleep(RETRY_PAUSE).await;
            if matches!(self.retries, Retries::NewSequence(_)) {
                self.sequence.0 += 1;
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

    async fn open(&mut self, end: Instant) -> Result<SessionId, CallError> {
        match self.attempt(end, None, Operation::OpenSession).await? {
            Reply::Opened(session) => {
                self.session = Some(session);
                self.sequence = Sequence(0);
                Ok(session)
            }
            reply => Err(CallError::Unexpected(reply)),
        }
    }

    async fn attempt(
        &mut self,
        end: Instant,
        sessioned: Option<Sessioned>,
        operation: Operation,
    ) -> Result<Reply, CallError> {
        let request = Request { sessioned, seen: self.seen, operation };
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
        if outcome.is_err() && self.retries != Retries::Never {
            self.rpc = None;
        }
        let Answer { position, outcome } = outcome.map_err(call_error)?;
        self.seen = self.seen.max(position);
        match outcome? {
            Reply::NotApplied(code) => {
                if code == RefusalCode::SessionUnknown {
                    self.session = None;
                }
                let text = "refused when its turn came".into();
                Err(CallError::Refused(Refusal { code, definite: true, text }))
            }
            reply => Ok(reply),
        }
    }
}

async fn dial(address: SocketAddr, timeout: Duration) -> io::Result<StoreClient> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(address))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection to {address}")))??;
    Ok(StoreClient::new(tarpc::client::Config::default(), wire::transport(stream)?).spawn())
}

/// Whether another attempt could end better: the time ran out, the connection broke, or no leader was known.
fn is_worth_repeating(error: &CallError) -> bool {
    match error {
        CallError::Refused(refusal) => !refusal.definite || refusal.code == RefusalCode::NoLeader,
        CallError::NoReply(_) | CallError::NeverSent(_) => true,
        CallError::NoSession(_) | CallError::EarlierAttempt(_) | CallError::Unexpected(_) => false,
    }
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
