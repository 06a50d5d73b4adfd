//! Looks for bytes that are a small history on which engines, verifier and the twin that tries all orders disagree.
//!
//! What the bytes mean stands in `checker/tests/twin/bytes.rs`. `cargo +nightly fuzz run engines -- -max_len=20`. The siblings
//! of this are the test `exhaustive` and the examples `exhaustive` and `disagree`.

#![no_main]

#[path = "../../tests/twin/mod.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod twin;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    twin::bytes::all_agree(bytes);
});
