//! Whereabouts: which node a client asks next, and when it goes on to another.
//!
//! Most clients stay with their node, so that a leader that is cut off keeps those that trust it. Real applications have others,
//! too: they go on elsewhere when they get no answer, and so see a new leader right after an old one, or find out what became of
//! an operation that the old one never answered. An operation itself is never taken elsewhere: what is asked at the next node
//! is the next operation.
//!
//! Drawn from the run's seed, for a thread as long as it lives. It refuses to know what is asked.

use rand::{RngExt as _, SeedableRng as _};

use crate::client::Outcome;
use crate::generator::{Layout, Rng, Temper};

/// A client that wanders goes on after one in so many operations.
pub const OPERATIONS_PER_MOVE: u32 = 100;

/// What a client does about its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It stays, whatever happens.
    Stays,
    /// It goes on to the next node when it got no answer.
    Leaves,
    /// The same, and now and then it goes on without a reason.
    Wanders,
}

/// Where one thread's client is.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    habit: Habit,
    node: usize,
    rng: Rng,
}

impl Whereabouts {
    /// Of the thread that is or was this process, in a run of this seed. A thread with another temper than the even one stays, as does each
    /// node's first: every node has clients of its own at any time.
    pub fn new(process: u64, layout: &Layout, seed: u64) -> Self {
        let thread = layout.thread_of(process);
        let mut rng = Rng::seed_from_u64(seed);
        // A stream of its own: the generator draws from the first.
        rng.set_stream(thread + 1);
        let is_first = thread < layout.nodes().len() as u64;
        let habit = match rng.random_range(0..4) {
            _ if is_first || Temper::of(process, layout) != Temper::Even => Habit::Stays,
            0 | 1 => Habit::Leaves,
            2 => Habit::Wanders,
            _ => Habit::Stays,
        };
        Whereabouts { habit, node: layout.node_index_of(process), rng }
    }

    /// Of a thread that stays at its own node.
    pub fn at_home(process: u64, layout: &Layout) -> Self {
        let (node, rng) = (layout.node_index_of(process), Rng::seed_from_u64(0));
        Whereabouts { habit: Habit::Stays, node, rng }
    }

    /// What it does about its node.
    pub fn habit(&self) -> Habit {
        self.habit
    }

    /// Position in [`Layout::nodes`] of the node that it asks next.
    pub fn node_index(&self) -> usize {
        self.node
    }

    /// Its operation ended so: answers whether it goes on to another node. A refusal is an answer like any other.
    pub fn ended(&mut self, outcome: &Outcome, layout: &Layout) -> bool {
        let is_answered = outcome.as_ref().err().is_none_or(|error| error.is_refusal());
        let moves = match self.habit {
            Habit::Stays => false,
            Habit::Leaves => !is_answered,
            Habit::Wanders => !is_answered || self.rng.random_ratio(1, OPERATIONS_PER_MOVE),
        };
        if moves {
            self.node = layout.node_after(self.node);
        }
        moves && layout.nodes().len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Reply;
    use crate::error::ErrorCode;

    fn layout() -> Layout {
        Layout::new(20, ["n1", "n2", "n3", "n4", "n5"]).unwrap()
    }

    fn all(seed: u64) -> Vec<Whereabouts> {
        layout().first_processes().map(|process| Whereabouts::new(process, &layout(), seed)).collect()
    }

    #[test]
    fn a_seed_gives_a_share_of_the_clients_habits_and_every_node_keeps_three() {
        let layout = layout();
        let mut counts = [0; 3];
        for seed in 0..200 {
            let (clients, again) = (all(seed), all(seed));
            let habits = |clients: &[Whereabouts]| clients.iter().map(Whereabouts::habit).collect::<Vec<_>>();
            assert_eq!(habits(&clients), habits(&again));
            for node in 0..5 {
                let at_it = clients.iter().filter(|client| client.node_index() == node);
                assert!(at_it.filter(|client| client.habit() == Habit::Stays).count() >= 3, "seed {seed}");
            }
            for (process, client) in (0..).zip(&clients) {
                let is_even = Temper::of(process, &layout) == Temper::Even;
                assert!(is_even || client.habit() == Habit::Stays, "seed {seed}, process {process}");
                counts[client.habit() as usize] += 1;
            }
        }
        let [_, leave, wander] = counts;
        assert!((350..650).contains(&leave) && (150..350).contains(&wander), "{counts:?} of 4000");
    }

    #[test]
    fn who_gets_no_answer_goes_on_unless_it_stays() {
        let layout = layout();
        let silent = Err(ErrorCode::Timeout.with("t"));
        let refused = Err(ErrorCode::Precondition.with("t"));
        for seed in 0..20 {
            for mut client in all(seed) {
                let home = client.node_index();
                let goes = client.habit() != Habit::Stays;
                assert_eq!(client.ended(&silent, &layout), goes);
                assert_eq!(client.node_index(), if goes { layout.node_after(home) } else { home });
                let answers = [Ok(Reply::done()), refused.clone()];
                let moves = (0..4_000).filter(|turn| client.ended(&answers[turn % 2], &layout)).count();
                match client.habit() {
                    Habit::Wanders => assert!((10..100).contains(&moves), "{moves}"),
                    Habit::Stays | Habit::Leaves => assert_eq!(moves, 0),
                }
            }
        }
    }

    #[test]
    fn who_has_one_node_only_is_never_elsewhere() {
        let layout = Layout::new(4, ["n1"]).unwrap();
        for process in layout.first_processes() {
            let mut client = Whereabouts::new(process, &layout, 3);
            assert!(!client.ended(&Err(ErrorCode::Timeout.with("t")), &layout));
            assert_eq!(client.node_index(), 0);
            assert_eq!(Whereabouts::at_home(process, &layout).habit(), Habit::Stays);
        }
    }
}
