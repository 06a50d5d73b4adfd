//! Lines just as our own writer makes them, read by hand.
//!
//! Nearly every line of a history has the fields in the order of [`Event`], no spaces, plain text and whole numbers. Such a
//! line is read here in one pass, several times as fast as by the general parser. Of any other line nothing is said: the
//! general parser then reads it, or says what is wrong with it. So the format is that parser's alone ([`super::reader`]), and
//! what is answered here is what it would answer; the tests below hold one against the other.

use smol_str::SmolStr;

use crate::event::{Event, Kind, Nanos, Process};
use crate::value::Value;

/// The event of this line, if it is a plain one.
pub(super) fn event(line: &[u8]) -> Option<Event> {
    let mut rest = Rest(line);
    rest.skip(b"{\"index\":")?;
    let index = rest.natural()?;
    rest.skip(b",\"time\":")?;
    let time = Nanos(rest.natural()?);
    rest.skip(b",\"process\":")?;
    let process = Process::Client(rest.natural()?);
    rest.skip(b",\"type\":")?;
    let kind = rest.kind()?;
    rest.skip(b",\"f\":")?;
    let f = rest.text()?;
    let key = rest.text_after(b",\"key\":")?;
    rest.skip(b",\"value\":")?;
    let value = rest.value()?;
    let node = rest.text_after(b",\"node\":")?;
    let error = rest.text_after(b",\"error\":")?;
    rest.skip(b"}")?;
    rest.0.is_empty().then_some(Event { index, time, process, kind, f, key, value, node, error })
}

/// What of the line is not read yet. Every method answers none where the line is not plain.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A number from 0 on, of no more digits than fit for sure.
    fn natural(&mut self) -> Option<u64> {
        const DIGITS_MAX: usize = 18;
        let count = self.0.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        let is_plain = (1..=DIGITS_MAX).contains(&count) && (digits[0] != b'0' || count == 1);
        self.0 = rest;
        is_plain.then(|| digits.iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0')))
    }

    fn kind(&mut self) -> Option<Kind> {
        let kinds: [(&[u8], Kind); 4] = [
            (b"\"invoke\"", Kind::Invoke),
            (b"\"ok\"", Kind::Ok),
            (b"\"fail\"", Kind::Fail),
            (b"\"info\"", Kind::Info),
        ];
        kinds.into_iter().find_map(|(word, kind)| self.skip(word).map(|()| kind))
    }

    /// Text of printable ASCII without escapes.
    fn text(&mut self) -> Option<SmolStr> {
        self.skip(b"\"")?;
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let length = self.0.iter().take_while(|byte| is_plain(byte)).count();
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        self.skip(b"\"")?;
        std::str::from_utf8(text).ok().map(SmolStr::new)
    }

    /// The text after a name that may not be there: none inside.
    fn text_after(&mut self, name: &[u8]) -> Option<Option<SmolStr>> {
        match self.skip(name) {
            Some(()) => self.text().map(Some),
            None => Some(None),
        }
    }

    /// Null, a whole number, text, or a list of these.
    fn value(&mut self) -> Option<Value> {
        if self.skip(b"[").is_none() {
            return self.member();
        }
        let mut members = Vec::with_capacity(2);
        if self.skip(b"]").is_some() {
            return Some(Value::List(members));
        }
        loop {
            members.push(self.member()?);
            if self.skip(b"]").is_some() {
                return Some(Value::List(members));
            }
            self.skip(b",")?;
        }
    }

    fn member(&mut self) -> Option<Value> {
        match self.0.first()? {
            b'n' => self.skip(b"null").map(|()| Value::Null),
            b'"' => self.text().map(Value::Text),
            b'-' => {
                self.skip(b"-")?;
                // Minus zero is no whole number.
                let number = self.natural().filter(|&number| number != 0)?;
                i64::try_from(number).ok().map(|number| Value::Int(-number))
            }
            _ => i64::try_from(self.natural()?).ok().map(Value::Int),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smol_str::format_smolstr;

    use super::*;

    fn event_of(number: i64) -> Event {
        Event {
            index: number.unsigned_abs(),
            time: Nanos(number.unsigned_abs().wrapping_mul(977)),
            process: Process::client(7),
            kind: [Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info][number.unsigned_abs() as usize % 4],
            f: "cas".into(),
            key: Some("x12".into()),
            value: Value::pair(number, Value::Null),
            node: Some("n1".into()),
            error: Some(format_smolstr!("error {number}")),
        }
    }

    fn line(event: &Event) -> Vec<u8> {
        serde_json::to_vec(event).expect("plain data")
    }

    #[test]
    fn what_workloads_record_is_plain() {
        for number in [0, 1, -1, 12, -400, 999_999_999_999] {
            let whole = event_of(number);
            let values = [
                Value::Null,
                Value::Int(number),
                "text".into(),
                Value::List(Vec::new()),
                Value::List(vec![1.into(); 5]),
            ];
            for value in values {
                let sparse = Event { key: None, node: None, error: None, value, ..whole.clone() };
                assert_eq!(event(&line(&sparse)), Some(sparse));
            }
            assert_eq!(event(&line(&whole)), Some(whole));
        }
    }

    #[test]
    fn the_general_parser_is_left_what_is_not_plain() {
        let plain = r#"{"index":1,"time":2,"process":3,"type":"ok","f":"read","key":"x","value":4}"#;
        assert!(event(plain.as_bytes()).is_some());
        let changes = [
            ("1", "01"),
            ("1", "-1"),
            ("1", "1.0"),
            ("1", "1e0"),
            ("2", "1000000000000000000"),
            ("3", "\"nemesis\""),
            ("\"ok\"", "\"Ok\""),
            ("read", "r\\u0065ad"),
            ("read", "lü"),
            ("read", "\u{7f}"),
            ("\"x\"", "5"),
            ("\"x\"", "null"),
            ("4", "-0"),
            ("4", "4.5"),
            ("4", "true"),
            ("4", "{}"),
            ("4", "[[1]]"),
            ("4", "[1,]"),
            ("4", "[1"),
            (",", ", "),
            ("}", "} "),
            ("}", ""),
            ("}", ",\"more\":1}"),
            ("}", ",\"value\":5}"),
        ];
        for (from, to) in changes {
            let line = plain.replacen(from, to, 1);
            assert_eq!(event(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_here_is_what_the_general_parser_reads(
            number in -3_000_i64..3_000,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, "[ -~]"), 0..3),
        ) {
            let mut line = line(&event_of(number));
            for (at, how, byte) in changes {
                let at = at.index(line.len());
                match how {
                    0 => line[at] = byte.as_bytes()[0],
                    1 => line.insert(at, byte.as_bytes()[0]),
                    _ => drop(line.remove(at)),
                }
            }
            if let Some(read) = event(&line) {
                prop_assert_eq!(read, serde_json::from_slice::<Event>(&line).expect("plain, and so an event"));
            }
        }
    }
}
