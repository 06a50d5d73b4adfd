//! The value of an operation, as data: what JSON can say, cheap for the small integers that workloads use.
//!
//! It refuses to know what a value means; typed operations are made from it by a workload's `decode`.
//!
//! Numbers mean in a file what they mean here, or they are refused: a whole number beyond 63 bits would come back
//! as a float with other digits, and two distinct writes would look alike.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;

/// What an event carries. `Null` stands for "absent" and "nothing".
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing there.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number; what registers hold.
    Int(i64),
    /// Any other number. One that a file cannot say as a number (not finite, or 2^63 and beyond, where whole
    /// numbers lose digits) is written as text.
    Float(f64),
    /// Text.
    Text(SmolStr),
    /// Several values in order; a cas has `[old, new]`.
    List(Vec<Value>),
    /// Named values; evidence of the nemesis.
    Map(BTreeMap<SmolStr, Value>),
}

impl Value {
    /// `[first, second]`, as a cas carries it.
    pub fn pair(first: impl Into<Value>, second: impl Into<Value>) -> Self {
        Value::List(vec![first.into(), second.into()])
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(members) => Some(members),
            _ => None,
        }
    }

    /// The member of this name, if it is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(members) => members.get(name),
            _ => None,
        }
    }

    /// Whether nothing is there.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Any serialisable data as a value.
    ///
    /// # Errors
    /// When the data cannot be said in JSON (a map whose keys are not strings).
    pub fn from_data(data: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(data)?)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Value::Null, Value::Int)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(SmolStr::new(text))
    }
}

impl From<Vec<Value>> for Value {
    fn from(members: Vec<Value>) -> Self {
        Value::List(members)
    }
}

impl fmt::Display for Value {
    /// As JSON, the way it stands in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// 2^63: from here on a JSON number without a fraction may be a whole number that lost digits on the way.
pub(crate) const FLOAT_END: f64 = 9_223_372_036_854_775_808.0;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Float(number) if number.abs() < FLOAT_END => serializer.serialize_f64(*number),
            Value::Float(number) => serializer.collect_str(number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(members) => members.serialize(serializer),
            Value::Map(members) => members.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| E::custom(format_args!("the whole number {number} is beyond 63 bits")))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        match number.abs() < FLOAT_END {
            true => Ok(Value::Float(number)),
            false => Err(E::custom(format_args!("the number {number:e} is beyond 63 bits"))),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(SmolStr::new(text)))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut list = Vec::with_capacity(members.size_hint().unwrap_or(2).min(16));
        while let Some(member) = members.next_element()? {
            list.push(member);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<SmolStr, Value>()? {
            if map.insert(name.clone(), value).is_some() {
                return Err(de::Error::custom(format_args!("the name {name:?} stands twice in one object")));
            }
        }
        Ok(Value::Map(map))
    }
}
