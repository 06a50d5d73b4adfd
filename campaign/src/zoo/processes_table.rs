//! The zoo as a table in Markdown.

use std::fmt::Write as _;

use rashomon_histories::Nanos;

use super::{Cage, Zoo};

/// A row per cage.
pub(super) fn markdown(zoo: &Zoo) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| planted bug | what it is | found | median | worst | reproduce with |");
    let _ = writeln!(text, "| --- | --- | --- | --- | --- | --- |");
    for cage in zoo.cages.iter().filter(|cage| cage.defect.is_some()) {
        text.push_str(&row(cage, &zoo.arguments));
    }
    for cage in zoo.cages.iter().filter(|cage| cage.defect.is_none()) {
        text.push_str(&control(cage));
    }
    text
}

fn row(cage: &Cage, arguments: &[String]) -> String {
    let id = cage.defect.as_deref().unwrap_or_default();
    if !cage.reachable {
        return format!(
            "| {id} | {} | – | – | – | not within a minute of real processes: the simulated world's |\n",
            cage.title
        );
    }
    let mut times: Vec<Nanos> = cage.visits.iter().filter_map(|visit| visit.found_at).collect();
    times.sort();
    let seconds =
        |time: Option<&Nanos>| time.map_or("–".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
    let example =
        cage.visits.iter().filter(|visit| visit.found_at.is_some()).min_by_key(|visit| visit.found_at);
    let command = example.map_or("–".to_owned(), |visit| {
        let (own, every) = (cage.arguments.join(" "), arguments.join(" "));
        format!("`rashomon run {own} --seed {} {every}`", visit.seed)
    });
    format!(
        "| {id} | {} | {}/{} | {} | {} | {command} |\n",
        cage.title,
        cage.found(),
        cage.visits.len(),
        seconds(times.get(times.len() / 2)),
        seconds(times.last()),
    )
}

fn control(cage: &Cage) -> String {
    let green = cage.visits.iter().filter(|visit| visit.code == 0).count();
    let operations: u64 = cage.visits.iter().map(|visit| visit.operations).sum();
    let slowest = cage.visits.iter().map(|visit| visit.judged_ms).max().unwrap_or_default();
    let rate = cage.visits.iter().map(|visit| visit.operations_per_second).fold(f64::INFINITY, f64::min);
    format!(
        "\nControl: the sound node, {} runs, {green} passed; {operations} operations in all, at least {rate:.0} a second, \
         verdict at most {slowest} ms after the last operation.\n",
        cage.visits.len(),
    )
}
