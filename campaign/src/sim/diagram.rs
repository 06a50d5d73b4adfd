//! The space-time diagram of a simulated run, as SVG: a line per node, time to the right, messages as slanted strokes
//! from where they were sent to where they arrived (Lamport 1978).
//!
//! A window of the run: the last moments before the first finding, or its end.

use maud::{Markup, html};
use rashomon_histories::Nanos;
use rashomon_simulator::trace::{Happening, What};

use crate::drawing::palette;
use crate::drawing::scale::Scale;
use crate::drawing::text::coordinate;

/// Events that are drawn at most.
const EVENTS_MAX: usize = 600;
const WIDTH: f64 = 1600.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 40.0;
const LANE: f64 = 90.0;

const STYLE: &str = "text{font:13px ui-sans-serif,system-ui,sans-serif;fill:var(--ink)}.sheet{fill:var(--paper)}\
    .life{stroke:var(--line);stroke-width:6}.message{stroke:var(--ok);stroke-width:1;opacity:.55}\
    .lost{stroke:var(--bad);stroke-width:1.5}.mark{fill:var(--ink)}.bad{fill:var(--bad);font-weight:700}\
    .good{fill:var(--good)}.tick{fill:var(--soft);font-size:11px}";

/// The diagram of the events up to shortly after `end`.
pub fn diagram(happenings: &[Happening], nodes: usize, end: Nanos) -> String {
    let until = happenings.partition_point(|happening| happening.at <= end.plus(Nanos::from_millis(5)));
    let shown = &happenings[until.saturating_sub(EVENTS_MAX)..until];
    let (first, last) = match (shown.first(), shown.last()) {
        (Some(first), Some(last)) => (first.at, last.at),
        _ => (Nanos(0), Nanos(1)),
    };
    let time = Scale::linear((first.as_secs_f64(), last.as_secs_f64()), (LEFT, WIDTH - RIGHT));
    let height = TOP + LANE * nodes as f64;
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(WIDTH) height=(coordinate(height))
            viewBox={ "0 0 " (WIDTH) " " (coordinate(height)) } role="img" {
            title { "What happened between the nodes" }
            style { (maud::PreEscaped(palette::written_in(STYLE))) }
            rect class="sheet" width="100%" height="100%" {}
            @for tick in time.ticks(10) {
                text class="tick" x=(coordinate(time.place(tick))) y="16" { (format!("{tick:.3} s")) }
            }
            @for node in 0..nodes {
                line class="life" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(coordinate(lane(node))) y2=(coordinate(lane(node))) {}
                text x="12" y=(coordinate(lane(node) + 5.0)) { "n" (node + 1) }
            }
            @for happening in shown { (mark(happening, &time)) }
        }
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", svg.into_string())
}

fn lane(node: usize) -> f64 {
    TOP + LANE * (node as f64 + 0.5)
}

fn mark(Happening { at, node, what }: &Happening, time: &Scale) -> Markup {
    let x = time.place(at.as_secs_f64());
    let y = lane(*node);
    let class = match what {
        What::Broken { .. } | What::Died { .. } | What::Dropped { .. } => "bad",
        What::Leads { .. } | What::Answered { done: true } => "good",
        _ => "mark",
    };
    match what {
        What::Message { from, sent } => html! {
            line class="message" x1=(coordinate(time.place(sent.as_secs_f64()))) y1=(coordinate(lane(*from)))
                x2=(coordinate(x)) y2=(coordinate(y)) {}
        },
        What::Dropped { from } => html! {
            line class="lost" x1=(coordinate(x)) y1=(coordinate(y + if lane(*from) < y { -14.0 } else { 14.0 }))
                x2=(coordinate(x)) y2=(coordinate(y)) {}
        },
        _ => html! {
            text class=(class) x=(coordinate(x - 4.0)) y=(coordinate(y - 8.0)) { (what.glyph())
                title { (format!("{at}: {what:?}")) } }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_stroke_from_its_sender_to_its_receiver() {
        let run = [
            Happening { at: Nanos::from_millis(1), node: 0, what: What::Leads { term: 1 } },
            Happening {
                at: Nanos::from_millis(3),
                node: 1,
                what: What::Message { from: 0, sent: Nanos::from_millis(1) },
            },
        ];
        let svg = diagram(&run, 2, Nanos::from_secs(1));
        let stroke = r#"<line class="message" x1="60" y1="85" x2="1570" y2="175">"#;
        assert!(svg.contains(stroke), "{svg}");
    }
}
