//! Jepsen's two ways of writing operations: EDN maps, and the lines of its log.
//!
//! Maps: `{:process 0, :type :invoke, :f :read, :value nil}`, with `:index`, `:time` and `:error` where there
//! are any; Porcupine's key-value logs are the same with a `:key` each. Log lines, as Porcupine's copies of
//! Jepsen's etcd runs have them: `INFO  jepsen.util - 0\t:invoke\t:cas\t[3 0]`. Keywords are read as their names.
//! It refuses to know what the operations mean. Next: [`super::convert`].

use std::io::{self, BufRead, Read};

use smol_str::{SmolStr, ToSmolStr};

use super::edn::{Edn, Forms, Trouble};
use super::raw::{Position, RawEvent, RawEvents, kind_of, refuse};
use crate::event::{Kind, Process};
use crate::jsonl::{LINE_BYTES_MAX, ReadError};
use crate::value::Value;

/// Reads operation maps, one after another or in one vector.
pub(super) fn read_maps(name: &str, input: impl Read) -> Result<RawEvents, ReadError> {
    let mut forms = Forms::new(io::BufReader::new(input));
    let mut raw = RawEvents::default();
    loop {
        match forms.next() {
            Ok(None) => return Ok(raw),
            Ok(Some((start, form))) => {
                let event = operation(form, start.line).map_err(|problem| refuse(name, start, problem))?;
                raw.events.push(event);
            }
            Err(Trouble::CutOff) if !raw.events.is_empty() => {
                raw.torn = Some(forms.position().line);
                return Ok(raw);
            }
            Err(Trouble::CutOff) => return Err(refuse(name, forms.position(), "the file is cut off")),
            Err(Trouble::Wrong(problem)) => return Err(refuse(name, forms.position(), problem)),
            Err(Trouble::Io(error)) => return Err(ReadError::Io { name: name.to_owned(), error }),
        }
    }
}

fn operation(form: Edn, line: u64) -> Result<RawEvent, String> {
    let Edn::Map(fields) = form else { return Err("not a map".into()) };
    let mut seen: Vec<SmolStr> = Vec::with_capacity(fields.len());
    let (mut process, mut kind) = (None, None);
    let mut event = RawEvent {
        line,
        index: None,
        time: None,
        process: Process::Nemesis,
        kind: Kind::Info,
        f: None,
        key: None,
        value: Value::Null,
        node: None,
        error: None,
    };
    for (field, form) in fields {
        // Fields whose names are no keywords are other tools' own.
        let Edn::Keyword(field) = field else { continue };
        if seen.contains(&field) {
            return Err(format!("the field :{field} stands twice"));
        }
        match field.as_str() {
            "process" => process = Some(process_of(&form)?),
            "type" => kind = Some(named_kind(&form)?),
            "f" => event.f = word(&form, ":f")?,
            "value" => event.value = value_of(form)?,
            "key" => event.key = key_of(&value_of(form)?),
            "index" => event.index = whole(&form, ":index")?,
            "time" => event.time = whole(&form, ":time")?,
            "error" => event.error = error_of(form)?,
            "node" => event.node = word(&form, ":node")?,
            _ => continue,
        }
        seen.push(field);
    }
    event.process = process.ok_or("the field :process is missing")?;
    event.kind = kind.ok_or("the field :type is missing")?;
    Ok(event)
}

fn process_of(form: &Edn) -> Result<Process, String> {
    match form {
        Edn::Int(number) if *number >= 0 => Ok(Process::Client(number.unsigned_abs())),
        Edn::Keyword(name) if name == "nemesis" => Ok(Process::Nemesis),
        other => Err(format!("the process {other}, which is neither a number from 0 on nor :nemesis")),
    }
}

fn named_kind(form: &Edn) -> Result<Kind, String> {
    match form {
        Edn::Keyword(name) => kind_of(name).ok_or_else(|| format!("the unknown type :{name}")),
        other => Err(format!("the type {other}, which is no keyword")),
    }
}

fn word(form: &Edn, field: &str) -> Result<Option<SmolStr>, String> {
    match form {
        Edn::Nil => Ok(None),
        Edn::Keyword(word) | Edn::Text(word) | Edn::Symbol(word) => Ok(Some(word.clone())),
        other => Err(format!("{field} {other}, which is no name")),
    }
}

fn whole(form: &Edn, field: &str) -> Result<Option<i64>, String> {
    match form {
        Edn::Nil => Ok(None),
        Edn::Int(number) => Ok(Some(*number)),
        other => Err(format!("{field} {other}, which is no whole number")),
    }
}

/// A code and what follows it: `:timeout`, `"text"`, `[:timeout "text"]`.
fn error_of(form: Edn) -> Result<Option<SmolStr>, String> {
    Ok(super::convert::error_text(&value_of(form)?))
}

