//! Raft, shown to those who check.

use std::rc::Rc;

use rashomon_nemesis::Capability;
use rashomon_node::api::NodeId;
use rashomon_node::protocol::Millis;
use rashomon_node::raft::Raft;
use rashomon_node::raft::log::Payload;
use rashomon_node::raft::membership::Membership;
use rashomon_node::raft::message::{Body, Message, Record};

use super::counting::Told;
use super::promises::Promise;
use super::rounds::{Reading, Round};
use super::{Entry, Inspect, Said, Voters, Vouched, fingerprint, of_bytes};

impl Inspect for Raft {
    const TERM_LASTS: bool = true;
    const COUNTS_OWN_TERM: bool = true;
    const TELLS_COMMITS: bool = true;
    const MESSAGES: &'static [&'static str] = &[
        "PreVote",
        "PreVoteReply",
        "Vote",
        "VoteReply",
        "Append",
        "Appended",
        "Rejected",
        "Heartbeat",
        "HeartbeatReply",
        "Commit",
        "Install",
        "InstallReply",
        "StaleTerm",
        "Propose",
        "Admin",
        "AdminReply",
        "TimeoutNow",
        "ReadIndex",
        "ReadIndexReply",
    ];
    const RECORDS: &'static [&'static str] = &["HardState", "Entry", "Snapshot"];
    const ASKS: &'static [Capability] = &[Capability::Leadership, Capability::Members];

    fn promise(&self) -> Promise {
        let hard = self.hard_state();
        (hard.term.0, hard.vote)
    }

    fn vouches(message: &Message, from: NodeId, to: NodeId) -> Vouched {
        let term = message.term.0;
        match &message.body {
            Body::Vote { .. } => Vouched::Promise { term, to: Some(from) },
            Body::VoteReply { granted: true } => Vouched::Promise { term, to: Some(to) },
            Body::VoteReply { granted: false } | Body::HeartbeatReply { .. } | Body::StaleTerm => {
                Vouched::Promise { term, to: None }
            }
            Body::Appended { matched } => Vouched::Entries { term, last: matched.0 },
            _ => Vouched::Nothing,
        }
    }

    fn counts(&self, node: NodeId) -> Option<Told> {
        Some((self.hard_state().term.0, self.matched(node)?.0))
    }

    fn tells_committed(message: &Message) -> u64 {
        match &message.body {
            Body::Append { prev, entries, commit } => commit.0.min(prev.index.0 + entries.len() as u64),
            Body::Heartbeat { commit: index, .. } | Body::Commit { index } => index.0,
            Body::Install(part) => part.last.index.0,
            _ => 0,
        }
    }

    fn makes_way(message: &Message) -> bool {
        matches!(message.body, Body::TimeoutNow)
    }

    fn reading(message: &Message) -> Reading {
        match message.body {
            Body::HeartbeatReply { round } => Reading::Follows((message.term.0, round)),
            Body::ReadIndex { id } => Reading::Asks(id.0),
            Body::ReadIndexReply { id, .. } => Reading::Told(id.0),
            _ => Reading::Nothing,
        }
    }

    fn round(&self) -> Option<Round> {
        Some((self.hard_state().term.0, self.latest_round()?))
    }

    fn has_lease(&self, now: Millis) -> bool {
        Raft::has_lease(self, now)
    }

    fn said(record: &Record) -> Said {
        match record {
            Record::HardState(hard) => Said::Promise { term: hard.term.0, to: hard.vote },
            Record::Snapshot(image) => Said::Base {
                index: image.last.index.0,
                term: image.last.term.0,
                voters: Some(voters(&image.membership)),
            },
            Record::Entry(entry) => {
                let said = |fingerprint| Entry { index: entry.index.0, term: entry.term.0, fingerprint };
                match &entry.payload {
                    Payload::Noop => Said::Entry(said(0)),
                    Payload::Command(command) => Said::Entry(said(fingerprint(Some(command)))),
                    Payload::Membership(membership) => {
                        Said::Voters(said(of_bytes(membership)), voters(membership))
                    }
                }
            }
        }
    }
}

/// Old and new voters each, while both decide; learners are in neither (Raft 6; thesis 4.2.1).
fn voters(membership: &Membership) -> Rc<Voters> {
    let groups = [membership.voters(), membership.outgoing()];
    let groups = groups.into_iter().filter(|group| !group.is_empty()).map(<[_]>::to_vec).collect();
    Rc::new(Voters { groups })
}

#[cfg(test)]
mod tests {
    use rashomon_node::raft::log::{Index, Position, Term};

    use super::*;

    #[test]
    fn an_append_vouches_for_its_own_entries_and_only_a_handover_makes_way() {
        let of = |body| Message { term: Term(3), body };
        let prev = Position { term: Term(2), index: Index(4) };
        let append = |commit| of(Body::Append { prev, entries: Vec::new(), commit: Index(commit) });
        assert_eq!([3, 9].map(|commit| Raft::tells_committed(&append(commit))), [3, 4]);
        assert_eq!(Raft::tells_committed(&of(Body::Commit { index: Index(9) })), 9);
        assert!(Raft::makes_way(&of(Body::TimeoutNow)) && !Raft::makes_way(&append(9)));
    }
}
