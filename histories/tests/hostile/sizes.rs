//! Input without end: what is held in memory is bounded by a line, whatever the file has.

use std::io::{BufReader, Cursor, Read};

use rashomon_histories::{History, ReadError, Reader};

use super::HEADER;

/// Gives so many bytes and remembers how many were taken.
struct Endless {
    taken: std::rc::Rc<std::cell::Cell<u64>>,
    size: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.size - self.taken.get();
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        buffer[..length].fill(b'a');
        self.taken.set(self.taken.get() + length as u64);
        Ok(length)
    }
}

/// The reader holds the line that it reads and a buffer; so what it took from the stream bounds its memory.
#[test]
fn a_line_of_a_gigabyte() {
    const GIGABYTE: u64 = 1 << 30;
    for start in ["", HEADER, "{\"rashomon_history\":1}\n{\"f\":\"", "{\"rashomon_history\":1}\n[[[["] {
        let taken = std::rc::Rc::new(std::cell::Cell::new(0));
        let endless = Endless { taken: std::rc::Rc::clone(&taken), size: GIGABYTE };
        let input = BufReader::new(Cursor::new(start.as_bytes().to_vec()).chain(endless));
        let error = match Reader::new("a.jsonl", Box::new(input)) {
            Err(error) => error,
            Ok(mut reader) => reader.next_event().unwrap_err(),
        };
        let line = if start.is_empty() { 1 } else { 2 };
        let expected =
            format!("a.jsonl, line {line}: longer than 4194304 bytes; expected an event in one line of JSON");
        assert_eq!(error.to_string(), expected);
        assert!(taken.get() < 5 << 20, "{} bytes were read", taken.get());
    }
}

/// A small compressed file that unpacks to one line of 32 MiB.
#[test]
fn a_small_file_that_unpacks_to_a_long_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.zst");
    let mut encoder = zstd::Encoder::new(std::fs::File::create(&path).unwrap(), 1).unwrap();
    std::io::Write::write_all(&mut encoder, HEADER.as_bytes()).unwrap();
    std::io::copy(&mut std::io::repeat(b' ').take(1 << 25), &mut encoder).unwrap();
    encoder.finish().unwrap();
    assert!(path.metadata().unwrap().len() < 1 << 16);
    let error = History::read(&path).unwrap_err();
    assert!(matches!(error, ReadError::LineTooLong { line: 2, .. }), "{error}");
}
