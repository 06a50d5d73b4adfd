//! `rashomon-node`: starts a node and maps its end to an exit code.

use std::process::ExitCode;

use clap::Parser;
use rashomon_node::server::options::Options;
use rashomon_node::server::{self, ServerError};
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Bad arguments.
const EXIT_ARGUMENTS: u8 = 254;
/// The node could not start, or had to stop.
const EXIT_FAILURE: u8 = 255;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // A closed stderr leaves nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_ARGUMENTS) } else { ExitCode::SUCCESS };
        }
    };
    // tarpc describes every call at info level, at the cost of half the throughput.
    let filter =
        EnvFilter::try_from_env("RASHOMON_LOG").unwrap_or_else(|_| EnvFilter::new("info,tarpc=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(server::run(options)),
        Err(cause) => {
            error!("cannot start the runtime: {cause}");
            return ExitCode::from(EXIT_FAILURE);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause @ ServerError::Settings(_)) => {
            error!("{cause}");
            ExitCode::from(EXIT_ARGUMENTS)
        }
        Err(cause) => {
            error!("{cause}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}
