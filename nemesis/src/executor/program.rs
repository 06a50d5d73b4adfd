//! Programs run to their end within a bound, their output collected. No shell, no pipes that could fill up.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::signal::exited;

/// How long a program may take. `iptables` waits up to 3 s for another one's lock.
const PROGRAM_BOUND: Duration = Duration::from_secs(4);

/// The most of a program's output that is kept; a firewall of many thousand rules fits.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;

/// Where system programs live that an ordinary user's PATH may lack.
const SYSTEM_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// The file of this program, from PATH or the system's folders.
pub(crate) fn locate(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs it in the calling thread's namespaces; its standard output. An error holds its standard error.
pub(crate) fn run(program: &Path, arguments: &[&str], input: &str) -> io::Result<String> {
    let (mut stdin, mut stdout, mut stderr) = (memory()?, memory()?, memory()?);
    stdin.write_all(input.as_bytes())?;
    stdin.seek(SeekFrom::Start(0))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .spawn()?;
    // Not yet reaped, so the pid is still the child's.
    let pid = Pid::from_child(&child);
    let ended = pidfd_open(pid, PidfdFlags::empty())
        .map_err(io::Error::from)
        .and_then(|handle| exited(handle.as_fd(), PROGRAM_BOUND));
    let name = program.display();
    if !matches!(ended, Ok(true)) {
        child.kill()?;
        child.wait()?;
        ended?;
        let message = format!("{name} did not end within {} s", PROGRAM_BOUND.as_secs());
        return Err(io::Error::new(io::ErrorKind::TimedOut, message));
    }
    let status = child.wait()?;
    match status.success() {
        true => text(&mut stdout),
        false => Err(io::Error::other(format!("{name}: {status}: {}", text(&mut stderr)?.trim()))),
    }
}

/// A file in memory.
fn memory() -> io::Result<File> {
    Ok(File::from(memfd_create("nemesis-program", MemfdFlags::CLOEXEC)?))
}

fn text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_collected_and_failure_tells_why() {
        let sh = locate("sh").unwrap();
        assert_eq!(run(&sh, &["-c", "cat; echo done"], "input\n").unwrap(), "input\ndone\n");
        let error = run(&sh, &["-c", "echo because >&2; exit 3"], "").unwrap_err().to_string();
        assert!(error.contains("because") && error.contains('3'), "{error}");
        assert_eq!(locate("no-such-program-here"), None);
    }
}
