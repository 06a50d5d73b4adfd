//! Text as people read it, whatever stands in a history: names and values come from files that anybody may have made.

use rashomon_histories::Nanos;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Text without characters that a terminal would obey, XML would refuse, or that turn reading order around; at most
/// `chars_max` characters.
pub fn legible(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut left = chars_max;
    for c in text.chars() {
        if left == 0 {
            out.pop();
            out.push('…');
            break;
        }
        left -= 1;
        if is_unfit(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// How many columns of a terminal it takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The text in exactly so many columns: filled up with blanks, or cut with an ellipsis.
pub fn fit(text: &str, columns_max: usize) -> String {
    let width = columns(text);
    if width <= columns_max {
        return format!("{text}{}", " ".repeat(columns_max - width));
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns_max {
            break;
        }
        out.push(c);
        used += wide;
    }
    if columns_max > 0 {
        out.push('…');
        used += 1;
    }
    format!("{out}{}", " ".repeat(columns_max.saturating_sub(used)))
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many of them: `1 operation`, `2 operations`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A span of time with the unit that suits it: `0.21 ms`, `38 ms`, `1.6 s`, `2 min 5 s`.
pub fn span(nanos: Nanos) -> String {
    let millis = nanos.0 as f64 / 1e6;
    match millis {
        _ if nanos.0 == 0 => "0 ms".to_owned(),
        _ if millis < 0.1 => format!("{} µs", significant(millis * 1e3)),
        _ if millis < 1e3 => format!("{} ms", significant(millis)),
        _ if millis < 120e3 => format!("{} s", significant(millis / 1e3)),
        _ => {
            let seconds = (millis / 1e3).round() as u64;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

/// Three significant digits, without zeros at the end of a fraction.
pub fn significant(number: f64) -> String {
    let decimals = match number.abs() {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    trimmed(&format!("{number:.decimals$}"))
}

/// A coordinate: one decimal, none where it is zero.
pub fn coordinate(number: f64) -> String {
    trimmed(&format!("{number:.1}"))
}

fn trimmed(number: &str) -> String {
    let text = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfit_characters_are_spelt_out_and_long_text_is_cut() {
        assert_eq!(legible("k\u{1b}[31m<é>\u{202e}", 50), "k\\u{1b}[31m<é>\\u{202e}");
        assert_eq!(legible("abcdef", 6), "abcdef");
        assert_eq!(legible("abcdefg", 6), "abcde…");
        assert_eq!(legible("x", 0), "…");
    }

    #[test]
    fn text_fits_its_columns_exactly() {
        for (text, columns_max, fitted) in [
            ("read", 6, "read  "),
            ("replaced", 6, "repla…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日… "),
            ("x", 0, ""),
        ] {
            assert_eq!(fit(text, columns_max), fitted);
            assert_eq!(columns(fitted), columns_max);
        }
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 12, 1_234, 1_234_567].map(grouped), ["0", "12", "1,234", "1,234,567"]);
        assert_eq!(counted(1, "operation"), "1 operation");
        let spans = [0, 40_000, 210_000, 38_450_000, 1_000_000_000, 125_000_000_000].map(|n| span(Nanos(n)));
        assert_eq!(spans, ["0 ms", "40 µs", "0.21 ms", "38.5 ms", "1 s", "2 min 5 s"]);
        assert_eq!([-0.04, 12.0, 12.34].map(coordinate), ["0", "12", "12.3"]);
    }
}
