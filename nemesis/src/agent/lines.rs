//! Lines from a file descriptor, bounded, waiting in `poll` for the next one or for a request to stop.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line without its line feed. One that the end of the input cut short counts as none.
    Text(&'a [u8]),
    /// A line beyond the bound; it was skipped.
    TooLong,
    /// The input ended, or a stop was asked for.
    End,
}

/// A bounded reader of lines.
#[derive(Debug)]
pub(super) struct Lines<'fd> {
    input: BorrowedFd<'fd>,
    stop: Option<BorrowedFd<'fd>>,
    bytes_max: usize,
    buffer: Vec<u8>,
    /// How much of the buffer was handed out and is to be dropped.
    used: usize,
    /// How much of the buffer is known to hold no line feed.
    searched: usize,
    /// Inside a line beyond the bound, of which nothing is kept.
    skipping: bool,
}

impl<'fd> Lines<'fd> {
    pub(super) fn new(input: BorrowedFd<'fd>, stop: Option<BorrowedFd<'fd>>, bytes_max: usize) -> Self {
        Lines { input, stop, bytes_max, buffer: Vec::new(), used: 0, searched: 0, skipping: false }
    }

    /// Waits for the next line.
    pub(super) fn next(&mut self) -> io::Result<Line<'_>> {
        self.buffer.drain(..self.used);
        (self.used, self.searched) = (0, 0);
        loop {
            let feed = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(feed) = feed.map(|feed| self.searched + feed) {
                self.used = feed + 1;
                if std::mem::take(&mut self.skipping) || feed > self.bytes_max {
                    return Ok(Line::TooLong);
                }
                return Ok(Line::Text(&self.buffer[..feed]));
            }
            self.searched = self.buffer.len();
            if self.searched > self.bytes_max {
                self.skipping = true;
            }
            if self.skipping {
                self.buffer.clear();
                self.searched = 0;
            }
            if !self.fill()? {
                return Ok(Line::End);
            }
        }
    }

    /// Waits for more input; false when there will be none.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            let mut watched = vec![PollFd::new(&self.input, PollFlags::IN)];
            watched.extend(self.stop.as_ref().map(|stop| PollFd::new(stop, PollFlags::IN)));
            match poll(&mut watched, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if watched.get(1).is_some_and(|stop| !stop.revents().is_empty()) {
                return Ok(false);
            }
            let mut bytes = [0; 16 << 10];
            match read(self.input, &mut bytes) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.buffer.extend_from_slice(&bytes[..count]);
                    return Ok(true);
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn lines_are_bounded_and_a_torn_last_one_is_none() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"one\n\n0123456789\n0123456789a\nafter\n").unwrap();
        writer.write_all(&[b'x'; 40_000]).unwrap();
        writer.write_all(b"\nlast\ntorn").unwrap();
        drop(writer);
        let mut lines = Lines::new(reader.as_fd(), None, 10);
        for expected in [&b"one"[..], b"", b"0123456789"] {
            assert_eq!(lines.next().unwrap(), Line::Text(expected));
        }
        assert_eq!(lines.next().unwrap(), Line::TooLong);
        assert_eq!(lines.next().unwrap(), Line::Text(b"after"));
        assert_eq!(lines.next().unwrap(), Line::TooLong);
        assert_eq!(lines.next().unwrap(), Line::Text(b"last"));
        assert_eq!(lines.next().unwrap(), Line::End);
    }

    #[test]
    fn a_stop_ends_the_waiting() {
        let (reader, _writer) = io::pipe().unwrap();
        let (stop, mut stopper) = io::pipe().unwrap();
        stopper.write_all(b"!").unwrap();
        let mut lines = Lines::new(reader.as_fd(), Some(stop.as_fd()), 10);
        assert_eq!(lines.next().unwrap(), Line::End);
    }
}
