//! Throughput and latency, as ratios measured in one run: what the recorder sustains against a client that answers at
//! once, and the reference node, under each of its protocols, beside etcd on the same arena, disk and load. `scripts/bench` runs it.
//!
//! Usage: `bench [recorder|systems] [ROUNDS]`.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rashomon_campaign::run::drive::{Clock, Driver};
use rashomon_campaign::run::report::Report;
use rashomon_histories::{Header, Invocation, Nanos, Recorder, Writer};
use rashomon_workloads::client::{BoxedFuture, Outcome};
use rashomon_workloads::{BoxedClient, Connector, DynClient, Layout, Options, Phases, Reply, by_name};

/// A client that answers at once: whatever time passes is the harness's own.
struct AtOnce;

impl DynClient for AtOnce {
    fn call_dyn<'a>(&'a mut self, operation: &'a Invocation) -> BoxedFuture<'a, Outcome> {
        let answer = if operation.f == "read" { Reply::value(Some(1)) } else { Reply::done() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

struct AllAtOnce;

impl Connector for AllAtOnce {
    fn open(&self, _process: u64, _node: &str) -> BoxedClient {
        Box::new(AtOnce)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let what = arguments.first().map_or("all", String::as_str);
    let rounds = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(3);
    let recorder = || if matches!(what, "all" | "recorder") { recorder() } else { Ok(()) };
    let systems = || if matches!(what, "all" | "systems") { systems(rounds) } else { Ok(()) };
    match recorder().and_then(|()| systems()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Generator, recorder and file, as a run wires them, for two seconds.
fn recorder() -> anyhow::Result<()> {
    let path = std::env::temp_dir().join(format!("rashomon-bench-{}.jsonl", std::process::id()));
    let clock = Clock::start();
    let (ran, counts) = {
        let file = std::fs::File::create(&path).with_context(|| path.display().to_string())?;
        let recorder = Recorder::new(Writer::new(file), Header::new("bench"), move || clock.now());
        let workload = by_name("register")?;
        let layout = Layout::new(20, ["n1", "n2", "n3", "n4", "n5"])?;
        let generator = Phases::new(workload, &Options::default(), Nanos::from_secs(2), 1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = tokio::task::LocalSet::new();
        runtime.block_on(tasks.run_until(async move {
            let wait = Duration::from_secs(1);
            let mut driver = Driver::new(generator, recorder, clock, layout, Arc::new(AllAtOnce), wait);
            driver.phase().await?;
            let counts = driver.handle().counts();
            driver.seal()?;
            anyhow::Ok((clock.now(), counts))
        }))?
    };
    let bytes = std::fs::metadata(&path)?.len();
    std::fs::remove_file(&path)?;
    let rate = counts.total() as f64 / ran.as_secs_f64();
    println!(
        "recorder   {rate:.0} operations a second ({:.0} MB/s into the file)",
        bytes as f64 / ran.as_secs_f64() / 1e6
    );
    Ok(())
}

/// One system under load without faults, by the program itself.
fn under_load(system: &[&str], store: &std::path::Path) -> anyhow::Result<Report> {
    let program = std::env::current_exe()?;
    let program =
        program.parent().and_then(|examples| examples.parent()).context("no folder above")?.join("rashomon");
    let output = Command::new(&program)
        .args([
            "run",
            "--json",
            "--faults",
            "none",
            "--nodes",
            "3",
            "--clients",
            "64",
            "--duration",
            "10s",
            "--seed",
            "1",
        ])
        .arg("--store")
        .arg(store)
        .args(system)
        .stdin(Stdio::null())
        .output()
        .with_context(|| program.display().to_string())?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What is compared, and with what arguments; the last one is what the others are measured by.
const SYSTEMS: [(&str, &[&str]); 4] = [
    ("raft", &["--system", "reference", "--protocol", "raft"]),
    ("paxos", &["--system", "reference", "--protocol", "paxos"]),
    ("zab", &["--system", "reference", "--protocol", "zab"]),
    ("etcd", &["--system", "etcd"]),
];

/// What one system showed in one round.
struct Showing {
    operations_per_second: f64,
    p99_us: f64,
}

/// The reference node under each protocol, and etcd, by turns.
fn systems(rounds: u32) -> anyhow::Result<()> {
    let store = std::env::temp_dir().join(format!("rashomon-bench-{}", std::process::id()));
    println!("3 nodes, 64 clients, no faults, fsync on, 10 s each, half reads; by turns");
    println!("{:<12} {:>10} {:>9} {:>9} {:>9}", "system", "ops/s", "p50 ms", "p95 ms", "p99 ms");
    let mut showings: Vec<Vec<Showing>> = Vec::new();
    for _ in 0..rounds {
        let round = SYSTEMS.iter().map(|(name, arguments)| show(name, arguments, &store));
        showings.push(round.collect::<anyhow::Result<_>>()?);
    }
    let (yardstick, _) = SYSTEMS[SYSTEMS.len() - 1];
    for (position, (name, _)) in SYSTEMS.iter().enumerate().take(SYSTEMS.len() - 1) {
        let ratio = |of: fn(&Showing) -> f64| {
            let of_round = |round: &Vec<Showing>| of(&round[position]) / of(&round[SYSTEMS.len() - 1]);
            let mut ratios: Vec<f64> = showings.iter().map(of_round).collect();
            ratios.sort_by(f64::total_cmp);
            ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let (throughput, p99) = (ratio(|one| one.operations_per_second), ratio(|one| one.p99_us));
        println!("{name:<12} over {yardstick}: throughput {throughput:.2}, p99 {p99:.2} (medians of ratios)");
    }
    std::fs::remove_dir_all(&store).with_context(|| store.display().to_string())
}

fn show(name: &str, arguments: &[&str], store: &std::path::Path) -> anyhow::Result<Showing> {
    let report = under_load(arguments, store)?;
    let (latency, operations_per_second) =
        (report.measures.latency_ok, report.measures.operations_per_second);
    let millis = |us: u64| us as f64 / 1e3;
    println!(
        "{name:<12} {operations_per_second:>10.0} {:>9.2} {:>9.2} {:>9.2}",
        millis(latency.p50_us),
        millis(latency.p95_us),
        millis(latency.p99_us)
    );
    Ok(Showing { operations_per_second, p99_us: latency.p99_us as f64 })
}
