//! Registers whose written values are distinct, judged in O(n log n).
//!
//! For a block let f be the earliest return and s the latest invocation among its operations. Block X must precede Y
//! exactly when f(X) < s(Y). An order of the blocks exists exactly when no two must precede each other: in a longer
//! circle the block M with the latest s precedes some P, and P precedes one whose s is at most s(M), hence M itself.
//! A block with f < s is a *forward zone*, and forward zones must not overlap; a *backward zone* (s ≤ f) must not lie inside a
//! forward one (Gibbons and Korach 1997, for histories whose read mapping is known). Sorted by min(f, s), backward
//! before forward, blocks are in an order that keeps all of this.
//!
//! Deviation from the paper: cas ties clusters into blocks ([`super::clusters`]); outcomes may be unknown; and refused cas
//! are settled afterwards, in [`super::tenures`], or left to the general search.

use super::RegisterOp;
use super::clusters::{Cluster, Clusters, Contradiction, Halt, NOBODY};
use super::{schedule, tenures};
use crate::budget::Poll;
use crate::model::{Call, NEVER};
use crate::outcome::Shortcut;

/// Judges the operations of one register. None: values are not distinct.
pub(super) fn judge(calls: &[Call<RegisterOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
    let name = |places: Vec<u32>| places.into_iter().map(|at| calls[at as usize].id).collect::<Vec<u32>>();
    Some(match order(calls, poll) {
        Ok(order) => Shortcut::Valid(name(order)),
        Err(Halt::Wrong(Contradiction { operations, cycle })) => {
            Shortcut::Invalid { operations: name(operations), cycle: name(cycle) }
        }
        Err(Halt::Open(event)) => Shortcut::Open(event),
        Err(Halt::Stopped) => Shortcut::Stopped,
        Err(Halt::NotDistinct) => return None,
    })
}

fn order(calls: &[Call<RegisterOp>], poll: &mut Poll<'_>) -> Result<Vec<u32>, Halt> {
    let clusters = Clusters::new(calls, poll)?;
    let blocks = order_blocks(calls, &clusters, poll)?;
    tenures::check_sightings(calls, &clusters, poll)?;
    let refused = calls.iter().any(|call| matches!(call.operation, RegisterOp::Refused { .. }));
    let order =
        if refused { schedule::order(calls, &clusters, &blocks, poll)? } else { flatten(&clusters, &blocks) };
    tenures::place(calls, &clusters, &order, poll)
}

/// The live clusters of blocks, in turn.
fn flatten(clusters: &Clusters, blocks: &[Block]) -> Vec<u32> {
    let mut order = Vec::with_capacity(clusters.all.len());
    for block in blocks.iter().filter(|block| clusters.is_live(block.root)) {
        let mut at = block.root;
        while at != NOBODY {
            order.push(at);
            at = clusters.all[at as usize].replaced_by;
        }
    }
    order
}

/// Clusters tied together by cas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// Its first cluster.
    pub(super) root: u32,
    /// The earliest return, by whom; nobody when all outcomes are unknown, which return at [`NEVER`].
    pub(super) f: u32,
    f_by: u32,
    /// The latest invocation, by whom.
    pub(super) s: u32,
    s_by: u32,
}

/// All blocks in an order that keeps real time, the initial value's first; also writes of unknown outcome that nobody saw.
fn order_blocks(
    calls: &[Call<RegisterOp>],
    clusters: &Clusters,
    poll: &mut Poll<'_>,
) -> Result<Vec<Block>, Halt> {
    let mut blocks = Vec::new();
    let mut visited = 0;
    for root in 0..clusters.all.len() as u32 {
        poll.go_on()?;
        if is_root(calls, clusters, root) {
            let (block, length) = walk(calls, clusters, root, poll)?;
            blocks.push(block);
            visited += if clusters.is_live(root) { length } else { 0 };
        }
    }
    let live = (0..clusters.all.len() as u32).filter(|&cluster| clusters.is_live(cluster)).count();
    if visited < live {
        return Err(closed_circle(calls, clusters).into());
    }
    let initial = blocks.remove(0);
    if initial.s_by != NOBODY
        && let Some(early) = blocks.iter().find(|block| block.f < initial.s)
    {
        return Err(contradict(calls, clusters, &initial, early).into());
    }
    check_zones(calls, clusters, &mut blocks, poll)?;
    blocks.insert(0, initial);
    Ok(blocks)
}

fn is_root(calls: &[Call<RegisterOp>], clusters: &Clusters, cluster: u32) -> bool {
    let writer = clusters.all[cluster as usize].writer;
    writer == NOBODY || matches!(calls[writer as usize].operation, RegisterOp::Write(_))
}

