//! The registry of client errors: each code, what it says, and whether it is definite.
//!
//! *Definite* means: the operation surely did not happen and never will. It becomes `fail`. Everything else
//! becomes `info`: it may have happened, and may yet. Only that bit decides. A code that is definite where it
//! should not be invents violations; one that is not where it could be only loses a little evidence: in doubt, a
//! client picks an indefinite code. After Maelstrom's `errors.edn`.

use std::fmt;

use smol_str::SmolStr;

/// A kind of trouble that a client met. Clients for other languages may use names of their own beside these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// See [`ErrorCode::doc`]; so for all of them.
    Precondition,
    /// See [`ErrorCode::doc`].
    NotFound,
    /// See [`ErrorCode::doc`].
    ConnectionRefused,
    /// See [`ErrorCode::doc`].
    NotSent,
    /// See [`ErrorCode::doc`].
    NoLeader,
    /// See [`ErrorCode::doc`].
    Overloaded,
    /// See [`ErrorCode::doc`].
    SessionLost,
    /// See [`ErrorCode::doc`].
    Unsupported,
    /// See [`ErrorCode::doc`].
    Timeout,
    /// See [`ErrorCode::doc`].
    ConnectionLost,
    /// See [`ErrorCode::doc`].
    LeaderChanged,
    /// See [`ErrorCode::doc`].
    Stopping,
    /// See [`ErrorCode::doc`].
    MalformedReply,
    /// See [`ErrorCode::doc`].
    Unknown,
}

impl ErrorCode {
    /// Every code, the definite ones first.
    pub const ALL: [ErrorCode; 14] = [
        ErrorCode::Precondition,
        ErrorCode::NotFound,
        ErrorCode::ConnectionRefused,
        ErrorCode::NotSent,
        ErrorCode::NoLeader,
        ErrorCode::Overloaded,
        ErrorCode::SessionLost,
        ErrorCode::Unsupported,
        ErrorCode::Timeout,
        ErrorCode::ConnectionLost,
        ErrorCode::LeaderChanged,
        ErrorCode::Stopping,
        ErrorCode::MalformedReply,
        ErrorCode::Unknown,
    ];

    /// The code as it stands in a history.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorCode::Precondition => "precondition",
            ErrorCode::NotFound => "not-found",
            ErrorCode::ConnectionRefused => "connection-refused",
            ErrorCode::NotSent => "not-sent",
            ErrorCode::NoLeader => "no-leader",
            ErrorCode::Overloaded => "overloaded",
            ErrorCode::SessionLost => "session-lost",
            ErrorCode::Unsupported => "unsupported",
            ErrorCode::Timeout => "timeout",
            ErrorCode::ConnectionLost => "connection-lost",
            ErrorCode::LeaderChanged => "leader-changed",
            ErrorCode::Stopping => "stopping",
            ErrorCode::MalformedReply => "malformed-reply",
            ErrorCode::Unknown => "unknown",
        }
    }

    /// Whether the operation surely did not happen and never will.
    pub const fn definite(self) -> bool {
        match self {
            ErrorCode::Precondition
            | ErrorCode::NotFound
            | ErrorCode::ConnectionRefused
            | ErrorCode::NotSent
            | ErrorCode::NoLeader
            | ErrorCode::Overloaded
            | ErrorCode::SessionLost
            | ErrorCode::Unsupported => true,
            ErrorCode::Timeout
            | ErrorCode::ConnectionLost
            | ErrorCode::LeaderChanged
            | ErrorCode::Stopping
            | ErrorCode::MalformedReply
            | ErrorCode::Unknown => false,
        }
    }

    /// What it says about the operation, in a sentence.
    pub const fn doc(self) -> &'static str {
        match self {
            ErrorCode::Precondition => {
                "The system compared and found another value than the cas expected: refused, and evidence of that."
            }
            ErrorCode::NotFound => "The system looked and the key does not exist, so nothing was changed.",
            ErrorCode::ConnectionRefused => "No connection could be made, so nothing was sent.",
            ErrorCode::NotSent => "The operation did not leave the client: not a byte of it was written.",
            ErrorCode::NoLeader => "The node knows no leader, and said so before it took the operation.",
            ErrorCode::Overloaded => "The node turned the operation away at its door, before it took it.",
            ErrorCode::SessionLost => {
                "The session that the operation was numbered in is gone, so nothing was done for it."
            }
            ErrorCode::Unsupported => "The system cannot do this operation at all and said so.",
            ErrorCode::Timeout => "No answer came in time; the operation may happen yet.",
            ErrorCode::ConnectionLost => "The connection broke after the operation may have been sent.",
            ErrorCode::LeaderChanged => {
                "Leadership moved while the operation was under way; the next leader may keep it."
            }
            ErrorCode::Stopping => "The node is shutting down with the operation in its hands.",
            ErrorCode::MalformedReply => "An answer came that the client cannot read.",
            ErrorCode::Unknown => {
                "The system answered with an error that says nothing sure about the operation."
            }
        }
    }

    /// The code of this name.
    pub fn by_name(name: &str) -> Option<ErrorCode> {
        ErrorCode::ALL.into_iter().find(|code| code.name() == name)
    }

    /// An error of this code and definiteness, with what the system said.
    pub fn with(self, text: impl Into<String>) -> CallError {
        CallError { code: SmolStr::new_static(self.name()), definite: self.definite(), text: text.into() }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a call gave no reply, and what that means for the operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct CallError {
    /// The operation surely did not happen and never will.
    pub definite: bool,
    /// What stands in the history: a name of the registry, or a client program's own.
    pub code: SmolStr,
    /// What the system said; for people, nothing parses it.
    pub text: String,
}

impl CallError {
    /// Whether the system compared and refused: no trouble at all, but an answer.
    pub fn is_refusal(&self) -> bool {
        self.definite
            && (self.code == ErrorCode::Precondition.name() || self.code == ErrorCode::NotFound.name())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_registry_reads_like_this() {
        let lines: Vec<String> = ErrorCode::ALL
            .iter()
            .map(|code| {
                format!(
                    "{:18} {:10} {}",
                    code.name(),
                    if code.definite() { "definite" } else { "" },
                    code.doc()
                )
            })
            .collect();
        expect![[r#"
            precondition       definite   The system compared and found another value than the cas expected: refused, and evidence of that.
            not-found          definite   The system looked and the key does not exist, so nothing was changed.
            connection-refused definite   No connection could be made, so nothing was sent.
            not-sent           definite   The operation did not leave the client: not a byte of it was written.
            no-leader          definite   The node knows no leader, and said so before it took the operation.
            overloaded         definite   The node turned the operation away at its door, before it took it.
            session-lost       definite   The session that the operation was numbered in is gone, so nothing was done for it.
            unsupported        definite   The system cannot do this operation at all and said so.
            timeout                       No answer came in time; the operation may happen yet.
            connection-lost               The connection broke after the operation may have been sent.
            leader-changed                Leadership moved while the operation was under way; the next leader may keep it.
            stopping                      The node is shutting down with the operation in its hands.
            malformed-reply               An answer came that the client cannot read.
            unknown                       The system answered with an error that says nothing sure about the operation."#]].assert_eq(&lines.join("\n"));
    }

    #[test]
    fn names_are_found_again_and_differ() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::by_name(code.name()), Some(code));
        }
        assert_eq!(ErrorCode::by_name("time-out"), None);
    }
}
