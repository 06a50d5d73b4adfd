//! Clients' commands on their way to a leader and back.
//!
//! A node keeps every command that its clients gave it until it sees the command decided, or gives up. Whenever a leader
//! becomes known, all of them are given to it, and again when one does not get anywhere: sessions make repetition
//! harmless. What has never left this node may be refused as "did not happen"; what has may not, whatever becomes of the
//! leader, as it may be in some log. Answers come from the node's own state, so a client that stays with a node reads its
//! own writes there.

use std::collections::{BTreeMap, VecDeque};
use std::iter;

use crate::api::{Refusal, RefusalCode};
use crate::machine::{Author, Command};
use crate::pending::{Answers, Patience, overloaded, take_if};
use crate::protocol::{Millis, OperationId};

/// Commands that wait at one node at most; more are refused as overload.
pub const COMMANDS_MAX: usize = 16_384;

/// Commands of this node's clients that are not known to be decided.
#[derive(Debug, Default)]
pub struct Commands {
    open: BTreeMap<Author, Waiting>,
    /// To be given to the leader, in this order. May name commands that are no longer open, until the next sweep.
    queue: VecDeque<Author>,
}

#[derive(Debug)]
struct Waiting {
    command: Command,
    operations: Vec<OperationId>,
    /// When a client last asked for it.
    since: Millis,
    /// When it last left for a leader; `None`: never, so it surely has not happened.
    left_at: Option<Millis>,
    is_queued: bool,
}

/// A command to be given to the leader now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// What it says.
    pub command: Command,
    /// Whether it, or an earlier leader, has been given it before.
    pub is_repeated: bool,
    /// The first of the operations that wait for its reply.
    pub operation: OperationId,
}

impl Commands {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether nothing is queued for the leader.
    pub fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the author's command is here already: a client repeats it, and one decision will answer both.
    pub fn holds(&self, author: &Author) -> bool {
        self.open.contains_key(author)
    }

    /// Keeps a command until it is decided.
    ///
    /// # Errors
    /// When [`COMMANDS_MAX`] wait here: it did not happen.
    pub fn hold(&mut self, id: OperationId, command: Command, now: Millis) -> Result<(), Refusal> {
        let author = command.author;
        if let Some(waiting) = self.open.get_mut(&author) {
            waiting.operations.push(id);
            waiting.since = now;
            return Ok(());
        }
        if self.open.len() >= COMMANDS_MAX {
            return Err(overloaded(COMMANDS_MAX, "operations"));
        }
        let waiting = Waiting { command, operations: vec![id], since: now, left_at: None, is_queued: true };
        self.open.insert(author, waiting);
        self.queue.push_back(author);
        Ok(())
    }

    /// The command of this author is decided: who waits for its reply?
    pub fn decided(&mut self, author: &Author) -> Vec<OperationId> {
        self.open.remove(author).map_or(Vec::new(), |waiting| waiting.operations)
    }

    /// There is a leader that has been given nothing yet: it is to get everything.
    pub fn queue_all(&mut self) {
        self.open.values_mut().for_each(|waiting| waiting.is_queued = true);
        self.queue = self.open.keys().copied().collect();
    }

    /// Queues once more what left so long ago that it may be lost. A leader that is merely slow would have to order it
    /// twice.
    pub fn queue_lost(&mut self, now: Millis, again_ms: u64) {
        for (author, waiting) in &mut self.open {
            if !waiting.is_queued && waiting.left_at.is_none_or(|at| now.since(at) >= again_ms) {
                waiting.is_queued = true;
                self.queue.push_back(*author);
            }
        }
    }

    /// Takes commands from the queue, at most `count_max`: the leader is given them now.
    pub fn take(&mut self, count_max: usize, now: Millis) -> Vec<Given> {
        iter::from_fn(|| self.next_given(now)).take(count_max).collect()
    }

    /// As [`Commands::take`], for protocols whose leaders do not care what was given before.
    pub fn take_commands(&mut self, count_max: usize, now: Millis) -> Vec<Command> {
        iter::from_fn(|| self.next_given(now)).map(|given| given.command).take(count_max).collect()
    }

    fn next_given(&mut self, now: Millis) -> Option<Given> {
        loop {
            let author = self.queue.pop_front()?;
            let Some(waiting) = self.open.get_mut(&author) else { continue };
            waiting.is_queued = false;
            let is_repeated = waiting.left_at.replace(now).is_some();
            let (command, operation) = (waiting.command.clone(), waiting.operations[0]);
            return Some(Given { command, is_repeated, operation });
        }
    }

