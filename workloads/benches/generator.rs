//! How many operations a second the default workload yields, asked by one process after the other: the part of the
//! recording bar that is the generator's. Prints one line; judges nothing.

use rashomon_histories::Nanos;
use rashomon_workloads::{Answer, Context, Generator as _, Layout, Options, Phases, Reply, by_name};

const OPERATIONS: u64 = 2_000_000;

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn main() {
    let layout = Layout::new(20, ["n1", "n2", "n3", "n4", "n5"]).expect("more clients than nodes");
    let workload = by_name("register").expect("the default workload exists");
    let mut phases = Phases::new(workload, &Options::default(), Nanos(u64::MAX), 1);
    let outcome = Ok(Reply::value(7));
    let start = std::time::Instant::now();
    for number in 0..OPERATIONS {
        let now = Nanos(number);
        let free = [number % layout.clients()];
        match phases.ask(&Context { now, free: &free, layout: &layout }) {
            Answer::Operation(operation) => phases.update(now, &operation, &outcome),
            other => panic!("the main phase yields operations, not {other:?}"),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:.0} operations a second, {:.0} ns each",
        OPERATIONS as f64 / seconds,
        seconds / OPERATIONS as f64 * 1e9
    );
}
