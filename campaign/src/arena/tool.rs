//! The programs of the machine that the arena and its faults are made with: where they are, and running them.
//!
//! Refuses to know what they are told to do.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ArenaError;

/// A program of the machine and the package that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The program's name.
    pub program: &'static str,
    /// The package of Debian and Ubuntu.
    pub package: &'static str,
}

/// iproute2's `ip`: links, addresses and namespaces.
pub const IP: Tool = Tool { program: "ip", package: "iproute2" };
/// Packet rules: partitions.
pub const IPTABLES: Tool = Tool { program: "iptables", package: "iptables" };

/// Folders of system programs that an ordinary user's `PATH` may lack.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// This process's `PATH` with the folders of system programs appended where they are missing.
pub fn search_path() -> String {
    let mut path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    for folder in SYSTEM_FOLDERS {
        if !path.split(':').any(|known| known == folder) {
            path.push(':');
            path.push_str(folder);
        }
    }
    path
}

/// Where `program` is: the path itself when it holds a slash, else the first folder of [`search_path`] that
/// has it.
pub fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_executable(path));
    }
    search_path().split(':').map(|folder| Path::new(folder).join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// Runs a tool to its end, feeding it `input`; its standard output, or everything it printed as the error.
pub fn run(tool: Tool, args: &[&str], input: &str) -> Result<String, ArenaError> {
    let Tool { program, package } = tool;
    let path = find(program).ok_or(ArenaError::ToolMissing { tool: program, package })?;
    let failed = |output: String| ArenaError::Tool {
        command: format!("{program} {} <<< {input:?}", args.join(" ")),
        output,
    };
    let output = feed(Command::new(path).args(args), input).map_err(|error| failed(error.to_string()))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("{} {} {}", output.status, stderr.trim(), stdout.trim()).trim_end().to_owned()))
}

/// The input is small (far below a pipe's 64 KiB), so writing it before reading cannot block both sides.
fn feed(command: &mut Command, input: &str) -> io::Result<std::process::Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("it was asked for as a pipe");
    // A tool that gives up early closes the pipe: what it printed says more than this.
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    if output.status.success() {
        written?;
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_tool_reports_what_it_said() {
        let sh = Tool { program: "sh", package: "dash" };
        let error = run(sh, &["-c", "cat >&2; exit 3"], "no such device\n").unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such device"), "{error}");
    }

    #[test]
    fn a_missing_tool_names_its_package() {
        let tool = Tool { program: "no-such-tool", package: "some-package" };
        let error = run(tool, &[], "").unwrap_err().to_string();
        assert!(error.contains("apt-get install some-package"), "{error}");
    }
}