    /// Gives up on what has waited too long, and says so. `has_leader` tells whether there is one to be given commands.
    pub fn give_up(&mut self, now: Millis, patience: Patience, has_leader: bool) -> Answers {
        let Patience { hold_ms, operation_ms } = patience;
        let mut answers = Vec::new();
        self.open.retain(|_, waiting| {
            let patience_ms = if waiting.left_at.is_some() { operation_ms } else { hold_ms };
            if now.since(waiting.since) < patience_ms {
                return true;
            }
            let refusal = match waiting.left_at {
                None if has_leader => Refusal::definite(
                    RefusalCode::Overloaded,
                    format!("the leader had no room for {hold_ms} ms; the operation was never proposed"),
                ),
                None => Refusal::definite(
                    RefusalCode::NoLeader,
                    format!("no leader was known for {hold_ms} ms; the operation was never proposed"),
                ),
                Some(_) => Refusal::indefinite(
                    RefusalCode::Timeout,
                    format!("proposed, but not known to be decided within {operation_ms} ms"),
                ),
            };
            answers.extend(waiting.operations.drain(..).map(|id| (id, Err(refusal.clone()))));
            false
        });
        self.queue.retain(|author| self.open.contains_key(author));
        answers
    }

    /// Forgets what a leader has been given; returns the operations that waited for it. No sound protocol does so.
    pub fn forget_given(&mut self) -> Vec<OperationId> {
        let given = take_if(&mut self.open, |_, waiting| waiting.left_at.is_some());
        given.into_iter().flat_map(|(_, waiting)| waiting.operations).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{NodeId, Operation};

    const PATIENCE: Patience = Patience { hold_ms: 500, operation_ms: 3_000 };

    fn command(number: u64) -> Command {
        let author = Author::Node(NodeId(1), OperationId(number));
        Command { author, operation: Operation::write("x", 1) }
    }

    /// Commands 1 to `count`, asked for at time 0 under operations of their numbers.
    fn holding(count: u64) -> Commands {
        let mut commands = Commands::default();
        for number in 1..=count {
            commands.hold(OperationId(number), command(number), Millis(0)).unwrap();
        }
        commands
    }

    fn refused(answers: &Answers) -> Vec<(u64, RefusalCode, bool)> {
        let refusal = |(id, answer): &(OperationId, Result<_, Refusal>)| {
            let refusal = answer.as_ref().unwrap_err();
            (id.0, refusal.code, refusal.definite)
        };
        answers.iter().map(refusal).collect()
    }

    #[test]
    fn a_repetition_of_what_is_under_way_is_not_given_again_and_both_are_answered() {
        let mut commands = holding(1);
        commands.hold(OperationId(7), command(1), Millis(1)).unwrap();
        assert_eq!(commands.take_commands(9, Millis(2)), [command(1)]);
        assert_eq!(commands.decided(&command(1).author), [OperationId(1), OperationId(7)]);
        assert!(commands.is_empty());
    }

    #[test]
    fn each_leader_gets_everything_once_and_what_is_lost_again() {
        let mut commands = holding(3);
        assert_eq!(commands.take(2, Millis(0)).len(), 2);
        assert_eq!(commands.take(9, Millis(0)).len(), 1);
        assert_eq!(commands.take(9, Millis(0)), []);
        commands.queue_all();
        assert!(commands.take(9, Millis(100)).iter().all(|given| given.is_repeated));
        commands.queue_lost(Millis(699), 600);
        assert_eq!(commands.take(9, Millis(699)), []);
        commands.queue_lost(Millis(700), 600);
        commands.queue_lost(Millis(700), 600);
        assert_eq!(commands.take(9, Millis(700)).len(), 3, "queued once, however often it is looked for");
    }

    #[test]
    fn what_never_left_is_refused_for_sure_and_what_left_is_not() {
        let mut commands = holding(2);
        commands.take(1, Millis(0));
        assert_eq!(refused(&commands.give_up(Millis(499), PATIENCE, false)), []);
        let late = refused(&commands.give_up(Millis(500), PATIENCE, false));
        assert_eq!(late, [(2, RefusalCode::NoLeader, true)]);
        assert_eq!(commands.take(9, Millis(500)), [], "what was refused is given to nobody");
        let late = refused(&commands.give_up(Millis(3_000), PATIENCE, true));
        assert_eq!(late, [(1, RefusalCode::Timeout, false)]);
    }

    #[test]
    fn a_leader_without_room_is_overloaded_and_so_is_a_full_node() {
        let mut commands = holding(1);
        let late = refused(&commands.give_up(Millis(500), PATIENCE, true));
        assert_eq!(late, [(1, RefusalCode::Overloaded, true)]);
        let mut commands = holding(COMMANDS_MAX as u64);
        let refusal = commands.hold(OperationId(0), command(0), Millis(0)).unwrap_err();
        assert_eq!((refusal.code, refusal.definite), (RefusalCode::Overloaded, true));
        commands.hold(OperationId(0), command(1), Millis(0)).expect("a repetition takes no room");
    }

    #[test]
    fn the_queue_forgets_what_was_given_up_while_nobody_led() {
        let mut commands = Commands::default();
        for number in 1..=100 {
            commands.hold(OperationId(number), command(number), Millis(500 * number)).unwrap();
            commands.give_up(Millis(500 * (number + 1)), PATIENCE, false);
        }
        assert!(commands.queue.is_empty());
    }
}
