//! The `rashomon` command line: parses, dispatches, and maps the outcome to an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use rashomon_campaign::cli::{Cli, Command};
use rashomon_campaign::exit::{Outcome, outcome_of};
use rashomon_campaign::{
    check, doctor, explain, r#gen, list, nemesis, replay, report_command, run, shrink, sim, zoo,
};

/// The judge's visited sets are many small tables: a fast allocator is worth two to four times there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let result = match cli.command {
        Command::Run(args) => run::command(&args),
        Command::Check(args) => check::command(&args),
        Command::Gen(args) => r#gen::command(&args),
        Command::Explain(args) => explain::command(&args),
        Command::Report(args) => report_command::command(&args),
        Command::Replay(args) => replay::command(&args),
        Command::Shrink(args) => shrink::command(&args),
        Command::Nemesis => nemesis::command(),
        Command::Doctor { json } => doctor::command(json),
        Command::Sim(args) => sim::command(&args),
        Command::Zoo(args) => zoo::command(&args),
        Command::List(args) => list::command(&args),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("rashomon: {error:#}");
            outcome_of(&error).into()
        }
    }
}

/// Help and version are no errors; everything else is bad arguments.
fn refuse(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if printed.is_ok() => Outcome::Passed.into(),
        _ => Outcome::BadArguments.into(),
    }
}
