//! The counterexample in a terminal: time runs down, one column per process.
//!
//! Where the columns would be too narrow to read, processes become rails a few characters wide and the words stand to
//! their right. A pure function of the case and the width.

use std::fmt::Write as _;

use rashomon_histories::Nanos;

use super::case::{Case, Part, Told};
use crate::drawing::spans::FaultSpan;
use crate::drawing::text::{columns, fit, legible};

/// Columns of the terminal that the time takes.
const TIME: usize = 11;

/// Narrowest readable column of a process.
const COLUMN_MIN: usize = 16;

/// Widest useful column of a process.
const COLUMN_MAX: usize = 34;

/// Columns of a rail.
const RAIL: usize = 3;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
enum Row<'a> {
    Invoke(&'a Told),
    Return(&'a Told),
    /// Something that happened to all: a fault, a heal, a change of leader.
    Note(&'a str),
}

/// The table, each line with its end, no wider than `width` where that is possible at all.
pub fn table(case: &Case, width: usize) -> String {
    let lanes: Vec<u64> = case.lanes().into_iter().map(|(process, _)| process).collect();
    let notes = notes(case);
    let mut rows: Vec<(Nanos, u64, Row<'_>)> = Vec::new();
    for told in &case.operations {
        rows.push((told.invoked, told.id, Row::Invoke(told)));
        rows.extend(told.returned.map(|returned| (returned, u64::MAX, Row::Return(told))));
    }
    // What happened to all at a moment is told before what somebody did then.
    rows.extend(notes.iter().map(|(time, note)| (*time, 0, Row::Note(note))));
    rows.sort_by_key(|(time, order, _)| (*time, *order));

    let room = width.saturating_sub(TIME) / lanes.len().max(1);
    let column = room.min(widest(case) + 2).min(COLUMN_MAX);
    let layout = if room >= COLUMN_MIN { Layout::Columns(column.max(COLUMN_MIN)) } else { Layout::Rails };
    let mut table = Table { case, lanes, layout, width, open: Vec::new(), text: String::new() };
    table.head();
    for (time, _, row) in rows {
        table.row(time, row);
    }
    table.tail();
    table.text
}

/// Faults and leaders within the window; faults begun before it are told by [`Table::head`].
fn notes(case: &Case) -> Vec<(Nanos, String)> {
    let Some((from, to)) = case.window() else { return Vec::new() };
    let told = |fault: &FaultSpan, what: &str| match fault.story.as_str() {
        "" => format!("{} {what}", fault.name),
        story => format!("{} {what}: {story}", fault.name),
    };
    let mut notes = Vec::new();
    for fault in &case.faults {
        if fault.begun >= from {
            notes.push((fault.begun, told(fault, "begins")));
        }
        if let Some(ended) = fault.ended.filter(|ended| (from..=to).contains(ended)) {
            notes.push((ended, told(fault, "is healed")));
        }
    }
    for lead in &case.leads {
        notes.push((lead.from, format!("{} leads", lead.node)));
    }
    notes
}

fn widest(case: &Case) -> usize {
    let heads = case.lanes().into_iter().map(|(process, node)| columns(&head(process, node.as_deref())));
    let labels = case.operations.iter().map(|told| columns(&cell(told)));
    heads.chain(labels).max().unwrap_or(0)
}

fn head(process: u64, node: Option<&str>) -> String {
    match node {
        Some(node) => format!("client {process} at {node}"),
        None => format!("client {process}"),
    }
}

/// The words of an operation's first row.
fn cell(told: &Told) -> String {
    format!("┌ {}{}", told.label, mark(told.part))
}

fn mark(part: Part) -> String {
    match part {
        Part::Placed(place) => format!(" {}", circled(place)),
        Part::Impossible => " ✗".to_owned(),
        Part::Among => String::new(),
    }
}

fn circled(number: usize) -> String {
    let circled = u32::try_from(number).ok().filter(|number| (1..=20).contains(number));
    circled.and_then(|number| char::from_u32(0x245f + number)).map_or(format!("({number})"), String::from)
}

enum Layout {
    /// A column of this width per process.
    Columns(usize),
    /// A rail per process, words to the right.
    Rails,
}

struct Table<'a> {
    case: &'a Case,
    lanes: Vec<u64>,
    layout: Layout,
    width: usize,
    /// Processes whose operation is open.
    open: Vec<u64>,
    text: String,
}

impl Table<'_> {
    fn head(&mut self) {
        if let Some((from, _)) = self.case.window() {
            for fault in self.case.faults.iter().filter(|fault| fault.begun < from) {
                let line = format!("in force   {} (since {})", fault.title(), fault.begun);
                self.line(&line);
            }
        }
        if let Layout::Columns(column) = self.layout {
            let mut line = " ".repeat(TIME);
            for (process, node) in self.case.lanes() {
                line.push_str(&fit(&head(process, node.as_deref()), column));
            }
            self.line(&line);
        }
    }

    fn row(&mut self, time: Nanos, row: Row<'_>) {
        let time = format!("{time:>9}  ", time = time.to_string());
        let line = match (row, &self.layout) {
            (Row::Note(note), _) => {
                let room = self.width.saturating_sub(TIME).max(20);
                format!("{time}── {}", legible(note, room.saturating_sub(3)))
            }
            (row, Layout::Columns(column)) => {
                let column = *column;
                let cells = self.lanes.iter().map(|process| fit(&self.cell(*process, row, true), column));
                format!("{time}{}", cells.collect::<String>())
            }
            (row, Layout::Rails) => {
                let rails: String =
                    self.lanes.iter().map(|process| fit(&self.cell(*process, row, false), RAIL)).collect();
                let room = self.width.saturating_sub(TIME + rails.len().min(RAIL * self.lanes.len())).max(24);
                format!("{time}{rails}{}", legible(&words(row), room))
            }
        };
        match row {
            Row::Invoke(told) => self.open.push(told.process),
            Row::Return(told) => self.open.retain(|process| *process != told.process),
            Row::Note(_) => {}
        }
        self.line(&line);
    }

    /// What stands in the column of this process in this row.
    fn cell(&self, process: u64, row: Row<'_>, with_words: bool) -> String {
        match row {
            Row::Invoke(told) if told.process == process && with_words => cell(told),
            Row::Invoke(told) if told.process == process => "┌".to_owned(),
            Row::Return(told) if told.process == process && with_words => "└ returned".to_owned(),
            Row::Return(told) if told.process == process => "└".to_owned(),
            _ if self.open.contains(&process) => "│".to_owned(),
            _ => String::new(),
        }
    }

    fn tail(&mut self) {
        if !self.open.is_empty() {
            let open = self.lanes.iter().map(|process| if self.open.contains(process) { "┆" } else { "" });
            let column = if let Layout::Columns(column) = self.layout { column } else { RAIL };
            let rails: String = open.map(|rail| fit(rail, column)).collect();
            let line = format!("{}{}  outcome unknown: open to the end", " ".repeat(TIME), rails.trim_end());
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}", line.trim_end());
    }
}

/// A row in words, beside the rails.
fn words(row: Row<'_>) -> String {
    let who = |told: &Told| head(told.process, told.node.as_deref());
    match row {
        Row::Invoke(told) => format!("{}: {}{}", who(told), told.label, mark(told.part)),
        Row::Return(told) => format!("{} returned", who(told)),
        Row::Note(note) => note.to_owned(),
    }
}