/// Goes along a block, checks its inner order, and measures it.
fn walk(
    calls: &[Call<RegisterOp>],
    clusters: &Clusters,
    root: u32,
    poll: &mut Poll<'_>,
) -> Result<(Block, usize), Halt> {
    let mut block = Block { root, f: NEVER, f_by: NOBODY, s: 0, s_by: NOBODY };
    let mut length = 0;
    let mut at = root;
    while at != NOBODY {
        poll.go_on()?;
        let Cluster { writer, first_reader, last_reader, replaced_by } = clusters.all[at as usize];
        length += 1;
        // In turn: who must not have returned before anybody earlier in the block was invoked, and who counts as earlier
        // for those who follow.
        for (returner, invoker) in [(writer, writer), (first_reader, last_reader)] {
            if returner == NOBODY {
                continue;
            }
            let returned = calls[returner as usize].returned;
            if block.s_by != NOBODY && returned < block.s {
                return Err(out_of_order(calls, clusters, root, block.s_by, returner).into());
            }
            if returned < block.f {
                (block.f, block.f_by) = (returned, returner);
            }
            let invoked = calls[invoker as usize].invoked;
            if block.s_by == NOBODY || invoked > block.s {
                (block.s, block.s_by) = (invoked, invoker);
            }
        }
        at = replaced_by;
    }
    Ok((block, length))
}

/// Sorts the blocks and finds two that must precede each other, if there are any.
fn check_zones(
    calls: &[Call<RegisterOp>],
    clusters: &Clusters,
    blocks: &mut Vec<Block>,
    poll: &mut Poll<'_>,
) -> Result<(), Halt> {
    poll.sort(blocks, |block| block.f.min(block.s), |block| (block.f < block.s, block.root))?;
    let mut forward: Option<Block> = None;
    for block in blocks.iter() {
        poll.go_on()?;
        if let Some(zone) = forward
            && zone.f < block.s
            && block.f < zone.s
        {
            return Err(contradict(calls, clusters, &zone, block).into());
        }
        if block.f < block.s {
            forward = Some(*block);
        }
    }
    Ok(())
}

/// Two blocks that must precede each other: the earliest return of each lies before the latest invocation of the other.
fn contradict(calls: &[Call<RegisterOp>], clusters: &Clusters, x: &Block, y: &Block) -> Contradiction {
    let mut operations = Vec::new();
    for block in [x, y] {
        let ends = [block.f_by, block.s_by];
        operations.extend(between(calls, clusters, block.root, &ends));
    }
    let cycle = if x.f_by == NOBODY || x.root == 0 {
        vec![y.f_by, x.s_by]
    } else {
        vec![x.f_by, y.s_by, y.f_by, x.s_by]
    };
    let mut cycle: Vec<u32> = cycle;
    cycle.dedup();
    Contradiction { operations: tidy(operations), cycle }
}

/// `late` stands before `early` in the block, and was invoked after it had returned.
fn out_of_order(
    calls: &[Call<RegisterOp>],
    clusters: &Clusters,
    root: u32,
    late: u32,
    early: u32,
) -> Contradiction {
    let operations = between(calls, clusters, root, &[late, early]);
    Contradiction { operations: tidy(operations), cycle: vec![early, late] }
}

/// The given operations of a block and those that tie them together.
fn between(calls: &[Call<RegisterOp>], clusters: &Clusters, root: u32, ends: &[u32]) -> Vec<u32> {
    let mut operations: Vec<u32> = ends.iter().copied().filter(|&at| at != NOBODY).collect();
    let mut wanted: Vec<u32> = operations.iter().map(|&at| clusters.of[at as usize]).collect();
    wanted.sort_unstable();
    wanted.dedup();
    // The initial value needs no writer, but what it was replaced by belongs to the proof.
    let mut left = wanted.len();
    let mut inside = root == 0;
    let mut at = root;
    while at != NOBODY && left > 0 {
        let Cluster { writer, first_reader, replaced_by, .. } = clusters.all[at as usize];
        let is_end = wanted.binary_search(&at).is_ok();
        inside |= is_end;
        left -= usize::from(is_end);
        if inside && writer != NOBODY {
            operations.push(writer);
            // What was of unknown outcome must be seen to have happened.
            if calls[writer as usize].is_unknown() && first_reader != NOBODY {
                operations.push(first_reader);
            }
        }
        at = replaced_by;
    }
    operations
}

/// Cas that replace each other's values all around: none of them can be first.
fn closed_circle(calls: &[Call<RegisterOp>], clusters: &Clusters) -> Contradiction {
    let mut reached = vec![false; clusters.all.len()];
    for root in 0..clusters.all.len() as u32 {
        let writer = clusters.all[root as usize].writer;
        let is_root =
            root == 0 || writer != NOBODY && matches!(calls[writer as usize].operation, RegisterOp::Write(_));
        let mut at = if is_root { root } else { NOBODY };
        while at != NOBODY {
            reached[at as usize] = true;
            at = clusters.all[at as usize].replaced_by;
        }
    }
    let start = (0..clusters.all.len() as u32).find(|&at| clusters.is_live(at) && !reached[at as usize]);
    let mut operations = Vec::new();
    let mut at = start.expect("more clusters live than the roots reach");
    // Whoever is not reached from a root lies on a circle: each has exactly one before it.
    while at != NOBODY {
        let Cluster { writer, first_reader, replaced_by, .. } = clusters.all[at as usize];
        if operations.contains(&writer) {
            break;
        }
        operations.push(writer);
        if calls[writer as usize].is_unknown() && first_reader != NOBODY {
            operations.push(first_reader);
        }
        at = replaced_by;
    }
    Contradiction { operations: tidy(operations), cycle: Vec::new() }
}

fn tidy(mut operations: Vec<u32>) -> Vec<u32> {
    operations.sort_unstable();
    operations.dedup();
    operations
}
