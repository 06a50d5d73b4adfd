//! The run's private view of the file system: nothing that is mounted in here is seen outside, nothing stays.
//!
//! `/proc` becomes that of the process namespace. `/run` becomes a small memory file system with the
//! machine's folders put back into it: names of network namespaces and the lock of iptables need a `/run`
//! that an ordinary user may write to, while a store under `/run/user` must still be the real one.
//!
//! Refuses to know networks and processes.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

/// What of the machine's `/run` is not put back: names of namespaces that are not the run's.
const LEFT_OUT: &str = "netns";

/// A mount that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot mount {target}: {source}{}", hint(.target, .source))]
pub struct MountError {
    target: String,
    source: io::Error,
}

fn hint(target: &str, source: &io::Error) -> &'static str {
    if target == "/proc" && source.raw_os_error() == Some(nix::libc::EPERM) {
        " (a container that masks parts of /proc does not allow it: give the container \
         --security-opt systempaths=unconfined, or run with --arena loopback)"
    } else {
        ""
    }
}

/// Makes the mount namespace private and mounts `/proc` and `/run` anew. Only for process 1 of fresh
/// namespaces.
pub(super) fn make_private() -> Result<(), MountError> {
    let none = None::<&str>;
    attempt("/ (as private)", || mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    attempt("/proc", || mount(Some("proc"), "/proc", Some("proc"), safe | MsFlags::MS_NOEXEC, none))?;
    let machine = File::open("/run").map_err(|source| MountError { target: "/run".to_owned(), source })?;
    attempt("/run", || mount(Some("rashomon"), "/run", Some("tmpfs"), safe, Some("mode=755,size=16m")))?;
    put_back(&machine)
}

/// The open folder still is the machine's `/run`, although its path now leads to the new one.
fn put_back(machine: &File) -> Result<(), MountError> {
    let old = PathBuf::from(format!("/proc/self/fd/{}", machine.as_raw_fd()));
    let failed = |source| MountError { target: "the folders of /run".to_owned(), source };
    // Resolved by the kernel, not as text: a link's text would name the new /run.
    for entry in fs::read_dir(old.join(".")).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let kind = entry.file_type().map_err(failed)?;
        let (from, to) = (old.join(&name), Path::new("/run").join(&name));
        if kind.is_symlink() {
            fs::read_link(&from)
                .and_then(|target| std::os::unix::fs::symlink(target, &to))
                .map_err(failed)?;
        } else if kind.is_dir() && name != LEFT_OUT {
            fs::create_dir(&to).map_err(failed)?;
            attempt(&to.display().to_string(), || {
                mount(Some(&from), &to, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
            })?;
        }
    }
    Ok(())
}

fn attempt(target: &str, action: impl FnOnce() -> nix::Result<()>) -> Result<(), MountError> {
    action().map_err(|errno| MountError { target: target.to_owned(), source: errno.into() })
}
