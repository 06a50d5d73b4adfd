//! Whatever the bytes, each foreign format answers with a history or an error; one written as EDN is read again.
//!
//! The first byte chooses the format. Seeds: `cargo fuzz run formats corpus/formats`.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use rashomon_histories::formats::{FailedCas, Format, read_from, write_edn};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let format = Format::ALL[usize::from(*choice) % Format::ALL.len()];
    let read = |bytes: &[u8], format| {
        read_from("fuzzed", Box::new(Cursor::new(bytes.to_vec())), format, FailedCas::Failed)
    };
    let Ok(imported) = read(bytes, format) else { return };
    let mut edn = Vec::new();
    // Refused where only some operations name a key.
    if write_edn(&mut edn, imported.history.header(), imported.history.events()).is_ok() {
        // A file without a read or a cas may lose its tuples on the way back; it must still be read or refused.
        let _ = read(&edn, Format::Edn);
    }
});
