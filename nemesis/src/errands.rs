//! Errands: faults that ask the system for something (other members, another leader), which it does in its own time.
//!
//! **Errands take turns.** Two that change members would undo each other's work, and a request that is given up without an
//! answer may come true at any time: so the later one waits for the earlier, and the end of a fault for the answer to its
//! beginning. An answer comes within [`ANSWER_WAIT`], so only what mends, and insists, can make others wait for long; a
//! beginning whose turn does not come before its end is left out. One that is over, and has nothing to take back, is in nobody's
//! way: how long it was waited for, the schedule has said.
//!
//! Here are whose turn it is ([`Turns`]) and how long a request is waited for ([`Waited`]). Who asks, and how, is the world's:
//! simulated and real ones follow these same rules.

use std::time::Duration;

use crate::schedule::InstanceId;

/// How long an answer may take: longer than the reference node keeps a request.
pub const ANSWER_WAIT: Duration = Duration::from_secs(4);

/// How long the nodes may take to show what was answered.
pub const SHOW_WAIT: Duration = Duration::from_secs(1);

/// How long all must have had a membership before a disk is taken: longer than an election, or a write to disk, takes.
pub const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// How long a request without a clear answer may yet come true: as long as nodes and leaders keep one, and sleep.
pub const MAY_COME_TRUE: Duration = Duration::from_secs(15);

/// What decides whose turn it is.
pub trait Errand {
    /// The fault that it begins or ends; none: the final heal.
    fn fault(&self) -> Option<InstanceId>;
    /// Whether it begins that fault.
    fn is_begin(&self) -> bool;
    /// Whether it asks for other members, or has asked.
    fn changes_members(&self) -> bool;
    /// Whether the fault that it begins has ended meanwhile.
    fn is_over(&self) -> bool;
    /// That fault ends.
    fn set_over(&mut self);
}

/// All errands under way, and those whose turn has not come.
#[derive(Debug)]
pub struct Turns<E> {
    open: Vec<E>,
    /// In the order in which they came.
    waiting: Vec<E>,
}

impl<E> Default for Turns<E> {
    fn default() -> Self {
        Turns { open: Vec::new(), waiting: Vec::new() }
    }
}

impl<E: Errand> Turns<E> {
    /// Keeps the errand until its turn comes: it is among the next that are [`Turns::in_turn`].
    pub fn queue(&mut self, errand: E) {
        self.waiting.push(errand);
    }

    /// The next errand that has to wait for no other any more.
    pub fn in_turn(&mut self) -> Option<E> {
        let is_free = |place: &usize| {
            let mut earlier = self.open.iter().chain(&self.waiting[..*place]);
            !earlier.any(|earlier| waits_for(&self.waiting[*place], earlier))
        };
        (0..self.waiting.len()).find(is_free).map(|place| self.waiting.remove(place))
    }

    /// Keeps one whose request is on its way.
    pub fn keep(&mut self, errand: E) {
        self.open.push(errand);
    }

    /// Those whose requests are on their way.
    pub fn open(&self) -> &[E] {
        &self.open
    }

    /// The same, to be changed.
    pub fn open_mut(&mut self) -> &mut [E] {
        &mut self.open
    }

    /// Takes the first open one of which this is so.
    pub fn take(&mut self, is_meant: impl FnMut(&E) -> bool) -> Option<E> {
        let place = self.open.iter().position(is_meant)?;
        Some(self.open.remove(place))
    }

    /// Takes all whose requests are on their way.
    pub fn take_open(&mut self) -> Vec<E> {
        std::mem::take(&mut self.open)
    }

    /// Takes all there are.
    pub fn take_all(&mut self) -> Vec<E> {
        let mut all = self.take_open();
        all.append(&mut self.waiting);
        all
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.waiting.is_empty()
    }

    /// The fault ends: its beginning, if it is on its way, has only its answer to wait for. Answers it if its turn has not
    /// come: it is left out.
    pub fn end(&mut self, fault: InstanceId) -> Option<E> {
        let is_its = |errand: &E| errand.is_begin() && errand.fault() == Some(fault);
        self.open.iter_mut().filter(|errand| is_its(errand)).for_each(E::set_over);
        let place = self.waiting.iter().position(is_its)?;
        Some(self.waiting.remove(place))
    }
}

/// Whether the earlier one has to be over first. Where a fault that is over has members to ask back for, its end is in the queue,
/// and others wait for that.
fn waits_for<E: Errand>(later: &E, earlier: &E) -> bool {
    let of_one_fault = later.fault().is_some() && later.fault() == earlier.fault();
    of_one_fault || (later.changes_members() && earlier.changes_members() && !earlier.is_over())
}

/// A request, and what has come of it by now.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    /// Since it was asked for.
    pub asked: Duration,
    /// Whether it was said to be done, and since when; none: there is no answer.
    pub answered: Option<(bool, Duration)>,
    /// Whether the nodes show it.
    pub is_so: bool,
    /// Whether a disk is taken next, which is for nobody to count on any more: if so, whether nobody has for [`SETTLED_AFTER`].
    pub settled: Option<bool>,
    /// Whether the fault that asks is over.
    pub is_over: bool,
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look again.
    Wait,
    /// It is so; the next action has its turn, if the fault is not over.
    GoOn,
    /// It has not come to be so in time.
    Failed,
}

