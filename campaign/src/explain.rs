//! `rashomon explain`: tells one counterexample in sentences, as a table in the terminal, and as a picture.
//!
//! In order: [`load`] finds the cases in a run's folder or has a history judged, [`case`] makes them plain data,
//! [`table`] and [`picture`] show them. It decides nothing.

pub mod case;
pub mod load;
pub mod picture;
pub mod table;

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use rashomon_checker::Verdict;
use serde_json::json;

use crate::cli::ExplainArgs;
use crate::drawing::text;
use crate::exit::{BadInput, Outcome};
use crate::explain::case::Case;
use crate::explain::load::Loaded;
use crate::run::verdict::Safety;

/// Columns when the output is no terminal.
const COLUMNS: usize = 100;

/// How many of the other keys are named.
const OTHERS_MAX: usize = 8;

/// `rashomon explain`.
///
/// # Errors
/// [`BadInput`] when there is nothing of that name, or no counterexample on that key.
pub fn command(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let loaded = load::load(&args.path, args.model.as_deref())?;
    for remark in &loaded.remarks {
        eprintln!("{}: {remark}", args.path.display());
    }
    let chosen = choose(&loaded, args.key.as_deref())?;
    if args.json {
        let cases: Vec<_> = match (&args.key, chosen) {
            (Some(_), Some(case)) => vec![case.json()],
            _ => loaded.cases.iter().map(Case::json).collect(),
        };
        say(&format!("{}\n", json!({ "verdict": verdict(&loaded.safety), "cases": cases })))?;
    } else {
        say(&told(&loaded, chosen, columns()))?;
    }
    if let Some(path) = &args.svg {
        draw(path, chosen)?;
    }
    Ok(Outcome::Passed)
}

/// Prints. A reader that has seen enough, such as `head`, is no trouble.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// The case on this key; the earliest when none is named, and none where there is no violation.
fn choose<'a>(loaded: &'a Loaded, key: Option<&str>) -> anyhow::Result<Option<&'a Case>> {
    let Some(key) = key else { return Ok(loaded.cases.first()) };
    let found = loaded.cases.iter().find(|case| case.key == key);
    match found {
        Some(case) => Ok(Some(case)),
        None if loaded.cases.is_empty() => {
            Err(BadInput(format!("--key {key}: {}", nothing(&loaded.safety))).into())
        }
        None => {
            let keys = named(&loaded.cases);
            Err(BadInput(format!("--key {key}: no violation on this key; there is one on {keys}")).into())
        }
    }
}

fn draw(path: &Path, chosen: Option<&Case>) -> anyhow::Result<()> {
    let case = chosen.filter(|case| !case.operations.is_empty());
    let case = case.ok_or_else(|| BadInput("--svg: there is no counterexample to draw".to_owned()))?;
    std::fs::write(path, picture::alone(case))
        .with_context(|| format!("--svg {}: cannot be written", path.display()))?;
    eprintln!("drawn in {}", path.display());
    Ok(())
}

/// All of it, as text of this width.
fn told(loaded: &Loaded, chosen: Option<&Case>, width: usize) -> String {
    let Some(case) = chosen else { return format!("{}\n", nothing(&loaded.safety)) };
    let mut text = String::new();
    if let Some((headline, rest)) = case.sentences.split_first() {
        text.push_str(&wrap(headline, "", width));
        text.push('\n');
        if !case.operations.is_empty() {
            text.push_str(&table::table(case, width));
            text.push('\n');
            text.push_str(
                &case.caption().map(|caption| wrap(&caption, "", width) + "\n").unwrap_or_default(),
            );
        }
        for sentence in rest {
            text.push_str(&wrap(sentence, "  ", width));
        }
    }
    let others: Vec<&Case> = loaded.cases.iter().filter(|other| other.key != case.key).collect();
    if !others.is_empty() {
        text.push_str(&format!("\nalso on {} (--key)\n", named(others)));
    }
    text
}

fn named<'a>(cases: impl IntoIterator<Item = &'a Case>) -> String {
    let keys: Vec<&str> = cases.into_iter().map(|case| case.key.as_str()).collect();
    let more = match keys.len().saturating_sub(OTHERS_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", keys.into_iter().take(OTHERS_MAX).collect::<Vec<_>>().join(", "))
}

fn nothing(safety: &Safety) -> String {
    match safety {
        Safety::Valid => {
            "valid: one order of events explains the history; there is no counterexample".to_owned()
        }
        Safety::Diverged { story } | Safety::Unsound { story, .. } => {
            format!("{story} The clients' history has an order; there is no counterexample in it.")
        }
        Safety::Undecided { reason } => format!("undecided, so there is no counterexample: {reason}"),
        Safety::Invalid => "invalid, but the counterexample is not in the folder".to_owned(),
        Safety::Unjudged => "the history was not judged".to_owned(),
    }
}

fn verdict(safety: &Safety) -> Option<Verdict> {
    match safety {
        Safety::Valid | Safety::Diverged { .. } | Safety::Unsound { .. } => Some(Verdict::Valid),
        Safety::Invalid => Some(Verdict::Invalid),
        Safety::Undecided { .. } => Some(Verdict::Undecided),
        Safety::Unjudged => None,
    }
}

/// The sentence in lines no wider than `width`, each after `indent`; longer words stand alone.
fn wrap(sentence: &str, indent: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = indent.to_owned();
    for word in sentence.split_whitespace() {
        let is_fresh = line.trim().is_empty();
        if !is_fresh && text::columns(&line) + 1 + text::columns(word) > width {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = format!("{indent}  ");
        } else if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

/// How wide the terminal is.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns >= 20).unwrap_or(COLUMNS)
}

#[cfg(test)]
mod tests;
