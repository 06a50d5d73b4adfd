//! A small reader of EDN, the notation that Jepsen's histories are written in: one form at a time from a stream.
//!
//! Untrusted input: a form is bounded in bytes and in depth, and every refusal knows its line and column. It is
//! our own because a stream, these bounds and positions are what histories need and the crates for EDN, which
//! parse a whole string recursively, do not give. It refuses to know what a form means.
//! Source: the EDN specification, github.com/edn-format/edn. Where we deviate: tags and metadata are dropped and
//! their forms kept (`#jepsen.history.Op{…}` is its map), lists are vectors, characters are strings, and ratios
//! and numbers beyond 63 bits are refused. Next: [`super::jepsen`].

use std::fmt;
use std::io::{self, BufRead};

use smol_str::SmolStr;

use super::raw::Position;
use crate::jsonl::LINE_BYTES_MAX;
use crate::value::FLOAT_END;

/// How deeply forms may be nested, as serde_json's bound is for JSON.
const DEPTH_MAX: u32 = 128;

/// One form.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edn {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(SmolStr),
    /// Without its colon.
    Keyword(SmolStr),
    Symbol(SmolStr),
    Vector(Vec<Edn>),
    Set(Vec<Edn>),
    Map(Vec<(Edn, Edn)>),
}

/// For messages: atoms as they stand, collections by their kind.
impl fmt::Display for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edn::Nil => f.write_str("nil"),
            Edn::Bool(truth) => write!(f, "{truth}"),
            Edn::Int(number) => write!(f, "{number}"),
            Edn::Float(number) => write!(f, "{number}"),
            Edn::Text(text) => write!(f, "{text:?}"),
            Edn::Keyword(name) => write!(f, ":{name}"),
            Edn::Symbol(name) => write!(f, "{name}"),
            Edn::Vector(members) => write!(f, "(a vector of {})", members.len()),
            Edn::Set(members) => write!(f, "(a set of {})", members.len()),
            Edn::Map(members) => write!(f, "(a map of {})", members.len()),
        }
    }
}

/// Why there is no form.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The input ended inside a form.
    CutOff,
    /// What stands there is not EDN, or more than is allowed.
    Wrong(String),
    /// The stream could not be read.
    Io(io::Error),
}

type Result<T> = std::result::Result<T, Trouble>;

fn wrong<T>(problem: impl Into<String>) -> Result<T> {
    Err(Trouble::Wrong(problem.into()))
}

/// Reads forms; operations stand at the top, one after another, or in one vector or list around them all.
pub(super) struct Forms<R> {
    input: R,
    line: u64,
    column: usize,
    form_bytes: u64,
    around: Around,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Unknown,
    Nothing,
    Until(u8),
    Closed,
}

impl<R: BufRead> Forms<R> {
    pub(super) fn new(input: R) -> Self {
        Forms { input, line: 1, column: 1, form_bytes: 0, around: Around::Unknown }
    }

    /// Where the reader stands.
    pub(super) fn position(&self) -> Position {
        Position { line: self.line, column: self.column }
    }

