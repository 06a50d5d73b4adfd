//! Writes a history as Jepsen's EDN: one operation map per line, as in its `history.edn`.
//!
//! The reverse of [`super::convert`]: a key becomes the first half of a `[k v]` tuple, a set is written as one,
//! and keyed operations of the model list-append become transactions of one micro-operation.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::event::{Event, Header, Kind, Process};
use crate::value::{FLOAT_END, Value};

/// Writes events as EDN, one map per line; the header becomes comments. What reads it back is
/// [`super::read`].
///
/// # Errors
/// The output's own trouble; also when only some of the clients' events name a key, which EDN's tuples cannot
/// say.
pub fn write_edn<'a>(
    output: &mut impl Write,
    header: &Header,
    events: impl IntoIterator<Item = &'a Event>,
) -> io::Result<()> {
    for text in [Some(&header.about), header.story.as_ref()].into_iter().flatten() {
        for line in text.lines().filter(|line| !line.is_empty()) {
            writeln!(output, "; {line}")?;
        }
    }
    let model = header.model.as_deref().unwrap_or_default();
    let mut keyed = None;
    let mut line = String::new();
    for event in events {
        if event.process != Process::Nemesis
            && *keyed.get_or_insert(event.key.is_some()) != event.key.is_some()
        {
            let text = format!("event {}: either all operations name a key, or none", event.index);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        line.clear();
        operation(&mut line, event, model);
        writeln!(output, "{line}")?;
    }
    Ok(())
}

/// Writing into a string cannot fail; this says so once.
macro_rules! put {
    ($line:expr, $($text:tt)*) => {
        write!($line, $($text)*).expect("a string takes everything")
    };
}

fn operation(line: &mut String, event: &Event, model: &str) {
    put!(line, "{{:index {}, :time {}, :process ", event.index, event.time.0);
    match event.process {
        Process::Client(number) => put!(line, "{number}"),
        Process::Nemesis => line.push_str(":nemesis"),
    }
    put!(line, ", :type :{}, :f ", event.kind);
    match &event.key {
        Some(key) if model == "list-append" && matches!(event.f.as_str(), "append" | "read") => {
            line.push_str(":txn, :value [[");
            line.push_str(if event.f == "append" { ":append " } else { ":r " });
            key_form(line, key);
            line.push(' ');
            value(line, &event.value);
            line.push_str("]]");
        }
        key => {
            name(line, &event.f);
            line.push_str(", :value ");
            if let Some(key) = key {
                line.push('[');
                key_form(line, key);
                line.push(' ');
            }
            match (&event.value, event.f.as_str()) {
                (Value::List(members), "txn") => transaction(line, members),
                (Value::List(members), "read") if model == "set" && event.kind == Kind::Ok => {
                    sequence(line, "#{", members, '}');
                }
                (other, _) => value(line, other),
            }
            if key.is_some() {
                line.push(']');
            }
        }
    }
    if let Some(node) = &event.node {
        line.push_str(", :node ");
        text(line, node);
    }
    if let Some(error) = &event.error {
        line.push_str(", :error ");
        name(line, error);
    }
    line.push('}');
}

/// A list of `[:append k v]`, `[:r k v]`, `[:w k v]`.
fn transaction(line: &mut String, micro_operations: &[Value]) {
    line.push('[');
    for (place, micro_operation) in micro_operations.iter().enumerate() {
        if place > 0 {
            line.push(' ');
        }
        match micro_operation {
            Value::List(parts) if matches!(parts.first(), Some(Value::Text(_))) => {
                line.push('[');
                for (place, part) in parts.iter().enumerate() {
                    match part {
                        Value::Text(f) if place == 0 => name(line, f),
                        part => {
                            line.push(' ');
                            value(line, part);
                        }
                    }
                }
                line.push(']');
            }
            other => value(line, other),
        }
    }
    line.push(']');
}

fn value(line: &mut String, form: &Value) {
    match form {
        Value::Null => line.push_str("nil"),
        Value::Bool(truth) => put!(line, "{truth}"),
        Value::Int(number) => put!(line, "{number}"),
        Value::Float(number) if number.abs() < FLOAT_END => put!(line, "{number:?}"),
        Value::Float(number) => text(line, &number.to_string()),
        Value::Text(string) => text(line, string),
        Value::List(members) => sequence(line, "[", members, ']'),
        Value::Map(members) => {
            line.push('{');
            for (place, (field, member)) in members.iter().enumerate() {
                line.push_str(if place > 0 { ", " } else { "" });
                text(line, field);
                line.push(' ');
                value(line, member);
            }
            line.push('}');
        }
    }
}

fn sequence(line: &mut String, open: &str, members: &[Value], close: char) {
    line.push_str(open);
    for (place, member) in members.iter().enumerate() {
        if place > 0 {
            line.push(' ');
        }
        value(line, member);
    }
    line.push(close);
}

/// A keyword where it can be one, else a string.
fn name(line: &mut String, word: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '?' | '!' | '.');
    if !word.is_empty() && word.chars().all(plain) {
        put!(line, ":{word}");
    } else {
        text(line, word);
    }
}

/// A number where its digits are the key, else a string.
fn key_form(line: &mut String, key: &str) {
    match key.parse::<i64>() {
        Ok(number) if number.to_string() == key => line.push_str(key),
        _ => text(line, key),
    }
}

fn text(line: &mut String, string: &str) {
    line.push('"');
    for character in string.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            other => line.push(other),
        }
    }
    line.push('"');
}
