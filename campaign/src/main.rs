//! The `rashomon` command line.
fn main() {}
