//! A linearizable read that needs no place in the log is confirmed by a majority that was asked after it came: only then is it
//! sure that nobody else led before (Raft 8; thesis 6.4, step two; rules RR1, PP8, ZB9).
//!
//! Clients notice a leader that asks too few, or too early, only while another one leads already. Here every read of a leader is
//! held against the answers that others have sent to it, counted by what their messages say. Not for leases, which confirm
//! reads by time.

use std::rc::Rc;

use rashomon_node::api::NodeId;
use rashomon_node::protocol::OperationId;
use rustc_hash::FxHashMap;

use super::{Electors, Findings, Law, Voters, id_of, name, position_of};

const LAW: Law = ("a read is confirmed by a majority that was asked after it", "Raft 8; thesis 6.4");

/// A leader's round of messages: a number that is rising in one time in office, after a name of that.
pub type Round = (u64, u64);

/// What a message says about reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing.
    Nothing,
    /// Its sender still follows: the answer to a round.
    Follows(Round),
    /// Asks a leader, under this name, how far a read has to see.
    Asks(u64),
    /// The answer to the question of this name.
    Told(u64),
}

/// A leader, as it is when a read comes and when it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    /// The latest round that it has sent.
    pub(crate) round: Round,
    /// Who decides by its log.
    pub(crate) voters: Rc<Voters>,
}

/// Who follows whom, and the reads that wait for it.
#[derive(Debug)]
pub(crate) struct Rounds {
    nodes: usize,
    /// By leader and follower: the last round that was answered.
    answered: Vec<Round>,
    /// At leaders, as these were when the read came; none: it has been answered.
    waiting: FxHashMap<(usize, Read), Option<Leader>>,
}

/// Whose read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Read {
    /// A client's, at the leader itself.
    Own(OperationId),
    /// Another node's question.
    Of(NodeId, u64),
}

impl Rounds {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { nodes, answered: vec![(0, 0); nodes * nodes], waiting: FxHashMap::default() }
    }

    /// A node answers a leader's round.
    pub(crate) fn follows(&mut self, follower: usize, leader: usize, round: Round) {
        let last = &mut self.answered[leader * self.nodes + follower];
        *last = round.max(*last);
    }

    /// A read comes to a node, which may lead. What comes again, as a repeated message does, has come.
    pub(crate) fn asked(&mut self, node: usize, read: Read, leader: Option<Leader>) {
        if let Some(leader) = leader {
            self.waiting.entry((node, read)).or_insert(Some(leader));
        }
    }

    /// A read is answered, or given up.
    pub(crate) fn answered(
        &mut self,
        findings: &mut Findings,
        (node, read): (usize, Read),
        is_ok: bool,
        leader: Option<Leader>,
        electors: &Electors,
    ) {
        let Some(then) = self.waiting.get_mut(&(node, read)).and_then(Option::take) else { return };
        let Some(now) = leader.filter(|_| is_ok) else { return };
        // In another time in office it was asked for anew, and it is not known when the majority was another one.
        if now.round.0 != then.round.0 || now.voters != then.voters {
            return;
        }
        let has_answered = |voter: NodeId| {
            let last = self.answered[node * self.nodes + position_of(voter)];
            voter == id_of(node) || (last.0 == then.round.0 && last.1 > then.round.1)
        };
        if !now.voters.decide(electors, has_answered) {
            let who: Vec<String> =
                (0..self.nodes).filter(|node| has_answered(id_of(*node))).map(name).collect();
            findings.broke(LAW, || {
                format!(
                    "{} answers a read that came after round {}; later ones were answered by {}",
                    name(node),
                    then.round.1,
                    who.join(", ")
                )
            });
        }
    }

    /// A node has started anew: nobody waits there.
    pub(crate) fn restarted(&mut self, node: usize) {
        self.waiting.retain(|(at, _), _| *at != node);
    }

    /// A node's disk was taken: it is a new server, and names its rounds from the beginning.
    pub(crate) fn forgotten(&mut self, node: usize) {
        for other in 0..self.nodes {
            self.answered[node * self.nodes + other] = (0, 0);
            self.answered[other * self.nodes + node] = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Read = Read::Own(OperationId(1));

    fn leader(round: Round) -> Option<Leader> {
        Some(Leader { round, voters: Rc::default() })
    }

    /// Of three nodes the first leads in office 5; a read comes after round 7, then these rounds are answered.
    fn findings(rounds: &[(usize, Round)], now: Option<Leader>) -> usize {
        let electors: Electors = [(NodeId(1), 1), (NodeId(2), 1), (NodeId(3), 1)].into();
        let (mut checked, mut findings) = (Rounds::new(3), Findings::default());
        checked.asked(0, READ, leader((5, 7)));
        for (follower, round) in rounds {
            checked.follows(*follower, 0, *round);
        }
        checked.answered(&mut findings, (0, READ), true, now, &electors);
        findings.broken.len()
    }

    #[test]
    fn a_majority_has_to_answer_a_later_round_of_the_same_office() {
        assert_eq!(findings(&[(1, (5, 8))], leader((5, 8))), 0);
        assert_eq!(findings(&[], leader((5, 8))), 1);
        assert_eq!(findings(&[(1, (5, 7)), (2, (5, 7))], leader((5, 8))), 1, "it was sent before");
        assert_eq!(findings(&[(1, (4, 9)), (2, (4, 9))], leader((5, 8))), 1, "it is of another office");
        assert_eq!(findings(&[], leader((6, 1))), 0, "it was asked for anew");
        assert_eq!(findings(&[], None), 0, "another node leads, and was asked");
    }

    #[test]
    fn a_question_that_was_answered_and_comes_again_is_not_a_new_one() {
        let electors: Electors = [(NodeId(1), 1), (NodeId(2), 1), (NodeId(3), 1)].into();
        let (mut checked, mut findings) = (Rounds::new(3), Findings::default());
        checked.asked(0, READ, leader((5, 7)));
        checked.follows(1, 0, (5, 8));
        checked.answered(&mut findings, (0, READ), true, leader((5, 8)), &electors);
        checked.asked(0, READ, leader((5, 8)));
        checked.answered(&mut findings, (0, READ), true, leader((5, 8)), &electors);
        assert_eq!(findings.broken, []);
    }
}
