//! The counterexample as SVG: operations as bars on a time line, one lane per process, faults as bands behind.
//!
//! A pure function of the case. Numbers mark the order that is consistent so far, a cross the step that has no place
//! in it; a bar without an end is an operation of unknown outcome. The time axis is stretched where much happens, as
//! a second of waiting would hide the milliseconds that matter: every moment keeps its order, and the ticks its time.

use std::collections::BTreeMap;

use maud::{Markup, html};
use rashomon_histories::Nanos;

use super::case::{Case, Part, Told};
use crate::drawing::palette;
use crate::drawing::spans::FaultSpan;
use crate::drawing::text::{coordinate, legible};

/// The style of every case in a document; a page includes it once.
pub const STYLE: &str = include_str!("picture.css");

/// Width that is filled when there is room to spare.
const WIDTH: f64 = 960.0;
/// Where the lanes begin, to the right of their names.
const LEFT: f64 = 108.0;
/// What stays free at the right.
const RIGHT: f64 = 20.0;
/// Height of a lane.
const LANE: f64 = 46.0;
/// Height of a row of band names.
const BAND_ROW: f64 = 16.0;
/// Least distance of two moments.
const STEP_MIN: f64 = 26.0;
/// Width of a character of a label.
const CHARACTER: f64 = 7.25;
/// Width of a character of a small label.
const SMALL: f64 = 6.65;
/// Height of a bar.
const BAR: f64 = 15.0;

/// The picture as a file of its own.
pub fn alone(case: &Case) -> String {
    let picture = Picture::of(case);
    let style = palette::written_in(STYLE);
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" class="case" width=(coordinate(picture.width))
            height=(coordinate(picture.height)) viewBox=(picture.view_box()) role="img" {
            title { "Counterexample on key " (case.key) }
            style { (style) }
            rect class="sheet" width="100%" height="100%" {}
            (picture.content())
        }
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", svg.into_string())
}

/// The picture as part of a page that includes [`STYLE`] and the palette's variables.
pub fn within(case: &Case) -> Markup {
    let picture = Picture::of(case);
    html! {
        svg class="case" style={ "min-width:" (coordinate((picture.width * 0.75).min(720.0))) "px" }
            viewBox=(picture.view_box()) role="img" aria-label={ "Counterexample on key " (case.key) } {
            (picture.content())
        }
    }
}

struct Picture<'a> {
    case: &'a Case,
    lanes: Vec<(u64, Option<String>)>,
    /// Where each moment stands.
    places: BTreeMap<Nanos, f64>,
    bands: Vec<Band<'a>>,
    top: f64,
    width: f64,
    height: f64,
}

struct Band<'a> {
    fault: &'a FaultSpan,
    row: usize,
    from: f64,
    to: f64,
}

impl<'a> Picture<'a> {
    fn of(case: &'a Case) -> Self {
        let lanes = case.lanes();
        let places = places(case);
        let end = places.values().copied().fold(LEFT + 60.0, f64::max) + RIGHT;
        let width = end.max(WIDTH);
        let bands = bands(case, &places, width - RIGHT / 2.0);
        let rows = bands.iter().map(|band| band.row + 1).max().unwrap_or(0);
        let top = 8.0 + BAND_ROW * rows as f64;
        let height = top + LANE * lanes.len() as f64 + 44.0;
        Picture { case, lanes, places, bands, top, width, height }
    }

    fn view_box(&self) -> String {
        format!("0 0 {} {}", coordinate(self.width), coordinate(self.height))
    }

    fn content(&self) -> Markup {
        html! {
            @for band in &self.bands { (self.band(band)) }
            (self.lanes())
            (self.axis())
            @for told in &self.case.operations { (self.operation(told)) }
        }
    }

    fn floor(&self) -> f64 {
        self.top + LANE * self.lanes.len() as f64
    }

    fn band(&self, band: &Band<'_>) -> Markup {
        let Band { fault, row, from, to } = band;
        let y = 4.0 + BAND_ROW * *row as f64;
        let room = ((to - from - 8.0) / SMALL).max(0.0) as usize;
        let end = fault.ended.map_or("the end of the record".to_owned(), |ended| ended.to_string());
        html! {
            g {
                title { (fault.title()) " (" (fault.outcome) "), from " (fault.begun) " to " (end) }
                rect x=(coordinate(*from)) y=(coordinate(y)) width=(coordinate(to - from))
                    height=(coordinate(self.floor() - y)) fill=(fault.colour()) fill-opacity="0.12" {}
                rect x=(coordinate(*from)) y=(coordinate(y)) width=(coordinate(to - from)) height="2"
                    fill=(fault.colour()) {}
                @if room >= 4 {
                    text class="soft" x=(coordinate(from + 5.0)) y=(coordinate(y + 13.0)) {
                        (legible(&fault.title(), room))
                    }
                }
            }
        }
    }

