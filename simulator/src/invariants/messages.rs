//! Messages, held against the rules as they leave a node and as another one takes them in.

use rashomon_histories::Nanos;
use rashomon_node::api::{NodeId, Role};

use super::rounds::Read;
use super::{Inspect, Invariants, Reading, Vouched, id_of, position_of, restriction, vouching};

impl Invariants {
    /// A message is about to be heard by a node.
    pub fn told<P: Inspect>(&mut self, message: &P::Message) {
        self.told_committed = P::tells_committed(message);
    }

    /// A message is about to be heard by a node whose reads others confirm.
    pub fn hears<P: Inspect>(&mut self, node: usize, from: NodeId, message: &P::Message, core: &P) {
        if let Reading::Asks(question) = P::reading(message) {
            let leader = self.leader(node, core);
            self.rounds.asked(node, Read::Of(from, question), leader);
        }
    }

    /// A node has taken in what another has told it.
    pub fn heard<P: Inspect>(&mut self, node: usize, from: NodeId, core: &P) {
        if let Some(counted) = core.counts(from) {
            self.counting.counts(&mut self.findings, (node, position_of(from)), counted);
        }
    }

    /// A message leaves a node.
    pub fn sends<P: Inspect>(
        &mut self,
        now: Nanos,
        (from, to): (usize, NodeId),
        message: &P::Message,
        core: Option<&P>,
    ) {
        if P::makes_way(message) {
            self.ways.makes(from, core.and_then(P::office));
        }
        match P::reading(message) {
            Reading::Follows(round) => self.rounds.follows(from, position_of(to), round),
            Reading::Told(question) => {
                self.findings.now = now;
                let leader = core.and_then(|core| self.leader(from, core));
                let read = (from, Read::Of(to, question));
                self.rounds.answered(&mut self.findings, read, true, leader, &self.electors);
            }
            Reading::Asks(_) | Reading::Nothing => {}
        }
        let vouched = P::vouches(message, id_of(from), to);
        if vouched == Vouched::Nothing {
            return;
        }
        self.findings.now = now;
        self.counting.tells((from, position_of(to)), &vouched);
        let promise = self.promise_on_disk::<P>(from);
        let Self { acceptors, established, .. } = self;
        let disk = vouching::Disk { promise, log: &self.nodes[from].disk, acceptors, established };
        vouching::check(&mut self.findings, from, &vouched, &disk);
        if let Vouched::Promise { term, to: voted } = vouched
            && let Some(candidate) = if P::CHOOSES { Some(to) } else { voted }
        {
            self.votes.sent(from, position_of(candidate), term);
            let (voter, seen) = (&self.nodes[from].disk, &self.nodes[position_of(candidate)]);
            let asks_still = seen.promise.0 == term
                && seen.view.is_some_and(|view| view.role == Role::Candidate && view.term == term);
            if asks_still {
                let asker = (candidate, &seen.memory);
                restriction::check(&mut self.findings, (from, voter), term, asker);
            }
        }
    }
}
