//! How a client makes attempts at an operation: pure, so that a client on sockets and one on simulated time keep the
//! same rules.
//!
//! A client opens its session when it first needs one, numbers its operations, and says of every failure whether the
//! operation may have happened. It never retries unless told to: a hidden retry is a double write. Whoever drives it
//! sends what [`Step::Send`] says and comes back with [`Attempts::ended`]; moments are whatever the driver counts in.

use std::ops::Add;
use std::time::Duration;

use crate::api::{Operation, Refusal, RefusalCode, Reply, Request, Sequence, SessionId, Sessioned};

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

    /// Whether another attempt could end better: the time ran out, the connection broke, or no leader was known.
    fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Refused(refusal) => match refusal.code {
                // Under this session it is refused for ever.
                RefusalCode::SessionUnknown => false,
                code => !refusal.definite || code == RefusalCode::NoLeader,
            },
            Self::NoReply(_) | Self::NeverSent(_) => true,
            Self::NoSession(_) | Self::EarlierAttempt(_) | Self::Unexpected(_) => false,
        }
    }
}

/// A client's session, its numbers, and its way with unknown outcomes.
#[derive(Clone, Debug)]
pub struct Attempts {
    session: Option<SessionId>,
    sequence: Sequence,
    /// The highest position that any answer rested on.
    seen: u64,
    retries: Retries,
}

/// One operation on its way.
#[derive(Debug)]
pub struct Call<T> {
    operation: Operation,
    end: T,
    timeout: Duration,
    stage: Stage,
    may_have_happened: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Needs no session and is not repeated.
    Plain,
    /// The session is being opened.
    Opening,
    /// Under this session.
    Numbered(SessionId),
}

/// What to do next.
#[derive(Debug)]
pub enum Step<T> {
    /// Send this and wait for its reply until then.
    Send(Request, T),
    /// Wait until then, and ask with [`Attempts::resume`].
    Pause(T),
    /// The call is over.
    Done(Result<Reply, CallError>),
}

impl Attempts {
    /// A client that has no session yet.
    pub fn new(retries: Retries) -> Self {
        Self { session: None, sequence: Sequence(0), seen: 0, retries }
    }

    /// An answer rested on this position, here or elsewhere: nodes behind it refuse to serve from their own state.
    pub fn saw(&mut self, position: u64) {
        self.seen = self.seen.max(position);
    }

    /// The highest position that any answer rested on.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether a connection on which an attempt brought no reply is to be made anew for the next one.
    pub fn reconnects(&self) -> bool {
        self.retries != Retries::Never
    }

    /// By what the store knows the latest attempt at this call; `None` where it needs no session, or has none yet.
    pub fn sessioned<T>(&self, call: &Call<T>) -> Option<Sessioned> {
        match call.stage {
            Stage::Numbered(session) => Some(Sessioned { session, sequence: self.sequence }),
            Stage::Plain | Stage::Opening => None,
        }
    }

    /// Begins an operation at `now`, to be over by `timeout` later (opening the session, where one is needed, included).
    pub fn begin<T: Moment>(
        &mut self,
        operation: Operation,
        now: T,
        timeout: Duration,
    ) -> (Call<T>, Step<T>) {
        let needs_session =
            !matches!(operation, Operation::OpenSession | Operation::Admin(_)) && !operation.is_read();
        let stage = match self.session {
            _ if !needs_session => Stage::Plain,
            None => Stage::Opening,
            Some(session) => Stage::Numbered(session),
        };
        if matches!(stage, Stage::Numbered(_)) {
            self.sequence.0 += 1;
        }
        let call = Call { operation, end: now + timeout, timeout, stage, may_have_happened: false };
        let step = self.resume(&call, now);
        (call, step)
    }

    /// What to send now: at first, and after a pause.
    pub fn resume<T: Moment>(&self, call: &Call<T>, now: T) -> Step<T> {
        let request = |sessioned, operation| Request { sessioned, seen: self.seen, operation };
        match call.stage {
            Stage::Plain => Step::Send(request(None, call.operation.clone()), call.end),
            Stage::Opening => Step::Send(request(None, Operation::OpenSession), call.end),
            Stage::Numbered(_) => {
                let per_attempt = match self.retries {
                    Retries::Never => call.timeout,
                    Retries::SameSequence(attempt) | Retries::NewSequence(attempt) => attempt,
                };
                let request = request(self.sessioned(call), call.operation.clone());
                Step::Send(request, call.end.min(now + per_attempt))
            }
        }
    }

    /// An attempt ended so, at `now`.
    pub fn ended<T: Moment>(
        &mut self,
        call: &mut Call<T>,
        outcome: Result<Reply, CallError>,
        now: T,
    ) -> Step<T> {
        let outcome = outcome.and_then(|reply| self.applied(reply));
        match call.stage {
            Stage::Plain => Step::Done(outcome),
            Stage::Opening => self.opened(call, outcome, now),
            Stage::Numbered(_) => self.numbered(call, outcome, now),
        }
    }

    /// What refuses when its turn comes has done nothing for this attempt; one that is unknown is of no use any more.
    fn applied(&mut self, reply: Reply) -> Result<Reply, CallError> {
        let Reply::NotApplied(code) = reply else { return Ok(reply) };
        if code == RefusalCode::SessionUnknown {
            self.session = None;
        }
        let text = "refused when its turn came".into();
        // Nodes give a new leader what an earlier one may have carried out: had the session ended in between, this would
        // be the second time, and nobody remembers the first.
        let definite = code != RefusalCode::SessionUnknown;
        Err(CallError::Refused(Refusal { code, definite, text }))
    }

