//! Judging while the history is still being recorded, or read from a file that is larger than memory.
//!
//! Events go in one by one. What a prefix cannot explain, no continuation can (linearizability is closed under prefixes), so
//! a violation is final as soon as it is found; what is pending then counts as an operation of unknown outcome. The engines
//! are those of [`crate::judge()`]: there is no second proof of correctness.
//!
//! **Memory.** A key is cut where it is quiet and its state is known; what lies before the cut is judged once and forgotten
//! down to the order that explains it, four bytes an operation (`key`). So memory is in proportion to what is pending,
//! to operations of unknown outcome, and to keys that are never quiet.
//! **Cost.** What is forgotten is never judged again. Of a key that cannot be cut, the rest is judged again only when it has
//! grown by a share of itself, so that all its verdicts together cost a constant times the last one.
//!
//! It knows nothing of clocks, threads and files: the caller decides when to judge. Next: `key`, then `since`.

mod key;
mod since;

use rashomon_histories::{Event, Header, Kind, Process};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::decode::{Decode, DecodeError, Decoder};
use crate::judge::Options;
use crate::outcome::{Judgement, Verdict};
use key::Key;

/// A judge that is fed event by event.
pub struct Online<'a, M: Decode> {
    decoder: Decoder<'a, M>,
    keys: Vec<Key<M>>,
    at: FxHashMap<SmolStr, usize>,
}

/// What following a history came to.
#[derive(Clone, Debug)]
pub struct Followed {
    /// All keys, in the order of their names.
    pub judgement: Judgement,
    /// Keys that are not valid and whose beginning was forgotten: their counterexamples prove something only about what came
    /// after it. Who has the record judges them again ([`crate::judge_key`]).
    pub shortened: Vec<SmolStr>,
}

impl<'a, M: Decode> Online<'a, M> {
    /// A judge that has seen nothing of the history with this header.
    pub fn new(model: &'a M, header: &Header) -> Self {
        Online { decoder: Decoder::new(model, header), keys: Vec::new(), at: FxHashMap::default() }
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// When an operation cannot be decoded; it is then left out.
    pub fn observe(&mut self, event: Event) -> Result<(), DecodeError> {
        if event.process == Process::Nemesis {
            return Ok(());
        }
        let name = event.key.as_deref().unwrap_or_default();
        let at = match self.at.get(name) {
            Some(at) => *at,
            None => {
                self.at.insert(name.into(), self.keys.len());
                self.keys.push(Key::new(name.into()));
                self.keys.len() - 1
            }
        };
        match event.kind {
            Kind::Invoke => self.keys[at].open(event),
            _ => self.keys[at].close(&self.decoder, &event)?,
        }
        Ok(())
    }

    /// Judges every key that changed since it was judged last, on all cores, and says the worst that is known.
    /// A key of more than a few thousand operations that could not be cut waits until it has grown by an eighth.
    pub fn judge_changed(&mut self, options: &Options<'_>) -> Verdict {
        let decoder = &self.decoder;
        self.keys.par_iter_mut().for_each(|key| key.follow(decoder, options));
        self.keys.iter().filter_map(Key::verdict).max().unwrap_or(Verdict::Valid)
    }

    /// Judges and forgets the settled beginning of every key that has become long. For whoever wants one verdict at the
    /// end and little memory on the way: nothing is judged twice.
    pub fn condense(&mut self, options: &Options<'_>) {
        let model = self.decoder.model;
        self.keys.par_iter_mut().for_each(|key| key.condense(model, options, key::SEGMENT));
    }

    /// How many operations are held in memory.
    pub fn held(&self) -> usize {
        self.keys.iter().map(Key::held).sum()
    }

    /// Judges what is open and puts all together. Operations without a completion are of unknown outcome.
    ///
    /// # Errors
    /// When one of these cannot be decoded.
    pub fn finish(mut self, options: &Options<'_>) -> Result<Followed, DecodeError> {
        let decoder = &self.decoder;
        self.keys.par_iter_mut().try_for_each(|key| key.finish(decoder, options))?;
        let (mut keys, mut shortened) = (Vec::new(), Vec::new());
        for key in self.keys {
            let is_shortened = key.is_shortened();
            // A key on which nothing happened that proves anything is none.
            if let Some(judged) = key.into_judgement() {
                if is_shortened && judged.finding.verdict() != Verdict::Valid {
                    shortened.push(judged.key.clone());
                }
                keys.push(judged);
            }
        }
        keys.sort_by(|a, b| a.key.cmp(&b.key));
        shortened.sort();
        Ok(Followed { judgement: Judgement::of(keys), shortened })
    }
}
