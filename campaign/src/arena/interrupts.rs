//! Being asked to finish early: Ctrl-C, `kill`, or the terminal going away, counted from the first instant
//! on.
//!
//! Refuses to know what finishing means.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the run was asked to finish (SIGINT, SIGTERM, SIGHUP). Clones share the count.
#[derive(Debug, Clone)]
pub struct Interrupts {
    count: watch::Receiver<u32>,
}

impl Interrupts {
    /// Starts to count. Signals that came while they were still blocked (from the start of the process on,
    /// where a guard started it) are counted too.
    pub(crate) fn listen() -> io::Result<Interrupts> {
        let (sender, count) = watch::channel(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let handlers = {
            let _context = runtime.enter();
            let on = |kind| signal(kind);
            (on(SignalKind::interrupt())?, on(SignalKind::terminate())?, hangup()?)
        };
        // Only now, with handlers in place, is what was held back delivered. Threads and nodes started later
        // inherit this mask: the guard's own, with SIGCHLD in it, would have servers never hear of their
        // children.
        SigSet::empty().thread_set_mask()?;
        std::thread::Builder::new().name("interrupts".to_owned()).spawn(move || {
            let (mut interrupt, mut terminate, mut hangup) = handlers;
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        Some(()) = interrupt.recv() => {}
                        Some(()) = terminate.recv() => {}
                        Some(()) = next(&mut hangup) => {}
                        else => return,
                    }
                    sender.send_modify(|count| *count += 1);
                }
            });
        })?;
        Ok(Interrupts { count })
    }

    /// How often so far.
    pub fn count(&self) -> u32 {
        *self.count.borrow()
    }

    /// Waits until the run was asked at least `times` times.
    pub async fn reached(&self, times: u32) {
        let mut count = self.count.clone();
        if count.wait_for(|count| *count >= times).await.is_err() {
            // The listening thread ends with the process only.
            std::future::pending::<()>().await;
        }
    }
}

type Hangup = Option<tokio::signal::unix::Signal>;

fn hangup() -> io::Result<Hangup> {
    if hangup_is_ignored() { Ok(None) } else { signal(SignalKind::hangup()).map(Some) }
}

async fn next(hangup: &mut Hangup) -> Option<()> {
    match hangup {
        Some(hangup) => hangup.recv().await,
        None => std::future::pending().await,
    }
}

/// The signals that ask a run to finish; without SIGHUP under nohup.
pub(super) fn asking() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    if !hangup_is_ignored() {
        signals.add(Signal::SIGHUP);
    }
    signals
}

/// Whoever started us with nohup wants the run to outlive the terminal.
fn hangup_is_ignored() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (Signal::SIGHUP as i32 - 1) & 1 == 1
}
