//! A lock.
//!
//! `acquire` and `release`, which may carry the owner as a number; without one the owner is the process. A refused one
//! (`fail`, error `precondition`) is evidence: the lock was held, or not held by this owner. [`Mutex`] does not care who
//! releases; [`OwnedMutex`] does.

use rashomon_histories::{Operation, Process};

use crate::decode::{Decode, Evidence, by_outcome, number};
use crate::model::{Effect, Model};

/// Anybody may release.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex;

/// Only the owner may release.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnedMutex;

/// One operation on a lock, and its owner; always 0 for [`Mutex`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutexOp {
    /// Found it free and took it.
    Acquire(i64),
    /// Found it held and let it go.
    Release(i64),
    /// Found it held by somebody, and so did not take it.
    AcquireRefused(i64),
    /// Found it free or held by another one, and so did not let it go.
    ReleaseRefused(i64),
}

fn step(holder: Option<i64>, operation: &MutexOp) -> Option<Option<i64>> {
    match *operation {
        MutexOp::Acquire(owner) => holder.is_none().then_some(Some(owner)),
        MutexOp::Release(owner) => (holder == Some(owner)).then_some(None),
        MutexOp::AcquireRefused(_) => holder.is_some().then_some(holder),
        MutexOp::ReleaseRefused(owner) => (holder != Some(owner)).then_some(holder),
    }
}

fn needs(operation: &MutexOp, earlier: &MutexOp) -> bool {
    match (*operation, *earlier) {
        (MutexOp::Acquire(_), MutexOp::Release(_)) | (MutexOp::AcquireRefused(_), MutexOp::Acquire(_)) => {
            true
        }
        (MutexOp::Release(owner), MutexOp::Acquire(by)) => owner == by,
        (MutexOp::ReleaseRefused(_), MutexOp::Release(_)) => true,
        (MutexOp::ReleaseRefused(owner), MutexOp::Acquire(by)) => owner != by,
        _ => false,
    }
}

fn effect(operation: &MutexOp) -> Effect {
    match operation {
        MutexOp::Acquire(_) | MutexOp::Release(_) => Effect::Replace,
        MutexOp::AcquireRefused(_) | MutexOp::ReleaseRefused(_) => Effect::None,
    }
}

fn decode(operation: &Operation<'_>, owned: bool) -> Result<Evidence<MutexOp>, String> {
    let owner = match (owned, operation.invoke.process) {
        (false, _) => 0,
        (true, _) if !operation.invoke.value.is_null() => number(&operation.invoke.value)?,
        (true, Process::Client(process)) => i64::try_from(process).map_err(|_| "no such owner".to_owned())?,
        (true, Process::Nemesis) => return Err("the nemesis holds no lock".into()),
    };
    let (done, refused) = match operation.invoke.f.as_str() {
        "acquire" => (MutexOp::Acquire(owner), MutexOp::AcquireRefused(owner)),
        "release" => (MutexOp::Release(owner), MutexOp::ReleaseRefused(owner)),
        f => return Err(format!("a mutex has no operation {f:?}")),
    };
    by_outcome(operation, |_| Ok(done), Some(refused), Some(done))
}

macro_rules! mutex_model {
    ($name:ident, $owned:literal, $describe:expr) => {
        impl Model for $name {
            type State = Option<i64>;
            type Operation = MutexOp;

            fn init(&self) -> Option<i64> {
                None
            }

            fn step(&self, holder: &Option<i64>, operation: &MutexOp) -> Option<Option<i64>> {
                step(*holder, operation)
            }

            fn describe(&self, operation: &MutexOp) -> String {
                let describe: fn(&MutexOp) -> String = $describe;
                describe(operation)
            }

            fn describe_state(&self, holder: &Option<i64>) -> String {
                holder.map_or(
                    "free".into(),
                    |owner| if $owned { format!("held by {owner}") } else { "held".into() },
                )
            }

            fn effect(&self, operation: &MutexOp) -> Effect {
                effect(operation)
            }

            fn needs(&self, operation: &MutexOp, earlier: &MutexOp) -> bool {
                needs(operation, earlier)
            }

            fn leaves(&self, operation: &MutexOp) -> Option<Option<i64>> {
                match *operation {
                    MutexOp::Acquire(owner) => Some(Some(owner)),
                    MutexOp::Release(_) => Some(None),
                    MutexOp::AcquireRefused(_) | MutexOp::ReleaseRefused(_) => None,
                }
            }

            fn restore(&self, holder: &Option<i64>) -> Option<MutexOp> {
                holder.map(MutexOp::Acquire)
            }
        }

        impl Decode for $name {
            fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<MutexOp>, String> {
                decode(operation, $owned)
            }
        }
    };
}

mutex_model!(Mutex, false, |operation| match operation {
    MutexOp::Acquire(_) => "acquired it".into(),
    MutexOp::Release(_) => "released it".into(),
    MutexOp::AcquireRefused(_) => "found it held".into(),
    MutexOp::ReleaseRefused(_) => "found it free".into(),
});

mutex_model!(OwnedMutex, true, |operation| match operation {
    MutexOp::Acquire(owner) => format!("acquired it for {owner}"),
    MutexOp::Release(owner) => format!("released it for {owner}"),
    MutexOp::AcquireRefused(owner) => format!("found it held when asking for {owner}"),
    MutexOp::ReleaseRefused(owner) => format!("found it not held by {owner}"),
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing::check;

    #[test]
    fn accepts_and_refuses() {
        use MutexOp::{Acquire, AcquireRefused, Release, ReleaseRefused};
        check(
            &OwnedMutex,
            &[
                &[Acquire(1), Release(1), Acquire(2), AcquireRefused(1), ReleaseRefused(1), Release(2)],
                &[ReleaseRefused(1)],
            ],
            &[
                &[Release(1)],
                &[Acquire(1), Acquire(2)],
                &[Acquire(1), Release(2)],
                &[AcquireRefused(1)],
                &[Acquire(1), ReleaseRefused(1)],
            ],
        );
        check(
            &Mutex,
            &[&[Acquire(0), AcquireRefused(0), Release(0)]],
            &[&[Acquire(0), Acquire(0)], &[Release(0)]],
        );
    }
}
