//! Bounded waits: the only place of this crate that reads a clock. Deciding code gets its time as an argument.

use std::time::{Duration, Instant};

use rashomon_histories::Nanos;
use rustix::event::Timespec;

/// A moment after which waiting ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    begun: Instant,
    bound: Duration,
}

impl Deadline {
    /// So long from now.
    #[allow(clippy::disallowed_methods, reason = "performing code bounds its waits by the monotonic clock")]
    pub(crate) fn after(bound: Duration) -> Self {
        Deadline { begun: Instant::now(), bound }
    }

    /// Time since it was set.
    #[allow(clippy::disallowed_methods, reason = "performing code bounds its waits by the monotonic clock")]
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.begun)
    }

    /// Time since it was set, for evidence.
    pub(crate) fn elapsed_nanos(&self) -> Nanos {
        self.elapsed().into()
    }

    /// Time left; zero once it has passed.
    pub(crate) fn left(&self) -> Duration {
        self.bound.saturating_sub(self.elapsed())
    }

    /// Whether it has passed.
    pub(crate) fn passed(&self) -> bool {
        self.left().is_zero()
    }
}

/// For `poll`.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    let tv_sec = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: i64::from(duration.subsec_nanos()) }
}
