//! Multi-Paxos, shown to those who check. Its slots are no log in Raft's sense: an acceptor may accept them out of order
//! and learn others. So of its records promises and acceptances are checked ([`super::acceptors`]); the rest is what nodes apply and answer.

use rashomon_nemesis::Capability;
use rashomon_node::api::NodeId;
use rashomon_node::paxos::Paxos;
use rashomon_node::paxos::basic::Ballot;
use rashomon_node::paxos::message::{Message, Record, Slot, Value};
use rashomon_node::protocol::Millis;

use super::counting::Told;
use super::promises::Promise;
use super::rounds::{Reading, Round};
use super::{Inspect, Said, Vouched, fingerprint};

impl Inspect for Paxos {
    const CHOOSES: bool = true;
    const OBSERVERS: bool = true;
    const TELLS_COMMITS: bool = true;
    /// The round that a node speaks of is that of its own attempt or of whom it follows, whichever it is at.
    const TERM_RISES: bool = false;
    const ASKS: &'static [Capability] = &[Capability::Leadership];

    const MESSAGES: &'static [&'static str] = &[
        "Hello",
        "Here",
        "Probe",
        "Willing",
        "Prepare",
        "Promise",
        "Accept",
        "Accepted",
        "Refused",
        "Heartbeat",
        "Confirmed",
        "Chosen",
        "Learn",
        "Taught",
        "Fetch",
        "Chunk",
        "Propose",
        "MakeWay",
        "TakeOver",
        "ReadIndex",
        "ReadIndexReply",
    ];
    const RECORDS: &'static [&'static str] = &["Founded", "Promised", "Learnt", "Snapshot"];

    fn said(record: &Record) -> Said {
        match record {
            Record::Promised(ballot) => Said::Promise { term: office(*ballot), to: None },
            Record::Accepted { slot, accepted } => Said::Accepted {
                slot: slot.0,
                ballot: office(accepted.ballot),
                fingerprint: match &accepted.value {
                    Value::Noop => fingerprint(None),
                    Value::Command(command) => fingerprint(Some(command)),
                },
            },
            Record::Chosen(slot) | Record::Learnt { slot, .. } => Said::Settled { to: slot.0 },
            Record::Snapshot { base, .. } => Said::Settled { to: base.0 },
            Record::Founded => Said::Nothing,
        }
    }

    fn promise(&self) -> Promise {
        (office(self.acceptor().promised()), None)
    }

    fn vouches(message: &Message, _: NodeId, _: NodeId) -> Vouched {
        match message {
            Message::Prepare { ballot, .. } | Message::Promise { ballot, .. } => {
                Vouched::Promise { term: office(*ballot), to: None }
            }
            Message::Accepted { ballot, first, last } => {
                Vouched::Accepted { ballot: office(*ballot), slots: first.0..=last.0 }
            }
            _ => Vouched::Nothing,
        }
    }

    fn counts(&self, node: NodeId) -> Option<Told> {
        Some((office(self.leads()?), self.counted(node)?.0))
    }

    fn gap(&self) -> Option<u64> {
        let (ballot, slots) = (self.leads()?, self.acceptor());
        let is_proposed = |slot| slots.accepted(Slot(slot)).is_some_and(|accepted| accepted.ballot == ballot);
        (slots.chosen().0 + 1..slots.last().0).find(|slot| !is_proposed(*slot))
    }

    fn tells_committed(message: &Message) -> u64 {
        match message {
            Message::Accept { chosen, .. }
            | Message::Heartbeat { chosen, .. }
            | Message::Chosen { chosen, .. } => chosen.0,
            Message::Taught { first, values, .. } => (first.0 + values.len() as u64).saturating_sub(1),
            Message::Chunk { index, .. } => index.0,
            _ => 0,
        }
    }

    fn makes_way(message: &Message) -> bool {
        matches!(message, Message::TakeOver { .. })
    }

    fn reading(message: &Message) -> Reading {
        match message {
            Message::Confirmed { ballot, round } => Reading::Follows((office(*ballot), *round)),
            Message::ReadIndex { id } => Reading::Asks(id.0),
            Message::ReadIndexReply { id, .. } => Reading::Told(id.0),
            _ => Reading::Nothing,
        }
    }

    fn round(&self) -> Option<Round> {
        Some((office(self.leads()?), self.latest_round()?))
    }

    fn has_lease(&self, now: Millis) -> bool {
        Paxos::has_lease(self, now)
    }

    /// A leader's ballot is a round and its own name (PP1).
    fn office(&self) -> Option<u64> {
        self.leads().map(office)
    }
}

/// A ballot as a number of the same order.
fn office(ballot: Ballot) -> u64 {
    const NODE_BITS: u32 = 16;
    ballot.round << NODE_BITS | u64::from(ballot.node.0)
}
