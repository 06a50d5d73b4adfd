//! What `/proc` shows of processes: identities, states of threads, who descends from whom. Only looks.
//! Next: [`super::namespaces`].

use std::collections::BTreeMap;
use std::{fs, io};

use rustix::io::Errno;

use crate::evidence::{ProcessIdentity, ProcessSeen};

/// The identity of the process now running under this pid; `None` when there is none or only its remains.
pub fn identify(pid: u32) -> io::Result<Option<ProcessIdentity>> {
    let seen = look(pid)?;
    Ok(seen.started.filter(|_| !seen.is_gone()).map(|started| ProcessIdentity { pid, started }))
}

/// What `/proc` shows of this pid now.
pub fn look(pid: u32) -> io::Result<ProcessSeen> {
    let Some(stat) = read_stat(&format!("/proc/{pid}/stat"))? else {
        return Ok(ProcessSeen::default());
    };
    let mut seen = ProcessSeen { started: Some(stat.started), ..ProcessSeen::default() };
    let threads = match fs::read_dir(format!("/proc/{pid}/task")) {
        Ok(threads) => threads,
        Err(error) if is_gone(&error) => return Ok(ProcessSeen::default()),
        Err(error) => return Err(error),
    };
    for thread in threads {
        let thread = match thread {
            Ok(thread) => thread,
            Err(error) if is_gone(&error) => break,
            Err(error) => return Err(error),
        };
        if let Some(stat) = read_stat(&format!("{}/stat", thread.path().display()))? {
            *seen.threads.entry(stat.state).or_default() += 1;
        }
    }
    Ok(seen)
}

/// The processes that descend from this one, without itself, parents before children. Those whose parent exited
/// before them belong to another parent now and are not found.
pub(crate) fn descendants(pid: u32) -> io::Result<Vec<ProcessIdentity>> {
    let mut children = BTreeMap::<u32, Vec<ProcessIdentity>>::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(stat) = read_stat(&format!("/proc/{pid}/stat"))? {
            children.entry(stat.parent).or_default().push(ProcessIdentity { pid, started: stat.started });
        }
    }
    // Breadth first. Taking each list out of the map ends the walk even if pids were used again while reading.
    let mut found = children.remove(&pid).unwrap_or_default();
    let mut next = 0;
    while let Some(child) = found.get(next).copied() {
        found.extend(children.remove(&child.pid).unwrap_or_default());
        next += 1;
    }
    Ok(found)
}

/// What is used of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    /// Field 3.
    state: char,
    /// Field 4: the parent's pid.
    parent: u32,
    /// Field 22: start time in clock ticks since boot.
    started: u64,
}

/// `None` when the process or thread is gone.
fn read_stat(path: &str) -> io::Result<Option<Stat>> {
    match fs::read_to_string(path) {
        Ok(text) => match parse_stat(&text) {
            Some(found) => Ok(Some(found)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not as proc(5) says"))),
        },
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name (field 2) may hold blanks and parentheses: everything counts from the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // The parent was field 4; 17 more lie between it and field 22.
    Some(Stat { state, parent, started: fields.nth(17)?.parse().ok()? })
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_cannot_forge_its_start_time() {
        let stat = "7 (a) S 1 2 3 (x) R 1 7 7 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 1 0 4711 22 33";
        assert_eq!(parse_stat(stat), Some(Stat { state: 'R', parent: 1, started: 4711 }));
        for broken in ["", "7 (a", "7 (a)", "7 (a) S 1 2 3"] {
            assert_eq!(parse_stat(broken), None, "{broken:?}");
        }
    }
}
