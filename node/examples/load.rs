//! Loads a running cluster with closed-loop clients and reports throughput and latency.
//!
//! `cargo run --release -p rashomon-node --example load -- --node 127.0.0.1:7101 --node … --clients 64 --seconds 10`

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Parser;
use rashomon_node::api::{Client, Operation};

#[derive(Parser)]
struct Options {
    /// Client ports of the nodes; clients are spread over them
    #[arg(long = "node", required = true)]
    nodes: Vec<SocketAddr>,
    /// Clients, each with one operation at a time
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// How long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Share of reads, in percent
    #[arg(long, default_value_t = 50)]
    reads: u64,
    /// Keys
    #[arg(long, default_value_t = 10)]
    keys: u64,
}

#[allow(clippy::disallowed_methods, reason = "a load generator measures time")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::parse();
    let end = now() + Duration::from_secs(options.seconds);
    let clients = (0..options.clients).map(|number| {
        let node = options.nodes[number % options.nodes.len()];
        tokio::spawn(client(node, number as u64, end, options.reads, options.keys))
    });
    let mut latencies_us: Vec<u64> = Vec::new();
    let mut failures = 0;
    for one in clients.collect::<Vec<_>>() {
        let (latencies, failed) = one.await.expect("a client does not panic");
        latencies_us.extend(latencies);
        failures += failed;
    }
    latencies_us.sort_unstable();
    let at = |share: f64| latencies_us[((latencies_us.len() - 1) as f64 * share) as usize];
    if latencies_us.is_empty() {
        return println!("no operation succeeded, {failures} failed");
    }
    println!(
        "{} operations/s, {failures} failed; latency in us: p50 {} p95 {} p99 {} max {}",
        latencies_us.len() as u64 / options.seconds,
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}

async fn client(node: SocketAddr, number: u64, end: Instant, reads: u64, keys: u64) -> (Vec<u64>, u64) {
    let timeout = Duration::from_secs(2);
    let (mut latencies, mut failures) = (Vec::new(), 0);
    let mut client = Client::connect(node, timeout).await.expect("the node is running");
    for count in 0.. {
        let start = now();
        if start >= end {
            break;
        }
        let key = format!("k{}", (number * 7 + count) % keys);
        let is_read = (count * 37 + number) % 100 < reads;
        let value = i64::try_from(number << 32 | count).expect("fits");
        let operation = if is_read { Operation::read(key) } else { Operation::write(key, value) };
        match client.operate(operation, timeout).await {
            Ok(_) => latencies.push(u64::try_from(start.elapsed().as_micros()).expect("short")),
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    eprintln!("{node}: {error}");
                }
            }
        }
    }
    (latencies, failures)
}