    fn lanes(&self) -> Markup {
        html! {
            @for (index, (process, node)) in self.lanes.iter().enumerate() {
                @let y = self.top + LANE * index as f64;
                line class="lane" x1="0" x2=(coordinate(self.width)) y1=(coordinate(y)) y2=(coordinate(y)) {}
                text x="6" y=(coordinate(y + 20.0)) { "client " (process) }
                @if let Some(node) = node {
                    text class="soft" x="6" y=(coordinate(y + 36.0)) { "at " (legible(node, 12)) }
                }
            }
        }
    }

    fn axis(&self) -> Markup {
        let floor = self.floor();
        let decimals = decimals(self.places.keys().copied());
        let label_width = SMALL * (decimals as f64 + 6.0);
        // Labels that would run into each other stand in a second row, or are left to the tooltips.
        let mut row_ends = [f64::MIN; 2];
        let mut labels = Vec::new();
        for (time, place) in &self.places {
            let from = (place - label_width / 2.0).clamp(0.0, self.width - label_width);
            if let Some(row) = row_ends.iter().position(|end| from >= end + 6.0) {
                row_ends[row] = from + label_width;
                labels.push((from, row, format!("{:.decimals$} s", time.as_secs_f64())));
            }
        }
        html! {
            line class="lane" x1="0" x2=(coordinate(self.width)) y1=(coordinate(floor)) y2=(coordinate(floor)) {}
            @for place in self.places.values() {
                line class="tick" x1=(coordinate(*place)) x2=(coordinate(*place)) y1=(coordinate(self.top))
                    y2=(coordinate(floor + 5.0)) {}
            }
            @for lead in &self.case.leads {
                @if let Some(x) = self.places.get(&lead.from) {
                    g {
                        title { (lead.node) " leads, as first seen at " (lead.from) }
                        line class="lead" x1=(coordinate(*x)) x2=(coordinate(*x)) y1=(coordinate(self.top))
                            y2=(coordinate(floor)) {}
                        text class="led" x=(coordinate(x + 4.0)) y=(coordinate(floor - 3.0)) { (lead.node) " leads" }
                    }
                }
            }
            @for (x, row, label) in labels {
                text class="soft" x=(coordinate(x)) y=(coordinate(floor + 18.0 + 15.0 * row as f64)) { (label) }
            }
        }
    }

    fn operation(&self, told: &Told) -> Markup {
        let lane = self.lanes.iter().position(|(process, _)| *process == told.process).unwrap_or(0);
        let y = self.top + LANE * lane as f64;
        let edge = self.width - RIGHT / 2.0;
        let from = self.place(told.invoked);
        let to = told.returned.map_or(edge, |returned| self.place(returned));
        let class = match (told.part, told.returned) {
            (Part::Impossible, _) => "bar impossible",
            (Part::Among, Some(_)) => "bar among",
            (Part::Among, None) => "bar among unknown",
            (Part::Placed(_), Some(_)) => "bar",
            (Part::Placed(_), None) => "bar unknown",
        };
        let (top, middle) = (y + 24.0, y + 24.0 + BAR / 2.0);
        html! {
            g {
                title { (tooltip(told)) }
                @if told.returned.is_some() {
                    rect class=(class) x=(coordinate(from)) y=(coordinate(top)) width=(coordinate(to - from))
                        height=(coordinate(BAR)) rx="3" {}
                } @else {
                    // No right edge: it may take effect at any later time.
                    path class=(class) d={
                        "M" (coordinate(to)) " " (coordinate(top)) "H" (coordinate(from)) "V" (coordinate(top + BAR))
                        "H" (coordinate(to))
                    } {}
                    path class=(class) d={
                        "M" (coordinate(to - 5.0)) " " (coordinate(top + 3.0)) "l5 " (coordinate(BAR / 2.0 - 3.0))
                        "l-5 " (coordinate(BAR / 2.0 - 3.0))
                    } style="fill:none;stroke-dasharray:none" {}
                }
                @match told.part {
                    Part::Placed(place) => {
                        circle class="badge" cx=(coordinate(from)) cy=(coordinate(middle)) r="8.5" {}
                        text class="place" x=(coordinate(from)) y=(coordinate(middle + 3.8)) { (place) }
                    }
                    Part::Impossible => {
                        circle class="badge impossible" cx=(coordinate(from)) cy=(coordinate(middle)) r="8.5" {}
                        path class="cross" d={
                            "M" (coordinate(from - 3.5)) " " (coordinate(middle - 3.5)) "l7 7m0 -7l-7 7"
                        } {}
                    }
                    Part::Among => {}
                }
                text class=[(told.part == Part::Impossible).then_some("wrong")] x=(coordinate(self.label_at(told, from)))
                    y=(coordinate(y + 15.0)) { (told.label) }
            }
        }
    }

