//! What happened to each node, one glyph per event, one column per node: the run at a glance.

use std::fmt::Write as _;

use rashomon_simulator::trace::{Happening, LEGEND, What};

/// Lines that are printed at most: those before the first finding, else the last ones.
const LINES_MAX: usize = 120;

/// The columns, up to and shortly after `end`, with the legend above.
pub fn columns(happenings: &[Happening], nodes: usize, end: rashomon_histories::Nanos) -> String {
    const AFTER: usize = 10;
    let upto = happenings.partition_point(|happening| happening.at <= end);
    let until = happenings.len().min(upto + AFTER);
    let from = until.saturating_sub(LINES_MAX);
    let mut text = format!("{LEGEND}\n{:>12}", "");
    for node in 1..=nodes {
        write!(text, " n{node:<2}").expect("writing to a string");
    }
    text.push('\n');
    if from > 0 {
        writeln!(text, "{:>12} … {from} events before", "").expect("writing to a string");
    }
    for happening in &happenings[from..until] {
        text.push_str(&line(happening, nodes));
    }
    text
}

fn line(Happening { at, node, what }: &Happening, nodes: usize) -> String {
    let mut text = format!("{:>12}", format!("{:.4} s", at.as_secs_f64()));
    for column in 0..nodes {
        let glyph = if column == *node { what.glyph() } else { '·' };
        write!(text, "  {glyph} ").expect("writing to a string");
    }
    text.push_str(&words(what));
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What a glyph alone does not say.
fn words(what: &What) -> String {
    match what {
        What::Message { from, sent } => format!(" from n{}, sent {:.4} s", from + 1, sent.as_secs_f64()),
        What::Dropped { from } => format!(" from n{}", from + 1),
        What::Campaigns { term } => format!(" campaigns in term {term}"),
        What::Leads { term } => format!(" leads term {term}"),
        What::StepsDown { term } => format!(" leads term {term} no more"),
        What::Died { why } => format!(" {why}"),
        What::Broken { invariant } => format!(" BROKEN: {invariant}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use rashomon_histories::Nanos;

    use super::*;

    #[test]
    fn a_run_reads_like_this() {
        let happening = |ms, node, what| Happening { at: Nanos::from_millis(ms), node, what };
        let sent = Nanos::from_millis(3);
        let run = [
            happening(1, 0, What::Started),
            happening(2, 1, What::Campaigns { term: 2 }),
            happening(5, 2, What::Message { from: 1, sent }),
            happening(6, 2, What::Died { why: "killed".into() }),
            happening(900, 0, What::Written),
        ];
        expect![[r#"
            < message in, x message lost, ? request in, ! carried out, - refused, w written to disk, c campaigns, L leads, d deposed, t truncates, ^ started, # died, z asleep, a awake, * invariant broken
                         n1  n2  n3 
                0.0010 s  ^   ·   ·
                0.0020 s  ·   c   ·  campaigns in term 2
                0.0050 s  ·   ·   <  from n2, sent 0.0030 s
                0.0060 s  ·   ·   #  killed
                0.9000 s  w   ·   ·
        "#]]
        .assert_eq(&columns(&run, 3, Nanos::from_millis(7)));
    }
}
