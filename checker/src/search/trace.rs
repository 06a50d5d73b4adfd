//! How each configuration came to be: a tree of decisions, told backwards from the leaves.
//!
//! A *take* puts an operation in the order for good. A *pass* says that it could stand here unseen; it does, unless a later
//! take on the same path puts it elsewhere. Nodes are appended only, so parents come first, and one sweep drops the
//! decisions that no surviving configuration stands on.

/// The path of no decisions.
pub(crate) const ROOT: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    /// The item, twice, and one more for a pass.
    code: u32,
}

/// The tree.
#[derive(Default)]
pub(crate) struct Trace {
    nodes: Vec<Node>,
    live: usize,
}

impl Trace {
    /// The path `parent` and then: this item takes effect.
    pub(crate) fn take(&mut self, parent: u32, item: u32) -> u32 {
        self.push(parent, item << 1)
    }

    /// The path `parent` and then: this item may have taken effect unseen.
    pub(crate) fn pass(&mut self, parent: u32, item: u32) -> u32 {
        self.push(parent, item << 1 | 1)
    }

    fn push(&mut self, parent: u32, code: u32) -> u32 {
        self.nodes.push(Node { parent, code });
        (self.nodes.len() - 1) as u32
    }

    /// The items on a path, in order, the last `most` of them.
    pub(crate) fn order(&self, leaf: u32, item_count: usize, most: usize) -> Vec<u32> {
        let mut placed = vec![0u64; item_count.div_ceil(64)];
        let mut order = Vec::new();
        let mut at = leaf;
        while at != ROOT && order.len() < most {
            let Node { parent, code } = self.nodes[at as usize];
            let item = code >> 1;
            let (word, bit) = (item as usize / 64, 1u64 << (item % 64));
            if placed[word] & bit == 0 {
                placed[word] |= bit;
                order.push(item);
            }
            at = parent;
        }
        order.reverse();
        order
    }

    /// Whether enough has died since the last sweep to be worth one.
    pub(crate) fn wants_sweep(&self) -> bool {
        self.nodes.len() > 2 * self.live + (1 << 16)
    }

    /// Keeps what the leaves stand on, and renames the leaves.
    pub(crate) fn sweep<'a>(&mut self, leaves: impl Iterator<Item = &'a mut u32>) {
        let mut leaves: Vec<&mut u32> = leaves.collect();
        let mut alive = vec![0u64; self.nodes.len().div_ceil(64)];
        for leaf in &leaves {
            if **leaf != ROOT {
                alive[**leaf as usize / 64] |= 1 << (**leaf % 64);
            }
        }
        for at in (0..self.nodes.len()).rev() {
            let parent = self.nodes[at].parent;
            if alive[at / 64] >> (at % 64) & 1 == 1 && parent != ROOT {
                alive[parent as usize / 64] |= 1 << (parent % 64);
            }
        }
        let mut name = vec![ROOT; self.nodes.len()];
        let mut kept = 0;
        for at in 0..self.nodes.len() {
            if alive[at / 64] >> (at % 64) & 1 == 1 {
                let Node { parent, code } = self.nodes[at];
                let parent = if parent == ROOT { ROOT } else { name[parent as usize] };
                self.nodes[kept] = Node { parent, code };
                name[at] = kept as u32;
                kept += 1;
            }
        }
        self.nodes.truncate(kept);
        self.live = kept;
        for leaf in &mut leaves {
            if **leaf != ROOT {
                **leaf = name[**leaf as usize];
            }
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.nodes.capacity() * size_of::<Node>()) as u64
    }
}