    fn opened<T: Moment>(
        &mut self,
        call: &mut Call<T>,
        outcome: Result<Reply, CallError>,
        now: T,
    ) -> Step<T> {
        let error = match outcome {
            Ok(Reply::Opened(session)) => {
                self.session = Some(session);
                self.sequence = Sequence(1);
                call.stage = Stage::Numbered(session);
                return self.resume(call, now);
            }
            Ok(reply) => CallError::Unexpected(reply),
            Err(error) => error,
        };
        Step::Done(Err(CallError::NoSession(Box::new(error))))
    }

    fn numbered<T: Moment>(
        &mut self,
        call: &mut Call<T>,
        outcome: Result<Reply, CallError>,
        now: T,
    ) -> Step<T> {
        let error = match outcome {
            Ok(reply) => return Step::Done(Ok(reply)),
            Err(error) => error,
        };
        call.may_have_happened |= !error.is_definite();
        if self.retries == Retries::Never || !error.is_worth_repeating() || now + RETRY_PAUSE >= call.end {
            let masks_an_earlier_attempt = call.may_have_happened && error.is_definite();
            return Step::Done(Err(match masks_an_earlier_attempt {
                true => CallError::EarlierAttempt(Box::new(error)),
                false => error,
            }));
        }
        if matches!(self.retries, Retries::NewSequence(_)) {
            self.sequence.0 += 1;
        }
        Step::Pause(now + RETRY_PAUSE)
    }
}

/// A point in time as its driver counts it.
pub trait Moment: Copy + Ord + Add<Duration, Output = Self> {}

impl<T: Copy + Ord + Add<Duration, Output = T>> Moment for T {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const START: Duration = Duration::ZERO;

    fn sent(step: &Step<Duration>) -> (Option<u64>, &Operation) {
        let Step::Send(request, _) = step else { panic!("{step:?}") };
        (request.sessioned.map(|one| one.sequence.0), &request.operation)
    }

    fn no_reply() -> Result<Reply, CallError> {
        Err(CallError::NoReply("lost".into()))
    }

    /// A client with a session, and a write under way.
    fn writing(retries: Retries) -> (Attempts, Call<Duration>) {
        let mut client = Attempts::new(retries);
        let (mut call, step) = client.begin(Operation::write("x", 1), START, SECOND);
        assert_eq!(sent(&step), (None, &Operation::OpenSession));
        let step = client.ended(&mut call, Ok(Reply::Opened(SessionId(7))), START);
        assert_eq!(sent(&step), (Some(1), &Operation::write("x", 1)));
        (client, call)
    }

    #[test]
    fn a_session_is_opened_once_and_its_operations_are_numbered() {
        let (mut client, mut call) = writing(Retries::Never);
        assert!(matches!(client.ended(&mut call, Ok(Reply::Written), START), Step::Done(Ok(Reply::Written))));
        let (_, step) = client.begin(Operation::cas("x", 1, 2), START, SECOND);
        assert_eq!(sent(&step), (Some(2), &Operation::cas("x", 1, 2)));
        let (_, step) = client.begin(Operation::read("x"), START, SECOND);
        assert_eq!(sent(&step), (None, &Operation::read("x")));
    }

    #[test]
    fn nothing_is_repeated_unless_asked_for() {
        let (mut client, mut call) = writing(Retries::Never);
        let Step::Done(Err(error)) = client.ended(&mut call, no_reply(), START) else { panic!("it is over") };
        assert!(!error.is_definite());
    }

    #[test]
    fn a_retry_repeats_the_sequence_and_the_defect_does_not() {
        let retries = [Retries::SameSequence(SECOND / 4), Retries::NewSequence(SECOND / 4)];
        for (retries, sequence) in retries.into_iter().zip([1, 2]) {
            let (mut client, mut call) = writing(retries);
            let Step::Pause(at) = client.ended(&mut call, no_reply(), START) else { panic!("time is left") };
            assert_eq!(sent(&client.resume(&call, at)), (Some(sequence), &Operation::write("x", 1)));
        }
    }

    #[test]
    fn a_definite_end_after_an_unknown_attempt_is_unknown() {
        let (mut client, mut call) = writing(Retries::SameSequence(SECOND / 4));
        client.ended(&mut call, no_reply(), START);
        let step = client.ended(&mut call, Err(CallError::NeverSent("refused".into())), SECOND);
        let Step::Done(Err(error)) = step else { panic!("no time is left") };
        assert!(!error.is_definite(), "{error}");
    }

    #[test]
    fn without_a_session_the_operation_was_never_sent() {
        let mut client = Attempts::new(Retries::Never);
        let (mut call, _) = client.begin(Operation::write("x", 1), START, SECOND);
        let Step::Done(Err(error)) = client.ended(&mut call, no_reply(), START) else { panic!("it is over") };
        assert!(error.is_definite(), "{error}");
    }

    /// A node may have given the operation to two leaders: the first time it was carried out, the second time its session
    /// had ended. "A timed-out request is unknown" (RX1; thesis 6.3).
    #[test]
    fn an_unknown_session_is_given_up_and_what_became_of_the_operation_is_unknown() {
        let (mut client, mut call) = writing(Retries::SameSequence(SECOND / 4));
        let lost = Ok(Reply::NotApplied(RefusalCode::SessionUnknown));
        let Step::Done(Err(error)) = client.ended(&mut call, lost, START) else { panic!("it is over") };
        assert!(!error.is_definite(), "{error}");
        let (_, step) = client.begin(Operation::write("x", 2), START, SECOND);
        assert_eq!(sent(&step), (None, &Operation::OpenSession));
    }
}
