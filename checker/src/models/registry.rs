//! Every model by its name, for whoever takes one from a command line or a file's header.

use rashomon_histories::History;

use crate::decode::{Decode, DecodeError, decode};
use crate::explain::{Explanation, Naming, explain};
use crate::judge::{Options, OtherHistory, Refusal, judge, judge_again, refusal};
use crate::outcome::{Engine, Finding, Judgement, Unproven};
use crate::verify::verify;

/// Whether every witness proves its verdict.
pub type Checked = Result<(), Unproven>;

/// All keys, settled or not, unless the earlier judgement was of other ones.
pub type Again = Result<Judgement, OtherHistory>;

/// Whether an engine applies to all keys.
pub type Applies = Result<(), Refusal>;

/// A model that can be asked about a whole recorded history.
pub struct Entry {
    /// What it is called.
    pub name: &'static str,
    /// What it allows, in a sentence.
    pub about: &'static str,
    /// Decodes and judges.
    pub judge: fn(&History, &Options<'_>) -> Result<Judgement, DecodeError>,
    /// Goes on with the keys that a judgement left undecided ([`judge_again`]).
    pub again: fn(&History, &Judgement, &Options<'_>) -> Result<Again, DecodeError>,
    /// Whether an engine applies ([`refusal`]).
    pub refusal: fn(&History, Engine) -> Result<Applies, DecodeError>,
    /// Tells each violated key's counterexample.
    pub explain: fn(&History, &Judgement, &Naming<'_>) -> Result<Vec<Explanation>, DecodeError>,
    /// Re-checks every key's witness; the first that proves nothing is the answer.
    pub verify: fn(&History, &Judgement) -> Result<Checked, DecodeError>,
}

fn judge_with<M: Decode + Default>(
    history: &History,
    options: &Options<'_>,
) -> Result<Judgement, DecodeError> {
    let model = M::default();
    Ok(judge(&model, &decode(&model, history)?, options))
}

fn again_with<M: Decode + Default>(
    history: &History,
    before: &Judgement,
    options: &Options<'_>,
) -> Result<Again, DecodeError> {
    let model = M::default();
    Ok(judge_again(&model, &decode(&model, history)?, before, options))
}

fn refusal_with<M: Decode + Default>(history: &History, engine: Engine) -> Result<Applies, DecodeError> {
    let model = M::default();
    Ok(refusal(&model, &decode(&model, history)?, engine))
}

fn explain_with<M: Decode + Default>(
    history: &History,
    judgement: &Judgement,
    naming: &Naming<'_>,
) -> Result<Vec<Explanation>, DecodeError> {
    let model = M::default();
    let keys = decode(&model, history)?;
    let told = judgement.keys.iter().filter_map(|judged| {
        let Finding::Invalid(counterexample) = &judged.finding else { return None };
        let key = keys.iter().find(|key| key.key == judged.key)?;
        Some(explain(&model, &key.key, &key.calls, counterexample, naming))
    });
    Ok(told.collect())
}

fn verify_with<M: Decode + Default>(
    history: &History,
    judgement: &Judgement,
) -> Result<Checked, DecodeError> {
    let model = M::default();
    let keys = decode(&model, history)?;
    if keys.len() != judgement.keys.len() {
        return Ok(Err(Unproven::Refuted(format!(
            "{} keys were judged, not {}",
            judgement.keys.len(),
            keys.len()
        ))));
    }
    let checked = keys.iter().zip(&judgement.keys).try_for_each(|(key, judged)| {
        if key.key != judged.key {
            return Err(Unproven::Refuted(format!("key {} was not judged", key.key)));
        }
        verify(&model, &key.calls, &judged.finding)
    });
    Ok(checked)
}

/// Something to be done with a model that is known by name only.
pub trait ForModel {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<M: Decode + Send + 'static>(self, model: M) -> Self::Output;
}

macro_rules! registry {
    ($($name:literal $model:ident $about:literal),* $(,)?) => {
        /// All of them.
        pub const REGISTRY: &[Entry] = &[$(Entry {
            name: $name,
            about: $about,
            judge: judge_with::<super::$model>,
            again: again_with::<super::$model>,
            refusal: refusal_with::<super::$model>,
            explain: explain_with::<super::$model>,
            verify: verify_with::<super::$model>,
        }),*];

        /// Does it with the model of this name, if there is one.
        pub fn with_model<F: ForModel>(name: &str, action: F) -> Option<F::Output> {
            match name {
                $($name => Some(action.run(super::$model)),)*
                _ => None,
            }
        }
    };
}

registry! {
    "register" Register "one value that is read and written; the last write is what a read returns",
    "cas-register" CasRegister "a register that can also be replaced on condition; a refused cas is evidence too",
    "multi-register" MultiRegister "several registers that are read and written together, at one moment",
    "set" Set "elements are added; a read sees exactly those that were added before it",
    "counter" Counter "amounts are added; a read sees their sum",
    "queue" Queue "first in, first out; nothing is lost, doubled or overtaken",
    "mutex" Mutex "a lock that one at a time can hold, and anybody release",
    "owned-mutex" OwnedMutex "a lock that one at a time can hold, and only its owner release",
    "log" Log "values are appended at offsets that follow each other, and stay there",
    "list-append" ListAppend "values are appended to a list that is read as a whole",
}

/// The model of this name.
pub fn by_name(name: &str) -> Option<&'static Entry> {
    REGISTRY.iter().find(|entry| entry.name == name)
}
