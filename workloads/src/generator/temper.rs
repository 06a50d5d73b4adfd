//! Tempers: not every client asks the same mix.
//!
//! A client that mixes reads and changes stops at the first one that a cut-off node cannot answer, so it sees little
//! of what that node does wrong. One that only looks goes on reading from an old leader that serves stale state; one
//! that only changes goes on writing to one that acknowledges what it cannot keep. Every node has one of each, given
//! four clients.

use super::Layout;

/// What a client's mix leans to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// The workload's own mix.
    Even,
    /// Only looks.
    Looks,
    /// Only changes, in the simplest way there is.
    Changes,
}

impl Temper {
    /// The temper of a process: its thread's for good. Of the clients of a node, in turn: even, looks, even, changes.
    pub fn of(process: u64, layout: &Layout) -> Self {
        match layout.thread_of(process) / layout.nodes().len() as u64 % 4 {
            1 => Temper::Looks,
            3 => Temper::Changes,
            _ => Temper::Even,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_one_of_each_given_four_clients() {
        let layout = Layout::new(20, ["n1", "n2", "n3", "n4", "n5"]).unwrap();
        for node in 0..5 {
            let tempers: Vec<Temper> = (0..4).map(|turn| Temper::of(node + 5 * turn, &layout)).collect();
            assert_eq!(tempers, [Temper::Even, Temper::Looks, Temper::Even, Temper::Changes]);
            assert_eq!(Temper::of(layout.successor(node), &layout), Temper::Even);
        }
    }
}
