//! What `/proc` says about processes: state, parent, group, start time; and which descend from us.
//!
//! Refuses to know why anybody asks.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::Child;

/// The part of `/proc/PID/stat` that is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    /// One letter: R runs, S sleeps, D waits for a disk, T stopped, Z is a zombie.
    pub state: char,
    /// The parent's number; 0 when it lives outside our process namespace.
    pub parent: i32,
    /// The process group's number.
    pub group: i32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// Reads `/proc/PID/stat`. `NotFound` (or "no such process") when there is no such process.
pub fn stat(pid: i32) -> io::Result<ProcessStat> {
    let text = fs::read(format!("/proc/{pid}/stat"))?;
    parse(&String::from_utf8_lossy(&text))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is malformed")))
}

/// The command's name is in parentheses and may itself hold spaces and parentheses: the last one closes it.
fn parse(text: &str) -> Option<ProcessStat> {
    let rest = &text[text.rfind(')')? + 1..];
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    // Field 22 of the line; state was field 3, so 16 lie between the group (5) and it.
    let start_ticks = fields.nth(16)?.parse().ok()?;
    Some(ProcessStat { state, parent, group, start_ticks })
}

/// The numbers of all processes there are.
fn all() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(pids)
}

/// The members of a process group, zombies left out.
pub fn living_members(group: i32) -> io::Result<Vec<i32>> {
    let lives = |pid: &i32| stat(*pid).is_ok_and(|stat| stat.group == group && stat.state != 'Z');
    Ok(all()?.into_iter().filter(lives).collect())
}

/// Every process that descends from `ancestor`, zombies left out, in order of their numbers.
pub fn descendants(ancestor: i32) -> io::Result<Vec<i32>> {
    let mut parents = BTreeMap::new();
    for pid in all()? {
        // A process that ended between the two reads is no descendant any more.
        if let Ok(stat) = stat(pid) {
            parents.insert(pid, stat);
        }
    }
    let descends = |start: i32| {
        let mut pid = start;
        // A chain is at most as long as there are processes; numbers reused while we read cannot make us
        // loop.
        for _ in 0..parents.len() {
            match parents.get(&pid) {
                Some(stat) if stat.parent == ancestor => return true,
                Some(stat) => pid = stat.parent,
                None => return false,
            }
        }
        false
    };
    Ok(parents
        .iter()
        .filter(|(pid, stat)| stat.state != 'Z' && descends(**pid))
        .map(|(pid, _)| *pid)
        .collect())
}

/// Every process in whose environment `name` has this value, ourselves and zombies left out. A process can
/// leave its parents, its group and its session, but it inherits this. Those of other users cannot be read
/// and are not ours.
pub fn marked(name: &str, value: &str) -> io::Result<Vec<i32>> {
    let mark = format!("{name}={value}");
    let holds = |pid: i32| {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|text| text.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
    };
    Ok(all()?.into_iter().filter(|pid| *pid != own_pid() && holds(*pid)).collect())
}

/// Our own number, signed as the kernel has it.
pub fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// The number of a child, signed as the kernel has it.
pub fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("the kernel's process numbers fit an i32: at most 2^22")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_spaces_and_parentheses_is_stepped_over() {
        let line = "77 (a) (b c) T 5 70 70 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0";
        let expected = ProcessStat { state: 'T', parent: 5, group: 70, start_ticks: 987_654 };
        assert_eq!(parse(line), Some(expected));
    }

    #[test]
    fn a_torn_line_is_not_a_process() {
        for line in ["", "77 (a", "77 (a) S 5 70", "77 (a) S x y z"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn our_own_child_descends_from_us_until_it_is_reaped() {
        let us = own_pid();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = pid_of(&child);
        assert!(descendants(us).unwrap().contains(&pid));
        assert_eq!(stat(pid).unwrap().parent, us);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants(us).unwrap().contains(&pid));
    }
}
