//! The nemesis process: reads commands line by line, performs them one after the other, heals when its input ends.
//!
//! It is a process of its own so that it outlives whoever commands it, for as long as healing takes: the end of its
//! input (the parent exited, crashed or was killed) and SIGTERM or SIGHUP make it heal and exit. SIGINT is left to the
//! parent, which gets it too and then ends the input. Between commands it sleeps in `poll`. Nothing a line contains
//! can end it: lines are bounded, and what is not understood is refused. Next: [`crate::protocol`].

mod lines;

use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use self::lines::{Line, Lines};
use crate::action::Performer;
use crate::evidence::{LinkEvidence, Outcome};
use crate::executor::namespaces::Namespaces;
use crate::executor::{Executor, Report};
use crate::protocol::{Answer, Command, LINE_BYTES_MAX, Reply, Request, Site, VERSION};

/// Why the nemesis process ends with a failure.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its signals could not be arranged, or its input not be read.
    #[error("the nemesis process: {0}")]
    Io(#[from] io::Error),
    /// Its input ended, and not all could be healed.
    #[error("not healed: {0}")]
    NotHealed(String),
}

/// What takes the nodes over: the executor, and what it measured before any fault.
pub type Attached = (Box<dyn Executor>, Option<LinkEvidence>);

/// The whole life of `rashomon nemesis`: commands on standard input, replies on standard output, a log on standard
/// error. Call it before any other thread exists: it blocks signals for all threads to come.
pub fn run() -> Result<(), AgentError> {
    let blocked = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    blocked.thread_block().map_err(io::Error::from)?;
    let watched = SigSet::from_iter([Signal::SIGTERM, Signal::SIGHUP]);
    let signals = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC).map_err(io::Error::from)?;
    let attach = |sites: &[Site]| match Namespaces::attach(sites) {
        Ok((executor, links)) => Ok((Box::new(executor) as Box<dyn Executor>, links)),
        Err(error) => Err(error.to_string()),
    };
    serve(io::stdin(), io::stdout(), io::stderr(), Some(signals.as_fd()), attach)
}

/// Serves commands until the input ends or `stop` becomes readable; then heals.
///
/// # Errors
/// When the input cannot be read, or not everything was healed. Trouble with replies is no error: whoever does not
/// read them is gone, and all that is left to do is to heal.
pub fn serve(
    input: impl AsFd,
    mut output: impl Write,
    mut log: impl Write,
    stop: Option<std::os::fd::BorrowedFd<'_>>,
    attach: impl Fn(&[Site]) -> Result<Attached, String>,
) -> Result<(), AgentError> {
    let mut lines = Lines::new(input.as_fd(), stop, LINE_BYTES_MAX);
    let mut executor = None;
    let ended = loop {
        let reply = match lines.next() {
            Ok(Line::Text(text)) => reply(&mut executor, text, &attach),
            Ok(Line::TooLong) => refused(None, format!("a line of more than {LINE_BYTES_MAX} bytes")),
            Ok(Line::End) => break Ok(()),
            Err(error) => break Err(error),
        };
        tell(&mut log, &reply);
        if output.write_all(reply.to_line().as_bytes()).and_then(|()| output.flush()).is_err() {
            break Ok(());
        }
    };
    let reports = executor.as_mut().map(|executor| executor.heal()).unwrap_or_default();
    tell(&mut log, &Reply { id: None, answer: Answer::Healed { reports: reports.clone() } });
    ended?;
    not_healed(&reports).map_or(Ok(()), |what| Err(AgentError::NotHealed(what)))
}

/// What came of one line.
fn reply(
    executor: &mut Option<Box<dyn Executor>>,
    text: &[u8],
    attach: &impl Fn(&[Site]) -> Result<Attached, String>,
) -> Reply {
    let Request { id, command } = match Request::from_line(text) {
        Ok(request) => request,
        Err(error) => return refused(id_of(text), format!("not understood: {error}")),
    };
    let answer = match (command, executor.as_mut()) {
        (Command::Init { version, .. }, _) if version != VERSION => {
            return refused(Some(id), format!("version {version} is spoken, {VERSION} is understood"));
        }
        (Command::Init { .. }, Some(_)) => {
            return refused(Some(id), "the nodes were handed over before".to_owned());
        }
        (Command::Init { nodes, .. }, None) => match attach(&nodes) {
            Ok((attached, links)) => {
                let capabilities = executor.insert(attached).capabilities();
                Answer::Ready { capabilities, links }
            }
            Err(error) => return refused(Some(id), error),
        },
        (_, None) => return refused(Some(id), "no nodes were handed over yet".to_owned()),
        (Command::Perform { action, .. }, _) if action.performer() == Performer::Arena => {
            return refused(Some(id), format!("{action}: nodes are started by whoever owns them"));
        }
        (Command::Perform { action, process }, Some(executor)) => {
            Answer::Performed { report: executor.perform(&action, process) }
        }
        (Command::Heal, Some(executor)) => Answer::Healed { reports: executor.heal() },
    };
    Reply { id: Some(id), answer }
}

fn refused(id: Option<u64>, error: String) -> Reply {
    Reply { id, answer: Answer::Refused { error } }
}

/// The id of a request that is otherwise not understood, if it has one.
fn id_of(text: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct OnlyId {
        id: u64,
    }
    serde_json::from_slice::<OnlyId>(text).ok().map(|only| only.id)
}

/// One line of the log per reply. A log that cannot be written changes nothing about what must be done.
fn tell(log: &mut impl Write, reply: &Reply) {
    let report = |report: &Report| format!("{}: {}", report.action, report.outcome);
    let text = match &reply.answer {
        Answer::Ready { capabilities, .. } => {
            let offered: Vec<_> = capabilities.0.iter().map(ToString::to_string).collect();
            format!("ready: {}", offered.join(", "))
        }
        Answer::Performed { report: performed } => report(performed),
        Answer::Healed { reports } => {
            format!("healed: {}", reports.iter().map(report).collect::<Vec<_>>().join("; "))
        }
        Answer::Refused { error } => format!("refused: {error}"),
    };
    let _lost = writeln!(log, "nemesis: {text}");
}

/// What remains broken. A process that died while paused needs no resuming.
fn not_healed(reports: &[Report]) -> Option<String> {
    let failed = reports.iter().filter(|report| matches!(report.outcome, Outcome::Indeterminate { .. }));
    let failed: Vec<_> = failed.map(|report| format!("{}: {}", report.action, report.outcome)).collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}
