//! From a recorded history to typed operations, per key.
//!
//! A failure to decode is an error of the harness that names the event, never a verdict. Decoding also decides what is
//! evidence: definitely failed operations leave, operations of unknown outcome that could only observe leave, a refused cas
//! stays. The recorded history is not touched. Values and their shapes are each model's own, in its [`Decode`].

use std::collections::BTreeSet;

use rashomon_histories::{Event, Header, History, Kind, Operation, Process, Value};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::judge::KeyHistory;
use crate::model::{Call, Model, NEVER};

/// An operation that cannot be what it says, and the event that says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {event}: {reason}")]
pub struct DecodeError {
    /// The index of the event.
    pub event: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What an operation proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence<O> {
    /// Nothing.
    None,
    /// This took effect between invocation and completion.
    Known(O),
    /// This may take effect at any time after invocation, or never.
    Unknown(O),
}

/// A model that knows how its operations are written in histories.
pub trait Decode: Model {
    /// What one operation proves.
    ///
    /// # Errors
    /// In words, when the operation is not one of this model's or its value has the wrong shape.
    fn decode(&self, operation: &Operation<'_>) -> Result<Evidence<Self::Operation>, String>;
}

/// The operations of a history, per key, keys in the order of their names and operations in that of their invocations.
/// Operations without a key are on the key of the empty name.
///
/// # Errors
/// The first operation that cannot be decoded.
pub fn decode<M: Decode>(model: &M, history: &History) -> Result<Vec<KeyHistory<M::Operation>>, DecodeError> {
    let decoder = Decoder::new(model, history.header());
    let mut keys: Vec<KeyHistory<M::Operation>> = Vec::new();
    let mut at: FxHashMap<SmolStr, usize> = FxHashMap::default();
    for operation in history.operations() {
        let Some((key, call)) = decoder.one(&operation)? else { continue };
        let place = *at.entry(key.clone()).or_insert_with(|| {
            keys.push(KeyHistory { key, calls: Vec::new() });
            keys.len() - 1
        });
        keys[place].calls.push(call);
    }
    keys.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(keys)
}

/// An operation and its key.
pub type Keyed<O> = (SmolStr, Call<O>);

/// A model, and what its history's header says about answers.
pub struct Decoder<'a, M> {
    /// The model.
    pub model: &'a M,
    /// The invocations of which only the effect counts ([`Model::trusted`]).
    trusted: BTreeSet<u64>,
}

impl<'a, M: Decode> Decoder<'a, M> {
    /// For a history with this header.
    pub fn new(model: &'a M, header: &Header) -> Self {
        Decoder { model, trusted: header.trusted.iter().copied().collect() }
    }

    /// One operation and its key, if it is evidence.
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn one(&self, operation: &Operation<'_>) -> Result<Option<Keyed<M::Operation>>, DecodeError> {
        let mut keyed = decode_one(self.model, operation)?;
        if let Some((_, call)) = &mut keyed
            && self.trusted.contains(&operation.invoke.index)
            && let Some(effect) = self.model.trusted(&call.operation)
        {
            call.operation = effect;
        }
        Ok(keyed)
    }
}

fn decode_one<M: Decode>(
    model: &M,
    operation: &Operation<'_>,
) -> Result<Option<Keyed<M::Operation>>, DecodeError> {
    let last = operation.completion.unwrap_or(operation.invoke);
    let fail = |event: &Event, reason: String| DecodeError { event: event.index, reason };
    let (evidence, known) = match model.decode(operation).map_err(|reason| fail(last, reason))? {
        Evidence::None => return Ok(None),
        Evidence::Known(evidence) => (evidence, true),
        Evidence::Unknown(evidence) => (evidence, false),
    };
    let position = |event: &Event| match u32::try_from(event.index) {
        Ok(index) if index < NEVER => Ok(index),
        _ => Err(fail(event, format!("a judge takes no more than {NEVER} events"))),
    };
    let process = match operation.invoke.process {
        Process::Client(number) => u32::try_from(number)
            .map_err(|_| fail(operation.invoke, format!("process {number} is beyond {}", u32::MAX)))?,
        Process::Nemesis => return Ok(None),
    };
    let invoked = position(operation.invoke)?;
    let call = match operation.completion {
        Some(completion) if known => Call::completed(process, invoked, position(completion)?, evidence),
        _ => Call::unknown(process, invoked, evidence),
    };
    Ok(Some((operation.invoke.key.clone().unwrap_or_default(), call)))
}

/// Sorts an operation by how it ended. `precondition` says what a completion of kind `fail` with the error `precondition`
/// proves, for operations that can be refused; any other failure surely did not happen and proves nothing.
pub(crate) fn by_outcome<O>(
    operation: &Operation<'_>,
    happened: impl FnOnce(&Event) -> Result<O, String>,
    refused: Option<O>,
    unknown: Option<O>,
) -> Result<Evidence<O>, String> {
    Ok(match (operation.outcome(), operation.completion) {
        (Kind::Ok, Some(completion)) => Evidence::Known(happened(completion)?),
        (Kind::Fail, Some(completion)) if completion.error.as_deref() == Some(PRECONDITION) => {
            refused.map_or(Evidence::None, Evidence::Known)
        }
        (Kind::Fail, _) => Evidence::None,
        _ => unknown.map_or(Evidence::None, Evidence::Unknown),
    })
}

/// The whole number that a value must be.
pub(crate) fn number(value: &Value) -> Result<i64, String> {
    value.as_int().ok_or_else(|| format!("a whole number is wanted, not {value:?}"))
}

/// The list that a value must be.
pub(crate) fn list(value: &Value) -> Result<&[Value], String> {
    value.as_list().ok_or_else(|| format!("a list is wanted, not {value:?}"))
}

/// The error of an operation that was refused because the state was not what it asked for.
pub const PRECONDITION: &str = "precondition";
