//! The time a node goes by: milliseconds since its start, never back, running on while the machine is suspended.

use rustix::time::{ClockId, clock_gettime};

use crate::protocol::Millis;

/// A clock that started at 0.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start_ms: u64,
}

impl Clock {
    /// Starts at 0 now.
    pub fn start() -> Self {
        Self { start_ms: boot_ms() }
    }

    /// The time. Taken *after* an input has arrived, it is never before it.
    pub fn now(&self) -> Millis {
        Millis(boot_ms().saturating_sub(self.start_ms))
    }
}

/// `CLOCK_BOOTTIME`: unlike the monotonic clock it counts suspended time, which a lease has to.
fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).expect("time since boot is not negative");
    let nanos = u64::try_from(time.tv_nsec).expect("nanoseconds within a second are not negative");
    seconds * 1_000 + nanos / 1_000_000
}