    /// Where its label begins: above the bar, moved to the left where the picture ends.
    fn label_at(&self, told: &Told, from: f64) -> f64 {
        (from - 8.0).min(self.width - 4.0 - label_width(told)).max(LEFT - 8.0)
    }

    fn place(&self, time: Nanos) -> f64 {
        self.places.get(&time).copied().unwrap_or(LEFT)
    }
}

fn label_width(told: &Told) -> f64 {
    CHARACTER * told.label.chars().count() as f64
}

fn tooltip(told: &Told) -> String {
    let node = told.node.as_ref().map(|node| format!(" at {node}")).unwrap_or_default();
    let end = match told.returned {
        Some(returned) => format!("to {returned}"),
        None => "on; its outcome is unknown, it may take effect at any later time or never".to_owned(),
    };
    let part = match told.part {
        Part::Placed(place) => format!("; place {place} of an order that is consistent so far"),
        Part::Impossible => "; it has no place in any order".to_owned(),
        Part::Among => String::new(),
    };
    format!(
        "client {}{node}: {}, from {} {end}{part} (event {})",
        told.process, told.label, told.invoked, told.id
    )
}

/// Each moment's place: far enough from the one before to be seen, the rest of the width shared by the square roots
/// of the waits, and room for every label until the next operation of its lane.
fn places(case: &Case) -> BTreeMap<Nanos, f64> {
    let Some((first, last)) = case.window() else { return BTreeMap::new() };
    let mut moments: Vec<Nanos> = Vec::new();
    for told in &case.operations {
        moments.push(told.invoked);
        moments.extend(told.returned);
    }
    let inside = |time: &Nanos| (first..=last).contains(time);
    moments.extend(
        case.faults.iter().flat_map(|fault| [Some(fault.begun), fault.ended]).flatten().filter(inside),
    );
    moments.extend(case.leads.iter().map(|lead| lead.from).filter(inside));
    moments.sort_unstable();
    moments.dedup();
    let roots: Vec<f64> = moments.windows(2).map(|pair| (pair[1].since(pair[0]).0 as f64).sqrt()).collect();
    let sum = roots.iter().sum::<f64>().max(1.0);
    let spare = (WIDTH - LEFT - RIGHT - 40.0 - STEP_MIN * roots.len() as f64).max(0.0);
    let mut steps: Vec<f64> = roots.iter().map(|root| STEP_MIN + spare * root / sum).collect();
    make_room(case, &moments, &mut steps);
    let mut at = LEFT + 12.0;
    let mut places = BTreeMap::new();
    for (index, moment) in moments.iter().enumerate() {
        places.insert(*moment, at);
        at += steps.get(index).copied().unwrap_or(0.0);
    }
    places
}

/// Widens the last step before an operation whose predecessor in the lane has a longer label than there is room for.
fn make_room(case: &Case, moments: &[Nanos], steps: &mut [f64]) {
    for (process, _) in case.lanes() {
        let lane: Vec<&Told> = case.operations.iter().filter(|told| told.process == process).collect();
        for pair in lane.windows(2) {
            let index = |time: Nanos| moments.binary_search(&time).unwrap_or(0);
            let (from, to) = (index(pair[0].invoked), index(pair[1].invoked));
            let room: f64 = steps[from..to].iter().sum();
            let missing = label_width(pair[0]) + 16.0 - room;
            if let Some(step) = steps[from..to].last_mut().filter(|_| missing > 0.0) {
                *step += missing;
            }
        }
    }
}

/// Bands as far as they reach into the picture, each in the first row that is free there.
fn bands<'a>(case: &'a Case, places: &BTreeMap<Nanos, f64>, edge: f64) -> Vec<Band<'a>> {
    let mut row_ends: Vec<f64> = Vec::new();
    let mut bands = Vec::new();
    for fault in &case.faults {
        let from = places.get(&fault.begun).copied().unwrap_or(LEFT - 8.0);
        let to = fault.ended.and_then(|ended| places.get(&ended).copied()).unwrap_or(edge);
        let row = row_ends.iter().position(|end| *end <= from).unwrap_or(row_ends.len());
        row_ends.resize(row_ends.len().max(row + 1), to);
        row_ends[row] = to;
        bands.push(Band { fault, row, from, to });
    }
    bands
}

/// How many decimals of a second tell neighbouring moments apart: three to six.
fn decimals(moments: impl Iterator<Item = Nanos> + Clone) -> usize {
    let steps = moments.clone().skip(1).zip(moments).map(|(later, earlier)| later.since(earlier).0);
    match steps.filter(|step| *step > 0).min() {
        Some(step) if step < 10_000 => 6,
        Some(step) if step < 100_000 => 5,
        Some(step) if step < 1_000_000 => 4,
        _ => 3,
    }
}
