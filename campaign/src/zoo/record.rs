//! The zoo as Markdown, and its place in `TRACK_RECORD.md`: between two markers, everything else there is people's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::simulated::{Cage, Calm, Zoo};
use crate::exit::BadInput;

/// Where the generated part begins and ends.
const BEGIN: &str = "<!-- begin: rashomon zoo -->";
const END: &str = "<!-- end: rashomon zoo -->";

/// Both tables.
pub(super) fn markdown(zoo: &Zoo) -> String {
    let mut text = String::new();
    if !zoo.cages.is_empty() {
        text.push_str(
            "| planted bug | what it is | schedule | found | worlds | simulated | real, median | worst | first check | left |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        zoo.cages.iter().for_each(|cage| text.push_str(&row(cage)));
    }
    if !zoo.controls.is_empty() {
        text.push_str(
            "\n| control | protocol | worlds | alarms | undecided |\n| --- | --- | --- | --- | --- |\n",
        );
        for Calm { name, about, protocol, worlds, alarms, undecided } in &zoo.controls {
            let _ = writeln!(
                text,
                "| {name}: {about} | {protocol} | {worlds} | {} | {undecided} |",
                alarms.len()
            );
        }
    }
    text
}

/// A row in one line for the terminal.
pub(super) fn line(cage: &Cage) -> String {
    row(cage).trim().trim_matches('|').trim().to_owned()
}

fn row(cage: &Cage) -> String {
    let found: Vec<_> = cage.visits.iter().filter(|visit| visit.check.is_some()).collect();
    let median = |mut numbers: Vec<u64>| {
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied()
    };
    let or_dash = |number: Option<u64>, form: &dyn Fn(u64) -> String| number.map_or("–".to_owned(), form);
    let seconds = |ms: u64| format!("{:.2} s", ms as f64 / 1e3);
    let took =
        |of: fn(&super::simulated::Visit) -> u64| found.iter().map(|visit| of(visit)).collect::<Vec<u64>>();
    let mut checks = BTreeMap::<&str, usize>::new();
    for check in found.iter().filter_map(|visit| visit.check.as_deref()) {
        *checks.entry(check).or_default() += 1;
    }
    let first = checks.into_iter().max_by_key(|(_, count)| *count).map_or("–", |(check, _)| check);
    let left = cage.shrunk.map_or("–".to_owned(), |size| {
        format!("{} faults, {} operations, {} nodes", size.faults, size.operations, size.nodes)
    });
    format!(
        "| {} | {} | {} | {}/{} | {} | {} | {} | {} | {first} | {left} |\n",
        cage.defect,
        cage.title,
        if cage.directed { "directed" } else { "drawn" },
        found.len(),
        cage.visits.len(),
        or_dash(median(took(|visit| visit.worlds)), &|worlds| worlds.to_string()),
        or_dash(median(took(|visit| visit.simulated.0 / 1_000_000)), &|ms| format!(
            "{:.0} s",
            ms as f64 / 1e3
        )),
        or_dash(median(took(|visit| visit.took_ms)), &seconds),
        or_dash(took(|visit| visit.took_ms).into_iter().max(), &seconds),
    )
}

/// Puts the tables in their place.
///
/// # Errors
/// [`BadInput`] when the file has no markers; else when it cannot be read or written.
pub(super) fn replace(path: &Path, tables: &str) -> anyhow::Result<()> {
    let replaced = with(path, tables)?;
    std::fs::write(path, replaced).with_context(|| format!("{}: cannot be written", path.display()))
}

/// Whether [`replace`] will find their place: asked before there are any, which takes long.
///
/// # Errors
/// As it has.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    with(path, "").map(drop)
}

fn with(path: &Path, tables: &str) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let replaced = replaced(&text, tables)
        .ok_or_else(|| BadInput(format!("{}: it has no line {BEGIN} before a line {END}", path.display())))?;
    Ok(replaced)
}

fn replaced(text: &str, tables: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!("{}\n{}\n{}", &text[..begin], tables.trim(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both are written by one run of the whole zoo.
    #[test]
    fn the_track_record_shows_what_was_measured() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let measured = std::fs::read_to_string(root.join("zoo/record.json")).unwrap();
        let zoo: Zoo = serde_json::from_str(&measured).unwrap();
        let page = std::fs::read_to_string(root.join("../TRACK_RECORD.md")).unwrap();
        assert_eq!(replaced(&page, &markdown(&zoo)).as_deref(), Some(&page[..]), "run scripts/zoo-full");
    }

    #[test]
    fn what_people_wrote_stays() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(replaced(&text, "new\n"), Some(format!("before\n{BEGIN}\nnew\n{END}\nafter\n")));
        assert_eq!(replaced("nothing", "new"), None);
        assert_eq!(replaced(&format!("{END}\n{BEGIN}"), "new"), None);
    }
}
