//! Recording and reading, as ratios within one run: `cargo bench -p rashomon-histories`.
//!
//! Recording: clients that answer at once share one recorder behind a lock, as in a campaign, and the recorder
//! writes to a file. Reading: our reader, rules included, against serde_json making a `serde_json::Value` of the
//! same lines. The bar is 300,000 operations recorded a second. `cargo bench -p rashomon-histories -- 10000000`
//! asks for so many operations; the peak memory of it all is told at the end.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rashomon_histories::{
    Completion, FileWriter, Header, Invocation, Nanos, Process, Reader, Recorder, Value,
};

const OPERATIONS: u64 = 1_000_000;

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    // `cargo test --benches` asks for a run that only proves that it works.
    let tested = std::env::args().any(|argument| argument == "--test");
    let operations = asked.unwrap_or(if tested { 1_000 } else { OPERATIONS });
    let folder = tempfile::tempdir().expect("a folder for the files");
    println!("{operations} operations: reads, writes and cas on ten keys");
    println!("{:<36} {:>12} {:>10} {:>8}", "", "operations/s", "MB/s", "ratio");
    for threads in [1, 2] {
        for name in ["history.jsonl", "history.jsonl.zst"] {
            let path = folder.path().join(name);
            let seconds = record(&path, operations, threads);
            let bytes = path.metadata().expect("it was written").len();
            row(&format!("record {name}, {threads} thread(s)"), operations, bytes, seconds, None);
        }
    }
    let plain = folder.path().join("history.jsonl");
    let bytes = plain.metadata().expect("it was written").len();
    let baseline = best(|| parse_as_values(&plain));
    row("serde_json::Value of each line", operations, bytes, baseline, Some(1.0));
    for name in ["history.jsonl", "history.jsonl.zst"] {
        let path = folder.path().join(name);
        let seconds = best(|| read(&path));
        row(&format!("read {name}"), operations, bytes, seconds, Some(baseline / seconds));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        println!("peak memory: {}", peak.trim());
    }
}

fn row(what: &str, operations: u64, bytes: u64, seconds: f64, ratio: Option<f64>) {
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let (rate, megabytes) = (operations as f64 / seconds, bytes as f64 / seconds / 1e6);
    println!("{what:<36} {rate:>12.0} {megabytes:>10.0} {ratio:>8}");
}

fn best(mut run: impl FnMut()) -> f64 {
    let timed = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..3).map(timed).fold(f64::INFINITY, f64::min)
}

fn record(path: &Path, operations: u64, threads: u64) -> f64 {
    let start = Instant::now();
    let clock = move || Nanos::from(start.elapsed());
    let writer = FileWriter::create(path).expect("the folder is ours");
    let recorder = Arc::new(Mutex::new(Recorder::new(writer, Header::new("throughput"), clock)));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let recorder = Arc::clone(&recorder);
            scope.spawn(move || client(&recorder, thread, operations / threads));
        }
    });
    let recorder =
        Arc::into_inner(recorder).expect("the clients are done").into_inner().expect("none panicked");
    recorder.seal().expect("room on disk").finish().expect("room on disk");
    start.elapsed().as_secs_f64()
}

fn client<C: FnMut() -> Nanos>(recorder: &Mutex<Recorder<FileWriter, C>>, thread: u64, operations: u64) {
    for number in 0..operations {
        let process = Process::client(thread * 50 + number % 50);
        let key = ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9"][number as usize % 10];
        let value = i64::try_from(number).expect("a small number");
        let (invocation, completion) = match number % 4 {
            0 | 1 => (Invocation::new(process, "read"), Completion::ok_with(value)),
            2 => (Invocation::new(process, "write").value(value), Completion::ok()),
            _ => (
                Invocation::new(process, "cas").value(Value::pair(value, value + 1)),
                Completion::fail("precondition"),
            ),
        };
        let token = recorder.lock().expect("none panicked").invoke(invocation.key(key).node("n1"));
        let token = token.expect("room on disk");
        recorder.lock().expect("none panicked").complete(token, completion).expect("room on disk");
    }
}

fn parse_as_values(path: &Path) {
    let mut input = BufReader::with_capacity(1 << 17, File::open(path).expect("it was written"));
    let mut line = String::new();
    while input.read_line(&mut line).expect("it was written") > 0 {
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        std::hint::black_box(&value);
        line.clear();
    }
}

fn read(path: &Path) {
    let mut reader = Reader::open(path).expect("it was written");
    while let Some(event) = reader.next_event().expect("it is well formed") {
        std::hint::black_box(&event);
    }
}
