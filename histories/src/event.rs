//! One line of a history: who did what, when, and how it ended.
//!
//! Field names are Jepsen's, so that people and tools know them. Nothing here knows what `f` or `value` mean.
//! Next: [`crate::value`], then [`crate::recorder`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;

use crate::value::Value;

/// The version of the file format that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Nanoseconds since the start of the run, on one monotonic clock of the control side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Nanos(millis.saturating_mul(1_000_000))
    }

    /// So many whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Nanos(secs.saturating_mul(1_000_000_000))
    }

    /// In seconds, for people.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// This moment and `later` more; saturates at the end of time.
    #[must_use]
    pub const fn plus(self, later: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(later.0))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(duration: std::time::Duration) -> Self {
        Nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for std::time::Duration {
    fn from(nanos: Nanos) -> Self {
        std::time::Duration::from_nanos(nanos.0)
    }
}

/// One logical thread of asking, or the nemesis. After `info` a client process retires for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A client; in files its number.
    Client(u64),
    /// The fault injector; in files `"nemesis"`.
    Nemesis,
}

impl Process {
    /// The client process of this number.
    pub const fn client(number: u64) -> Self {
        Process::Client(number)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Process::Client(number) => write!(f, "{number}"),
            Process::Nemesis => f.write_str("nemesis"),
        }
    }
}

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Process::Client(number) => serializer.serialize_u64(*number),
            Process::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Process;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a process: a number from 0 on, or \"nemesis\"")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Process, E> {
                Ok(Process::Client(number))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Process, E> {
                match name {
                    "nemesis" => Ok(Process::Nemesis),
                    _ => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What an event does to its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Opens it; recorded before anything is sent.
    Invoke,
    /// Closes it: it happened, between the two events.
    Ok,
    /// Closes it: it surely did not happen and never will.
    Fail,
    /// Closes it: it may have happened, and may yet.
    Info,
}

impl Kind {
    /// Whether this closes an operation.
    pub const fn is_completion(self) -> bool {
        !matches!(self, Kind::Invoke)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Invoke => "invoke",
            Kind::Ok => "ok",
            Kind::Fail => "fail",
            Kind::Info => "info",
        })
    }
}

/// One event. An absent `value` and the value `null` are the same thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct Event {
    /// Place in the history, from 0, without gaps.
    pub index: u64,
    /// When, on the control side's clock.
    pub time: Nanos,
    /// Who asked.
    pub process: Process,
    /// What this does to the operation.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The operation's name, such as `read`.
    pub f: SmolStr,
    /// The object that it concerns, where the workload has several. Numbers in a file are read as their digits.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "key_from_any")]
    pub key: Option<SmolStr>,
    /// Argument or result.
    #[serde(default)]
    pub value: Value,
    /// Which node was asked, by the plan's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<SmolStr>,
    /// Why it did not succeed: a code such as `timeout` or `precondition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SmolStr>,
}

fn key_from_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SmolStr>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Option<SmolStr>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a key: a string, a whole number, or null")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(SmolStr::new(text)))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(smol_str::format_smolstr!("{number}")))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(smol_str::format_smolstr!("{number}")))
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_any(Visitor)
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// The first line of a file: what the lines below are and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct Header {
    /// Version of the format; [`FORMAT_VERSION`] when written by this crate.
    pub rashomon_history: u32,
    /// What the history is about, in words.
    #[serde(default)]
    pub about: String,
    /// The model that a judge should hold it against, such as `cas-register`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<SmolStr>,
    /// Hash of the plan that the run executed, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// Seed of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// For golden histories: where it comes from and what is right or wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<String>,
    /// For counterexamples: the indexes of the invocations of which only the effect counts, not the answer. What would make
    /// that answer true is not among the operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<u64>,
}

impl Header {
    /// A header of the current version.
    pub fn new(about: impl Into<String>) -> Self {
        Header {
            rashomon_history: FORMAT_VERSION,
            about: about.into(),
            model: None,
            plan_hash: None,
            seed: None,
            story: None,
            trusted: Vec::new(),
        }
    }
}