impl Waited {
    /// What is next. A disk that is to be taken is waited for until the fault ends.
    pub fn next(&self) -> Next {
        let settles = self.settled.filter(|_| !self.is_over);
        let waits = match self.answered {
            _ if self.is_so && settles != Some(false) => return Next::GoOn,
            None => self.asked < ANSWER_WAIT,
            Some((done, since)) => done && (since < SHOW_WAIT || (self.is_so && settles.is_some())),
        };
        if waits { Next::Wait } else { Next::Failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Trip {
        fault: u64,
        is_begin: bool,
        changes_members: bool,
        is_over: bool,
    }

    impl Errand for Trip {
        fn fault(&self) -> Option<InstanceId> {
            Some(InstanceId(self.fault))
        }

        fn is_begin(&self) -> bool {
            self.is_begin
        }

        fn changes_members(&self) -> bool {
            self.changes_members
        }

        fn is_over(&self) -> bool {
            self.is_over
        }

        fn set_over(&mut self) {
            self.is_over = true;
        }
    }

    fn begin(fault: u64) -> Trip {
        Trip { fault, is_begin: true, changes_members: true, is_over: false }
    }

    fn end(fault: u64) -> Trip {
        Trip { is_begin: false, ..begin(fault) }
    }

    fn plain(trip: Trip) -> Trip {
        Trip { changes_members: false, ..trip }
    }

    /// Queues them in this order, and keeps those whose turn it is.
    fn send_out(turns: &mut Turns<Trip>, trips: &[Trip]) -> Vec<Trip> {
        trips.iter().for_each(|trip| turns.queue(*trip));
        let mut sent = Vec::new();
        while let Some(trip) = turns.in_turn() {
            turns.keep(trip);
            sent.push(trip);
        }
        sent
    }

    #[test]
    fn two_that_change_members_take_turns_and_others_do_not_wait() {
        let mut turns = Turns::default();
        assert_eq!(send_out(&mut turns, &[begin(1), begin(2), plain(begin(3))]), [begin(1), plain(begin(3))]);
        assert_eq!(turns.take(|trip| trip.fault == 1), Some(begin(1)));
        assert_eq!(send_out(&mut turns, &[]), [begin(2)]);
    }

    #[test]
    fn the_end_of_a_fault_waits_for_the_answer_to_its_beginning_and_others_for_that_end() {
        let mut turns = Turns::default();
        send_out(&mut turns, &[begin(1)]);
        assert_eq!(turns.end(InstanceId(1)), None);
        assert_eq!(send_out(&mut turns, &[end(1), begin(2)]), []);
        assert!(turns.take(|_| true).unwrap().is_over);
        assert_eq!(send_out(&mut turns, &[]), [end(1)]);
        assert_eq!(turns.take(|_| true), Some(end(1)));
        assert_eq!(send_out(&mut turns, &[]), [begin(2)]);
    }

    #[test]
    fn what_is_over_and_has_nothing_to_take_back_is_in_nobodys_way() {
        let mut turns = Turns::default();
        assert_eq!(send_out(&mut turns, &[begin(1), begin(2)]), [begin(1)]);
        assert_eq!(turns.end(InstanceId(1)), None);
        assert_eq!(send_out(&mut turns, &[plain(end(1))]), [begin(2)], "its end still waits for the answer");
    }

    #[test]
    fn a_beginning_whose_turn_does_not_come_before_its_end_is_left_out() {
        let mut turns = Turns::default();
        send_out(&mut turns, &[begin(1), begin(2)]);
        assert_eq!(turns.end(InstanceId(2)), Some(begin(2)));
        assert_eq!(turns.take_all(), [begin(1)]);
        assert!(turns.is_empty());
    }

    #[test]
    fn a_request_is_waited_for_as_long_as_it_may_yet_be_answered_shown_or_settle() {
        let (soon, late) = (Duration::from_millis(1), Duration::from_secs(60));
        let waited = |asked, answered, is_so, settled, is_over| {
            Waited { asked, answered, is_so, settled, is_over }.next()
        };
        assert_eq!(waited(soon, None, false, None, false), Next::Wait);
        assert_eq!(waited(late, None, false, None, false), Next::Failed);
        assert_eq!(
            waited(late, Some((true, soon)), false, None, false),
            Next::Wait,
            "the nodes may yet show it"
        );
        assert_eq!(waited(late, Some((true, late)), false, None, false), Next::Failed);
        assert_eq!(waited(soon, Some((false, soon)), false, None, false), Next::Failed, "it was refused");
        assert_eq!(waited(soon, Some((false, soon)), true, None, false), Next::GoOn, "whatever was said");
        assert_eq!(waited(late, Some((true, late)), true, Some(false), false), Next::Wait, "a disk is taken");
        assert_eq!(waited(late, Some((true, late)), true, Some(true), false), Next::GoOn);
        assert_eq!(
            waited(late, Some((true, late)), true, Some(false), true),
            Next::GoOn,
            "and then no disk is"
        );
    }
}
