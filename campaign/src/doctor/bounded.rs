//! Running a program for its output, with a bound on how long. Refuses to know what it prints.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// What a program that ended by itself printed.
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs the program to its end, or kills it when `timeout` has passed.
pub(super) fn output(command: &mut Command, timeout: Duration) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = read(child.stdout.take().expect("it was asked for as a pipe"));
    let stderr = read(child.stderr.take().expect("it was asked for as a pipe"));
    // Both pipes end when the program and all that it started have ended, so this is the wait with a bound.
    let texts = stdout.recv_timeout(timeout).and_then(|out| Ok((out, stderr.recv_timeout(timeout)?)));
    if texts.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    match texts {
        Ok((stdout, stderr)) => Ok(Output { success: status.success(), stdout: stdout?, stderr: stderr? }),
        Err(_) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no end after {} s", timeout.as_secs())))
        }
    }
}

fn read(mut pipe: impl Read + Send + 'static) -> Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned());
        // Nobody waits any more when the bound has passed.
        let _ = sender.send(read);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_success_are_told_apart_from_complaints() {
        let output =
            output(Command::new("sh").args(["-c", "echo yes; echo no >&2; exit 3"]), Duration::from_secs(30));
        let output = output.unwrap();
        assert_eq!(
            (output.success, output.stdout.as_str(), output.stderr.as_str()),
            (false, "yes\n", "no\n")
        );
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        let error = output(Command::new("sleep").arg("1000"), Duration::from_millis(50)).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
