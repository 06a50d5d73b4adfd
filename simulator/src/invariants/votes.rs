//! Who leads has the votes of a majority for this very term (Raft 5.2; Paxos Made Simple 2.2, phase 1): counted by the votes
//! that nodes have sent to it, so one of an earlier term, or one counted twice, is none.

use rashomon_node::api::NodeId;
use rustc_hash::FxHashMap;

use super::{Electors, Findings, Law, Voters, id_of, name, position_of};

const LAW: Law = ("a leader has the votes of a majority in its term", "Raft 5.2; Paxos Made Simple 2.2");

/// The votes that were sent.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    /// By term (ballot) and candidate: from whom, a bit for each node.
    sent: FxHashMap<(u64, usize), u64>,
}

impl Votes {
    /// A node sends a vote for a candidate.
    pub(crate) fn sent(&mut self, node: usize, candidate: usize, term: u64) {
        *self.sent.entry((term, candidate)).or_default() |= 1 << node;
    }

    /// A node takes office, where these decide.
    pub(crate) fn leads(
        &self,
        findings: &mut Findings,
        (node, office): (usize, u64),
        (voters, electors): (&Voters, &Electors),
    ) {
        let sent = self.sent.get(&(office, node)).copied().unwrap_or(0);
        let has_voted = |voter: NodeId| voter == id_of(node) || sent >> position_of(voter) & 1 == 1;
        if !voters.decide(electors, has_voted) {
            findings.broke(LAW, || {
                let from: Vec<String> = (0..64).filter(|voter| sent >> voter & 1 == 1).map(name).collect();
                format!("{} leads in {office}; votes for it came from {}", name(node), from.join(", "))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_of_another_term_or_for_another_candidate_is_none() {
        let electors: Electors = [(NodeId(1), 1), (NodeId(2), 1), (NodeId(3), 1)].into();
        let mut votes = Votes::default();
        votes.sent(1, 0, 4);
        votes.sent(2, 1, 5);
        let leads = |votes: &Votes, office| {
            let mut findings = Findings::default();
            votes.leads(&mut findings, office, (&Voters::default(), &electors));
            findings.broken.is_empty()
        };
        assert!(leads(&votes, (0, 4)) && leads(&votes, (1, 5)));
        assert!(!leads(&votes, (0, 5)));
        votes.sent(2, 0, 5);
        assert!(leads(&votes, (0, 5)));
    }
}
