//! The nemesis process on its own, for other harnesses: JSON lines on standard input and output.
//!
//! ```text
//! {"id":1,"command":"init","version":1,"nodes":[{"node":"n1","address":"10.0.0.1","netns":"/run/netns/n1"}, …]}
//! {"id":2,"command":"perform","action":{"do":"cut","grudge":{"n1":["n2"],"n2":["n1"]}}}
//! ```

fn main() -> std::process::ExitCode {
    match rashomon_nemesis::agent::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