    /// The next form and where it begins; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(Position, Edn)>> {
        loop {
            self.form_bytes = 0;
            self.skip_blank()?;
            match (self.peek()?, self.around) {
                (None, Around::Until(_)) => return Err(Trouble::CutOff),
                (None, _) => return Ok(None),
                (Some(open @ (b'[' | b'(')), Around::Unknown) => {
                    self.bump()?;
                    self.around = Around::Until(if open == b'[' { b']' } else { b')' });
                }
                (Some(byte), Around::Until(close)) if byte == close => {
                    self.bump()?;
                    self.around = Around::Closed;
                }
                (Some(_), Around::Closed) => return wrong("something after the end of the history"),
                (Some(_), _) => {
                    if self.around == Around::Unknown {
                        self.around = Around::Nothing;
                    }
                    let start = self.position();
                    if let Some(form) = self.form(0)? {
                        return Ok(Some((start, form)));
                    }
                }
            }
        }
    }

    /// One form; `None` for one that is discarded (`#_`).
    fn form(&mut self, depth: u32) -> Result<Option<Edn>> {
        if depth > DEPTH_MAX {
            return wrong(format!("nested more than {DEPTH_MAX} deep"));
        }
        match self.peek()?.ok_or(Trouble::CutOff)? {
            b'[' => self.sequence(b']', depth).map(|members| Some(Edn::Vector(members))),
            b'(' => self.sequence(b')', depth).map(|members| Some(Edn::Vector(members))),
            b'{' => self.map(depth).map(Some),
            b'"' => self.text().map(Some),
            b'\\' => self.character().map(Some),
            b'#' => self.dispatch(depth),
            b'^' => {
                self.bump()?;
                self.whole_form(depth)?;
                self.whole_form(depth).map(Some)
            }
            close @ (b']' | b')' | b'}') => wrong(format!("a {:?} that closes nothing", char::from(close))),
            _ => {
                let token = self.token()?;
                // What stands at the very end may be the half of something.
                match (atom(token), self.peek()?) {
                    (Err(_), None) => Err(Trouble::CutOff),
                    (atom, _) => atom.map(Some),
                }
            }
        }
    }

    /// The next form that is not discarded.
    fn whole_form(&mut self, depth: u32) -> Result<Edn> {
        loop {
            self.skip_blank()?;
            if let Some(form) = self.form(depth + 1)? {
                return Ok(form);
            }
        }
    }

    fn sequence(&mut self, close: u8, depth: u32) -> Result<Vec<Edn>> {
        self.bump()?;
        let mut members = Vec::new();
        loop {
            self.skip_blank()?;
            if self.peek()?.ok_or(Trouble::CutOff)? == close {
                self.bump()?;
                return Ok(members);
            }
            members.extend(self.form(depth + 1)?);
        }
    }

    fn map(&mut self, depth: u32) -> Result<Edn> {
        let mut members = self.sequence(b'}', depth)?.into_iter();
        let mut pairs = Vec::with_capacity(members.len() / 2);
        while let Some(name) = members.next() {
            match members.next() {
                Some(value) => pairs.push((name, value)),
                None => return wrong("a map in which a name has no value"),
            }
        }
        Ok(Edn::Map(pairs))
    }

    /// What begins with `#`: a set, a discarded form, a tagged form or a number that is none.
    fn dispatch(&mut self, depth: u32) -> Result<Option<Edn>> {
        self.bump()?;
        match self.peek()?.ok_or(Trouble::CutOff)? {
            b'{' => self.sequence(b'}', depth).map(|members| Some(Edn::Set(members))),
            b'_' => {
                self.bump()?;
                self.whole_form(depth)?;
                Ok(None)
            }
            b'#' => {
                self.bump()?;
                match self.token()?.as_str() {
                    "NaN" => Ok(Some(Edn::Float(f64::NAN))),
                    "Inf" => Ok(Some(Edn::Float(f64::INFINITY))),
                    "-Inf" => Ok(Some(Edn::Float(f64::NEG_INFINITY))),
                    other => wrong(format!("##{other}, which is no number")),
                }
            }
            _ => {
                self.token()?;
                self.whole_form(depth).map(Some)
            }
        }
    }

    fn text(&mut self) -> Result<Edn> {
        self.bump()?;
        let mut bytes = Vec::new();
        loop {
            match self.bump()?.ok_or(Trouble::CutOff)? {
                b'"' => break,
                b'\\' => {
                    let escape = self.bump()?.ok_or(Trouble::CutOff)?;
                    let character = match escape {
                        b't' => '\t',
                        b'r' => '\r',
                        b'n' => '\n',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'\\' | b'"' => char::from(escape),
                        b'u' => self.code_point()?,
                        _ => return wrong(format!("the escape \\{} in a string", char::from(escape))),
                    };
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte => bytes.push(byte),
            }
        }
        utf8(bytes).map(|text| Edn::Text(text.into()))
    }

    /// The four hexadecimal digits of an escape; two escapes may make one character, as in Java.
    fn code_point(&mut self) -> Result<char> {
        let first = self.hexadecimal()?;
        let code = match first {
            0xd800..=0xdbff => {
                let escape = [self.bump()?.ok_or(Trouble::CutOff)?, self.bump()?.ok_or(Trouble::CutOff)?];
                let second = if escape == *b"\\u" { self.hexadecimal()? } else { 0 };
                if !(0xdc00..=0xdfff).contains(&second) {
                    return wrong("half a character in a string");
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        char::from_u32(code).map_or_else(|| wrong("half a character in a string"), Ok)
    }

    fn hexadecimal(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.bump()?.ok_or(Trouble::CutOff)?).to_digit(16);
            let Some(digit) = digit else { return wrong("an escape \\u without four hexadecimal digits") };
            code = code * 16 + digit;
        }
        Ok(code)
    }

    fn character(&mut self) -> Result<Edn> {
        self.bump()?;
        // The first one belongs to it whatever it is: `\(` is a character.
        let mut bytes = vec![self.bump()?.ok_or(Trouble::CutOff)?];
        while self.peek()?.is_some_and(|byte| !ends_token(byte)) {
            bytes.extend(self.bump()?);
        }
        let name = utf8(bytes)?;
        Ok(Edn::Text(match name.as_str() {
            "newline" => "\n".into(),
            "return" => "\r".into(),
            "space" => " ".into(),
            "tab" => "\t".into(),
            _ => name.into(),
        }))
    }

    fn token(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        while self.peek()?.is_some_and(|byte| !ends_token(byte)) {
            bytes.extend(self.bump()?);
        }
        match (bytes.is_empty(), utf8(bytes), self.peek()?) {
            (true, _, None) | (_, Err(_), None) => Err(Trouble::CutOff),
            (true, _, _) => wrong("a name is missing"),
            (_, token, _) => token,
        }
    }

    fn skip_blank(&mut self) -> Result<()> {
        while let Some(byte) = self.peek()? {
            match byte {
                b';' => {
                    while self.peek()?.is_some_and(|byte| byte != b'\n') {
                        self.bump()?;
                    }
                }
                b',' => {
                    self.bump()?;
                }
                _ if byte.is_ascii_whitespace() || byte == 0x0b => {
                    self.bump()?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Trouble::CutOff),
                Err(error) => return Err(Trouble::Io(error)),
            }
        }
    }

    fn bump(&mut self) -> Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.input.consume(1);
            self.form_bytes += 1;
            if self.form_bytes > LINE_BYTES_MAX {
                return wrong(format!("a form of more than {LINE_BYTES_MAX} bytes"));
            }
            if byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        Ok(byte)
    }
}

