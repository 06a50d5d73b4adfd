//! What waits for the disk: batches of records under way, and what holds once they are durable.

use std::collections::VecDeque;

use crate::protocol::Ticket;

/// Counts batches, and remembers what depends on each.
#[derive(Debug)]
pub struct Tickets<T> {
    issued: Ticket,
    durable: Ticket,
    under_way: VecDeque<(Ticket, T)>,
}

impl<T> Default for Tickets<T> {
    /// After a start: what was read back is durable, as ticket 0.
    fn default() -> Self {
        Self { issued: Ticket(0), durable: Ticket(0), under_way: VecDeque::new() }
    }
}

impl<T> Tickets<T> {
    /// The ticket of the next batch.
    pub fn next(&self) -> Ticket {
        Ticket(self.issued.0 + 1)
    }

    /// The ticket of the last batch.
    pub fn issued(&self) -> Ticket {
        self.issued
    }

    /// A batch is being handed out.
    pub fn issue(&mut self) -> Ticket {
        self.issued = self.next();
        self.issued
    }

    /// This depends on the last batch.
    pub fn attach(&mut self, dependent: T) {
        self.under_way.push_back((self.issued, dependent));
    }

    /// Whether everything up to `ticket` is durable.
    pub fn is_durable(&self, ticket: Ticket) -> bool {
        ticket <= self.durable
    }

    /// Everything up to `ticket` is durable: gives what depended on that, in the order in which it was attached.
    pub fn durable(&mut self, ticket: Ticket) -> impl Iterator<Item = T> {
        self.durable = self.durable.max(ticket.min(self.issued));
        let durable = self.durable;
        let count = self.under_way.iter().take_while(|(under_way, _)| *under_way <= durable).count();
        self.under_way.drain(..count).map(|(_, dependent)| dependent)
    }
}

/// How much of a log is durable: a prefix, whose end is a position `I`.
#[derive(Debug)]
pub struct DurablePrefix<I> {
    tickets: Tickets<I>,
    end: I,
}

impl<I: Ord + Copy> DurablePrefix<I> {
    /// After a start: what was read back, up to `end`, is durable.
    pub fn all(end: I) -> Self {
        Self { tickets: Tickets::default(), end }
    }

    /// Which batches are durable.
    pub fn tickets(&self) -> &Tickets<I> {
        &self.tickets
    }

    /// The log is durable up to here.
    pub fn end(&self) -> I {
        self.end
    }

    /// A batch is being handed out, with which the log on disk ends at `end`.
    pub fn issue(&mut self, end: I) -> Ticket {
        let ticket = self.tickets.issue();
        self.tickets.attach(end);
        ticket
    }

    /// Everything up to `ticket` is durable.
    pub fn durable(&mut self, ticket: Ticket) {
        if let Some(end) = self.tickets.durable(ticket).last() {
            self.end = end;
        }
    }

    /// The log ends at `last` from now on: what is written there later is something else.
    pub fn cut(&mut self, last: I) {
        self.end = self.end.min(last);
        for (_, end) in &mut self.tickets.under_way {
            *end = last.min(*end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_a_batch_is_given_back_once_that_is_durable_and_never_again() {
        let mut tickets = Tickets::default();
        tickets.issue();
        tickets.attach('a');
        tickets.attach('b');
        tickets.issue();
        tickets.attach('c');
        assert_eq!(tickets.durable(Ticket(1)).collect::<Vec<_>>(), ['a', 'b']);
        assert!(tickets.is_durable(Ticket(1)) && !tickets.is_durable(Ticket(2)));
        assert_eq!(tickets.durable(Ticket(9)).collect::<Vec<_>>(), ['c']);
        assert!(!tickets.is_durable(tickets.next()), "what was never handed out is not durable");
    }

    #[test]
    fn a_prefix_that_was_cut_does_not_grow_back_with_what_was_under_way() {
        let mut prefix = DurablePrefix::all(3);
        let before = prefix.issue(10);
        prefix.cut(5);
        let after = prefix.issue(6);
        prefix.durable(before);
        assert_eq!(prefix.end(), 5);
        prefix.durable(after);
        assert_eq!(prefix.end(), 6);
        prefix.cut(2);
        assert_eq!(prefix.end(), 2);
    }
}
