//! Which of too many configurations to keep: a guess, never a proof.
//!
//! First by how few operations of unknown outcome were used; then by what is still to be paid and what is left to pay
//! with: each effect that is still owed or waited for may force a change of the state before somebody's return, and
//! each supply that was used up is missing then. Of equal rank, the one found first stays.

use super::frontier::Frontier;
use super::rows;
use crate::model::{Effect, Model};

impl<M: Model> Frontier<'_, M> {
    /// So many of the front's rows, the most promising first.
    pub(super) fn most_promising(&self, count: usize) -> Vec<u32> {
        let mut owing = vec![0u64; self.layout.slot_words];
        for (at, slot) in self.pending.slots() {
            if self.space.effect(slot.class) != Effect::Overwrite {
                owing[at / 64] |= 1 << (at % 64);
            }
        }
        let rank = |at: &u32| {
            let row = self.front.row(*at as usize);
            let words = self.layout.taken(row).iter().zip(self.layout.passed(row)).enumerate();
            let burden = words.map(|(word, (taken, passed))| {
                let owed = owing[word] & !taken;
                let used = self.pending.overwriting[word] & taken & !passed;
                owed.count_ones() + used.count_ones()
            });
            (rows::cost(row), burden.sum::<u32>())
        };
        let mut ranked: Vec<u32> = (0..self.front.len() as u32).collect();
        ranked.sort_by_cached_key(rank);
        ranked.truncate(count);
        ranked
    }
}