fn ends_token(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']' | b'(' | b')' | b'{' | b'}' | b'"' | b';')
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).or_else(|_| wrong("not UTF-8"))
}

fn atom(token: String) -> Result<Edn> {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(&token);
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return number(&token);
    }
    Ok(match token.as_str() {
        "nil" => Edn::Nil,
        "true" => Edn::Bool(true),
        "false" => Edn::Bool(false),
        _ => match token.strip_prefix(':') {
            Some("") => return wrong("a keyword without a name"),
            Some(name) => Edn::Keyword(name.into()),
            None => Edn::Symbol(token.into()),
        },
    })
}

fn number(token: &str) -> Result<Edn> {
    let whole = token.strip_suffix('N').unwrap_or(token);
    if whole.strip_prefix(['+', '-']).unwrap_or(whole).bytes().all(|byte| byte.is_ascii_digit()) {
        return whole
            .parse()
            .map(Edn::Int)
            .or_else(|_| wrong(format!("the whole number {token} is beyond 63 bits")));
    }
    match token.strip_suffix('M').unwrap_or(token).parse::<f64>() {
        Ok(float) if float.abs() < FLOAT_END => Ok(Edn::Float(float)),
        Ok(_) => wrong(format!("the number {token} is beyond 63 bits")),
        Err(_) => wrong(format!("{token}, which is no whole or decimal number")),
    }
}

#[cfg(test)]
mod tests;
