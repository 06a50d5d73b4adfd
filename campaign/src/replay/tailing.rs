//! Reads on in the nodes' logs and tells a directed time line what they write.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use rashomon_histories::Nanos;
use rashomon_nemesis::schedule::{Instance, Step, Steps};
use rashomon_nemesis::timeline::Observation;
use rashomon_nemesis::{NodeId, View};

use crate::run::folder::Folder;

/// Most that is read of one log at a time, in bytes: a node that writes more is looked at later.
const READ_BYTES_MAX: u64 = 64 << 10;

/// Steps that are told of every line of every node's log, whenever they are asked.
#[derive(Debug)]
pub(super) struct Tailing<S> {
    steps: S,
    logs: Vec<Log>,
}

#[derive(Debug)]
struct Log {
    node: NodeId,
    path: PathBuf,
    /// Up to where it has been read, in bytes; always the end of a line.
    read: u64,
}

impl<S: Steps> Tailing<S> {
    pub(super) fn new(steps: S, nodes: impl Iterator<Item = NodeId>, folder: &Folder) -> Self {
        let log = |node: NodeId| Log { node, path: folder.log(&node.to_string()), read: 0 };
        Tailing { steps, logs: nodes.map(log).collect() }
    }
}

impl Log {
    /// The lines that are whole by now. A log that is not there yet, or cannot be read, has none: its node is then
    /// in worse trouble than this, and others will say so.
    fn lines(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.take(READ_BYTES_MAX).read_to_end(&mut bytes)
        });
        let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            // One line longer than what is read at a time: it is passed over.
            None if bytes.len() as u64 == READ_BYTES_MAX => bytes.len(),
            None => 0,
        };
        self.read += whole as u64;
        let text = String::from_utf8_lossy(&bytes[..whole]);
        read.map(|_| text.lines().map(str::to_owned).collect()).unwrap_or_default()
    }
}

impl<S: Steps> Steps for Tailing<S> {
    fn next(&mut self, now: Nanos, view: &View) -> Step {
        for log in &mut self.logs {
            for text in log.lines() {
                self.steps.observe(now, &Observation::Note { node: log.node, text: &text });
            }
        }
        self.steps.next(now, view)
    }

    fn observe(&mut self, now: Nanos, observed: &Observation<'_>) -> bool {
        self.steps.observe(now, observed)
    }

    fn stop(&mut self) {
        self.steps.stop();
    }

    fn in_force(&self) -> Vec<&Instance> {
        self.steps.in_force()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_read_once_and_only_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log { node: NodeId(1), path: folder.path().join("n1.log"), read: 0 };
        assert!(log.lines().is_empty(), "it is not there yet");
        let mut file = File::create(&log.path).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(log.lines(), ["one", "two"]);
        assert!(log.lines().is_empty());
        file.write_all(b"ee\n").unwrap();
        assert_eq!(log.lines(), ["three"]);
        file.write_all(&vec![b'x'; READ_BYTES_MAX as usize]).unwrap();
        assert_eq!(log.lines(), ["x".repeat(READ_BYTES_MAX as usize)]);
    }
}
