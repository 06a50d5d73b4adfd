//! Generates one history, judges it once and prints what that cost.
//!
//! `measure OPERATIONS CLIENTS KEYS UNKNOWN VALUES|distinct valid|stale|mutated SEED [search]`. Prints one JSON object: seconds
//! for parsing it as JSON lines, decoding, judging, and of the processors for parsing and judging; verdict; peak resident memory in MiB.

use std::io::Cursor;
use std::time::Instant;

use rashomon_checker::generate::{Flaw, Object, Overlap, Plan, generate};
use rashomon_checker::models::CasRegister;
use rashomon_checker::{Engine, Options, decode, judge};
use rashomon_histories::{Header, History, Sink, Writer};

#[allow(clippy::disallowed_methods, reason = "this program measures")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [operations, clients, keys, unknown, values, flaw, seed, rest @ ..] = words.as_slice() else {
        return Err(
            "OPERATIONS CLIENTS KEYS UNKNOWN VALUES|distinct valid|stale|mutated SEED [search] [hidden]"
                .into(),
        );
    };
    let plan = Plan {
        object: Object::CasRegister,
        operations: operations.parse()?,
        clients: clients.parse()?,
        keys: keys.parse()?,
        unknown: unknown.parse()?,
        values: if values == "distinct" { None } else { Some(values.parse()?) },
        flaw: match flaw.as_str() {
            "valid" => Flaw::None,
            "stale" => Flaw::Stale,
            "mutated" => Flaw::Mutated,
            other => return Err(format!("no flaw {other}").into()),
        },
        overlap: if rest.iter().any(|word| word == "hidden") { Overlap::Hidden } else { Overlap::Even },
        seed: seed.parse()?,
    };
    let text = {
        let mut writer = Writer::new(Vec::new());
        writer.header(&Header::new("measured"))?;
        for event in generate(plan) {
            writer.event(&event)?;
        }
        writer.finish()?
    };
    let bytes = text.len();
    let (start, start_cpu) = (now(), processor_s());
    let history = History::read_from("measured", Cursor::new(text))?;
    let (parsed, parse_cpu) = (now(), processor_s() - start_cpu);
    let operations = decode(&CasRegister, &history)?;
    drop(history);
    let decoded = now();
    let base = resident("VmRSS");
    let engine = rest.iter().any(|word| word == "search").then_some(Engine::Search);
    let begun_cpu = processor_s();
    let judgement = judge(&CasRegister, &operations, &Options { engine, ..Options::default() });
    let (judged, judge_cpu) = (now(), processor_s() - begun_cpu);
    println!(
        "{{\"verdict\":\"{}\",\"engine\":\"{:?}\",\"bytes\":{bytes},\"parse_s\":{:.3},\"decode_s\":{:.3},\"judge_s\":{:.3},\
         \"parse_cpu_s\":{parse_cpu:.5},\"judge_cpu_s\":{judge_cpu:.5},\"configurations\":{},\"before_mib\":{base},\"peak_mib\":{},\"progress\":{:?}}}",
        judgement.verdict,
        judgement.keys.first().map(|key| key.engine),
        (parsed - start).as_secs_f64(),
        (decoded - parsed).as_secs_f64(),
        (judged - decoded).as_secs_f64(),
        judgement.keys.iter().map(|key| key.configuration_count).sum::<u64>(),
        resident("VmHWM"),
        judgement.progress(),
    );
    Ok(())
}

/// What this process has had of the processors, with all its threads, in seconds.
fn processor_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A line of /proc/self/status, in MiB.
fn resident(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