/// The key that a value is the name of, if it can be one.
pub(super) fn key_of(value: &Value) -> Option<SmolStr> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        other => Some(other.to_smolstr()),
    }
}

/// Keywords and symbols become text, sets lists in order, and names of maps their text.
fn value_of(form: Edn) -> Result<Value, String> {
    Ok(match form {
        Edn::Nil => Value::Null,
        Edn::Bool(truth) => Value::Bool(truth),
        Edn::Int(number) => Value::Int(number),
        Edn::Float(number) => Value::Float(number),
        Edn::Text(text) | Edn::Keyword(text) | Edn::Symbol(text) => Value::Text(text),
        Edn::Vector(members) => Value::List(members.into_iter().map(value_of).collect::<Result<_, _>>()?),
        Edn::Set(members) => {
            let mut members: Vec<Value> = members.into_iter().map(value_of).collect::<Result<_, _>>()?;
            members.sort_by_cached_key(|member| (member.as_int(), member.to_string()));
            Value::List(members)
        }
        Edn::Map(members) => {
            let mut map = std::collections::BTreeMap::new();
            for (name, member) in members {
                let name = key_of(&value_of(name)?).unwrap_or_else(|| "nil".into());
                if map.insert(name.clone(), value_of(member)?).is_some() {
                    return Err(format!("the name {name:?} stands twice in one map"));
                }
            }
            Value::Map(map)
        }
    })
}

/// Reads the lines of a log that tell of operations; others are counted.
pub(super) fn read_log(name: &str, mut input: impl BufRead) -> Result<RawEvents, ReadError> {
    let mut raw = RawEvents::default();
    let mut bytes = Vec::new();
    for line in 1_u64.. {
        bytes.clear();
        let at = Position { line, column: 1 };
        let cut_off = match input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(_) => !bytes.ends_with(b"\n"),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                raw.torn = Some(line);
                break;
            }
            Err(error) => return Err(ReadError::Io { name: name.to_owned(), error }),
        };
        if bytes.len() as u64 > LINE_BYTES_MAX {
            return Err(ReadError::LineTooLong { name: name.to_owned(), line });
        }
        let text = std::str::from_utf8(&bytes);
        match text.map_err(|_| "not UTF-8".to_owned()).and_then(|text| log_line(text.trim_end(), line)) {
            // Without its line end even a line that reads well may be the half of one: 1 of 12.
            Ok(Some(_)) | Err(_) if cut_off => raw.torn = Some(line),
            Ok(Some(event)) => raw.events.push(event),
            Ok(None) => raw.skipped_count += 1,
            Err(problem) => return Err(refuse(name, at, problem)),
        }
    }
    Ok(raw)
}

/// Whether a line tells of an operation.
pub(super) fn is_log_line(text: &str) -> bool {
    matches!(log_line(text, 0), Ok(Some(_)))
}

/// `… 3\t:invoke\t:cas\t[0 3]` and perhaps an error behind a further tab.
fn log_line(text: &str, line: u64) -> Result<Option<RawEvent>, String> {
    let mut parts = text.split('\t');
    let (Some(prefix), Some(kind)) = (parts.next(), parts.next()) else { return Ok(None) };
    let Some(kind) = kind.trim().strip_prefix(':').and_then(kind_of) else { return Ok(None) };
    let (Some(f), Some(value)) = (parts.next(), parts.next()) else {
        return Err("an operation's line without :f or value".into());
    };
    let process = prefix.rsplit(' ').next().unwrap_or_default();
    let process = match process {
        ":nemesis" => Process::Nemesis,
        digits => Process::Client(
            digits
                .parse()
                .map_err(|_| format!("the process {digits:?}, which is no number and not :nemesis"))?,
        ),
    };
    let value = value_of(one_form(value)?)?;
    let error = parts.next().map(one_form).transpose()?;
    Ok(Some(RawEvent {
        line,
        index: None,
        time: None,
        process,
        kind,
        f: word(&one_form(f)?, ":f")?,
        key: None,
        // The place of the value may say why there is none: `:info :write :timed-out`.
        error: match error {
            Some(error) => error_of(error)?,
            None if matches!(kind, Kind::Fail | Kind::Info) => value.as_text().map(SmolStr::new),
            None => None,
        },
        value,
        node: None,
    }))
}

/// The only form of a text.
fn one_form(text: &str) -> Result<Edn, String> {
    // A vector at the top would be taken for the whole history.
    let around = format!("({text}\n)");
    let mut forms = Forms::new(around.as_bytes());
    match (forms.next(), forms.next()) {
        (Ok(Some((_, form))), Ok(None)) => Ok(form),
        (Err(Trouble::Wrong(problem)), _) | (_, Err(Trouble::Wrong(problem))) => Err(problem),
        _ => Err(format!("{text:?}, which is not one form")),
    }
}
