//! What waits at a node, whichever protocol it runs: clients' commands, reads and wishes until a leader has dealt with
//! them, and what depends on records until the disk has them.
//!
//! Plain bookkeeping, without I/O and without a word of any protocol: what a position is (an index, a slot), who leads and
//! what confirms a read are the protocol's affair and come as arguments. Everything is bounded; what does not fit is
//! refused as overload, and what waits too long is refused as well: definitely, unless it may be in somebody's log.
//!
//! | file | what waits |
//! | --- | --- |
//! | [`commands`] | commands, for their decision |
//! | [`reads`] | reads: at the node that was asked, and at the leader that confirms them |
//! | [`rounds`] | a leader's rounds of heartbeats, for answers: what its lease rests on |
//! | [`errands`] | wishes for other members or another leader |
//! | [`disk`] | promises and answers, for their records |

pub mod commands;
pub mod disk;
pub mod errands;
pub mod reads;
pub mod rounds;

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::api::{Refusal, RefusalCode, Reply};
use crate::protocol::OperationId;

/// How often what waits is looked through for what has waited too long, in milliseconds.
pub const SWEEP_MS: u64 = 20;

/// Answers to operations, as they go into [`crate::protocol::Effects::answer`].
pub type Answers = Vec<(OperationId, Result<Reply, Refusal>)>;

/// How long things may wait, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// What no leader has been given.
    pub hold_ms: u64,
    /// What a leader has been given, and may have carried out.
    pub operation_ms: u64,
}

/// The highest value that so much weight of these has reached, given as values and their weights: it is what a majority has,
/// where that is a majority. `None` if all together weigh less. Looked for at most steps of a leader, so without an allocation.
pub fn reached_by<T: Ord + Copy>(weight: u64, values: impl Iterator<Item = (T, u64)>) -> Option<T> {
    let mut falling = SmallVec::<[(T, u64); 8]>::new();
    for value in values {
        falling.push(value);
        // They are few: a value that rises to its place costs less than a sort.
        let mut place = falling.len() - 1;
        while place > 0 && falling[place - 1].0 < falling[place].0 {
            falling.swap(place - 1, place);
            place -= 1;
        }
    }
    let mut sum = 0;
    let reached = falling.iter().find(|(_, own)| {
        sum += own;
        sum >= weight
    });
    reached.map(|(value, _)| *value)
}

/// Takes out what `is_taken`, in the order of its keys.
fn take_if<K: Ord + Copy, V>(map: &mut BTreeMap<K, V>, is_taken: impl Fn(&K, &V) -> bool) -> Vec<(K, V)> {
    let taken = map.iter().filter(|(key, value)| is_taken(key, value)).map(|(key, _)| *key);
    let taken: Vec<K> = taken.collect();
    taken.into_iter().filter_map(|key| map.remove_entry(&key)).collect()
}

fn overloaded(count_max: usize, what: &str) -> Refusal {
    Refusal::definite(RefusalCode::Overloaded, format!("{count_max} {what} are waiting at this node"))
}
